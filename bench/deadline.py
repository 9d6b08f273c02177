"""Whether sellers are answered in time while buyers misbehave, and whether that costs the others.

Twice the same leads: first with the healthy buyers alone, then with as many more as make a third of
all, each of which answers three pings of four late, never, byte by byte, or by a reset, and bids
too little for the fourth to win. Late is by how much an answer came after the deadline of its
auction, from when the lead was due; the time in which its winner had the post, as the lead's
timeline has it, is not counted, and with it is told beside. The breaker leaves a buyer out that
fails four times of five; these it never leaves out, so that every auction meets all of them. Buyers
are the simulated fleet's.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec

from bench.errors import UsageError
from bench.histogram import Histogram, curve
from bench.load import Loaded
from bench.market import buyer_name
from bench.plots import Curves, Line, Plot
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import spread
from bench.serving import fleet
from bench.target import Target, add_target_arguments, target

QUICK = {"rate": 20.0, "seconds": 2.0, "rounds": 1, "buyers": 6}
DEFAULTS = {"buyers": 12}
ALL = 1_000_000_000
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - of this machine: each buyer has one of its own
"""Buyers of one address would share its connections, and pay for each other's faults."""
FAULTS = ("slow", "silent", "dripping", "resetting")
NEVER_LEFT_OUT = {"EXCHANGE_BREAKER_FAILED_PERCENT": "100", "EXCHANGE_BREAKER_CALLS": "1000000"}
"""One answer among so many, and the breaker stays closed."""

HEALTHY = """
[[buyer]]
id = "{name}"
price = {{ shape = "lognormal", median = 12.0, spread = 0.3, high = 60.0 }}
latency_ms = {{ shape = "lognormal", median = 25.0, spread = 0.3, high = 100.0 }}
"""
FAULTY = """
[[buyer]]
id = "{name}"
price = {{ shape = "fixed", value = 1.01 }}
ping_faults = {{ {fault} = 0.75 }}
"""


class Books(msgspec.Struct):
    """What is read of one buyer's books."""

    pings: int
    faults: dict[str, int]
    beliefs: dict[str, int]


class FleetBooks(msgspec.Struct):
    """What is read of the fleet's books."""

    buyers: dict[str, Books]


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds after the deadline (below zero: before it), and shares of leads; of all rounds.

    How far single rounds lay apart in the same figures is in `spread`.
    """

    deadline_ms: float
    rate: float
    seconds: float
    rounds: int
    buyers: int
    signed: bool
    faulty: int
    faults: dict[str, int]
    """How often each was met."""
    sent: int
    sold: int
    errors: int
    shed: int
    late_p50_ms: float
    late_p99_ms: float
    late_p999_ms: float
    late_longest_ms: float
    posted_late_p50_ms: float
    """The same with the time in which winners had the post, as sellers hear it."""
    posted_late_p999_ms: float
    generator_late_p99_ms: float
    """How late the generator itself was; it is in all of the above."""
    healthy_share: float
    """Leads that healthy buyers won, of all, beside the faulty ones."""
    healthy_share_alone: float
    moved_most: float
    """By how much the share of any one healthy buyer changed."""
    shares: dict[str, float]
    shares_alone: dict[str, float]
    spread: dict[str, float]
    curve: tuple[tuple[float, float], ...]
    curve_alone: tuple[tuple[float, float], ...]


class Round(msgspec.Struct, frozen=True):
    """One load to one set of buyers."""

    loaded: Loaded
    won: dict[str, int]
    """By each healthy buyer."""
    faults: dict[str, int]


class Half(msgspec.Struct, frozen=True):
    """One of the two runs, or a round of it."""

    rounds: tuple[Round, ...]

    @property
    def latency(self) -> Histogram:
        """From when a lead was due, without the posts."""
        return added(one.loaded.unposted for one in self.rounds)

    @property
    def posted(self) -> Histogram:
        """The same with them, as sellers hear it."""
        return added(one.loaded.latency for one in self.rounds)

    @property
    def late(self) -> Histogram:
        """How late the generator was."""
        return added(one.loaded.late for one in self.rounds)

    @property
    def faults(self) -> dict[str, int]:
        """How often each was met."""
        return summed(one.faults for one in self.rounds)

    @property
    def shares(self) -> dict[str, float]:
        """Which part of all leads each healthy buyer won."""
        sent = max(1, sum(one.loaded.sent for one in self.rounds))
        won = summed(one.won for one in self.rounds)
        return {name: round(times / sent, 4) for name, times in won.items()}


def added(slots: Iterable[dict[int, int]]) -> Histogram:
    """Return several rounds' durations as one histogram."""
    whole = Histogram()
    for one in slots:
        whole.add(Histogram(one))
    return whole


def summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Return several rounds' counts as one."""
    found: dict[str, int] = {}
    for one in counts:
        for name, times in one.items():
            found[name] = found.get(name, 0) + times
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.set_defaults(**DEFAULTS)
    parser.add_argument("--rate", type=float, default=100.0, help="leads a second, on average")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3, help="of each of the two runs")


def run(options: argparse.Namespace) -> Deadline:
    """Measure as these options say. Errors: UsageError."""
    if options.target or options.endpoint:
        raise UsageError("deadline brings its buyers along: try certify for an endpoint of yours")
    names = [buyer_name(number) for number in range(1, options.buyers + 1)]
    healthy = names[: options.buyers - options.buyers // 3]
    with progress() as bars:
        alone = half(options, healthy, [], bars)
        beside = half(options, healthy, names[len(healthy) :], bars)
    return report(options, alone, beside)


def half(
    options: argparse.Namespace, healthy: list[str], faulty: list[str], bars: Progress
) -> Half:
    """Send all leads to these buyers."""
    names = healthy + faulty
    asked = argparse.Namespace(**{**vars(options), "buyers": len(names)})
    with fleet(spec(healthy, faulty), EVERY_ADDRESS) as url:
        port = urlsplit(url).port

        def address(number: int) -> str:
            return f"http://127.0.2.{number}:{port}/{names[number - 1]}"

        with target(asked, buyers=address, settings=NEVER_LEFT_OUT) as under_test:
            return Half(tuple(rounds_of(options, under_test, url, healthy, faulty, bars)))


def rounds_of(
    options: argparse.Namespace,
    under_test: Target,
    url: str,
    healthy: list[str],
    faulty: list[str],
    bars: Progress,
) -> Iterator[Round]:
    """Send each round's leads, and read the books around it."""
    under_test.warm(bars, quick=options.quick)
    what = f"{len(healthy)} healthy buyers, {len(faulty)} faulty ones"
    for number in range(1, options.rounds + 1):
        before = books(url)
        tick = bars.timed(f"{what}, round {number}", options.seconds)
        loaded = under_test.send(options.rate, options.seconds, tick, looked_up=ALL).loaded
        yield round_of(loaded, before, books(url), healthy)


def round_of(loaded: Loaded, before: FleetBooks, after: FleetBooks, healthy: list[str]) -> Round:
    """Return one round by what the buyers' books say that they did not say before it."""

    def accepted(told: FleetBooks, name: str) -> int:
        return told.buyers[name].beliefs.get("accepted", 0)

    met = (
        {fault: times - before.buyers[name].faults.get(fault, 0)}
        for name, book in after.buyers.items()
        for fault, times in book.faults.items()
    )
    won = {name: accepted(after, name) - accepted(before, name) for name in healthy}
    return Round(loaded, won, summed(met))


def spec(healthy: list[str], faulty: list[str]) -> str:
    """Return the fleet's file; the faulty ones share all faults evenly."""
    parts = [HEALTHY.format(name=name) for name in healthy]
    faults = islice(cycle(FAULTS), len(faulty))
    parts += [
        FAULTY.format(name=name, fault=fault) for name, fault in zip(faulty, faults, strict=True)
    ]
    return "seed = 7\n" + "".join(parts)


def books(url: str) -> FleetBooks:
    """Return what the buyers received and believe so far."""
    with urlopen(f"{url}/_fleet/books") as answer:  # noqa: S310 - our own fleet
        return msgspec.json.decode(answer.read(), type=FleetBooks)


def report(options: argparse.Namespace, alone: Half, beside: Half) -> Deadline:
    """Return what was found."""
    told = [one.loaded for one in beside.rounds]
    found = figures(options, alone, beside)
    each: dict[str, list[float]] = {}
    for one, other in zip(alone.rounds, beside.rounds, strict=True):
        for name, value in figures(options, Half((one,)), Half((other,))).items():
            each.setdefault(name, []).append(value)
    return Deadline(
        deadline_ms=options.deadline_ms,
        rate=options.rate,
        seconds=options.seconds,
        rounds=options.rounds,
        buyers=options.buyers,
        signed=options.signed,
        faulty=options.buyers // 3,
        faults=beside.faults,
        sent=sum(one.sent for one in told),
        sold=sum(one.sold for one in told),
        errors=sum(one.failed for one in told),
        shed=sum(one.shed for one in told),
        late_p50_ms=found["late_p50_ms"],
        late_p99_ms=found["late_p99_ms"],
        late_p999_ms=found["late_p999_ms"],
        late_longest_ms=found["late_longest_ms"],
        posted_late_p50_ms=found["posted_late_p50_ms"],
        posted_late_p999_ms=found["posted_late_p999_ms"],
        generator_late_p99_ms=found["generator_late_p99_ms"],
        healthy_share=found["healthy_share"],
        healthy_share_alone=found["healthy_share_alone"],
        moved_most=found["moved_most"],
        shares=beside.shares,
        shares_alone=alone.shares,
        spread=spread(each),
        curve=curve(beside.latency),
        curve_alone=curve(alone.latency),
    )


def figures(options: argparse.Namespace, alone: Half, beside: Half) -> dict[str, float]:
    """Return the figures that have a spread, of all rounds or of one."""
    latency, posted = beside.latency, beside.posted
    p50, p99, p999 = (ms - options.deadline_ms for ms in latency.at_all([50, 99, 99.9]))
    shares, shares_alone = beside.shares, alone.shares
    found = {
        "late_p50_ms": p50,
        "late_p99_ms": p99,
        "late_p999_ms": p999,
        "late_longest_ms": latency.longest - options.deadline_ms,
        "posted_late_p50_ms": posted.at(50) - options.deadline_ms,
        "posted_late_p999_ms": posted.at(99.9) - options.deadline_ms,
        "generator_late_p99_ms": beside.late.at(99),
        "healthy_share": sum(shares.values()),
        "healthy_share_alone": sum(shares_alone.values()),
        "moved_most": max(abs(shares[name] - shares_alone[name]) for name in shares),
    }
    found |= {f"shares.{name}": share for name, share in shares.items()}
    found |= {f"shares_alone.{name}": share for name, share in shares_alone.items()}
    return {name: round(value, 4) for name, value in found.items()}


def table(found: Deadline) -> str:
    """Return what was found for people to read, in Markdown."""
    met = ", ".join(f"{fault} {times}" for fault, times in found.faults.items())
    load = (
        f"{found.rate:g} leads a second, {found.rounds} rounds of {found.seconds:g} s, "
        f"{found.buyers} buyers, "
        f"{found.faulty} of them faulty (met: {met}), deadline {found.deadline_ms:g} ms; "
        f"{found.sent} sent, {found.sold} sold, {found.shed} turned away, {found.errors} errors."
    )
    rows = [
        ("answer after the deadline, p50", f"{found.late_p50_ms:+.2f} ms"),
        ("answer after the deadline, p99", f"{found.late_p99_ms:+.2f} ms"),
        ("answer after the deadline, p99.9", f"{found.late_p999_ms:+.2f} ms"),
        ("the last of all", f"{found.late_longest_ms:+.2f} ms"),
        ("with the winner's post, p50", f"{found.posted_late_p50_ms:+.2f} ms"),
        ("with the winner's post, p99.9", f"{found.posted_late_p999_ms:+.2f} ms"),
        ("the generator itself was late, p99", f"{found.generator_late_p99_ms:.2f} ms"),
        ("leads that healthy buyers won, alone", f"{found.healthy_share_alone:.1%}"),
        ("leads that healthy buyers won, beside the faulty", f"{found.healthy_share:.1%}"),
        ("share of one healthy buyer moved at most by", f"{found.moved_most:.1%} of all leads"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([load, "", "| with a third faulty | |", "| --- | --- |", *lines])


def plots(found: Deadline) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    return (
        Curves(
            title="Latency without the post, by percentile",
            x="percentile",
            y="ms",
            percentiles=True,
            lines=(
                Line("a third faulty", found.curve),
                Line("the healthy alone", found.curve_alone),
            ),
        ),
    )
