"""What it costs to be able to end an auction early: every answer is read and weighed as it comes.

The auction of the product over a wire of this process, which answers all pings at once and sends
nothing; so what is measured is making pings, reading answers, ranking, and between them whatever
may end the auction. Nothing does: each bid could still be passed, so that every answer is weighed.
CPU time of this process; medians of rounds.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from bench.plots import Bars, Plot
from bench.rounds import middle, spread
from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.health import Health, HealthLimits
from exchange.auction.ping import Showing
from exchange.auction.tender import Tender
from exchange.domain.bid import Contender
from exchange.domain.choice import Sharing
from exchange.domain.closing import Closing
from exchange.domain.lead import ConsentMarks, Fingerprint
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Buyer, Offer, PingTerms
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoints import Endpoints

QUICK = {"offers": [5], "rounds": 1, "auctions": 20}
DOLLAR = 1_000_000
MOST = Micros(1000 * DOLLAR)
WAYS: dict[str, Callable[[Sequence[Offer]], Closing | None]] = {
    "all are waited for": lambda _: None,
    "buy-now prices": lambda offers: Closing(buy_now={one.id: MOST for one in offers}),
    "early close": lambda _: Closing(by_bounds=True),
    "early close, three may share": lambda _: Closing(
        by_bounds=True, sharing=Sharing(buyers_max=3)
    ),
}
"""What may end an auction."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for auctions of so many offers."""

    way: str
    offers: int
    cpu_us: float
    """Of one auction."""


class Closings(msgspec.Struct, frozen=True):
    """All that was found."""

    rounds: int
    costs: tuple[Cost, ...]
    spread: dict[str, float]


class Instant:
    """A wire that has every answer as soon as it is asked."""

    async def fan_out(
        self,
        calls: Sequence[Call],
        deadline_at: float,
        on_answer: Callable[[Call], bool] | None = None,
    ) -> None:
        """Answer all, in a later turn of the loop, as answers come."""
        del deadline_at
        await asyncio.sleep(0)
        for number, call in enumerate(calls):
            call.outcome, call.status = Outcome.ANSWERED, 200
            call.body = b'{"bid":%d.25,"bid_id":"b-1"}' % (5 + number % 40)
            if on_answer is not None:
                on_answer(call)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--offers", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--auctions", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)


def run(options: argparse.Namespace) -> Closings:
    """Return what an auction costs in each way, with each of these numbers of offers."""
    return asyncio.run(measured(options))


async def measured(options: argparse.Namespace) -> Closings:
    """Measure all ways round by round, so that a busy moment meets none of them alone."""
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.rounds):
        for count in options.offers:
            offers = [an_offer(number) for number in range(count)]
            for way, closing in WAYS.items():
                cpu_us = await costs(offers, closing(offers), options.auctions)
                found.setdefault((way, count), []).append(cpu_us)
    figures = tuple(
        Cost(way=way, offers=count, cpu_us=middle(values, 1))
        for (way, count), values in sorted(found.items(), key=lambda item: item[0][1])
    )
    each = {
        f"costs[{place}].cpu_us": found[one.way, one.offers] for place, one in enumerate(figures)
    }
    return Closings(options.rounds, figures, spread(each))


async def costs(offers: Sequence[Offer], closing: Closing | None, auctions: int) -> float:
    """Return the CPU time of one auction in µs."""
    wire = Instant()
    auction = Auction(
        wire, Health(HealthLimits(), time.monotonic), Endpoints({}), monotonic=time.monotonic,
        entropy=os.urandom, limits=AuctionLimits(), racing=wire,
    )  # fmt: skip
    showing = Showing(
        vertical_id="auto", test=False, fields={"state": "TX", "score": 71},
        consent=ConsentMarks(tcpa=True), currency="USD", channel=None,
    )  # fmt: skip
    began = time.process_time_ns()
    for _ in range(auctions):
        contenders = tuple([Contender(one, Micros(DOLLAR)) for one in offers])
        tender = Tender(
            auction_id="lead/1", showing=showing, fingerprint=Fingerprint(), hashed=(),
            seller_id="s", source_id="s", contenders=contenders, at_us=time.time_ns() // 1000,
            timeout_ms=300.0, closing=closing,
        )  # fmt: skip
        result = await auction.run(tender)
        assert len(result.ranked) == len(offers), "every bid stands"
        await asyncio.sleep(0)
    return (time.process_time_ns() - began) / auctions / 1000


def an_offer(number: int) -> Offer:
    """Return an offer that may bid more than any other bids, each a little more than the last."""
    name = f"b{number}"
    buyer = Buyer(
        id=name, name=name, zone=ZoneInfo("UTC"), currency="USD", billing=Billing(BillingMode.OPEN)
    )
    most = Micros((100 + number) * DOLLAR)
    ping = PingTerms("http://127.0.0.1:9/ping", 300, most)
    return Offer(id=name, buyer=buyer, vertical_id="auto", ping=ping, hash_key=b"k" * 32)


def table(found: Closings) -> str:
    """Return the figures in Markdown."""
    lines = ["| what may end it | offers | CPU an auction |", "| --- | --- | --- |"]
    lines += [f"| {one.way} | {one.offers} | {one.cpu_us:.0f} µs |" for one in found.costs]
    return "\n".join(lines) + "\n"


def plots(found: Closings) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    bars = tuple((f"{one.offers} offers, {one.way}", one.cpu_us) for one in found.costs)
    return (Bars(title="CPU an auction", unit="µs", bars=bars),)
