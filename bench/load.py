"""An open-loop load in a process of its own: leads are due, whatever becomes of those before.

Started as `python -m bench.load`: reads one `Load` as JSON on standard input, writes one `Loaded`.
How late it was itself in sending is measured too, so that a slow generator cannot hide.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import uvloop

from bench.alarm import Alarm
from bench.arrivals import dues
from bench.histogram import Histogram
from bench.sending import Lines
from exchange.contract.timeline import ENDS_OF_POSTS, buyers_ms

OK = 200
OVERLOADED = 503
LOOKED_UP_AT_ONCE = 8
MS_PER_S = 1000.0
GIVE_UP_S = 30.0
"""After the last lead was sent."""
PHONE, EMAIL = "5550100000", "number-of-a-lead@example.com"
"""What stands in a lead's template where each lead has its own."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent."""

    url: str
    key: str
    lead: dict[str, Any]
    """The body, with PHONE and EMAIL where they are to differ."""
    rate: float
    seconds: float
    at_once: int = 0
    """Instead of a rate: so many under way, each answer followed by the next lead at once."""
    shape: tuple[float, ...] = ()
    seed: int = 1
    first: int = 0
    """The number of the first lead; no two loads on one exchange may share any."""
    looked_up: int = 0
    """Of so many leads, spread over the whole, the timeline is read at the end."""
    window_s: float | None = None
    """Latencies are also told apart for each window of this length."""


class Counted(msgspec.Struct, frozen=True):
    """Latencies, by histogram slot, of the leads that were due in one window."""

    from_s: float
    slots: dict[int, int]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a load. Durations are slots of a `Histogram`."""

    sent: int
    answered: int
    statuses: dict[str, int]
    errors: dict[str, int]
    shed: int
    latency: dict[int, int]
    """From when a lead was due until its answer was read."""
    shed_latency: dict[int, int]
    """The same of leads that were turned away."""
    late: dict[int, int]
    """From when a lead was due until it was sent: the generator's own fault."""
    own: dict[int, int]
    """Of the leads looked up, the latency less the time in which buyers had the lead."""
    buyers: dict[int, int]
    """Of the same, the time in which buyers had the lead."""
    unposted: dict[int, int]
    """Of the same, the latency less the time of the posts."""
    windows: tuple[Counted, ...]
    connections: int
    cpu_s: float
    seconds: float
    """From the first due lead to the last answer."""

    @property
    def sold(self) -> int:
        """How many leads were sold."""
        return self.statuses.get("sold", 0)

    @property
    def failed(self) -> int:
        """How many leads had no answer, or one that is neither an outcome nor overload."""
        return sum(self.errors.values())


class Outcome(msgspec.Struct):
    """What is read of an answer."""

    lead_id: str
    status: str


class Step(msgspec.Struct):
    """What is read of one line of a timeline."""

    event: str
    ms: float | None = None


class Looked(msgspec.Struct):
    """What is read of a lead."""

    timeline: list[Step]


OUTCOME = msgspec.json.Decoder(Outcome)
LOOKED = msgspec.json.Decoder(Looked)


