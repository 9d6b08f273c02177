"""The lower half of a worker: what every sale, and all that runs beside the sales, stands on."""

from collections.abc import Callable
from dataclasses import dataclass

from exchange.domain.snapshot import Snapshot
from exchange.worker.books import Books
from exchange.worker.buyers import Buyers
from exchange.worker.ground import Ground
from exchange.worker.state import State


@dataclass(frozen=True, slots=True)
class Base:
    """Both stores, the way to the buyers, and the market file as it is at any moment."""

    ground: Ground
    books: Books
    state: State
    buyers: Buyers
    present: Callable[[], Snapshot]
