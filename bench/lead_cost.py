"""What one whole lead costs in CPU, by how buyers speak and against another checkout.

Every round starts an exchange on empty stores, sends leads through it, and reads how much CPU its
process used, user and system: of one core, while stores, buyers and sender have the other. Rounds
alternate between what is compared (formats, checkouts), so that a noisy machine is noisy for all;
medians and ratios are told, and how long an answer took. `--against` takes the exchange of another
checkout of this project; `--per-buyer` measures with few buyers too, and tells what one buyer more
costs; with `--spent` everybody bids, and nobody has enough left of its budget for what it bids.
`features` tells what costs what can be switched on.
"""

import argparse
import asyncio
import statistics
from pathlib import Path

import msgspec

from bench.leads import send
from bench.origin import commit_of
from bench.plots import Bars, Plot
from bench.progress import Bars as Progress
from bench.progress import progress
from bench.rounds import spread
from bench.serving import HERE, fleet, serving

QUICK = {"leads": 20, "warm": 20, "rounds": 1, "buyers": 3}

MARKET = """
[[seller]]
id = "bench"
[[campaign]]
id = "bench"
vertical = "auto_insurance"
sellers = ["bench"]
floor = 1.00
margin = {{ percent = 15 }}
auction_deadline_ms = 2000
duplicates = {{ window_hours = 24 }}
{mapping}{buyers}"""

BUYER = """
[[buyer]]
id = "{speaks}-{number:02d}"
time_zone = "America/Chicago"
caps = [ {{ spend = {budget}, per = "day" }} ]
[[buyer.offer]]
id = "{speaks}-{number:02d}"
vertical = "auto_insurance"
where = 'state in ["TX", "OK"] and age >= 25'
caps = [ {{ leads = 900000, per = "day" }}, {{ concurrent = 500 }} ]
ping = {{ url = "{fleet}/{speaks}-{number:02d}/ping", timeout_ms = 1500 }}
post = {{ url = "{fleet}/{speaks}-{number:02d}/post", timeout_ms = 5000, on_no_answer = "wait" }}
{format}
"""

SPEC = """
[[buyer]]
id = "{speaks}-{number:02d}"
speaks = "{speaks}"
price = {{ {price} }}
"""

LEAD_NAMES = (
    *("state", "zip", "age_band", "vehicle_year", "currently_insured", "homeowner"),
    *("credit", "gender", "score", "phone_hash", "email_hash"),
)
LEAD_JSON = ", ".join(f'{name} = "{{lead.{name}}}"' for name in LEAD_NAMES)

JSON_MAPPING = f"""
[[mapping]]
id = "json"
idempotent = true
[mapping.ping.body.json]
ping_id = "{{ping.id}}"
vertical = "{{vertical}}"
test = "{{test}}"
auction = {{ floor = "{{auction.floor}}", tmax_ms = "{{auction.tmax_ms}}", currency = "USD" }}
lead = {{ {LEAD_JSON} }}
source = {{ id = "{{source.id}}" }}
[mapping.ping]
yes = {{ path = "bid", above = 0 }}
price = {{ path = "bid" }}
bid_id = {{ path = "bid_id" }}
[mapping.post.body.json]
sale_id = "{{sale.id}}"
ping_id = "{{ping.id}}"
price = "{{sale.price}}"
lead = {{ first_name = "{{lead.first_name}}", phone = "{{lead.phone}}", zip = "{{lead.zip}}" }}
[mapping.post]
accepted = {{ path = "accepted", equals = [true] }}
refused = {{ path = "accepted", equals = [false] }}
reference = {{ path = "reference" }}
"""
"""The standard format said as a mapping, so that the same buyers answer both."""

LEAD_FORM = "\n".join(f'{name} = "{{lead.{name}}}"' for name in LEAD_NAMES)

