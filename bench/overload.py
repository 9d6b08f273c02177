"""What an exchange still sells when more comes than it can sell, and how soon the rest hear so.

    python -m bench.overload [--buyers 2] [--seconds 8] [--loads 0.5 1 1.5 2 3] [--json]

An exchange on a core of its own; stores, buyers and sender have another one. First its peak: what
one that turns nobody away sells to sixty-four sellers who each wait for their answer. Then open
loops at multiples of it, against one with the settings that it comes with: leads come by chance
(Poisson), whether or not answers do, over as many kept connections as that takes. Goodput is what
was sold a second; latency counts from the moment when a lead should have been sent.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench import lead_cost
from bench.lead_cost import BUYER, HERE, HOST, MARKET, Folder, Plan

PEAK_LINES = 64
LINES_MAX = 4000
"""Connections at most; a lead that finds none free is an error of the benchmark, and counted."""
WARM_S = 3.0
SETTLE_S = 2.0
"""At the beginning of each level, which does not count."""
OK, SHED = 200, 503
HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\nContent-Length: "
SELLING_CORE = 0
NEVER_LATE = {
    "EXCHANGE_LOOP_LAG_TARGET_MS": "60000",
    "EXCHANGE_LEDGER_WAIT_TARGET_MS": "60000",
    "EXCHANGE_LOOP_LAG_MAX_MS": "60000",
}


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One rate of leads, and what became of them, a second."""

    load: float
    offered: float
    sold: float
    of_peak: float
    shed: float
    shed_p50_ms: float
    shed_p99_ms: float
    sold_p50_ms: float
    sold_p99_ms: float
    errors: int
    busy: float
    """Which part of its core the exchange used."""


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """The peak, and all levels."""

    peak: float
    buyers: int
    levels: tuple[Level, ...]


class Answer(msgspec.Struct, frozen=True):
    """One answer: its status (0: none), when its lead was to be sent, and how long it took."""

    status: int
    due_s: float
    ms: float


class Line(asyncio.Protocol):
    """A kept connection with one request under way at most."""

    def __init__(self, sender: "Sender") -> None:
        self.sender = sender
        self.due_s: float | None = None
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due_s: float) -> None:
        """Send a request."""
        self.due_s = due_s
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Gather an answer."""
        self.got += data
        end = self.got.find(HEAD_END)
        if end < 0:
            return
        length = int(self.got[self.got.index(LENGTH) + len(LENGTH) :].split(b"\r", 1)[0])
        if len(self.got) < end + len(HEAD_END) + length:
            return
        status, due_s = int(self.got[9:12]), self.due_s
        assert due_s is not None, "nobody answers what was not asked"
        self.got, self.due_s = b"", None
        self.sender.answered(self, status, due_s)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count what was under way."""
        self.sender.lost(self, self.due_s)


class Sender:
    """Sends leads of ever new people, and notes every answer."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.head = (
            f"POST /v1/leads HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self.number = 0
        self.idle: deque[Line] = deque()
        self.lines = 0
        self.under_way = 0
        self.answers: list[Answer] = []
        self.errors = 0
        self.again = False
        """Each answer is followed by the next lead at once: a closed loop."""

    def request(self) -> bytes:
        """Return the next person's lead, as it goes out."""
        self.number += 1
        body = msgspec.json.encode(lead_cost.lead(self.number))
        return self.head + str(len(body)).encode() + HEAD_END + body

    async def open(self, number: int) -> None:
        """Open so many connections more."""
        loop = asyncio.get_running_loop()
        for _ in range(number):
            _, line = await loop.create_connection(lambda: Line(self), HOST, self.port)
            self.lines += 1
            self.idle.append(line)

    def send(self, due_s: float) -> None:
        """Send a lead on a free connection."""
        if not self.idle:
            self.errors += 1
            return
        self.under_way += 1
        self.idle.pop().send(self.request(), due_s)

    def answered(self, line: Line, status: int, due_s: float) -> None:
        """Note an answer."""
        now_s = time.monotonic()
        self.answers.append(Answer(status, due_s, (now_s - due_s) * 1000))
        self.under_way -= 1
        self.idle.append(line)
        if self.again:
            self.send(now_s)

    def lost(self, line: Line, due_s: float | None) -> None:
        """Note a connection that ended."""
        self.lines -= 1
        if due_s is not None:
            self.under_way -= 1
            self.errors += 1
        elif line in self.idle:
            self.idle.remove(line)

    async def closed(self, seconds: float) -> float:
        """Sell as fast as the exchange can; return how many a second."""
        self.again, self.answers = True, []
        began_s = time.monotonic()
        for _ in range(PEAK_LINES):
            self.send(began_s)
        await asyncio.sleep(seconds)
        self.again = False
        sold = sum(answer.status == OK for answer in self.answers)
        passed_s = time.monotonic() - began_s
        await self.quiet()
        return sold / passed_s

    async def poisson(self, rate: float, seconds: float) -> list[Answer]:
        """Send by chance at this rate; return all answers."""
        self.answers = []
        chance = random.Random(7)
        due_s = time.monotonic()
        until_s = due_s + seconds
        while (due_s := due_s + chance.expovariate(rate)) < until_s:
            while len(self.idle) < PEAK_LINES and self.lines < LINES_MAX:
                await self.open(PEAK_LINES)
            pause_s = due_s - time.monotonic()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            self.send(due_s)
        await self.quiet()
        return self.answers

    async def quiet(self) -> None:
        """Return once all that was sent was answered."""
        while self.under_way:  # noqa: ASYNC110 - a benchmark's end is in no hurry
            await asyncio.sleep(0.05)


