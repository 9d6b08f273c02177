"""One stream of calls to the server and replies from it, always in step.

Replies come in the order of the calls, so the calls in flight are one queue; a caller that went
away leaves its place in it, and what it asked is still taken note of. What the server announces
unasked (RESP3 pushes) is heard on the same stream.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis

from exchange.market.errors import FunctionError, MarketStale, MarketUnavailable
from exchange.market.function import Function

WAITING = object()

STALE = "EPOCH"
"""A function's own error: what it was asked of is not of the epoch that its caller knows."""

AWAY = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN"})
"""Errors of a server that cannot serve now; another may be reached under the same name."""

UNABLE = frozenset(
    {"BUSY", "MISCONF", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "WRONGPASS"}
)
"""Errors of a server that does not let us, whatever was asked."""


class Call:
    """One command under way, or several that stand or fall together, and who waits for replies."""

    __slots__ = (
        "deadline",
        "function",
        "future",
        "is_many",
        "is_reloaded",
        "is_repeated",
        "packed",
        "replies_due",
        "take",
    )

    def __init__(
        self,
        packed: bytes,
        future: asyncio.Future[Any],
        take: Callable[[Any], Any],
        deadline: float,
        function: Function | None = None,
        replies: int = 1,
    ) -> None:
        self.packed = packed
        self.future = future
        self.take = take
        """Reads the reply the moment it arrives, in the order of all replies, waited for or not."""
        self.deadline = deadline
        self.function = function
        self.replies_due = replies
        self.is_many = replies > 1
        # Who asked for many hears of a lost connection and asks again: some have been taken.
        self.is_repeated = self.is_many
        self.is_reloaded = False

    def fail(self, error: Exception) -> None:
        """Tell the caller, if it still waits; of many replies none is taken after one failed."""
        if self.is_many:
            self.take = ignore
        if not self.future.done():
            self.future.set_exception(error)


class Connection(asyncio.Protocol):
    """The stream itself; `on_lost` gets the calls that stayed without a reply, in their order."""

    def __init__(
        self,
        address: str,
        on_push: Callable[[Sequence[Any]], None],
        on_lost: "Callable[[Connection, Sequence[Call]], None]",
    ) -> None:
        self.in_flight: deque[Call] = deque()
        self.replies = 0
        self.problem = "the connection broke"
        self.lost = asyncio.Event()
        self._address = address
        self._on_push = on_push
        self._on_lost = on_lost
        self._reader = hiredis.Reader(notEnoughData=WAITING)
        self._transport: asyncio.Transport | None = None

    def send(self, calls: Sequence[Call]) -> None:
        """Write all these calls at once."""
        self.in_flight.extend(calls)
        self.write(b"".join([call.packed for call in calls]))

    def write(self, packed: bytes) -> None:
        """Write what gets no reply, such as a subscription."""
        assert self._transport is not None, "the stream is written once it is connected"
        self._transport.write(packed)

    def abort(self, problem: str) -> None:
        """Drop the connection; `on_lost` follows."""
        self.problem = problem
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over what has no reply."""
        if exc is not None:
            self.problem = f"the connection broke ({exc})"
        unanswered = tuple(self.in_flight)
        self.in_flight.clear()
        self._on_lost(self, unanswered)
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Give every reply to its call, and everything else to `on_push`."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not WAITING:
                if type(reply) is hiredis.PushNotification:
                    self._on_push(reply)
                elif self.in_flight:
                    call = self.in_flight[0]
                    call.replies_due -= 1
                    if not call.replies_due:
                        self.in_flight.popleft()
                    self._answer(call, reply)
                else:
                    self.abort("it sent a reply that nobody asked for")
                    return
        except hiredis.ProtocolError as error:
            self.abort(f"it does not speak RESP ({error})")

    def _answer(self, call: Call, reply: Any) -> None:
        self.replies += 1
        if isinstance(reply, hiredis.ReplyError):
            self._refuse(call, str(reply))
            return
        try:
            taken = call.take(reply)
        except Exception as error:  # noqa: BLE001 - a reader's error is its caller's, the stream stays in step
            call.fail(error)
            return
        if not call.replies_due and not call.future.done():
            call.future.set_result(taken)

    def _refuse(self, call: Call, text: str) -> None:
        word = text.partition(" ")[0]
        if word == "NOSCRIPT" and call.function is not None and not call.is_reloaded:
            # Nothing was executed, so this is no second time.
            call.is_reloaded = True
            load = self._load(call, call.function)
            if call.is_many:
                self.send((load,))
                call.fail(MarketUnavailable(address=self._address, problem=text))
            else:
                call.replies_due = 1
                self.send((load, call))
        elif word == STALE:
            problem = text.removeprefix(f"{STALE} ")
            call.fail(MarketStale(address=self._address, problem=problem))
        elif word in AWAY or word in UNABLE or call.function is None:
            call.fail(MarketUnavailable(address=self._address, problem=text))
            if word in AWAY:
                self.abort(text)
        else:
            call.fail(FunctionError(function=call.function.name, problem=text))

    def _load(self, call: Call, function: Function) -> Call:
        nobody: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nobody.cancel()
        return Call(function.pack_load(), nobody, ignore, call.deadline)


def ignore(reply: object) -> None:
    """Take no note of a reply."""
