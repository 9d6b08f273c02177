"""The highest rate at which answers come in time, and what an auction costs there, part by part.

The rate is doubled until the 99th percentile is past the deadline or a lead is turned away or not
answered, then halved in between. Cost is CPU of the exchange's processes over leads, in rounds of
their own at the rate found; its parts are the shares of a sampling profiler in one more round, so
that looking does not make what is looked at dearer.
"""

import argparse
from collections.abc import Iterator

import msgspec

from bench.histogram import Histogram
from bench.plots import Bars, Curves, Line, Plot
from bench.profile import NoProfilerError, Profile, profile
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import middle, spread
from bench.target import Measured, Target, add_target_arguments, target

QUICK = {
    "seconds": 1.0, "rounds": 1, "first": 30.0, "limit": 60.0, "closeness": 0.5, "profile": 1.0,
}  # fmt: skip
FULL = 0.95
"""From how busy on a core is taken for what limits."""
SHED_MAX_SHARE = 0.001


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How the highest rate is looked for."""

    seconds: float
    """Of each step."""
    deadline_ms: float
    first: float = 100.0
    limit: float = 50_000.0
    closeness: float = 0.05
    """Where the search ends: so much lies between what held and what did not."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate that was tried."""

    rate: float
    answered_per_s: float
    in_time: bool
    p50_ms: float
    p99_ms: float
    late_p99_ms: float
    """How late the generator itself was; it is in the latencies."""
    exchange_busy: float | None
    other_busy: float


class Highest(msgspec.Struct, frozen=True):
    """Where a search ended, and by which way."""

    rate: float
    steps: tuple[Step, ...]


