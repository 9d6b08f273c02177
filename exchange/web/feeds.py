"""`POST /v1/feeds`: many leads in one stream, each sold by itself, each answered as it ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiolimiter import AsyncLimiter

from exchange.contract.feeds import FeedEnd, FeedRow, FeedTotals, end_line, header_line, row_line
from exchange.contract.seller import LeadAnswer, Problem
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.intake.feeds.naming import key_of, shown_ref
from exchange.intake.feeds.row import Blank, Fault, Halt, Row
from exchange.intake.request import Request, Unparsable
from exchange.web.answers import SERVER, encode
from exchange.web.doors import DOORS, Doors
from exchange.web.edge import denial_of, route_of
from exchange.web.feed_body import closing, pieces
from exchange.web.feed_order import CSV, NDJSON, Order, order_of
from exchange.web.guard import Caller, admit, header_key, overload, seller_of
from exchange.web.idempotency import body_digest, named
from exchange.web.limits import Limits
from exchange.web.problems import OF_STATUS, ClientGoneError, DeniedError, Kind, problem
from exchange.web.receiving import Received
from exchange.web.selling import sell
from exchange.web.under_way import ClosingError

T = TypeVar("T")

LEADS = "/v1/leads"
"""Whose post a row is: its key is known again there, too."""
RETRIED = frozenset({Kind.OVERLOADED, Kind.TOO_MANY, Kind.UNAVAILABLE, Kind.UNDER_WAY})
"""What may be over in a moment: the row is tried again before its line says so."""

ANSWERS = msgspec.json.Decoder(LeadAnswer)


class FeedsUnderWay:
    """How many feeds this worker takes in, and of whom."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        """By seller."""

    @contextmanager
    def one_more(self, seller_id: str, limits: Limits) -> Iterator[None]:
        """Count a feed while it is taken in; raise 503 where there are enough of them.

        One seller has half of the places at most, however slowly its feeds come in: there is
        always one for somebody else.
        """
        most = limits.feeds_at_once_max
        own = (most + 1) // 2
        if self.of.total() >= most:
            raise enough(f"{most} feeds are taken in here already", limits)
        if self.of[seller_id] >= own:
            raise enough(f"{own} feeds of yours are taken in here already", limits)
        self.of[seller_id] += 1
        try:
            yield
        finally:
            self.of[seller_id] -= 1
            self.of += Counter()  # forgets who has none


def enough(detail: str, limits: Limits) -> DeniedError:
    """Return the 503 of a feed for which there is no place."""
    return DeniedError(Kind.OVERLOADED, detail, retry_after_s=limits.retry_after_s)


FEEDS = web.AppKey("feeds", FeedsUnderWay)


async def post_feed(request: web.Request) -> web.StreamResponse:
    """Sell a feed row by row: `POST /v1/feeds?campaign=auto-us&source=partner`."""
    doors = request.app[DOORS]
    admit(doors)
    caller = seller_of(request, header_key(request), doors.market())
    order = order_of(request, doors.limits)
    with request.app[FEEDS].one_more(caller.seller.id, doors.limits):
        return await Feed(request, doors, caller, order).run()


class Feed:
    """One feed on its way: a window of rows at once, each told as it ends."""

    def __init__(self, request: web.Request, doors: Doors, caller: Caller, order: Order) -> None:
        self.request = request
        self.doors = doors
        self.caller = caller
        self.order = order
        self.window = asyncio.Semaphore(order.at_once)
        self.pace = AsyncLimiter(1, 1 / order.rows_per_s)
        self.totals = FeedTotals()
        self.response = web.StreamResponse(
            headers={
                "Content-Type": CSV if order.answers_csv else NDJSON,
                "Cache-Control": "no-store",
                "Server": SERVER,
                "X-Accel-Buffering": "no",  # proxies that know it pass each line on at once
            }
        )

    async def run(self) -> web.StreamResponse:
        """Sell all rows and tell what became of each; the last line tells of all.

        What cannot be read from the beginning raises `DeniedError`, as with any other request.
        """
        async with aclosing(self.rows()) as rows:
            first = await anext(rows, None)
            await self.begin()
            stopped = await self.sell_all(first, rows)
        end = FeedEnd(totals=self.totals, complete=stopped is None, problem=stopped)
        await self.write(end_line(end).encode() if self.order.answers_csv else line(end))
        await self.response.write_eof()
        return self.response

    async def begin(self) -> None:
        """Begin the answer; from here on the status is 200."""
        self.response.force_close()  # its buffer is not for other requests, nor is its unread body
        await self.response.prepare(self.request)
        if self.request.transport is not None:
            high = self.doors.limits.feed_unread_max_bytes
            self.request.transport.set_write_buffer_limits(high)
        if self.order.answers_csv:
            await self.write(header_line().encode())

    async def rows(self) -> AsyncGenerator[Row | Fault, None]:
        """Return the rows as they come, at most as many as a feed may have."""
        splitter = self.order.splitter(self.doors.limits)
        async with aclosing(pieces(self.request, self.doors, self.order)) as body:
            async for piece in body:
                splitter.take(piece)
                async for row in self.counted(splitter.parts()):
                    yield row
        splitter.end()
        async for row in self.counted(splitter.parts()):
            yield row

    async def counted(
        self, parts: Iterator[Row | Fault | Halt | Blank]
    ) -> AsyncIterator[Row | Fault]:
        """Return the rows among what was split."""
        most = self.doors.limits.feed_rows_max
        for number, part in enumerate(parts, 1):
            if number % BREATH == 0:
                await asyncio.sleep(0)
            if isinstance(part, Halt):
                raise DeniedError(OF_STATUS[part.status], part.detail)
            if isinstance(part, Blank):
                continue
            if part.number > most:
                detail = f"a feed has {most} rows at most: send the others in another one"
                raise DeniedError(Kind.TOO_LARGE, detail, close=True)
            yield part

    async def sell_all(
        self, first: Row | Fault | None, others: AsyncIterator[Row | Fault]
    ) -> Problem | None:
        """Sell every row; return why reading stopped before the end, if it did.

        Where nobody listens any more no other row is begun; those that were go on to their end.
        """
        stopped = None
        gone = False
        try:
            async with asyncio.TaskGroup() as selling:
                try:
                    if first is not None:
                        await self.start(first, selling)
                    async for row in others:
                        await self.start(row, selling)
                except DeniedError as denied:
                    stopped = denied.problem
        except* ClientGoneError:
            gone = True
        if gone:
            raise ClientGoneError
        return stopped

    async def start(self, row: Row | Fault, selling: asyncio.TaskGroup) -> None:
        """Begin a row once there is room in the window and it is its turn."""
        if isinstance(row, Fault):
            told = problem(OF_STATUS[row.status], row.detail)
            await self.tell(FeedRow(row=row.number, line=row.line, problem=told))
            return
        await self.unless_closing(self.window.acquire())
        await self.unless_closing(self.pace.acquire())
        self.listening()
        self.caller = self.present_caller()
        selling.create_task(self.one(row))

    async def one(self, row: Row) -> None:
        """Sell a row and tell what became of it; only then is there room for another."""
        try:
            parsed = self.doors.intake.parse(row.body, row.content_type)
            if isinstance(parsed, Unparsable):
                unread = problem(OF_STATUS[parsed.status], parsed.detail)
                await self.tell(FeedRow(row=row.number, line=row.line, problem=unread))
                return
            told = FeedRow(row=row.number, line=row.line, seller_ref=shown_ref(parsed.request))
            outcome = await self.sold(row, parsed.request)
            kind = "problem" if isinstance(outcome, Problem) else "answer"
            await self.tell(msgspec.structs.replace(told, **{kind: outcome}))
        finally:
            self.window.release()

    # A row

    async def sold(self, row: Row, request: Request) -> LeadAnswer | Problem:
        """Return the answer to a row, or its problem, once trying again has helped no more."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self.doors.limits.feed_retry_s
        while True:
            answer = await self.tried(row, request)
            if not isinstance(answer, DeniedError):
                return answer
            wait_s = answer.retry_after_s or self.doors.limits.retry_after_s
            if answer.kind not in RETRIED or loop.time() + wait_s > until_s:
                return answer.problem
            try:
                await self.unless_closing(asyncio.sleep(wait_s))
            except DeniedError as closed:
                return closed.problem
            self.listening()

    async def tried(self, row: Row, request: Request) -> LeadAnswer | DeniedError:
        """Post a row once, as `POST /v1/leads` would."""
        if overload(self.doors) is not None:
            return DeniedError(Kind.OVERLOADED, retry_after_s=self.doors.limits.retry_after_s)
        try:
            self.caller = self.present_caller()
            return ANSWERS.decode(await sell(self.request.app, self.received(row, request)))
        except Exception as error:  # noqa: BLE001 - one row's failure is its own
            return denial_of(route_of(self.request), error, self.doors)

    def received(self, row: Row, request: Request) -> Received:
        """Return a row as a request that came now, under its own key."""
        doors, seller = self.doors, self.caller.seller
        arrived_us = doors.now_us()
        name = key_of(row, request, self.order.feed)
        return Received(
            caller=self.caller,
            request=request,
            arrived_us=arrived_us,
            arrived_s=doors.monotonic(),
            new_id=LeadId(uuid7(arrived_us, doors.entropy(ENTROPY_BYTES))),
            key=named(seller.id, LEADS, name, doors.digest_secret),
            body=body_digest(row.content_type, row.body, doors.digest_secret),
            apart=True,
        )

    def present_caller(self) -> Caller:
        """Return who calls, by the market as it is now; raise where the key is none any more."""
        market = self.doors.market()
        if market is self.caller.snapshot:
            return self.caller
        return seller_of(self.request, header_key(self.request), market)

    # Its sender

    async def tell(self, row: FeedRow) -> None:
        """Write a row's line, once the sender reads; raise where it does not."""
        self.totals = self.totals.with_row(row)
        await self.write(row_line(row).encode() if self.order.answers_csv else line(row))

    async def write(self, told: bytes) -> None:
        """Write; raise `ClientGoneError` where nobody reads for long, or is there at all."""
        try:
            async with asyncio.timeout(self.doors.limits.feed_idle_s):
                await self.response.write(told)
        except (TimeoutError, ConnectionError) as error:
            raise ClientGoneError from error

    def listening(self) -> None:
        """Raise `ClientGoneError` where the sender has hung up."""
        transport = self.request.transport
        if transport is None or transport.is_closing():
            raise ClientGoneError

    async def unless_closing(self, wanted: Coroutine[Any, Any, T]) -> T:
        """Wait; raise the 503 of a closing worker where it closes before."""
        try:
            return await self.doors.under_way.unless_closing(wanted)
        except ClosingError:
            raise closing(self.doors) from None


BREATH = 64
"""After so many parts the event loop has its turn: thousands of lines may say nothing."""


def line(told: FeedRow | FeedEnd) -> bytes:
    """Return a line of NDJSON."""
    return encode(told) + b"\n"
