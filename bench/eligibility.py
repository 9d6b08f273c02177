"""What it costs to find who may compete for a lead, among few offers and among thousands.

Compiles a market of one vertical, with filters as buyers write them, and lets leads through the
exchange's own code as in a sale: screened, every offer left out counted and noted, the events
encoded as they are stored. Nobody is asked. CPU time of this process; rounds alternate between the
sizes, medians are told.
"""

import argparse
import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from bench.plots import Curves, Line, Plot
from bench.rounds import middle, spread
from exchange.auction.tender import AuctionResult, Tender
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.configuration.snapshots import Compiler, Stored
from exchange.domain.ids import LeadId
from exchange.domain.lead import Fingerprint, Lead, Source
from exchange.domain.moment import Moment, MomentKind
from exchange.domain.money import Micros
from exchange.domain.person import Person
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.chain import Chain
from exchange.story.competing import Competing
from exchange.story.ending import Course
from exchange.story.stations import Stations
from exchange.telemetry.metrics import Metrics

VERTICAL = Path(__file__).parents[1] / "config" / "verticals" / "auto_insurance.toml"
QUICK = {"offers": [10, 100], "leads": 20, "rounds": 1}
WARM_LEADS = 200
MIB = 1 << 20
NOW_US = 1_795_000_000_000_000
"""A Wednesday in November 2026, three o'clock in New York."""

PLACES = {
    "TX": "750 770 787 799", "CA": "900 941 921 958", "FL": "331 328 336 322",
    "NY": "100 112 142 146", "PA": "191 152 171 181", "IL": "606 627 617 612",
    "OH": "432 441 452 436", "GA": "303 314 310 309", "NC": "276 282 274 288",
    "MI": "482 495 489 497", "NJ": "071 080 088 075", "VA": "232 201 235 240",
    "WA": "981 992 986 984", "AZ": "850 857 863 852", "MA": "021 011 017 026",
    "TN": "372 381 379 374", "IN": "462 468 479 474", "MO": "631 641 658 652",
    "MD": "212 208 217 206", "WI": "532 537 543 547", "CO": "802 809 815 805",
    "MN": "554 551 558 563", "SC": "292 294 296 295", "AL": "352 366 368 358",
    "LA": "701 708 711 705", "KY": "402 405 410 421", "OR": "972 974 977 970",
    "OK": "731 741 735 738", "CT": "061 065 068 063", "UT": "841 846 847 843",
}  # fmt: skip
"""States by their first digits of ZIP codes."""

ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
CREDITS = ("poor", "fair", "good", "excellent")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What was found with so many offers."""

    offers: int
    cpu_us: float
    """For one lead: screened, noted, counted, encoded."""
    eligible: float
    """Offers that may compete for a lead, on average."""
    event_bytes: int
    """The events of one lead as they are stored, on average."""
    compile_ms: float
    """From the parts of the market to the snapshot, in a fresh worker."""
    memory_mib: float
    """What the snapshot holds, once leads went through it."""


class Eligibility(msgspec.Struct, frozen=True):
    """One measurement: each size in turn."""

    leads: int
    rounds: int
    sizes: tuple[Size, ...]
    spread: dict[str, float]


# The market


def market_text(offers: int, chance: random.Random) -> str:
    """Return a market with so many offers, three of each buyer."""
    parts = [
        """