class Sending:
    """One load under way."""

    def __init__(self, load: Load, loop: asyncio.AbstractEventLoop) -> None:
        self.load = load
        self.lines = Lines(loop, load.url)
        self.alarm = Alarm(loop, self.pump)
        self.dues = dues(load.rate, load.seconds, load.shape, load.seed)
        self.parts = template(load.lead)
        kind = "Content-Type: application/json"
        self.head = self.lines.head("POST", "/v1/leads", load.key, kind)
        self.number = load.first
        self.under_way = 0
        self.latency, self.late, self.shed_latency = Histogram(), Histogram(), Histogram()
        self.windows: dict[int, Histogram] = {}
        self.statuses: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.kept: list[tuple[str, float]] = []
        self.keep_every = max(1, int(load.rate * load.seconds / max(1, load.looked_up)))
        self.done = asyncio.Event()

    async def run(self) -> Loaded:
        """Send everything, wait for the answers, look up what was asked for."""
        cpu_s = time.process_time()
        self.begun = time.perf_counter()
        self.due: float | None = None
        if self.load.at_once:
            for _ in range(self.load.at_once):
                self.send(0.0)
        else:
            self.due = next(self.dues, None)
            self.pump()
        try:
            async with asyncio.timeout(self.load.seconds + GIVE_UP_S):
                await self.done.wait()
        except TimeoutError:
            self.errors["no answer"] += self.under_way
        seconds = time.perf_counter() - self.begun
        cpu_s = time.process_time() - cpu_s
        split = await self.look_up()
        self.alarm.close()
        self.lines.close()
        return self.report(split, seconds=seconds, cpu_s=cpu_s)

    def pump(self) -> None:
        """Send all that is due, and set the alarm for what is next."""
        now = time.perf_counter() - self.begun
        while self.due is not None and self.due <= now:
            self.send(self.due)
            self.due = next(self.dues, None)
        if self.due is not None:
            self.alarm.set(self.begun + self.due)
        elif not self.under_way:
            self.done.set()

    def send(self, due: float) -> None:
        """Send one lead."""
        number = self.number
        self.number += 1
        self.under_way += 1
        before_phone, between, after_email = self.parts
        phone = b"512%03d%04d" % (200 + number // 10_000 % 700, number % 10_000)
        email = b"lead%d@example.com" % number
        body = b"".join((before_phone, phone, between, email, after_email))
        request = b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(body), body)
        self.lines.send(request, partial(self.answered, due))
        self.late.record(time.perf_counter() - self.begun - due)

    def answered(self, due: float, status: int, body: bytes) -> None:
        """Count one answer."""
        took = time.perf_counter() - self.begun - due
        self.under_way -= 1
        if status == OK:
            self.outcome(due, took, body)
        elif status == OVERLOADED:
            self.shed_latency.record(took)
        else:
            self.errors[str(status) if status else body.decode()] += 1
        if self.load.at_once and due + took < self.load.seconds:
            self.send(due + took)
        if self.due is None and not self.under_way:
            self.done.set()

    def outcome(self, due: float, took: float, body: bytes) -> None:
        """Count one lead that came to an end."""
        told = OUTCOME.decode(body)
        self.statuses[told.status] += 1
        self.latency.record(took)
        if self.load.window_s is not None:
            window = int(due / self.load.window_s)
            self.windows.setdefault(window, Histogram()).record(took)
        if self.load.looked_up and self.latency.count % self.keep_every == 0:
            self.kept.append((told.lead_id, took))

    async def look_up(self) -> "Split":
        """Return the latencies of what was kept, split."""
        split = Split()
        ahead = iter(self.kept)
        await asyncio.gather(*(self.look_up_next(ahead, split) for _ in range(LOOKED_UP_AT_ONCE)))
        return split

    async def look_up_next(self, ahead: Iterator[tuple[str, float]], split: "Split") -> None:
        """Look up one lead after the other."""
        for lead_id, took in ahead:
            head = self.lines.head("GET", f"/v1/leads/{lead_id}", self.load.key)
            status, body = await self.lines.ask(head + b"\r\n")
            if status == OK:
                split.add(took, LOOKED.decode(body).timeline)

    def report(self, split: "Split", *, seconds: float, cpu_s: float) -> Loaded:
        """Return all that was counted."""
        return Loaded(
            sent=self.number - self.load.first,
            answered=self.latency.count,
            statuses=dict(self.statuses),
            errors=dict(self.errors),
            shed=self.shed_latency.count,
            latency=dict(self.latency.slots),
            shed_latency=dict(self.shed_latency.slots),
            late=dict(self.late.slots),
            own=dict(split.own.slots),
            buyers=dict(split.buyers.slots),
            unposted=dict(split.unposted.slots),
            windows=tuple(
                Counted(number * (self.load.window_s or 0), dict(one.slots))
                for number, one in sorted(self.windows.items())
            ),
            connections=self.lines.opened,
            cpu_s=cpu_s,
            seconds=seconds,
        )


class Split:
    """Latencies of leads whose timelines were read, told apart by whose time it was."""

    def __init__(self) -> None:
        self.own, self.buyers, self.unposted = Histogram(), Histogram(), Histogram()

    def add(self, took: float, timeline: list[Step]) -> None:
        """Count one lead."""
        had_s = buyers_ms(timeline) / MS_PER_S
        posts_s = sum(one.ms or 0.0 for one in timeline if one.event in ENDS_OF_POSTS) / MS_PER_S
        self.buyers.record(had_s)
        self.own.record(took - had_s)
        self.unposted.record(took - posts_s)


def template(lead: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Return a body in three parts: what stands before the phone, up to the e-mail, and after."""
    body = msgspec.json.encode(lead)
    before, _, rest = body.partition(PHONE.encode())
    between, email, after = rest.partition(EMAIL.encode())
    assert email, "a template says where phone and e-mail stand, in this order"
    return before, between, after


async def run(load: Load) -> Loaded:
    """Send a load in this process."""
    return await Sending(load, asyncio.get_running_loop()).run()


def main() -> None:
    """Read what is to be sent, send it, tell what became of it."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    loaded = uvloop.run(run(load))
    sys.stdout.buffer.write(msgspec.json.encode(loaded) + b"\n")


if __name__ == "__main__":
    main()
