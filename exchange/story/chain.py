"""A lead's chain of moments, as the one worker writes it that sells the lead."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from exchange.domain.captured import Captured
from exchange.domain.events import Event, EventName
from exchange.domain.ids import LeadId
from exchange.domain.moment import Moment, MomentKind, SaleEnd
from exchange.story.captures import pack
from exchange.story.noticing import Noticing
from exchange.story.patience import any_done
from exchange.story.telling import Tells


class Fenced(Exception):  # noqa: N818 - said as people say it
    """Another worker took this lead over; whatever it decided holds."""


class Broken(Exception):  # noqa: N818 - said as people say it
    """An earlier moment of this lead could not be written; recovery will tell how it ended."""


class Commits(Protocol):
    """Where moments are written."""

    def commit(self, moment: Moment) -> Awaitable[bool]:
        """Write the moment durably; False where somebody else has its number."""


Then = Callable[[], Awaitable[None]]
"""What is due once something is durable."""


class Chain:
    """Gathers events and writes them, moment by moment, each after the one before it."""

    def __init__(
        self, ledger: Commits, lead_id: LeadId, now_us: Callable[[], int], written: int = 0
    ) -> None:
        """Go on after `written` moments of this lead."""
        self.lead_id = lead_id
        self._ledger = ledger
        self._now_us = now_us
        self._number = self._found = written
        self._events: list[Event] = []
        self._exchanged: list[Captured] = []
        self._ended_sales: deque[tuple[SaleEnd, Then]] = deque()
        self._due: list[Then] = []
        self._order = asyncio.Lock()
        self.tells: Tells | None = None
        """Makes the message that tells the seller of the lead's end; None: it asks for none."""
        self.noticing: Noticing | None = None
        """Gathers what bidders are told; None: nobody asks for it."""
        self.is_pending = False
        """The seller hears `pending`, or may have: what becomes of the lead is news to it."""
        self._begun: asyncio.Future[bool] | None = None
        self._is_settled = True
        """What came of that is known."""
        self._broken = False
        self.ended_at_us = 0
        """When the lead's end was, once it is written."""

    @property
    def is_untouched(self) -> bool:
        """Nothing was handed to the ledger here: what breaks off so leaves nothing on the books."""
        return self._number == self._found

    def note(self, name: EventName, *, at_us: int | None = None, **what: Any) -> None:
        """Add an event, of now where no other time is given, to the next moment."""
        when = self._now_us() if at_us is None else at_us
        self._events.append(Event(at_us=when, event=name, **what))

    def event(self, name: EventName, **what: Any) -> Event:
        """Return an event of now, for the moment that it is to be written with."""
        return Event(at_us=self._now_us(), event=name, **what)

    def add(self, event: Event) -> None:
        """Add an event to the next moment: `note` without its detour, for what comes often."""
        self._events.append(event)

    def captured(self, *calls: Captured) -> None:
        """Keep the exact bytes of some calls for the next moment."""
        self._exchanged += calls

    def sale_ended(self, end: SaleEnd, then: Then) -> None:
        """Let the next moment say how this sale ended, and do this once it is durable.

        Each moment ends one sale; of several that ended, the next ones say it: all of them no later
        than another award, or the lead's end.
        """
        self._ended_sales.append((end, then))

    @property
    def has_ended_sales(self) -> bool:
        """Tell whether some sale ended of which nothing is written yet."""
        return bool(self._ended_sales)

    def then(self, then: Then) -> None:
        """Do this once the next moment that is waited for is durable."""
        self._due.append(then)

    def begin(self, kind: MomentKind, **rows: Any) -> None:
        """Hand the first moment over and go on beside it; what is written next waits for it.

        `begun` tells what came of it.
        """
        moment = self._next(kind, rows)
        self._begun = asyncio.ensure_future(self._ledger.commit(moment))
        self._is_settled = False

    async def begun(self) -> None:
        """Return once what was begun is durable; raise Fenced where its number is taken."""
        assert self._begun is not None, "a moment was begun"
        await self._settled(self._begun)
        if not self._begun.result():
            raise Fenced

    @property
    def has_begun(self) -> bool:
        """Tell whether what was begun is known to be durable by now."""
        begun = self._begun
        if begun is None or not begun.done() or begun.cancelled():
            return False
        return begun.exception() is None and begun.result()

    async def is_begun(self) -> bool:
        """Tell whether what was begun is durable, as soon as that is known."""
        assert self._begun is not None, "a moment was begun"
        await any_done((self._begun,), None)
        return self._begun.exception() is None and self._begun.result()

    async def write(self, kind: MomentKind, *, noting: Sequence[Event] = (), **rows: Any) -> None:
        """Write a moment with all events noted so far; raise Fenced where its number is taken.

        `noting` are events that this very moment is to have, whoever else writes meanwhile. Callers
        that write at once are served in turn. The ledger finishes a write that it began even where
        the caller is cancelled. Returns once what was due with it is done, too.
        """
        due: list[Then] = []
        async with self._order:
            if kind is MomentKind.AWARD or "lead_end" in rows:
                while len(self._ended_sales) > ("sale_end" not in rows):
                    due += await self._write(MomentKind.OUTCOME, {})
            self._events += noting
            due += await self._write(kind, rows)
        for then in due:
            await then()

    async def write_unless_ended(self, kind: MomentKind, name: EventName, **what: Any) -> None:
        """Note an event and write a moment, unless the lead has its end when its turn comes."""
        due: list[Then] = []
        async with self._order:
            if not self.ended_at_us:
                self.note(name, **what)
                due = await self._write(kind, {})
        for then in due:
            await then()

    async def _write(self, kind: MomentKind, rows: dict[str, Any]) -> list[Then]:
        """Write the next moment, its turn having come; return what is due with it."""
        if self._begun is not None:
            await self._settled(self._begun)
        if self._broken:
            raise Broken
        due, self._due = self._due, []
        if kind is MomentKind.PENDING:
            self.is_pending = True
        if self.tells is not None and rows.get("lead_end") is not None:
            rows["message"] = self.tells(rows["lead_end"], self.is_pending)
        if self._ended_sales and "sale_end" not in rows:
            rows["sale_end"], then = self._ended_sales.popleft()
            due.append(then)
        moment = self._next(kind, rows)
        if not await self._ledger.commit(moment):
            raise Fenced
        self._broken = False
        if moment.lead_end is not None:
            self.ended_at_us = moment.at_us
        if self.noticing is not None:
            self.noticing.written(moment)
        return due

    def _next(self, kind: MomentKind, rows: dict[str, Any]) -> Moment:
        """Return the next moment, with all events noted so far."""
        events, self._events = tuple(self._events), []
        exchanged, self._exchanged = self._exchanged, []
        self._number += 1
        self._broken = True  # until the ledger says otherwise: no gap is ever left
        return Moment(
            lead_id=self.lead_id,
            number=self._number,
            kind=kind,
            at_us=self._now_us(),
            events=events,
            capture=pack(exchanged) if exchanged else None,
            **rows,
        )

    async def _settled(self, begun: "asyncio.Future[bool]") -> None:
        """Return once it is known what came of the moment that was begun; let the chain go on."""
        if not begun.done():
            await any_done((begun,), None)
        if not self._is_settled:
            self._is_settled = True
            is_durable = begun.exception() is None and begun.result()
            self._broken = not is_durable
