"""How long a lead takes in the whole exchange, and how much of that is the exchange's own.

The load is open: leads are due by chance, or by a day's shape, whatever becomes of those before,
and latency counts from the moment a lead was due. A sample of the leads is looked up at the end:
what is left of its latency after the time in which buyers had it is the exchange's own.
"""

import argparse
from pathlib import Path

import msgspec

from bench.arrivals import DAY, read_shape
from bench.histogram import Histogram, curve
from bench.plots import Bars, Curves, Line, Plot
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import middle, spread
from bench.saturation import Search, highest
from bench.target import Measured, Target, add_target_arguments, target

QUICK = {"rate": 40.0, "seconds": 2.0, "rounds": 1, "looked_up": 50}
SEARCH_STEP_S = 4.0
HALF = 0.5


class Auction(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from when a lead was due; medians of rounds, the worst round at the far end."""

    rate: float
    saturation_per_s: float | None
    """The highest rate with answers in time, found just before; None: the rate was given."""
    shape: str
    seconds: float
    rounds: int
    buyers: int
    buyer_latency_ms: float
    signed: bool
    sent: int
    sold: int
    shed: int
    errors: int
    durable: bool
    overhead_p50_ms: float
    """Own: without the time in which buyers had the lead."""
    overhead_p99_ms: float
    buyers_p50_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    p9999_ms: float
    longest_ms: float
    late_p99_ms: float
    """How late the generator sent; it is in all of the above."""
    cpu_us_per_auction: float | None
    exchange_busy: float | None
    other_busy: float
    spread: dict[str, float]
    curve: tuple[tuple[float, float], ...]
    own_curve: tuple[tuple[float, float], ...]
    buyers_curve: tuple[tuple[float, float], ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.add_argument(
        "--rate", type=float, help="leads a second, on average; else half of what is the most"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--shape", choices=["poisson", "day"], default="poisson",
        help="how leads arrive: at one rate, or by a day compressed into a round",
    )  # fmt: skip
    parser.add_argument(
        "--recorded", type=Path, metavar="FILE",
        help="a recorded day instead: one number a line, leads in spans of equal length",
    )  # fmt: skip
    parser.add_argument("--looked-up", type=int, default=1000, help="leads that are split up")


def run(options: argparse.Namespace) -> Auction:
    """Measure as these options say."""
    shape = read_shape(options.recorded) if options.recorded else ()
    if not shape and options.shape == "day":
        shape = DAY
    with progress() as bars, target(options) as under_test:
        under_test.warm(bars, quick=options.quick)
        most = None if options.rate else most_in_time(under_test, bars, options)
        rate = options.rate if most is None else round(most * HALF, 1)
        rounds = [
            under_test.send(
                rate,
                options.seconds,
                bars.timed(f"{rate:.0f} leads a second, round {number}", options.seconds),
                shape=shape,
                looked_up=options.looked_up,
            )
            for number in range(1, options.rounds + 1)
        ]
    return report(options, (rate, most), rounds)


def most_in_time(under_test: Target, bars: Progress, options: argparse.Namespace) -> float:
    """Return the highest rate with answers in time."""
    search = Search(seconds=SEARCH_STEP_S, deadline_ms=options.deadline_ms)
    return round(highest(under_test, bars, search).rate, 1)


def report(
    options: argparse.Namespace, rates: tuple[float, float | None], rounds: list[Measured]
) -> Auction:
    """Return what the rounds say together."""
    rate, most = rates
    whole, own, buyers = Histogram(), Histogram(), Histogram()
    each: dict[str, list[float]] = {}
    for one in rounds:
        told = one.loaded
        latency, mine = Histogram(told.latency), Histogram(told.own)
        whole.add(latency)
        own.add(mine)
        buyers.add(Histogram(told.buyers))
        figures = {
            "overhead_p50_ms": mine.at(50),
            "overhead_p99_ms": mine.at(99),
            "p50_ms": latency.at(50),
            "p90_ms": latency.at(90),
            "p99_ms": latency.at(99),
            "p999_ms": latency.at(99.9),
            "p9999_ms": latency.at(99.99),
            "longest_ms": latency.longest,
            "buyers_p50_ms": Histogram(told.buyers).at(50),
            "late_p99_ms": Histogram(told.late).at(99),
            "other_busy": one.other_busy,
        }
        if one.cpu_us is not None and one.exchange_busy is not None:
            figures |= {"cpu_us_per_auction": one.cpu_us, "exchange_busy": one.exchange_busy}
        for name, value in figures.items():
            each.setdefault(name, []).append(value)
    found = {name: middle(values) for name, values in each.items()}
    return Auction(
        rate=rate,
        saturation_per_s=most,
        shape=str(options.recorded or options.shape),
        seconds=options.seconds,
        rounds=len(rounds),
        buyers=options.buyers,
        buyer_latency_ms=options.latency_ms,
        signed=options.signed,
        sent=sum(one.loaded.sent for one in rounds),
        sold=sum(one.loaded.sold for one in rounds),
        shed=sum(one.loaded.shed for one in rounds),
        errors=sum(one.loaded.failed for one in rounds),
        durable=True,
        overhead_p50_ms=found["overhead_p50_ms"],
        overhead_p99_ms=found["overhead_p99_ms"],
        buyers_p50_ms=buyers.at(50),
        p50_ms=found["p50_ms"],
        p90_ms=found["p90_ms"],
        p99_ms=found["p99_ms"],
        p999_ms=whole.at(99.9),
        p9999_ms=whole.at(99.99),
        longest_ms=whole.longest,
        late_p99_ms=found["late_p99_ms"],
        cpu_us_per_auction=found.get("cpu_us_per_auction"),
        exchange_busy=found.get("exchange_busy"),
        other_busy=found["other_busy"],
        spread=spread(each),
        curve=curve(whole),
        own_curve=curve(own),
        buyers_curve=curve(buyers),
    )


def table(found: Auction) -> str:
    """Return what was found for people to read, in Markdown."""
    cost = found.cpu_us_per_auction
    rows = [
        ("own overhead, p50", f"{found.overhead_p50_ms:.2f} ms"),
        ("own overhead, p99", f"{found.overhead_p99_ms:.2f} ms"),
        ("buyers had the lead, p50", f"{found.buyers_p50_ms:.2f} ms"),
        ("answer, p50", f"{found.p50_ms:.2f} ms"),
        ("answer, p90", f"{found.p90_ms:.2f} ms"),
        ("answer, p99", f"{found.p99_ms:.2f} ms"),
        ("answer, p99.9", f"{found.p999_ms:.2f} ms"),
        ("answer, p99.99", f"{found.p9999_ms:.2f} ms"),
        ("longest", f"{found.longest_ms:.2f} ms"),
        ("the generator itself was late, p99", f"{found.late_p99_ms:.2f} ms"),
        ("CPU of the exchange per auction", "not ours" if cost is None else f"{cost:.0f} µs"),
        ("the other core was busy", f"{found.other_busy:.0%}"),
    ]
    most = found.saturation_per_s
    return "\n".join([
        (f"{found.rate:g} leads a second ({found.shape}"
        f"{f', half of {most:,.0f} at saturation' if most else ''}), {found.rounds} rounds of "
        f"{found.seconds:g} s, {found.buyers} buyers of {found.buyer_latency_ms:g} ms."),
        f"{found.sent} sent, {found.sold} sold, {found.shed} turned away, {found.errors} errors.",
        "",
        "| from when a lead was due | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows),
    ])  # fmt: skip


def plots(found: Auction) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    return (
        Curves(
            title="Latency by percentile",
            x="percentile",
            y="ms",
            percentiles=True,
            lines=(
                Line("answer", found.curve),
                Line("own overhead", found.own_curve),
                Line("buyers had the lead", found.buyers_curve),
            ),
        ),
        Bars(
            title="Where the time of half of all leads goes",
            unit="ms",
            bars=(
                ("the exchange itself", found.overhead_p50_ms),
                ("its buyers", found.buyers_p50_ms),
            ),
        ),
    )