FORM_MAPPING = f"""
[[mapping]]
id = "form"
idempotent = true
[mapping.ping]
yes = {{ path = "status", equals = ["continue"] }}
no = {{ path = "status", equals = ["reject"], reason = {{ path = "reason" }} }}
price = {{ path = "price" }}
token = {{ path = "promise" }}
[mapping.ping.body.form]
apiId = "77"
price = "{{auction.floor|money}}"
subId = "{{source.id}}"
{LEAD_FORM}
[mapping.post]
accepted = {{ path = "status", equals = [1] }}
refused = {{ path = "status", equals = [2] }}
reference = {{ path = "lead_id" }}
[mapping.post.body.form]
apiId = "77"
promise = "{{bid.token}}"
firstName = "{{lead.first_name}}"
phone = "{{lead.phone|national}}"
zip = "{{lead.zip}}"
"""
"""As many fields, in a form, for buyers who answer in JSON of their own."""


class Speech(msgspec.Struct, frozen=True):
    """How buyers are called, and what they speak."""

    mapping: str
    said: str
    speaks: str


FORMATS = {
    "standard": Speech("", "", "standard"),
    "json": Speech(JSON_MAPPING, 'format = "json"', "standard"),
    "form": Speech(FORM_MAPPING, 'format = "form"', "phonexa"),
}

ENOUGH = 'shape = "lognormal", median = 12.0, spread = 0.3, high = 60.0', "900000.00"
SPENT = 'shape = "fixed", value = 12.0', "20.00"
"""What buyers bid, and their budgets: beyond the first lead nobody can pay for one."""

FEW = 2
"""Buyers: what the whole lead costs with so few is taken off, to tell what one more costs."""


class Candidate(msgspec.Struct, frozen=True):
    """One exchange, how its buyers speak, and how many there are."""

    checkout: Path
    speaking: str
    buyers: int

    @property
    def name(self) -> str:
        """Which it is, for people."""
        place = "here" if self.checkout == HERE else "there"
        return f"{self.speaking} ({place}, {self.buyers} buyers)"

    @property
    def with_few(self) -> str:
        """The name of the same with few buyers."""
        return msgspec.structs.replace(self, buyers=FEW).name


class Measured(msgspec.Struct, frozen=True):
    """One round."""

    cpu_us: float
    """Of the exchange's process, for one lead."""
    sold: int
    p50_ms: float
    """How long an answer took, with as many leads under way as were sent at a time."""


class Cost(msgspec.Struct, frozen=True, omit_defaults=True):
    """Microseconds of CPU, the median of rounds."""

    cpu_us: float
    ratio: float
    """To the first candidate, of rounds that lie side by side."""
    least_us: float | None = None
    sold: int | None = None
    p50_ms: float | None = None


class LeadCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole lead costs each candidate, and what one buyer more."""

    leads: int
    buyers: int
    rounds: int
    against: str | None
    """The commit of the other checkout; None: there is none, or it is no git checkout."""
    candidates: dict[str, Cost]
    per_buyer: dict[str, Cost]
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--leads", type=int, default=2000, help="of each round")
    parser.add_argument("--warm", type=int, default=300, help="leads before them")
    parser.add_argument("--buyers", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=16, help="leads at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speaking", nargs="+", choices=list(FORMATS), default=["standard"])
    parser.add_argument("--per-buyer", action="store_true", help="tell what one buyer more costs")
    parser.add_argument("--spent", action="store_true", help="nobody can pay what it bids")
    parser.add_argument("--against", type=Path, help="another checkout of this project")


def run(options: argparse.Namespace) -> LeadCost:
    """Let the candidates take turns."""
    turns = candidates(options)
    found: dict[str, list[Measured]] = {one.name: [] for one in turns}
    with progress() as bars, fleet(fleet_text(options)) as url:
        for number in range(options.rounds):
            for candidate in turns if number % 2 == 0 else turns[::-1]:
                measured = one_round(options, candidate, url, bars)
                found[candidate.name].append(measured)
                told = (
                    f"{candidate.name}: {measured.cpu_us:.0f} us a lead, {measured.sold} sold, "
                    f"p50 {measured.p50_ms} ms"
                )
                bars.say(told)
    return LeadCost(
        leads=options.leads,
        buyers=options.buyers,
        rounds=options.rounds,
        against=commit_of(options.against) if options.against else None,
        candidates=costs(found),
        per_buyer=per_buyer(options, found) if options.per_buyer else {},
        spread=spread(
            {
                f"candidates.{name}.cpu_us": [one.cpu_us for one in rounds]
                for name, rounds in found.items()
            }
        ),
    )


def candidates(options: argparse.Namespace) -> list[Candidate]:
    """Return what takes turns; the first is what the others are compared with."""
    checkouts = [HERE] if options.against is None else [options.against.resolve(), HERE]
    sizes = [options.buyers, FEW] if options.per_buyer else [options.buyers]
    return [
        Candidate(one, speech, size)
        for size in sizes
        for speech in options.speaking
        for one in checkouts
    ]


def fleet_text(options: argparse.Namespace) -> str:
    """Return buyers of each format, all bidding at once and taking everything."""
    price, _ = SPENT if options.spent else ENOUGH
    return "seed = 7\n" + "".join(
        SPEC.format(speaks=speaks, number=number, price=price)
        for speaks in sorted({FORMATS[name].speaks for name in options.speaking})
        for number in range(1, options.buyers + 1)
    )


def one_round(
    options: argparse.Namespace, candidate: Candidate, fleet_url: str, bars: Progress
) -> Measured:
    """Start an exchange on empty stores and measure it."""
    speech = FORMATS[candidate.speaking]
    _, budget = SPENT if options.spent else ENOUGH
    alike = {"fleet": fleet_url, "format": speech.said, "speaks": speech.speaks, "budget": budget}
    buyers = "".join(
        BUYER.format(number=number, **alike) for number in range(1, candidate.buyers + 1)
    )
    market = MARKET.format(mapping=speech.mapping, buyers=buyers)
    with serving(market, checkout=candidate.checkout) as own:
        warm = range(options.warm)
        asyncio.run(send(own.url, own.key, warm, options.concurrency, bars.counted("warm", warm)))
        before = own.cpu_s()
        numbers = range(options.warm, options.warm + options.leads)
        step = bars.counted(candidate.name, numbers)
        sold, took_ms = asyncio.run(send(own.url, own.key, numbers, options.concurrency, step))
        used = own.cpu_s() - before
    return Measured(used / options.leads * 1e6, sold, round(statistics.median(took_ms), 2))


def costs(found: dict[str, list[Measured]]) -> dict[str, Cost]:
    """Return medians, and ratios to the first candidate."""
    first, *_ = found.values()
    return {
        name: Cost(
            cpu_us=round(statistics.median(one.cpu_us for one in rounds), 1),
            ratio=round(
                statistics.median(
                    one.cpu_us / other.cpu_us for one, other in zip(rounds, first, strict=True)
                ),
                3,
            ),
            least_us=round(min(one.cpu_us for one in rounds), 1),
            sold=min(one.sold for one in rounds),
            p50_ms=round(statistics.median(one.p50_ms for one in rounds), 2),
        )
        for name, rounds in found.items()
    }


def per_buyer(options: argparse.Namespace, found: dict[str, list[Measured]]) -> dict[str, Cost]:
    """Return what one buyer more costs, its ping and its answer, and the ratio to the first's."""
    more = options.buyers - FEW
    each = {
        one.name: [
            (large.cpu_us - small.cpu_us) / more
            for large, small in zip(found[one.name], found[one.with_few], strict=True)
        ]
        for one in candidates(options)
        if one.buyers != FEW
    }
    first, *_ = each.values()
    return {
        name: Cost(
            cpu_us=round(statistics.median(rounds), 1),
            ratio=round(
                statistics.median(one / other for one, other in zip(rounds, first, strict=True)), 2
            ),
        )
        for name, rounds in each.items()
    }


def table(found: LeadCost) -> str:
    """Return what was found for people to read, in Markdown."""
    parts = [(found.candidates, "CPU per lead"), (found.per_buyer, "CPU per buyer more")]
    tables = [
        "\n".join(
            [
                f"| | {what} | to the first |",
                "| --- | --- | --- |",
                *(f"| {name} | {one.cpu_us} µs | {one.ratio} |" for name, one in each.items()),
            ]
        )
        for each, what in parts
        if each
    ]
    there = f" `there` is commit {found.against}." if found.against else ""
    return "\n\n".join([f"{found.rounds} rounds of {found.leads} leads.{there}", *tables])


def plots(found: LeadCost) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    bars = tuple((name, one.cpu_us) for name, one in found.candidates.items())
    return (Bars(title="CPU per lead", unit="µs", bars=bars),)
