"""The stories of a worker: the sale of a lead, and the end of one that a worker left behind."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from exchange.auction.auction import Auction, AuctionLimits
from exchange.configuration.past import Past
from exchange.delivery.delivery import Delivery
from exchange.domain.lead import Fingerprint, Lead
from exchange.domain.lessons import Lessons
from exchange.domain.notice import Notice
from exchange.domain.vertical import Vertical
from exchange.intake.tokens import Tokens
from exchange.story.deciding import Deciding
from exchange.story.recovery import Recovery
from exchange.story.stations import Stations
from exchange.story.story import Story
from exchange.worker.base import Base


class Listeners:
    """Who still listens to buyers whose sale was given up: nothing that anybody waits for."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Run something until it ends, or until all are stopped."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop(self) -> None:
        """Listen no longer."""
        for task in self._tasks:
            task.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a sale asks of those that run beside it."""

    lessons: Callable[[], Lessons]
    alike: Callable[[Lead, Fingerprint, Vertical], int | None]
    notice: Callable[[str, Notice], None]
    listeners: Listeners


def stations_of(base: Base, tokens: Tokens, beside: Beside) -> Stations:
    """Return every station of a sale."""
    ground, books, buyers = base.ground, base.books, base.buyers
    auction = Auction(
        buyers.wire,
        buyers.health,
        buyers.endpoints,
        monotonic=time.monotonic,
        entropy=os.urandom,
        limits=AuctionLimits(),
        racing=buyers.wire,
    )
    delivery = Delivery(
        buyers.wire,
        buyers.endpoints,
        now_us=ground.now_us,
        late_grace_ms=ground.settings.post_late_grace_ms,
    )
    deciding = Deciding(books.decisions, books.decided, ground.now_us)
    return Stations(
        ledger=books.ledger,
        market=base.state.market,
        auction=auction,
        delivery=delivery,
        tokens=tokens,
        observer=ground.metrics,
        now_us=ground.now_us,
        monotonic=time.monotonic,
        entropy=os.urandom,
        spawn=beside.listeners.spawn,
        claim_secret=ground.vault.derive("claims"),
        lessons=beside.lessons,
        rates=base.state.rates,
        alike=beside.alike,
        notice=beside.notice,
        word_on=deciding.word_on,
        last_word=deciding.last_word,
        said=deciding.said,
    )


def open_story(base: Base, stations: Stations) -> Story:
    """Return the story of every lead; those under way are finished when the worker closes."""
    books = base.books
    past = Past(books.connections.use, base.present)
    story = Story(stations, books.ledger, books.leases, base.present, past, books.moved)
    base.ground.stack.push_async_callback(story.close)
    return story


def open_recovery(base: Base, stations: Stations, story: Story, every_s: float) -> None:
    """Look this often for leads that were left open, and end them."""
    recovery = Recovery(
        stations,
        base.books.ledger,
        base.books.leases,
        base.state.market,
        base.present,
        story.left_open,
    )
    base.ground.stack.push_async_callback(recovery.close)
    base.ground.beside(recovery.run(every_s))