def level_of(answers: list[Answer], load: float, peak: float, span: tuple[float, float]) -> Level:
    """Return what became of the leads of a span of time."""
    begin_s, end_s = span
    counted = [answer for answer in answers if begin_s <= answer.due_s < end_s]
    sold = sorted(answer.ms for answer in counted if answer.status == OK)
    shed = sorted(answer.ms for answer in counted if answer.status == SHED)
    seconds = end_s - begin_s
    return Level(
        load=load,
        offered=round(len(counted) / seconds, 1),
        sold=round(len(sold) / seconds, 1),
        of_peak=round(len(sold) / seconds / peak, 3),
        shed=round(len(shed) / seconds, 1),
        shed_p50_ms=percentile(shed, 0.5),
        shed_p99_ms=percentile(shed, 0.99),
        sold_p50_ms=percentile(sold, 0.5),
        sold_p99_ms=percentile(sold, 0.99),
        errors=len(counted) - len(sold) - len(shed),
        busy=0.0,
    )


def percentile(ordered: list[float], part: float) -> float:
    """Return a percentile of ordered numbers; 0 where there is none."""
    return round(ordered[int(part * (len(ordered) - 1))], 2) if ordered else 0.0


async def peak_of(sender: Sender, seconds: float) -> float:
    """Return how many an exchange sells a second that turns nobody away."""
    await sender.open(PEAK_LINES)
    await sender.closed(WARM_S)
    peak = await sender.closed(seconds)
    note(f"peak: {peak:.0f} sold a second")
    return peak


async def levels(
    sender: Sender, pid: int, peak: float, seconds: float, loads: tuple[float, ...]
) -> list[Level]:
    """Return what becomes of these multiples of the peak."""
    await sender.open(PEAK_LINES)
    await sender.poisson(peak / 2, WARM_S)
    found = []
    for load in loads:
        sender.errors = 0
        began_s, cpu_s = time.monotonic(), lead_cost.cpu_s(pid)
        answers = await sender.poisson(load * peak, SETTLE_S + seconds)
        span = (began_s + SETTLE_S, began_s + SETTLE_S + seconds)
        used = (lead_cost.cpu_s(pid) - cpu_s) / (time.monotonic() - began_s)
        level = level_of(answers, load, peak, span)
        level = msgspec.structs.replace(
            level, errors=level.errors + sender.errors, busy=round(used, 2)
        )
        found.append(level)
        note(told(level))
    return found


def told(level: Level) -> str:
    """Return a level as a line for people."""
    return (
        f"{level.load:g}x: {level.offered:.0f} came, {level.sold:.0f} sold "
        f"({level.of_peak:.0%} of the peak, p50 {level.sold_p50_ms:.0f} ms, "
        f"p99 {level.sold_p99_ms:.0f} ms), {level.shed:.0f} turned away "
        f"(p50 {level.shed_p50_ms:.1f} ms, p99 {level.shed_p99_ms:.1f} ms), "
        f"{level.errors} errors, core {level.busy:.0%}"
    )


def note(line: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{line}\n")


def measure(buyers: int, seconds: float, loads: tuple[float, ...]) -> Overload:
    """Start everything, measure, end everything."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    plan = Plan(
        leads=0,
        buyers=buyers,
        concurrency=PEAK_LINES,
        rounds=1,
        speaking=("standard",),
        per_buyer=False,
        against=None,
        json=False,
    )
    with lead_cost.fleet(plan) as fleet_url:
        with an_exchange(plan, fleet_url, NEVER_LATE) as (sender, _pid):
            peak = uvloop.run(peak_of(sender, seconds))
        with an_exchange(plan, fleet_url, {}) as (sender, pid):
            found = uvloop.run(levels(sender, pid, peak, seconds, loads))
    return Overload(peak=round(peak, 1), buyers=buyers, levels=tuple(found))


@contextmanager
def an_exchange(plan: Plan, fleet_url: str, said: dict[str, str]) -> Iterator[tuple[Sender, int]]:
    """Run an exchange on empty stores, on its core; yield who sends to it, and its process."""
    [candidate] = plan.candidates()
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name), lead_cost.free_port())
        market = folder.path / "market.toml"
        lines = [
            BUYER.format(number=number, fleet=fleet_url, format="", speaks="standard")
            for number in range(1, plan.buyers + 1)
        ]
        market.write_text(MARKET.format(mapping="", buyers="".join(lines)), encoding="utf-8")
        serving = lead_cost.exchange("serve")
        environment = {**folder.environment, **said}
        with lead_cost.running(serving, cwd=HERE, env=environment) as process:
            asyncio.run(lead_cost.ready(f"http://{HOST}:{folder.port}"))
            vertical = str(HERE / "config" / "verticals" / "auto_insurance.toml")
            lead_cost.tell(candidate, folder, "apply", vertical, str(market))
            made = ("keys", "create", "--role", "seller", "--account", "bench")
            key = lead_cost.tell(candidate, folder, *made)
            # Its stores keep the core that they were started on.
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {SELLING_CORE})
            yield Sender(folder.port, key), process.pid


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What is sold when more comes than can be.")
    parser.add_argument("--buyers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.5, 1.0, 1.5, 2.0, 3.0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(options.buyers, options.seconds, tuple(options.loads))
    if options.json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - a command speaks on standard output
        return
    for level in found.levels:
        print(told(level))  # noqa: T201 - the same


if __name__ == "__main__":
    main()
