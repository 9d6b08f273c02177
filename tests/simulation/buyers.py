"""Simulated buyers and the network before them: they bid, take posts, and misbehave by chance.

A buyer keeps what it decided of a sale: asked again under the same key it says the same. How it
says it, when, and whether a word of it arrives, is chance.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from exchange.wire.call import Call, Detail, Outcome
from tests.simulation.bids import BIDS
from tests.simulation.history import History
from tests.simulation.loop import Process, World

KEY = b"Idempotency-Key: "
QUESTION = b"GET /status/"
NO_BID = b'{"bid": 0, "reason": "not mine"}'
GARBAGE = (b"<html>sorry</html>", b'{"bid": "', b"", b'{"bid": NaN}', b'{"bid": -4}', b"[" * 300)


class Decision(msgspec.Struct):
    """What a buyer decided of one sale, for good."""

    accepted: bool
    price: str
    """What it says that it pays; empty: as it bid."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How often things go wrong, from 0 to 1."""

    ping_fails: float = 0.0
    post_fails: float = 0.0
    refuses: float = 0.1
    latency_s: float = 0.02
    confirms: float = 0.0
    """How often a buyer says at the exchange's door what it decided; after a 202 three times in
    four, where it ever does."""


class Buyer:
    """One buyer's own books."""

    def __init__(
        self,
        name: str,
        chance: Random,
        history: History,
        manners: Manners,
        confirm: Callable[..., None] = lambda *_, **_more: None,
    ) -> None:
        """Take its name and manners, and what plans a word at the door."""
        self.name = name
        self.manners = manners
        self.decisions: dict[bytes, Decision] = {}
        self._chance = chance
        self._history = history
        self._confirm = confirm

    def receive(self, request: bytes) -> tuple[int, bytes]:
        """Take a post; return what is answered, if that gets through."""
        if request.startswith(QUESTION):
            return self._asked(request)
        chance = self._chance.random
        start = request.index(KEY) + len(KEY)
        sale_id = request[start : request.index(b"\r\n", start)]
        decision = self.decisions.get(sale_id)
        is_new = decision is None
        self._history.add("post", self.name, sale_id.decode(), is_new)
        if decision is None:
            decision = self.decisions[sale_id] = Decision(
                chance() >= self.manners.refuses, "0.50" if chance() < 1 / 20 else ""
            )
        status, body = 200, b'{"accepted": false, "reason": "no"}'
        if decision.accepted:
            price = f', "price": {decision.price}' if decision.price else ""
            body = f'{{"accepted": true, "reference": "r"{price}}}'.encode()
        if chance() < self.manners.post_fails:
            status, body = self._misspoken(decision, status, body, is_new=is_new)
        self._history.add(
            "said", self.name, sale_id.decode(), decision.accepted, decision.price, status
        )
        often = 3 / 4 if status == 202 and self.manners.confirms else self.manners.confirms
        if is_new and often and chance() < often:
            self._confirm(self.name, sale_id.decode(), accepted=decision.accepted)
        return status, body

    def _asked(self, request: bytes) -> tuple[int, bytes]:
        """Say what was decided of a sale; one whose post never came is not known here."""
        sale_id = request[len(QUESTION) : request.index(b" ", len(QUESTION))]
        decision = self.decisions.get(sale_id)
        if decision is None or self._chance.random() < self.manners.post_fails:
            return 404, b""
        self._history.add(
            "said", self.name, sale_id.decode(), decision.accepted, decision.price, 200
        )
        if not decision.accepted:
            return 200, b'{"accepted": false, "reason": "no"}'
        price = f', "price": {decision.price}' if decision.price else ""
        return 200, f'{{"accepted": true, "reference": "r"{price}}}'.encode()

    def _misspoken(
        self, decision: Decision, status: int, body: bytes, *, is_new: bool
    ) -> tuple[int, bytes]:
        """Answer in a way that decides nothing, or refuse by a status alone."""
        one = self._chance.randrange(7)
        if one == 0 and is_new:
            decision.accepted = False  # by this very status
            return (429, 503, 404)[self._chance.randrange(3)], b""
        if one == 1:
            return 500, b"oops"
        if one == 2:
            return 202, b""
        if one == 3:
            return 200, b'{"accepted": "yes"}'
        if one == 4:
            return 200, b'{"acc'
        if one == 5 and not is_new:
            return 409, b"I have it already"
        return status, body


