"""Minutes of load: does anything grow that should not?

Every few seconds memory, open files, and what `/metrics` says of tasks, leads under way, holds and
sales in doubt; latencies minute by minute. The slope of the memory is that of the straight line
that fits it best, over all and over the second half, when caches are filled.
"""

import argparse
import re
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import linear_regression
from urllib.error import URLError
from urllib.request import urlopen

import msgspec

from bench.auction import most_in_time
from bench.histogram import Histogram
from bench.load import Counted
from bench.plots import Curves, Line, Plot
from bench.processes import open_files, rss_mib
from bench.progress import progress
from bench.rounds import spread
from bench.target import Measured, Target, add_target_arguments, target

QUICK = {"rate": 30.0, "minutes": 0.05, "offers": 20, "buyers": 3, "every_s": 0.5}
MINUTE_S = 60.0
PER_HOUR = 3600.0
SETTLED_AFTER_S = 3.0
"""Gauges are a second old at most, and a connection that closes takes a moment."""
GAUGES = ("exchange_tasks", "exchange_in_flight", "exchange_holds", "exchange_in_doubt")
LINE = re.compile(r"^(\w+) (\S+)$", re.MULTILINE)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the exchange; of several workers the sum, of memory the most."""

    at_s: float
    memory_mib: float
    cpu_s: float
    """So far; of a stranger's exchange nothing."""
    files: int
    tasks: float
    in_flight: float
    holds: float
    in_doubt: float


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one minute, in milliseconds from when leads were due."""

    answered: int
    p50_ms: float
    p99_ms: float
    p999_ms: float


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen over the whole."""

    minutes: float
    rate: float
    saturation_per_s: float | None
    """The highest rate with answers in time, found just before; None: the rate was given."""
    offers: int
    buyers: int
    workers: int
    signed: bool
    sent: int
    sold: int
    errors: int
    shed: int
    memory_mib_first: float
    memory_mib_last: float
    memory_mib_most: float
    slope_mib_per_hour: float
    slope_mib_per_hour_second_half: float
    files_first: int
    files_last: int
    files_most: int
    tasks_after: float
    """A moment after the load, as are the next three."""
    in_flight_after: float
    holds_after: float
    in_doubt_after: float
    files_after: int
    p99_ms_first: float
    """Of the first whole minute, and of the last."""
    p99_ms_last: float
    cpu_us_per_auction: float | None
    spread: dict[str, float]
    samples: tuple[Sample, ...]
    by_minute: tuple[Minute, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--offers", type=int, default=1000, help="in the market")
    parser.add_argument(
        "--rate", type=float, help="leads a second, on average; else a part of what is the most"
    )
    parser.add_argument("--part", type=float, default=0.8, help="of what is the most")
    parser.add_argument("--every-s", type=float, default=5.0, help="looks at memory and the rest")


def run(options: argparse.Namespace) -> Soak:
    """Measure as these options say."""
    samples: list[Sample] = []
    seconds = options.minutes * MINUTE_S
    with progress() as bars, target(options, offers=options.offers) as under_test:
        under_test.warm(bars, quick=options.quick)
        most = None if options.rate else most_in_time(under_test, bars, options)
        rate = options.rate if most is None else round(most * options.part, 1)
        begun = time.perf_counter()
        move = bars.timed(f"{rate:.0f} leads a second for {options.minutes:g} minutes", seconds)

        def look() -> None:
            move()
            samples.append(sample(under_test, time.perf_counter() - begun))

        look()
        every_s = options.every_s
        window_s = min(MINUTE_S, seconds)
        measured = under_test.send(rate, seconds, look, every_s=every_s, window_s=window_s)
        time.sleep(SETTLED_AFTER_S)
        after = sample(under_test, time.perf_counter() - begun)
    return report(options, (rate, most), measured, samples, after)


def sample(under_test: Target, at_s: float) -> Sample:
    """Look once; what cannot be seen of a stranger's exchange is zero."""
    own = under_test.own
    pids = own.selling() if own else []
    gauges = dict.fromkeys(GAUGES, 0.0) | metrics(under_test.url)
    return Sample(
        at_s=round(at_s, 1),
        memory_mib=round(max(map(rss_mib, pids), default=0.0), 2),
        cpu_s=own.cpu_s() if own else 0.0,
        files=sum(map(open_files, pids)),
        tasks=gauges["exchange_tasks"],
        in_flight=gauges["exchange_in_flight"],
        holds=gauges["exchange_holds"],
        in_doubt=gauges["exchange_in_doubt"],
    )


def metrics(url: str) -> dict[str, float]:
    """Return the gauges of an exchange that shows them here."""
    try:
        with urlopen(f"{url}/metrics") as answer:  # noqa: S310 - the user's own
            page = answer.read().decode()
    except (URLError, OSError):
        return {}
    return {name: float(value) for name, value in LINE.findall(page) if name in GAUGES}


def slope(samples: Sequence[Sample]) -> float:
    """Return by how many MiB an hour memory grows, by the line that fits best."""
    if len(samples) < 2:  # noqa: PLR2004 - a line has two points
        return 0.0
    fitted = linear_regression([one.at_s for one in samples], [one.memory_mib for one in samples])
    return round(fitted.slope * PER_HOUR, 3)


def report(
    options: argparse.Namespace,
    rates: tuple[float, float | None],
    measured: Measured,
    samples: list[Sample],
    after: Sample,
) -> Soak:
    """Return what was seen."""
    told = measured.loaded
    rate, most = rates
    minutes = [minute(Histogram(one.slots)) for one in told.windows]
    first = minutes[1] if len(minutes) > 1 else minutes[0]
    files = [one.files for one in samples]
    memory = [one.memory_mib for one in samples]
    return Soak(
        minutes=options.minutes,
        rate=rate,
        saturation_per_s=most,
        offers=options.offers,
        buyers=options.buyers,
        workers=options.workers,
        signed=options.signed,
        sent=told.sent,
        sold=told.sold,
        errors=told.failed,
        shed=told.shed,
        memory_mib_first=memory[0],
        memory_mib_last=memory[-1],
        memory_mib_most=max(memory),
        slope_mib_per_hour=slope(samples),
        slope_mib_per_hour_second_half=slope(samples[len(samples) // 2 :]),
        files_first=files[0],
        files_last=files[-1],
        files_most=max(files),
        tasks_after=after.tasks,
        in_flight_after=after.in_flight,
        holds_after=after.holds,
        in_doubt_after=after.in_doubt,
        files_after=after.files,
        p99_ms_first=first.p99_ms,
        p99_ms_last=minutes[-1].p99_ms,
        cpu_us_per_auction=measured.cpu_us,
        spread=spread(apart(samples, minutes, told.windows)),
        samples=tuple(samples),
        by_minute=tuple(minutes),
    )


def apart(
    samples: Sequence[Sample], minutes: Sequence[Minute], windows: Sequence[Counted]
) -> dict[str, list[float]]:
    """Return what stands for rounds in one long run, by figure.

    Its minutes for latencies and CPU, its thirds for slopes, looks in its second half for memory
    and files, when caches are filled.
    """
    second_half = samples[len(samples) // 2 :]
    third = max(2, len(samples) // 3)
    slopes = [slope(samples[at : at + third]) for at in range(0, len(samples) - third + 1, third)]
    p99s = [one.p99_ms for one in minutes[1:]]
    each: dict[str, list[float]] = {
        "p99_ms_first": p99s,
        "p99_ms_last": p99s,
        "cpu_us_per_auction": cpu_by_window(samples, windows),
        "slope_mib_per_hour": slopes,
        "slope_mib_per_hour_second_half": slopes[1:],
    }
    for what in ("memory_mib", "files"):
        seen = [float(getattr(one, what)) for one in second_half]
        each |= {f"{what}_{when}": seen for when in ("first", "last", "most")}
    return each


def cpu_by_window(samples: Sequence[Sample], windows: Sequence[Counted]) -> list[float]:
    """Return microseconds of CPU per lead answered, between the looks next to windows' borders."""

    def nearest(at_s: float) -> Sample:
        return min(samples, key=lambda one: abs(one.at_s - at_s))

    return [
        (nearest(later.from_s).cpu_s - nearest(one.from_s).cpu_s) / sum(one.slots.values()) * 1e6
        for one, later in pairwise(windows)
        if one.slots
    ]


def minute(histogram: Histogram) -> Minute:
    """Return one minute in numbers."""
    p50_ms, p99_ms, p999_ms = histogram.at_all([50, 99, 99.9])
    return Minute(answered=histogram.count, p50_ms=p50_ms, p99_ms=p99_ms, p999_ms=p999_ms)


def table(found: Soak) -> str:
    """Return what was seen for people to read, in Markdown."""
    load = (
        f"{found.rate:g} leads a second for {found.minutes:g} minutes, {found.offers:,} offers, "
        f"{found.buyers} of them asked; {found.sent} sent, {found.sold} sold, {found.shed} turned "
        f"away, {found.errors} errors."
    )
    memory = (found.memory_mib_first, found.memory_mib_last, found.memory_mib_most)
    rows = [
        (
            "memory of a worker, first, last, most",
            f"{', '.join(f'{mib:.0f}' for mib in memory)} MiB",
        ),
        ("memory grows by", f"{found.slope_mib_per_hour:+.1f} MiB an hour"),
        (
            "memory grows by, second half",
            f"{found.slope_mib_per_hour_second_half:+.1f} MiB an hour",
        ),
        (
            "open files, first, last, most, after",
            f"{found.files_first}, {found.files_last}, {found.files_most}, {found.files_after}",
        ),
        ("tasks after the load", f"{found.tasks_after:g}"),
        (
            "leads under way, holds, sales in doubt after the load",
            f"{found.in_flight_after:g}, {found.holds_after:g}, {found.in_doubt_after:g}",
        ),
        (
            "p99 of the first whole minute and of the last",
            f"{found.p99_ms_first:.1f} and {found.p99_ms_last:.1f} ms",
        ),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([load, "", "| seen | |", "| --- | --- |", *lines])


def plots(found: Soak) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    minutes = list(enumerate(found.by_minute, 1))
    return (
        over_time(found, "Memory of a worker", "MiB", "memory_mib"),
        over_time(found, "Open files", "", "files"),
        over_time(found, "Tasks of the event loop", "", "tasks"),
        Curves(
            title="Latency by minute",
            x="minute",
            y="ms",
            lines=(
                Line("p50", tuple((float(at), one.p50_ms) for at, one in minutes)),
                Line("p99", tuple((float(at), one.p99_ms) for at, one in minutes)),
                Line("p99.9", tuple((float(at), one.p999_ms) for at, one in minutes)),
            ),
        ),
    )


def over_time(found: Soak, title: str, unit: str, field: str) -> Curves:
    """Return one thing that was looked at, over the minutes."""
    points = tuple((one.at_s / MINUTE_S, float(getattr(one, field))) for one in found.samples)
    return Curves(title=title, x="minutes", y=unit, lines=(Line(title.lower(), points),))
