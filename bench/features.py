"""What everything that can be switched on costs a lead in CPU, one at a time, against none of it.

For each feature an exchange is started on empty stores with two campaigns that differ in it alone
(`bench/switches.py`). Blocks of leads go to both in turn, through the same process; read is the CPU
that the process used, user and system: of one core, while stores, buyers and sender have the other.
A block ends a while after its last answer, so that what is done beside the leads, like notices, is
counted in it. Told are medians of blocks, and ratios and differences of blocks that lie side by
side, with how far these lay apart: a feature whose cost is less than that costs nothing to be seen.
"""

import argparse
import asyncio
import statistics
import time

import msgspec

from bench.leads import send
from bench.plots import Bars, Plot
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import middle
from bench.serving import Serving, fleet, serving, tell
from bench.switches import OFF, ON, SWITCHES, fleet_text, market

QUICK = {"leads": 20, "warm": 5, "rounds": 1, "buyers": 3, "only": ["floors", "turns"]}

BESIDE_S = 1.0
"""How long a block goes on after its last answer."""


class Cost(msgspec.Struct, frozen=True):
    """Of one feature; microseconds of CPU of the exchange's process, for one lead."""

    what: str
    off_us: float
    on_us: float
    ratio: float
    more_us: float
    apart_us: float
    """Half of what lies between the least and the greatest difference; one round: nothing."""
    off_sold: float
    on_sold: float
    """The share of leads that were sold, of all rounds."""


class Block(msgspec.Struct, frozen=True):
    """Leads of one side, one round."""

    cpu_us: float
    """For one lead."""
    sold: float


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of all that were measured."""

    leads: int
    """Of each block."""
    buyers: int
    rounds: int
    features: dict[str, Cost]
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--leads", type=int, default=800, help="of each block")
    parser.add_argument("--warm", type=int, default=300, help="leads of each side before them")
    parser.add_argument("--buyers", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=16, help="leads at a time")
    parser.add_argument("--rounds", type=int, default=6, help="blocks of each side")
    parser.add_argument("--only", nargs="+", choices=list(SWITCHES), default=list(SWITCHES))


def run(options: argparse.Namespace) -> Costs:
    """Switch one after the other on."""
    found: dict[str, Cost] = {}
    with progress() as bars, fleet(fleet_text(options.buyers)) as url:
        for name in options.only:
            with serving(market(SWITCHES[name], url, options.buyers), seller=OFF) as own:
                found[name] = cost(name, blocks(options, name, own, bars))
            one = found[name]
            told = f"{name}: {one.off_us:.0f} to {one.on_us:.0f} us, {one.ratio} times"
            bars.say(f"{told}, {one.more_us:.0f} us more, +-{one.apart_us:.0f}")
    return Costs(
        leads=options.leads,
        buyers=options.buyers,
        rounds=options.rounds,
        features=found,
        spread={f"features.{name}.more_us": one.apart_us for name, one in found.items()},
    )


def blocks(
    options: argparse.Namespace, name: str, own: Serving, bars: Progress
) -> dict[str, list[Block]]:
    """Return what a lead of each block cost, by side."""
    create = ("keys", "create", "--role", "seller", "--account", ON)
    keys = {OFF: own.key, ON: tell(own.checkout, own.environment, *create)}
    found: dict[str, list[Block]] = {OFF: [], ON: []}
    first = 0
    for number in range(-1, options.rounds):
        size = options.warm if number < 0 else options.leads
        for side in (OFF, ON) if number % 2 == 0 else (ON, OFF):
            numbers = range(first, first + size)
            first += size
            before = own.cpu_s()
            step = bars.counted(f"{name}, {side}", numbers)
            sending = send(own.url, keys[side], numbers, options.concurrency, step, side)
            sold, _ = asyncio.run(sending)
            time.sleep(BESIDE_S)
            used_s = own.cpu_s() - before
            if number >= 0:
                found[side].append(Block(used_s / size * 1e6, sold / size))
    return found


def cost(name: str, found: dict[str, list[Block]]) -> Cost:
    """Return medians, and those of what lay side by side."""
    pairs = [(off.cpu_us, on.cpu_us) for off, on in zip(found[OFF], found[ON], strict=True)]
    more = [on - off for off, on in pairs]
    return Cost(
        what=SWITCHES[name].what,
        off_us=middle((off for off, _ in pairs), 0),
        on_us=middle((on for _, on in pairs), 0),
        ratio=middle(on / off for off, on in pairs),
        more_us=middle(more, 0),
        apart_us=round((max(more) - min(more)) / 2),
        off_sold=round(statistics.fmean(one.sold for one in found[OFF]), 3),
        on_sold=round(statistics.fmean(one.sold for one in found[ON]), 3),
    )


def table(found: Costs) -> str:
    """Return what was found for people to read, in Markdown."""
    rows = [
        f"| {one.what} | {one.off_us:.0f} µs | {one.ratio} "
        f"| {one.more_us:.0f} ±{one.apart_us:.0f} µs | {one.off_sold:.0%}, {one.on_sold:.0%} |"
        for one in found.features.values()
    ]
    head = "| switched on | a lead without | times | more | sold |\n| --- | --- | --- | --- | --- |"
    return f"{found.rounds} blocks of {found.leads} leads on each side.\n\n" + "\n".join(
        (head, *rows)
    )


def plots(found: Costs) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    bars = tuple((one.what, one.more_us) for one in found.features.values())
    return (Bars(title="More CPU per lead", unit="µs", bars=bars),)