[[seller]]
id = "bench"
[[campaign]]
id = "bench"
vertical = "auto_insurance"
sellers = ["bench"]
floor = 2.00
margin = { percent = 15 }
"""
    ]
    for number in range(offers):
        if number % 3 == 0:
            parts.append(buyer_text(number // 3, chance))
        parts.append(offer_text(number, chance))
    return "".join(parts)


def buyer_text(number: int, chance: random.Random) -> str:
    """Return a buyer; half of them have a budget."""
    spend = 'caps = [ { spend = 5000.00, per = "day" } ]\n' if often(chance, 0.5) else ""
    zone = chance.choice(ZONES)
    return f'[[buyer]]\nid = "buyer-{number}"\ntime_zone = "{zone}"\n{spend}'


def offer_text(number: int, chance: random.Random) -> str:
    """Return an offer with a filter, and mostly with caps; a third keep hours."""
    caps = []
    if often(chance, 0.8):
        caps.append(f'{{ leads = {chance.choice((50, 100, 200))}, per = "day" }}')
    if often(chance, 0.3):
        caps.append("{ concurrent = 20 }")
    lines = [
        f'[[buyer.offer]]\nid = "offer-{number}"\nvertical = "auto_insurance"',
        f"where = '{filter_text(chance)}'",
        f"caps = [ {', '.join(caps)} ]",
        f"price = {chance.randint(3, 30)}.00",
    ]
    if often(chance, 0.3):
        lines.append('hours = { mon-fri = "08:00-18:00", sat = "09:00-13:00" }')
    if often(chance, 0.02):
        lines.append("paused = true")
    return "\n".join(lines) + "\n"


def filter_text(chance: random.Random) -> str:
    """Return a filter as buyers write them: a place, then some of the rest."""
    clauses = [place_text(chance)]
    rest = {
        f"age >= {chance.choice((18, 21, 25, 25, 30, 50))}": 0.6,
        f"age <= {chance.choice((55, 65, 70, 75))}": 0.3,
        f"25 <= age < {chance.choice((60, 65, 85))}": 0.1,
        "homeowner": 0.2,
        "not dui and not sr22": 0.4,
        "currently_insured": 0.3,
        "currently_insured == false": 0.1,
        f"credit in {choices(CREDITS[chance.randint(0, 2) :])}": 0.4,
        f"vehicle_year >= {chance.randint(1998, 2018)}": 0.3,
        f"score >= {chance.choice((30, 40, 50, 60))}": 0.15,
        f"{chance.choice((8, 9))} <= hour < {chance.choice((17, 18, 20))}": 0.05,
        'age >= 30 or credit == "excellent"': 0.05,
    }
    clauses += [clause for clause, share in rest.items() if often(chance, share)]
    return " and ".join(f"({one})" if " or " in one else one for one in clauses if one) or "true"


def place_text(chance: random.Random) -> str:
    """Return where an offer buys: some states, one, some ZIP codes, or everywhere."""
    (kind,) = chance.choices(("states", "state", "zip", "anywhere"), (50, 15, 25, 10))
    states = sorted(PLACES)
    if kind == "states":
        return f"state in {choices(sorted(chance.sample(states, chance.randint(3, 12))))}"
    if kind == "state":
        return f'state == "{chance.choice(states)}"'
    if kind == "zip":
        prefixes = [one for codes in PLACES.values() for one in codes.split()]
        return f"zip.startswith({choices(sorted(chance.sample(prefixes, chance.randint(2, 8))))})"
    return ""


def often(chance: random.Random, share: float) -> bool:
    """Roll the dice: yes in this share of all cases."""
    return chance.random() < share


def choices(values: Iterable[str]) -> str:
    """Return a list as a condition writes it."""
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def stored_market(offers: int) -> Stored:
    """Return a market as it is read from the database."""
    text = market_text(offers, random.Random(offers))
    sheets = [sheet_of("vertical", VERTICAL.read_text("utf-8")), sheet_of("market", text)]
    return Stored(version=1, market=read_sheets(sheets).market, keys={}, signing={}, credited={})


def compiled(stored: Stored) -> Snapshot:
    """Return what a fresh worker sells under."""
    return Compiler(lambda name: name.encode()).snapshot(stored)


# The leads


def submissions(count: int) -> Iterator[Submission]:
    """Yield leads from everywhere."""
    chance = random.Random(7)
    for number in range(count):
        yield submission(number, chance)


def submission(number: int, chance: random.Random) -> Submission:
    """Return somebody's lead, checked and normalized."""
    state = chance.choice(sorted(PLACES))
    zip_code = f"{chance.choice(PLACES[state].split())}{chance.randint(0, 99):02d}"
    fields: dict[str, Any] = {
        "zip": zip_code,
        "currently_insured": often(chance, 0.7),
        "birth_date": "1991-04-02",
        "vehicle_year": chance.randint(1996, 2026),
        "credit": chance.choice(CREDITS),
        "homeowner": often(chance, 0.5),
    }
    if often(chance, 0.5):
        fields |= {"dui": often(chance, 0.1), "sr22": False}
    return Submission(
        lead=Lead(
            lead_id=LeadId(f"019a0000-0000-7000-8000-{number:012d}"),
            received_at_us=NOW_US,
            seller_id="bench",
            campaign_id="bench",
            vertical_id="auto_insurance",
            source=Source("search", "search"),
            fields=fields,
            derived={
                "state": state,
                "zip3": zip_code[:3],
                "age": chance.randint(18, 85),
                "hour": chance.randint(0, 23),
                "weekday": "wed",
                "test": False,
                "source": "search",
                "seller": "bench",
            },
            answer_by_us=NOW_US + 30_000_000,
        ),
        person=Person(identity={"first_name": "Ann", "phone": "+15125550123"}),
        fingerprint=Fingerprint(),
    )


# The exchange around them


