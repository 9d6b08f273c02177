"""What more buyers, more offers and more workers cost: CPU, memory, and time until it can sell.

Each size has an exchange of its own, fresh, in which so many leads are always under way. Offers
beyond the buyers want other leads, each for its own reason. Time to ready is that of one more
process on stores that run already and hold the market; memory is a worker's, after the load.
"""

import argparse
import subprocess
from collections.abc import Sequence

import msgspec

from bench.errors import UsageError
from bench.plots import Curves, Line, Plot
from bench.processes import HOST, cpu_s, free_port, pinned, rss_mib, running
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import middle, spread
from bench.serving import EXCHANGE_CORE, Serving, exchange, ready
from bench.target import Measured, Target, add_target_arguments, target

QUICK = {
    "seconds": 0.5, "rounds": 1, "few": 3, "buyer_counts": [4], "offer_counts": [],
    "worker_counts": [2], "starts": 1,
}  # fmt: skip


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One size; medians of rounds."""

    buyers: int
    offers: int
    workers: int
    cpu_us_per_auction: float
    auctions_per_s: float
    memory_mib: float
    """Of the worker that holds most."""
    ready_s: float
    start_cpu_s: float
    """What one start cost until it could sell."""
    sold: int
    errors: int


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Each dimension, beginning with what all have in common."""

    signed: bool
    buyers: tuple[Size, ...]
    offers: tuple[Size, ...]
    workers: tuple[Size, ...]
    cpu_us_per_ping: dict[str, float]
    """Of the buyers beyond the first size, by how many there were in all."""
    growth_per_worker: dict[str, float]
    """CPU per auction with so many workers, to that with one."""
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    add_target_arguments(parser)
    parser.add_argument("--few", type=int, default=10, help="buyers and offers of the first size")
    parser.add_argument("--buyer-counts", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--offer-counts", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--worker-counts", type=int, nargs="*", default=[2])
    parser.add_argument("--at-once", type=int, default=16, help="leads under way")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=3, help="of each size, until it can sell")


def run(options: argparse.Namespace) -> Scale:
    """Measure as these options say. Errors: UsageError."""
    if options.target or options.endpoint:
        raise UsageError("scale makes markets of its own, in an exchange of its own")
    spreads: dict[str, float] = {}
    few = options.few
    with progress() as bars:

        def size(name: str, *, buyers: int = few, offers: int = few, workers: int = 1) -> Size:
            found, apart = sized(options, bars, (buyers, max(offers, buyers), workers))
            spreads.update({f"{name}.{figure}": value for figure, value in apart.items()})
            return found

        first = size("buyers[0]")
        buyers = [size(f"buyers[{i}]", buyers=n) for i, n in enumerate(options.buyer_counts, 1)]
        offers = [size(f"offers[{i}]", offers=n) for i, n in enumerate(options.offer_counts, 1)]
        workers = [size(f"workers[{i}]", workers=n) for i, n in enumerate(options.worker_counts, 1)]
    return Scale(
        signed=options.signed,
        buyers=(first, *buyers),
        offers=(first, *offers),
        workers=(first, *workers),
        cpu_us_per_ping={str(one.buyers): per_ping(first, one) for one in buyers},
        growth_per_worker={
            str(one.workers): round(one.cpu_us_per_auction / first.cpu_us_per_auction, 3)
            for one in workers
        },
        spread=spreads,
    )


def per_ping(first: Size, one: Size) -> float:
    """Return what one buyer more costs; of no more buyers nothing."""
    more = one.buyers - first.buyers
    return round((one.cpu_us_per_auction - first.cpu_us_per_auction) / more, 2) if more else 0.0


