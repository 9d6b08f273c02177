"""Delivers what waits in the outbox, beside the sales: any worker, each message at least once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from exchange.domain.ids import LeadId
from exchange.domain.message import Webhook
from exchange.ledger.errors import LedgerUnavailable
from exchange.notify.outbox import Due, Outbox, Try
from exchange.notify.retrying import DELIVERED, Verdict, away_s, pause_s, verdict
from exchange.notify.webhook import signed_lines
from exchange.wire.call import Call
from exchange.wire.endpoint import Endpoint

logger = structlog.get_logger(__name__)
MS_PER_S = 1000.0
LEASE_SLACK_S = 20.0
"""So much longer than a call may take a message is its worker's: reading it and writing it down."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is sent at once, and how long things may take."""

    look_every_s: float = 1.0
    timeout_s: float = 10.0
    at_once: int = 8
    """To one recipient; to one that is away a single message, to see."""
    in_all: int = 64


class Endpoints(Protocol):
    """Who prepares endpoints."""

    def of(self, url: str) -> Endpoint:
        """Return where JSON is posted to."""


class Requests(Protocol):
    """Who carries a call; to addresses that are allowed, and no others."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


class Observer(Protocol):
    """Who counts."""

    def message_tried(self, topic: str, outcome: str, ms: float) -> None:
        """Note a try: delivered, again, failed."""


class Means(msgspec.Struct, frozen=True):
    """What messages are made and sent with."""

    wire: Requests
    endpoints: Endpoints
    recipients: Callable[[], Mapping[str, Webhook]]
    """Who is to be told, by the names under which messages are kept; as the market is now."""
    told: Callable[[str, int, LeadId], Awaitable[bytes | None]]
    """Makes the body that tells of a lead, for a topic and the moment of its end."""
    observer: Observer
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    luck: Callable[[], float]


class Away(msgspec.Struct):
    """A recipient that could not be reached lately."""

    failures: int = 0
    until: float = 0.0


class Sender:
    """Takes due messages and delivers them; nothing waits for it. Close it before the wire."""

    def __init__(self, outbox: Outbox, means: Means, limits: Limits) -> None:
        """Take the outbox and what it is sent with."""
        self._outbox = outbox
        self._means = means
        self._limits = limits
        self._busy: Counter[str] = Counter()
        self._away: dict[str, Away] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Deliver for good; an outage of the ledger, or whatever else fails, is waited out."""
        while True:
            self._freed.clear()
            try:
                if await self._begin():
                    await asyncio.sleep(0)
                    continue
            except Exception as error:  # what this met must not silence all the others for good
                logger.exception("messages not taken", exc_info=error)
            # A place that is free again lets the next one go at once; else it is looked for.
            try:
                async with asyncio.timeout(self._limits.look_every_s):
                    await self._freed.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Break off: what is under way is sent again, by whoever looks once its lease is over."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _begin(self) -> bool:
        """Begin what is due and has room; tell whether there may be more."""
        recipients = self._means.recipients()
        rooms, left = self._rooms(recipients), self._limits.in_all - len(self._tasks)
        if not rooms or left <= 0:
            return False
        try:
            lease_s = self._limits.timeout_s + LEASE_SLACK_S
            due = await self._outbox.take(rooms, lease_s, left)
        except LedgerUnavailable:
            return False
        for message in due:
            self._busy[message.recipient] += 1
            work = self._deliver(message, recipients[message.recipient])
            task = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        return bool(due)

    def _rooms(self, recipients: Mapping[str, Webhook]) -> dict[str, int]:
        """Return to whom something may be sent now, and how much; another one first each time."""
        now, names = self._means.monotonic(), list(recipients)
        first = int(self._means.luck() * len(names))
        rooms = {}
        for name in (*names[first:], *names[:first]):
            away = self._away.get(name)
            most = self._limits.at_once if away is None else int(now >= away.until)
            if most > self._busy[name]:
                rooms[name] = most - self._busy[name]
        return rooms

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("message not delivered", exc_info=error)

    # One message

    async def _deliver(self, message: Due, to: Webhook) -> None:
        try:
            body = message.body or await self._body(message)
            if body is None:
                nothing = Try(at_us=self._means.now_us(), ms=0.0, detail="there is no such lead")
                await self._outbox.failed(message.id, nothing)
                return
            at_us = self._means.now_us()
            call = await self._call(message, to, at_us, body)
            await self._write(message, at_us, call)
        except LedgerUnavailable:
            logger.warning("message left to its lease", message_id=message.id)
        finally:
            self._busy[message.recipient] -= 1

    async def _body(self, message: Due) -> bytes | None:
        assert message.lead_id is not None, "a message without a body tells of a lead"
        return await self._means.told(message.topic, message.at_us, message.lead_id)

    async def _call(self, message: Due, to: Webhook, at_us: int, body: bytes) -> Call:
        endpoint = self._means.endpoints.of(to.url)
        lines = signed_lines(to.secret, message.id, at_us, body)
        call = Call(
            endpoint=endpoint,
            request=endpoint.request(body, headers=lines),
            timeout_ms=self._limits.timeout_s * MS_PER_S,
        )
        await self._means.wire.fan_out((call,), float("inf"))
        return call

    async def _write(self, message: Due, at_us: int, call: Call) -> None:
        """Write down what a call came to, and see whether its recipient is away, or is back."""
        said = verdict(call)
        tried = Try(at_us=at_us, ms=call.took_ms, status=call.status, detail=said.detail)
        if said is DELIVERED:
            was_away = self._away.pop(message.recipient, None)
            await self._outbox.delivered(message.id, tried)
            if was_away is not None or message.tries > 1:
                await self._outbox.hasten(message.recipient)
            self._note(message, "delivered", call)
            return
        self._is_away(message.recipient)
        after_s = self._pause_s(message, said)
        if after_s is None:
            await self._outbox.failed(message.id, tried)
            logger.warning("message given up", message_id=message.id, recipient=message.recipient)
        else:
            await self._outbox.again(message.id, tried, after_s)
        self._note(message, "failed" if after_s is None else "again", call)

    def _pause_s(self, message: Due, said: Verdict) -> float | None:
        return None if said.is_final else pause_s(message.tries, said.asked_s, self._means.luck())

    def _is_away(self, recipient: str) -> None:
        away = self._away.setdefault(recipient, Away())
        away.failures += 1
        away.until = self._means.monotonic() + away_s(away.failures)

    def _note(self, message: Due, outcome: str, call: Call) -> None:
        self._means.observer.message_tried(message.topic, outcome, call.took_ms)