class Surroundings:
    """All that a stage of a sale needs, where nobody is asked and nothing is written."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.used_by: dict[str, dict[str, int]] = {buyer: {} for buyer in snapshot.buyers}
        self.contenders = 0
        self.event_bytes = 0
        self._ticks_us = NOW_US
        self._encode = msgspec.json.Encoder().encode
        self.metrics = Metrics(CollectorRegistry())
        nothing: Any = self
        self.stations = Stations(
            ledger=nothing,
            market=nothing,
            auction=self,
            delivery=nothing,
            tokens=nothing,
            observer=self.metrics,
            now_us=self.now_us,
            monotonic=time.monotonic,
            entropy=lambda size: b"0" * size,
            spawn=nothing,
            claim_secret=b"bench",
        )

    def now_us(self) -> int:
        """Return the time; it goes on by a millisecond whenever it is asked for."""
        self._ticks_us += 1000
        return self._ticks_us

    def used(self, buyer_id: str) -> dict[str, int]:
        """Return a buyer's counters: nothing was sold yet."""
        return self.used_by[buyer_id]

    async def run(self, tender: Tender) -> AuctionResult:
        """Ask nobody."""
        self.contenders += len(tender.contenders)
        return AuctionResult(ranked=(), results=(), exchanged=())

    async def commit(self, moment: Moment) -> bool:
        """Encode the events, and write nothing."""
        self.event_bytes += len(self._encode(moment.events))
        return True


class Bench:
    """A market of one size, and what was found with it so far."""

    def __init__(self, offers: int) -> None:
        self.offers = offers
        self._stored = stored_market(offers)
        self.compile_ms: list[float] = []
        self.cpu_us: list[float] = []
        self.snapshot = self.compiled()
        self.around = Surroundings(self.snapshot)

    def compiled(self) -> Snapshot:
        """Compile the market anew, and note how long that took."""
        began = time.process_time()
        snapshot = compiled(self._stored)
        self.compile_ms.append((time.process_time() - began) * 1000)
        return snapshot

    def round(self, leads: int) -> None:
        """Let so many leads through."""
        asyncio.run(self._round(leads))

    async def _round(self, leads: int) -> None:
        chains = [self._prepared(one) for one in submissions(leads)]
        stage = self.snapshot.campaigns["bench"].stages[0]
        gc.collect()
        began = time.process_time()
        for competing, chain in chains:
            await competing.compete(stage, frozenset())
            await chain.write(MomentKind.NOTE)
        self.around.metrics.hand_over()
        self.cpu_us.append((time.process_time() - began) / leads * 1e6)

    def _prepared(self, submission: Submission) -> tuple[Competing, Chain]:
        around: Any = self.around
        chain = Chain(around, submission.lead.lead_id, around.now_us)
        competing = Competing(
            around.stations,
            self.snapshot,
            submission,
            chain,
            Course(),
            score=50,
            bought_by=frozenset(),
            payout_wanted=Micros(0),
        )
        return competing, chain

    def memory_mib(self) -> float:
        """Return what a snapshot like this one holds, apart from the time that this takes."""
        gc.collect()
        tracemalloc.start()
        first, _ = tracemalloc.get_traced_memory()
        anew = Bench(self.offers)
        anew.round(WARM_LEADS)
        anew.around.metrics = Metrics(CollectorRegistry())
        gc.collect()
        last, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return (last - first) / MIB

    def size(self, leads: int) -> Size:
        """Return the figures."""
        through = leads * len(self.cpu_us) + WARM_LEADS
        return Size(
            offers=self.offers,
            cpu_us=middle(self.cpu_us, 1),
            eligible=round(self.around.contenders / through, 1),
            event_bytes=round(self.around.event_bytes / through),
            compile_ms=middle(self.compile_ms, 1),
            memory_mib=round(self.memory_mib(), 1),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--offers", type=int, nargs="+", default=[10, 100, 1000, 5000])
    parser.add_argument("--leads", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)


def run(options: argparse.Namespace) -> Eligibility:
    """Return what a lead costs with each of these numbers of offers."""
    benches = [Bench(count) for count in options.offers]
    for bench in benches:
        bench.round(WARM_LEADS)
        bench.cpu_us.clear()
        bench.compile_ms.clear()
    for _ in range(options.rounds):
        for bench in benches:
            bench.compiled()
            bench.round(options.leads)
    sizes = tuple(bench.size(options.leads) for bench in benches)
    each: dict[str, list[float]] = {}
    for number, bench in enumerate(benches):
        each[f"sizes[{number}].cpu_us"] = bench.cpu_us
        each[f"sizes[{number}].compile_ms"] = bench.compile_ms
    return Eligibility(options.leads, options.rounds, sizes, spread(each))


def table(found: Eligibility) -> str:
    """Return the figures in Markdown."""
    lines = [
        "| offers | CPU a lead | eligible | events | compiled in | memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.offers:,} | {one.cpu_us:.0f} µs | {one.eligible:.1f} | {one.event_bytes:,} bytes "
        f"| {one.compile_ms:.0f} ms | {one.memory_mib:.1f} MiB |"
        for one in found.sizes
    ]
    return "\n".join(lines) + "\n"


def plots(found: Eligibility) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    points = tuple((float(one.offers), one.cpu_us) for one in found.sizes)
    line = Line("CPU a lead", points)
    return (Curves(title="CPU a lead by offers", x="offers", y="µs", lines=(line,)),)