def sized(
    options: argparse.Namespace, bars: Progress, counts: tuple[int, int, int]
) -> tuple[Size, dict[str, float]]:
    """Return one size, and how far its rounds lay apart."""
    buyers, offers, workers = counts
    asked = argparse.Namespace(**{**vars(options), "buyers": buyers, "workers": workers})
    each: dict[str, list[float]] = {"cpu_us_per_auction": [], "auctions_per_s": []}
    sold = errors = 0
    with target(asked, offers=offers) as under_test:
        own = under_test.own
        assert own is not None, "it is an exchange of our own"
        under_test.warm(bars, quick=options.quick)
        for number in range(1, options.rounds + 1):
            what = f"{buyers} buyers, {offers} offers, {workers} worker(s), round {number}"
            measured = full(under_test, bars, options, what)
            assert measured.cpu_us is not None, "it is an exchange of our own"
            each["cpu_us_per_auction"].append(measured.cpu_us)
            each["auctions_per_s"].append(measured.loaded.answered / measured.loaded.seconds)
            sold += measured.loaded.sold
            errors += measured.loaded.failed
        memory_mib = max(map(rss_mib, own.selling()))
        starts = [start_to_ready(own) for _ in range(options.starts)]
    each["ready_s"] = [wall_s for wall_s, _ in starts]
    each["start_cpu_s"] = [used_s for _, used_s in starts]
    found = Size(
        buyers=buyers,
        offers=offers,
        workers=workers,
        cpu_us_per_auction=middle(each["cpu_us_per_auction"], 1),
        auctions_per_s=middle(each["auctions_per_s"], 1),
        memory_mib=round(memory_mib, 1),
        ready_s=middle(each["ready_s"]),
        start_cpu_s=middle(each["start_cpu_s"]),
        sold=sold,
        errors=errors,
    )
    return found, spread(each)


def full(under_test: Target, bars: Progress, options: argparse.Namespace, what: str) -> Measured:
    """Sell as fast as it goes."""
    seconds = options.seconds
    return under_test.send(0.0, seconds, bars.timed(what, seconds), at_once=options.at_once)


def start_to_ready(own: Serving) -> tuple[float, float]:
    """Return how long one more process takes until it can sell, by the wall and in CPU."""
    port = free_port()
    around = {**own.environment, "EXCHANGE_PORT": str(port)}
    with (
        pinned(EXCHANGE_CORE),
        running(
            exchange("serve"), cwd=own.checkout, env=around, stderr=subprocess.DEVNULL
        ) as process,
    ):
        return ready(f"http://{HOST}:{port}"), cpu_s(process.pid)


def table(found: Scale) -> str:
    """Return what was found for people to read, in Markdown."""
    head = [
        "| buyers | offers | workers | CPU per auction | a second | memory | until ready, CPU |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| {one.buyers} | {one.offers:,} | {one.workers} | {one.cpu_us_per_auction:,.0f} µs "
        f"| {one.auctions_per_s:,.0f} | {one.memory_mib:.0f} MiB "
        f"| {one.ready_s:.2f} s, {one.start_cpu_s:.2f} s |"
        for one in (*found.buyers, *found.offers[1:], *found.workers[1:])
    ]
    pings = [
        f"{cpu_us:.1f} µs a ping up to {buyers}" for buyers, cpu_us in found.cpu_us_per_ping.items()
    ]
    growth = [f"{workers}: {times:.2f}" for workers, times in found.growth_per_worker.items()]
    told = [
        f"What one buyer more costs: {', '.join(pings)}.",
        f"CPU per auction by workers, to one alone: {', '.join(growth)}.",
    ]
    return "\n".join([*head, *rows, "", *told])


def plots(found: Scale) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    return (
        costs("CPU per auction by buyers asked", "buyers", [(s.buyers, s) for s in found.buyers]),
        costs("CPU per auction by offers", "offers", [(s.offers, s) for s in found.offers]),
        costs("CPU per auction by workers", "workers", [(s.workers, s) for s in found.workers]),
    )


def costs(title: str, x: str, sizes: Sequence[tuple[int, Size]]) -> Curves:
    """Return the cost of each size as a line."""
    points = tuple((float(count), size.cpu_us_per_auction) for count, size in sizes)
    return Curves(title=title, x=x, y="µs", lines=(Line("CPU per auction", points),))
