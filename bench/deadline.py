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
from itertools import cycle, islice
from urllib.request import urlopen

import msgspec

from bench.errors import UsageError
from bench.histogram import Histogram, curve
from bench.market import buyer_name
from bench.plots import Curves, Line, Plot
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.serving import fleet
from bench.target import Measured, add_target_arguments, target

QUICK = {"rate": 20.0, "seconds": 2.0, "buyers": 6}
DEFAULTS = {"buyers": 12}
ALL = 1_000_000_000
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
    """Milliseconds after the deadline (below zero: before it), and shares of leads."""

    deadline_ms: float
    rate: float
    seconds: float
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


class Half(msgspec.Struct, frozen=True):
    """One of the two runs."""

    measured: Measured
    won: dict[str, int]
    faults: dict[str, int]

    @property
    def shares(self) -> dict[str, float]:
        """Which part of all leads each buyer won."""
        sent = max(1, self.measured.loaded.sent)
        return {name: round(won / sent, 4) for name, won in self.won.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.set_defaults(**DEFAULTS)
    parser.add_argument("--rate", type=float, default=100.0, help="leads a second, on average")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two runs")


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
    with (
        fleet(spec(healthy, faulty)) as url,
        target(
            asked, buyers=lambda number: f"{url}/{names[number - 1]}", settings=NEVER_LEFT_OUT
        ) as under_test,
    ):
        under_test.warm(bars, quick=options.quick)
        before = books(url)
        what = f"{len(healthy)} healthy buyers, {len(faulty)} faulty ones"
        tick = bars.timed(what, options.seconds)
        measured = under_test.send(options.rate, options.seconds, tick, looked_up=ALL)
        after = books(url)
    faults: dict[str, int] = {}
    for name, book in after.buyers.items():
        for fault, times in book.faults.items():
            met = times - before.buyers[name].faults.get(fault, 0)
            faults[fault] = faults.get(fault, 0) + met
    won = {
        name: book.beliefs.get("accepted", 0) - before.buyers[name].beliefs.get("accepted", 0)
        for name, book in after.buyers.items()
    }
    return Half(measured, {name: won[name] for name in healthy}, faults)


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
    told = beside.measured.loaded
    latency, posted = Histogram(told.unposted), Histogram(told.latency)
    p50, p99, p999 = (ms - options.deadline_ms for ms in latency.at_all([50, 99, 99.9]))
    shares, shares_alone = beside.shares, alone.shares
    return Deadline(
        deadline_ms=options.deadline_ms,
        rate=options.rate,
        seconds=options.seconds,
        buyers=options.buyers,
        signed=options.signed,
        faulty=options.buyers // 3,
        faults=beside.faults,
        sent=told.sent,
        sold=told.sold,
        errors=told.failed,
        shed=told.shed,
        late_p50_ms=round(p50, 3),
        late_p99_ms=round(p99, 3),
        late_p999_ms=round(p999, 3),
        late_longest_ms=round(latency.longest - options.deadline_ms, 3),
        posted_late_p50_ms=round(posted.at(50) - options.deadline_ms, 3),
        posted_late_p999_ms=round(posted.at(99.9) - options.deadline_ms, 3),
        generator_late_p99_ms=Histogram(told.late).at(99),
        healthy_share=round(sum(shares.values()), 4),
        healthy_share_alone=round(sum(shares_alone.values()), 4),
        moved_most=round(max(abs(shares[name] - shares_alone[name]) for name in shares), 4),
        shares=shares,
        shares_alone=shares_alone,
        spread={},
        curve=curve(latency),
        curve_alone=curve(Histogram(alone.measured.loaded.unposted)),
    )


def table(found: Deadline) -> str:
    """Return what was found for people to read, in Markdown."""
    met = ", ".join(f"{fault} {times}" for fault, times in found.faults.items())
    load = (
        f"{found.rate:g} leads a second for {found.seconds:g} s, {found.buyers} buyers, "
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