class Saturation(msgspec.Struct, frozen=True, kw_only=True):
    """Leads a second and microseconds of CPU."""

    auctions_per_s: float
    cpu_us_per_auction: float | None
    core_auctions_per_s: float | None
    """What one core has time for at that cost."""
    buyers: int
    workers: int
    signed: bool
    durable: bool
    deadline_ms: float
    sent: int
    sold: int
    errors: int
    shed: int
    p50_ms: float
    p99_ms: float
    limited_by: str
    exchange_busy: float | None
    other_busy: float
    late_p99_ms: float
    by_part: dict[str, float]
    measured_by: str
    spread: dict[str, float]
    steps: tuple[Step, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each step")
    parser.add_argument("--rounds", type=int, default=3, help="at the rate found")
    parser.add_argument("--first", type=float, default=100.0, help="rate that is tried first")
    parser.add_argument("--limit", type=float, default=50_000.0, help="rate that is not passed")
    parser.add_argument("--closeness", type=float, default=0.05, help="to which it is searched")
    parser.add_argument("--profile", type=float, default=10.0, help="seconds that are looked into")


def run(options: argparse.Namespace) -> Saturation:
    """Measure as these options say."""
    search = Search(
        seconds=options.seconds, deadline_ms=options.deadline_ms, first=options.first,
        limit=options.limit, closeness=options.closeness,
    )  # fmt: skip
    with progress() as bars, target(options) as under_test:
        under_test.warm(bars, quick=options.quick)
        found = highest(under_test, bars, search)
        rounds = [
            under_test.send(
                found.rate,
                options.seconds,
                bars.timed(f"{found.rate:.0f} a second, round {number}", options.seconds),
            )
            for number in range(1, options.rounds + 1)
        ]
        parts = profiled(under_test, bars, found.rate, options.profile)
    return report(options, found, rounds, parts)


def highest(under_test: Target, bars: Progress, search: Search) -> Highest:
    """Return the highest rate with answers in time: by doubling, then by halving between."""
    held, steps = 0.0, []
    missed, rate = search.limit * 2, search.first
    while held * (1 + search.closeness) < missed and rate <= search.limit:
        step = tried(under_test, bars, search, rate)
        steps.append(step)
        if step.in_time:
            held = rate
        else:
            missed = rate
        rate = held * 2 if missed > search.limit else (held + missed) / 2
        if missed < 1:
            break  # not even that
    return Highest(held or missed, tuple(steps))


def tried(under_test: Target, bars: Progress, search: Search, rate: float) -> Step:
    """Return how one rate went."""
    tick = bars.timed(f"{rate:.0f} leads a second", search.seconds)
    return step_of(under_test.send(rate, search.seconds, tick), rate, search.deadline_ms)


def step_of(measured: Measured, rate: float, deadline_ms: float) -> Step:
    """Return one load as a step of the search."""
    told = measured.loaded
    latency = Histogram(told.latency)
    p50_ms, p99_ms = latency.at_all([50, 99])
    refused = told.shed + told.failed
    return Step(
        rate=round(rate, 1),
        answered_per_s=round(told.answered / told.seconds, 1),
        in_time=p99_ms <= deadline_ms and refused <= told.sent * SHED_MAX_SHARE,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        late_p99_ms=Histogram(told.late).at(99),
        exchange_busy=measured.exchange_busy,
        other_busy=measured.other_busy,
    )


def profiled(under_test: Target, bars: Progress, rate: float, seconds: float) -> Profile | str:
    """Return the parts of an auction's CPU, or why they are not known."""
    if under_test.own is None:
        return "not measured: the exchange is not ours"
    try:
        with profile(under_test.own.selling()[0], seconds) as looking:
            under_test.send(
                rate, seconds + 1, bars.timed("looking where the time goes", seconds + 1)
            )
            return looking.found()
    except NoProfilerError as error:
        return f"not measured: {error}"


def report(
    options: argparse.Namespace, found: Highest, rounds: list[Measured], parts: Profile | str
) -> Saturation:
    """Return what was found."""
    each: dict[str, list[float]] = {}
    for one, step in zip(rounds, steps_of(options, found, rounds), strict=True):
        figures = {
            "auctions_per_s": step.answered_per_s,
            "p50_ms": step.p50_ms,
            "p99_ms": step.p99_ms,
            "late_p99_ms": step.late_p99_ms,
            "other_busy": one.other_busy,
        }
        if one.cpu_us is not None and one.exchange_busy is not None:
            figures |= {
                "cpu_us_per_auction": one.cpu_us,
                "exchange_busy": one.exchange_busy,
                "core_auctions_per_s": 1e6 / one.cpu_us,
            }
        for name, value in figures.items():
            each.setdefault(name, []).append(value)
    mid = {name: middle(values) for name, values in each.items()}
    cost = mid.get("cpu_us_per_auction")
    return Saturation(
        auctions_per_s=mid["auctions_per_s"],
        cpu_us_per_auction=cost,
        core_auctions_per_s=mid.get("core_auctions_per_s"),
        buyers=options.buyers,
        workers=options.workers,
        signed=options.signed,
        durable=True,
        deadline_ms=options.deadline_ms,
        sent=sum(one.loaded.sent for one in rounds),
        sold=sum(one.loaded.sold for one in rounds),
        errors=sum(one.loaded.failed for one in rounds),
        shed=sum(one.loaded.shed for one in rounds),
        p50_ms=mid["p50_ms"],
        p99_ms=mid["p99_ms"],
        limited_by=limit_of(mid.get("exchange_busy"), mid["other_busy"]),
        exchange_busy=mid.get("exchange_busy"),
        other_busy=mid["other_busy"],
        late_p99_ms=mid["late_p99_ms"],
        by_part=in_us(parts, cost),
        measured_by=parts if isinstance(parts, str) else parts.told,
        spread=spread(each),
        steps=found.steps,
    )


def steps_of(options: argparse.Namespace, found: Highest, rounds: list[Measured]) -> Iterator[Step]:
    """Yield each round as a step."""
    yield from (step_of(one, found.rate, options.deadline_ms) for one in rounds)


def in_us(parts: Profile | str, cost: float | None) -> dict[str, float]:
    """Return what each part costs of an auction's CPU."""
    if isinstance(parts, str) or cost is None:
        return {}
    return {name: round(share * cost, 1) for name, share in parts.shares.items()}


def limit_of(exchange_busy: float | None, other_busy: float) -> str:
    """Return what had no time left."""
    if exchange_busy is not None and exchange_busy >= FULL:
        return "the exchange's core"
    if other_busy >= FULL:
        return "the core of stores, buyers and load"
    return "no core alone"


def table(found: Saturation) -> str:
    """Return what was found for people to read, in Markdown."""
    cost = found.cpu_us_per_auction
    rows = [
        ("auctions a second, answers in time", f"{found.auctions_per_s:,.0f}"),
        ("CPU per auction", "not ours" if cost is None else f"{cost:.0f} µs"),
        *(
            [("one core has time for", f"{found.core_auctions_per_s:,.0f} a second")]
            if found.core_auctions_per_s
            else []
        ),
        ("answer, p50 and p99", f"{found.p50_ms:.1f} and {found.p99_ms:.1f} ms"),
        ("limited by", found.limited_by),
        ("the other core was busy", f"{found.other_busy:.0%}"),
        ("the generator itself was late, p99", f"{found.late_p99_ms:.1f} ms"),
    ]
    parts = [f"| {name} | {us:.0f} µs |" for name, us in found.by_part.items()]
    return "\n".join([
        (f"{found.buyers} buyers, {found.workers} worker(s), deadline {found.deadline_ms:g} ms; "
        f"{found.sent} sent, {found.sold} sold, {found.shed} turned away, {found.errors} errors."),
        "",
        "| at saturation | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        f"Parts: {found.measured_by}.",
        *(["", "| part | CPU per auction |", "| --- | --- |", *parts] if parts else []),
    ])  # fmt: skip


def plots(found: Saturation) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    steps = sorted(found.steps, key=lambda step: step.rate)
    return (
        Curves(
            title="Throughput against latency",
            x="leads due a second",
            y="ms",
            lines=(
                Line("p50", tuple((step.rate, step.p50_ms) for step in steps)),
                Line("p99", tuple((step.rate, step.p99_ms) for step in steps)),
            ),
        ),
        Curves(
            title="What is answered of what is due",
            x="leads due a second",
            y="answered a second",
            lines=(Line("answered", tuple((step.rate, step.answered_per_s) for step in steps)),),
        ),
        Bars(title="CPU by part", unit="µs", bars=tuple(found.by_part.items())),
    )
