"""What an exchange still sells when more comes than it can sell, and how soon the rest hear so.

First its peak: what one that turns nobody away sells where so many sellers each wait for their
answer. Then open loops at multiples of it, against an exchange with the settings that it comes
with. Goodput is what was sold a second; a lead that is turned away hears 503 with `Retry-After`.
"""

import argparse
import tomllib
from collections.abc import Mapping, Sequence

import msgspec

from bench.errors import UsageError
from bench.histogram import Histogram
from bench.plots import Curves, Line, Plot
from bench.progress import Bars, progress
from bench.rounds import middle, spread
from bench.serving import HERE
from bench.target import Measured, add_target_arguments, target

QUICK = {"seconds": 1.0, "rounds": 1, "loads": [0.5, 2.0], "buyers": 2, "at_once": 8}
DEFAULTS = {"buyers": 2}
TWICE = 2.0
PATIENCE = {"loop_lag_max_ms", "loop_lag_target_ms", "ledger_wait_target_ms"}
"""Settings that turn leads away, as far as there are such; a minute is as good as never."""
PATIENCE_MS = "60000"


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One rate of leads: what became of them a second, and how soon, from when they were due.

    Medians of rounds; errors are those of all.
    """

    load: float
    """To the peak."""
    offered: float
    sold: float
    of_peak: float
    shed: float
    shed_p50_ms: float
    shed_p99_ms: float
    p50_ms: float
    p99_ms: float
    late_p99_ms: float
    """How late the generator itself was; it is in the latencies."""
    errors: int
    exchange_busy: float
    other_busy: float


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """The peak, and all levels."""

    peak: float
    buyers: int
    workers: int
    signed: bool
    goodput: float
    """Of the peak, at twice its load."""
    shed_p50_ms: float
    """At twice its load, as the next one."""
    shed_p99_ms: float
    errors: int
    rounds: int
    levels: tuple[Level, ...]
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    # Few, so that the exchange's own core is the first to be full.
    parser.set_defaults(**DEFAULTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round of a level")
    parser.add_argument("--rounds", type=int, default=3, help="of the peak and of all levels")
    parser.add_argument("--at-once", type=int, default=64, help="sellers at the peak")
    parser.add_argument(
        "--loads", type=float, nargs="+", default=[0.5, 1.0, 1.5, TWICE, 3.0], help="to the peak"
    )


def run(options: argparse.Namespace) -> Overload:
    """Measure as these options say. Errors: UsageError."""
    if options.target:
        raise UsageError("overload begins with an exchange that is told to turn nobody away: ours")
    with progress() as bars:
        peaks = peaks_of(options, bars)
        peak = middle(peaks, 1)
        found: dict[float, list[Level]] = {load: [] for load in options.loads}
        with target(options) as under_test:
            under_test.warm(bars, quick=options.quick)
            for number in range(1, options.rounds + 1):
                for load in options.loads:
                    what = f"{load:g} times the peak of {peak:.0f}, round {number}"
                    tick = bars.timed(what, options.seconds)
                    measured = under_test.send(load * peak, options.seconds, tick)
                    found[load].append(level(measured, load, peak))
    return report(options, peaks, found)


def peaks_of(options: argparse.Namespace, bars: Bars) -> list[float]:
    """Return what is sold a second, round by round, where nobody is turned away."""
    seconds, peaks = options.seconds, []
    with target(options, settings=patient()) as under_test:
        under_test.warm(bars, quick=options.quick)
        for number in range(1, options.rounds + 1):
            tick = bars.timed(f"the peak, round {number}", seconds)
            told = under_test.send(0.0, seconds, tick, at_once=options.at_once).loaded
            peaks.append(told.sold / told.seconds)
    return peaks


def patient() -> dict[str, str]:
    """Return settings with which nobody is turned away."""
    shipped = tomllib.loads((HERE / "config" / "exchange.toml").read_text(encoding="utf-8"))
    return {f"EXCHANGE_{name.upper()}": PATIENCE_MS for name in PATIENCE & shipped.keys()}


def level(measured: Measured, load: float, peak: float) -> Level:
    """Return what became of one load."""
    told = measured.loaded
    latency, shed = Histogram(told.latency), Histogram(told.shed_latency)
    assert measured.exchange_busy is not None, "it is an exchange of our own"
    return Level(
        load=load,
        offered=round(told.sent / told.seconds, 1),
        sold=round(told.sold / told.seconds, 1),
        of_peak=round(told.sold / told.seconds / peak, 3),
        shed=round(told.shed / told.seconds, 1),
        shed_p50_ms=shed.at(50),
        shed_p99_ms=shed.at(99),
        p50_ms=latency.at(50),
        p99_ms=latency.at(99),
        late_p99_ms=Histogram(told.late).at(99),
        errors=told.failed,
        exchange_busy=round(measured.exchange_busy, 3),
        other_busy=round(measured.other_busy, 3),
    )


def report(
    options: argparse.Namespace, peaks: list[float], found: Mapping[float, Sequence[Level]]
) -> Overload:
    """Return what was found; of twice the peak, or what comes next to it."""
    levels, apart = [], spread({"peak": peaks})
    for number, rounds in enumerate(found.values()):
        one, its = together(rounds)
        levels.append(one)
        apart |= {f"levels[{number}].{name}": value for name, value in its.items()}
    at = min(range(len(levels)), key=lambda number: abs(levels[number].load - TWICE))
    twice = levels[at]
    for name, of in OF_TWICE.items():
        if f"levels[{at}].{of}" in apart:
            apart[name] = apart[f"levels[{at}].{of}"]
    return Overload(
        peak=middle(peaks, 1),
        buyers=options.buyers,
        workers=options.workers,
        signed=options.signed,
        goodput=twice.of_peak,
        shed_p50_ms=twice.shed_p50_ms,
        shed_p99_ms=twice.shed_p99_ms,
        errors=sum(one.errors for one in levels),
        rounds=options.rounds,
        levels=tuple(levels),
        spread=apart,
    )


OF_TWICE = {"goodput": "of_peak", "shed_p50_ms": "shed_p50_ms", "shed_p99_ms": "shed_p99_ms"}
"""Figures of the whole, and whose of the level at twice the peak they are."""


def together(rounds: Sequence[Level]) -> tuple[Level, dict[str, float]]:
    """Return several rounds of one level as one, and how far they lay apart."""
    each: dict[str, list[float]] = {}
    for one in rounds:
        for name, value in msgspec.structs.asdict(one).items():
            each.setdefault(name, []).append(value)
    errors = sum(each.pop("errors"))
    told = {name: middle(values) for name, values in each.items()}
    return msgspec.convert({**told, "errors": int(errors)}, Level), spread(each)


def table(found: Overload) -> str:
    """Return what was found for people to read, in Markdown."""
    rows = [
        f"| {one.load:g} | {one.offered:,.0f} | {one.sold:,.0f} | {one.of_peak:.0%} "
        f"| {one.p50_ms:.0f}, {one.p99_ms:.0f} ms | {one.shed:,.0f} "
        f"| {one.shed_p50_ms:.1f}, {one.shed_p99_ms:.1f} ms | {one.errors} "
        f"| {one.exchange_busy:.0%}, {one.other_busy:.0%} |"
        for one in found.levels
    ]
    head = [
        (
            f"Peak: {found.peak:,.0f} sold a second, {found.buyers} buyers, "
            f"{found.workers} worker(s), {found.rounds} rounds."
        ),
        "",
        "| load | came | sold | of the peak | p50, p99 | turned away | p50, p99 | errors | cores |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def plots(found: Overload) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    levels = sorted(found.levels, key=lambda one: one.offered)
    return (
        Curves(
            title="Goodput",
            x="leads due a second",
            y="a second",
            lines=(
                Line("sold", tuple((one.offered, one.sold) for one in levels)),
                Line("turned away", tuple((one.offered, one.shed) for one in levels)),
            ),
        ),
        Curves(
            title="How soon each hears",
            x="leads due a second",
            y="ms",
            lines=(
                Line("sold, p99", tuple((one.offered, one.p99_ms) for one in levels)),
                Line("turned away, p99", tuple((one.offered, one.shed_p99_ms) for one in levels)),
            ),
        ),
    )