class Network:
    """Carries calls of the exchange's processes to buyers: what the product's wire does."""

    def __init__(
        self, world: World, history: History, buyers: dict[str, Buyer], chance: Random
    ) -> None:
        self.world = world
        self.history = history
        self.buyers = buyers
        self.chance = chance
        self.is_down = False
        """Nobody is reached."""

    def of(self, process: Process) -> "Wire":
        """Return the wire of one process."""
        return Wire(self, process)

    def bid(self, call: Call, due_at: float, now: float) -> None:
        """Decide at once what comes of a ping, and when: it depends on nothing that follows."""
        chance = self.chance.random
        buyer = self.buyers[call.endpoint.host]
        self.history.add("ping", buyer.name, call.request)
        takes_s = buyer.manners.latency_s * (0.2 + chance() + chance())
        call.sent_at = now
        call.status = 200
        if chance() < buyer.manners.ping_fails:
            call.outcome, takes_s = self._failed_ping(call, takes_s)
        else:
            call.outcome = Outcome.ANSWERED
            call.body = BIDS[int(chance() * 400)] if chance() < 0.8 else NO_BID
        call.ended_at = now + takes_s
        if call.ended_at > due_at:
            call.outcome, call.ended_at, call.status, call.body = Outcome.TIMEOUT, due_at, 0, b""

    def _failed_ping(self, call: Call, takes_s: float) -> tuple[Outcome, float]:
        one = self.chance.randrange(4)
        if one == 0 or self.is_down:
            call.sent_at, call.status = 0.0, 0
            return Outcome.UNREACHABLE, takes_s
        if one == 1:
            call.status = 0
            return Outcome.BROKEN, takes_s
        if one == 2:
            return Outcome.TIMEOUT, 1e9
        call.body = GARBAGE[self.chance.randrange(len(GARBAGE))]
        return Outcome.ANSWERED, takes_s


class Wire:
    """The wire of one process, by the one method that auction and delivery call."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    async def fan_out(
        self,
        calls: Sequence[Call],
        deadline_at: float,
        on_answer: Callable[[Call], bool] | None = None,
    ) -> None:
        """Send every call at once; when this returns, each has its outcome.

        `on_answer` hears of each as it ends.
        """
        now = self._process.time()
        if len(calls) == 1 and not calls[0].repeatable:
            await Posting(self._network, self._process, calls[0]).ended
            return
        woken = self._process.create_future()
        unheard = set(map(id, calls))

        def hear(call: Call) -> None:
            if on_answer is not None:
                on_answer(call)
            unheard.discard(id(call))
            if not unheard:
                wake(woken)

        for call in calls:
            call.begun_at = now
            self._network.bid(call, min(deadline_at, now + call.timeout_ms / 1000), now)
            self._process.call_at(call.ended_at, hear, call)
        try:
            await woken
        finally:
            for call in calls:
                if call.ended_at > self._process.time():
                    call.outcome, call.body = Outcome.ABANDONED, b""
                    call.ended_at = self._process.time()


def wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


class Posting:
    """One post on its way: sent or not, arrived or not, answered or not, heard or not."""

    def __init__(self, network: Network, process: Process, call: Call) -> None:
        self.ended: asyncio.Future[None] = process.create_future()
        self._network = network
        self._process = process
        self._call = call
        self._buyer = network.buyers[call.endpoint.host]
        chance, world = network.chance.random, network.world
        call.begun_at = process.time()
        self.ended.add_done_callback(self._left)
        fails = chance() < self._buyer.manners.post_fails
        fate = network.chance.randrange(6) if fails else -1
        due_s = call.timeout_ms / 1000
        self._latency_s = self._buyer.manners.latency_s * (0.1 + chance())
        if fate == 0 or network.is_down:
            process.call_later(self._latency_s, self._end, Outcome.UNREACHABLE,
                               Detail.CONNECT_FAILED)  # fmt: skip
            return
        call.sent_at = call.begun_at or 1e-9
        self._fate = fate
        process.call_later(due_s, self._end, Outcome.TIMEOUT)
        if fate == 1:  # reset on its way: it never arrives, and nobody can know
            process.call_later(self._latency_s, self._end, Outcome.BROKEN, Detail.CLOSED_SILENTLY)
        else:
            world.call_later(self._latency_s, self._arrive)

    def _arrive(self) -> None:
        chance = self._network.chance.random
        status, body = self._buyer.receive(self._call.request)
        latency_s = self._latency_s + self._buyer.manners.latency_s * chance()
        if self._fate == 2:
            self._process.call_later(latency_s, self._end, Outcome.BROKEN, Detail.CLOSED_HALFWAY)
        elif self._fate == 3:
            return
        else:
            if self._fate == 4:
                latency_s = self._call.timeout_ms / 1000 * (0.3 + chance())
            self._process.call_later(latency_s, self._answer, status, body)

    def _answer(self, status: int, body: bytes) -> None:
        if not self.ended.done():
            self._call.status, self._call.body = status, body
            self._end(Outcome.ANSWERED)

    def _end(self, outcome: Outcome, detail: Detail = Detail.NONE) -> None:
        if not self.ended.done():
            self._call.outcome, self._call.detail = outcome, detail
            self._call.ended_at = self._process.time()
            self.ended.set_result(None)

    def _left(self, ended: "asyncio.Future[None]") -> None:
        """Note that nobody waits for it any more."""
        if ended.cancelled():
            self._call.outcome = Outcome.ABANDONED
            self._call.ended_at = self._process.time()
