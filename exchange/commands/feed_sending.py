"""Rows on their way to an exchange: some at a time, at a pace, each under its own key."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from aiolimiter import AsyncLimiter

from exchange.client.awaited import AsyncClient
from exchange.client.errors import Denied, ExchangeError, Misdirected, NotFound, UnderWay
from exchange.commands.feed_results import Known
from exchange.contract.feeds import FeedRow, FeedTotals
from exchange.contract.seller import LeadAnswer, LeadView, Problem
from exchange.errors import CommandError
from exchange.intake.feeds.naming import key_of, shown_ref
from exchange.intake.feeds.row import Blank, Fault, Halt, Part, Row
from exchange.intake.parsing import parse
from exchange.intake.request import Request, Unparsable

UNREADABLE = "/problems/unreadable"
TITLE = "The request cannot be read"


class Pace(msgspec.Struct, frozen=True):
    """How fast a feed goes."""

    rows_per_s: float
    at_once: int


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How far a feed came."""

    totals: FeedTotals
    skipped: int = 0
    """Rows that an earlier run had brought to their end."""
    stopped: str | None = None
    """Why the rest was not begun."""


class Sending:
    """One run over a feed."""

    def __init__(
        self,
        client: AsyncClient,
        pace: Pace,
        known: Known,
        feed_key: str,
        ended: Callable[[FeedRow], None],
    ) -> None:
        """Take what an earlier run knows; `ended` hears of every row as it ends."""
        self.client = client
        self.window = asyncio.Semaphore(pace.at_once)
        self.pace = AsyncLimiter(1, 1 / pace.rows_per_s)
        self.known = known
        self.feed_key = feed_key
        self.ended = ended
        self.totals = FeedTotals()
        self.skipped = 0
        self.stopped: str | None = None

    async def run(self, parts: AsyncIterator[Part]) -> Course:
        """Bring every row to its end, or stop where no other one would fare better.

        Raises CommandError where the feed cannot be read, or results cannot be written.
        """
        failed: CommandError | None = None
        try:
            async with asyncio.TaskGroup() as sending:
                async for part in parts:
                    if self.stopped is not None:
                        break
                    await self.start(part, sending)
        except* CommandError as errors:
            failed = next(error for error in errors.exceptions if isinstance(error, CommandError))
        if failed is not None:
            raise failed
        return Course(totals=self.totals, skipped=self.skipped, stopped=self.stopped)

    async def start(self, part: Part, sending: asyncio.TaskGroup) -> None:
        """Begin a row once there is room and it is its turn; tell at once what is none."""
        match part:
            case Halt():
                raise CommandError(part.detail)
            case Fault():
                problem = unreadable(part.status, part.detail)
                self.tell(FeedRow(row=part.number, line=part.line, problem=problem))
            case Row():
                await self.start_row(part, sending)
            case Blank():
                pass

    async def start_row(self, row: Row, sending: asyncio.TaskGroup) -> None:
        """Begin a row unless it has ended before."""
        parsed = parse(row.body, row.content_type)
        if isinstance(parsed, Unparsable):
            problem = unreadable(parsed.status, parsed.detail)
            self.tell(FeedRow(row=row.number, line=row.line, problem=problem))
            return
        key = key_of(row, parsed.request, self.feed_key)
        if key in self.known.ended:
            self.skipped += 1
            return
        await self.window.acquire()
        await self.pace.acquire()
        if self.stopped is None:
            sending.create_task(self.one(row, parsed.request, key))

    async def one(self, row: Row, request: Request, key: str) -> None:
        """Bring one row to its end."""
        told = FeedRow(row=row.number, line=row.line, seller_ref=shown_ref(request), key=key)
        try:
            answer = await self.answer(row, request, key)
            self.tell(msgspec.structs.replace(told, answer=answer))
        except ExchangeError as error:
            if is_everybodys(error):
                self.stopped = str(error)
            if not isinstance(error, Denied | Misdirected):
                self.tell(msgspec.structs.replace(told, problem=error.problem))
        finally:
            self.window.release()

    async def answer(self, row: Row, request: Request, key: str) -> LeadAnswer:
        """Post a row; of one that was pending ask how it ended, for it must not be posted again."""
        lead_id = self.known.pending.get(key)
        if lead_id is not None:
            return as_answer(await self.client.lead(lead_id))
        return await self.client.post_body(
            row.body, row.content_type, idempotency_key=key, sent=request.fields
        )

    def tell(self, row: FeedRow) -> None:
        """Count a row, and hand its end on."""
        self.totals = self.totals.with_row(row)
        self.ended(row)


def is_everybodys(error: ExchangeError) -> bool:
    """Tell whether the next row would meet the same: no valid key, no exchange, no end of it."""
    if isinstance(error, NotFound | UnderWay):
        return False
    return error.retryable or isinstance(error, Denied | Misdirected)


def as_answer(view: LeadView) -> LeadAnswer:
    """Return a lead as it stands as the answer to its post."""
    return msgspec.convert(view, LeadAnswer, from_attributes=True)


def unreadable(status: int, detail: str) -> Problem:
    """Return the problem that the exchange would have answered."""
    return Problem(type=UNREADABLE, title=TITLE, status=status, detail=detail)
