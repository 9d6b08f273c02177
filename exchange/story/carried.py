"""What a quote has brought into its post."""

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.floor_table import RuledFloor
from exchange.domain.legs import Kept
from exchange.domain.money import Micros
from exchange.domain.reason import Reason

CHANGED = "the routing plan was changed since the ping"


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What a quote brings into the post: its bids and its promise."""

    bids: tuple[Bid, ...]
    stage: int | None
    """Where the bids were made; that stage asks nobody again. None: it is not in the plan now."""
    promised: Micros
    floor: RuledFloor | None
    """What the campaign's rules gave the ping as its floor."""
    payout_wanted: Micros
    """The promise, unless the seller permits less now, or wants more; of several legs the least."""
    wanted_later: Micros
    """The same of the stages after its own: there somebody takes the best leg's place."""
    kept: Kept
    asked: tuple[Bid, ...] = ()
    """Those whose offers are not to have it as well: they hear what became of it, too."""
    left_out: tuple[tuple[str, Reason, str], ...] = ()
    """Offers whose bids stood and that are not to have it: why, and in words."""
