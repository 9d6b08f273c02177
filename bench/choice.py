"""What it costs to choose who gets a lead, together or alone, among few bids and among many.

Bids come from a seed: prices, half of them with a price for being alone, and offers that say with
how many they share or which competitors they have no lead with. CPU time of this process, each
choice made again and again; medians of rounds.
"""

import argparse
import random
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from bench.plots import Bars, Plot
from bench.rounds import middle, spread
from exchange.domain.bid import Bid
from exchange.domain.choice import Sharing, choose
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Buyer, Offer

QUICK = {"bids": [8], "rounds": 1}
MARKETS = 20
"""So many different sets of bids for each figure."""
REPEATS = 40
MOST = (2, 3, 5, 10)
DOLLAR = 1_000_000

KINDS: dict[str, Callable[[random.Random, int], tuple[int | None, int]]] = {
    "nobody says anything": lambda _chance, _bids: (None, 0),
    "some share with few": lambda chance, _bids: (chance.choice((None, None, 0, 1, 2)), 0),
    "all share with so many": lambda chance, bids: (chance.randrange(bids), 0),
    "each names a competitor": lambda _chance, _bids: (None, 1),
    "each names five": lambda _chance, _bids: (None, 5),
}
"""What offers say: with how many they share, and how many competitors they name."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for so many bids of one kind."""

    kind: str
    bids: int
    cpu_us: float
    """Of one choice, on average over all limits and markets."""
    dearest_us: float
    """Of the choice that cost most, itself an average of its repetitions."""


class Choosing(msgspec.Struct, frozen=True):
    """All that was found."""

    rounds: int
    costs: tuple[Cost, ...]
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--bids", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--rounds", type=int, default=5)


def run(options: argparse.Namespace) -> Choosing:
    """Return what a choice costs with each of these numbers of bids."""
    costs: list[Cost] = []
    each: dict[str, list[float]] = {}
    for kind in KINDS:
        for bids in options.bids:
            markets = [bids_of(kind, bids, number) for number in range(MARKETS)]
            rounds = [measured(markets) for _ in range(options.rounds)]
            each[f"costs[{len(costs)}].cpu_us"] = [mean for mean, _ in rounds]
            costs.append(
                Cost(
                    kind=kind,
                    bids=bids,
                    cpu_us=middle([mean for mean, _ in rounds], 1),
                    dearest_us=middle([dearest for _, dearest in rounds], 1),
                )
            )
    return Choosing(options.rounds, tuple(costs), spread(each))


def measured(markets: list[list[Bid]]) -> tuple[float, float]:
    """Return what a choice costs in µs, on average and at most."""
    taken = []
    for bids in markets:
        for most in MOST:
            sharing = Sharing(buyers_max=most)
            began = time.process_time_ns()
            for _ in range(REPEATS):
                choose(bids, sharing)
            taken.append((time.process_time_ns() - began) / REPEATS / 1000)
    return sum(taken) / len(taken), max(taken)


def bids_of(kind: str, bids: int, seed: int) -> list[Bid]:
    """Return bids of this kind, best first."""
    chance = random.Random(f"{kind} {bids} {seed}")
    made = []
    for number in range(bids):
        limit, rivals = KINDS[kind](chance, bids)
        names = frozenset(f"b{chance.randrange(bids)}" for _ in range(rivals))
        offer = Offer(
            id=f"b{number}",
            buyer=a_buyer(f"b{number}"),
            vertical_id="auto",
            share_with_max=limit,
            not_with=names - {f"b{number}"},
        )
        alone = Micros(chance.randint(5, 90) * DOLLAR) if chance.random() < 1 / 2 else None
        price = Micros(chance.randint(1, 60) * DOLLAR)
        made.append(Bid(offer=offer, price=price, exclusive_price=alone))
    return sorted(made, key=lambda bid: -bid.price)


def a_buyer(name: str) -> Buyer:
    """Return a buyer of whom only the name matters."""
    return Buyer(
        id=name, name=name, zone=ZoneInfo("UTC"), currency="USD", billing=Billing(BillingMode.OPEN)
    )


def table(found: Choosing) -> str:
    """Return the figures in Markdown."""
    lines = ["| offers | bids | CPU a choice | the dearest |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.kind} | {one.bids} | {one.cpu_us:.0f} µs | {one.dearest_us:.0f} µs |"
        for one in found.costs
    ]
    return "\n".join(lines) + "\n"


def plots(found: Choosing) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    bars = tuple((f"{one.bids} bids, {one.kind}", one.cpu_us) for one in found.costs)
    return (Bars(title="CPU a choice", unit="µs", bars=bars),)
