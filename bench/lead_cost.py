"""What one whole lead costs in CPU: a real exchange, real stores, buyers in another process.

    python -m bench.lead_cost [--leads 2000] [--buyers 10] [--rounds 5]
    [--speaking standard json form] [--per-buyer] [--against CHECKOUT] [--json]

Every round starts an exchange on empty stores, sends leads through it, and reads how much CPU its
process used, user and system: of one core, while stores, buyers and sender have the other. Rounds
alternate between what is compared (formats, checkouts), so that a noisy machine is noisy for all;
medians and ratios are printed. `--against` takes the exchange of another checkout of this project;
`--per-buyer` measures with few buyers too, and tells what one buyer more costs.
"""

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

HERE = Path(__file__).parents[1]
HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
ASK_AGAIN_S = 0.05
WARM_LEADS = 300
OK = 200
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

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
caps = [ {{ spend = 900000.00, per = "day" }} ]
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
price = {{ shape = "lognormal", median = 12.0, spread = 0.3, high = 60.0 }}
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

FEW = 2
"""Buyers: what the whole lead costs with so few is taken off, to tell what one more costs."""


class Plan(msgspec.Struct, frozen=True):
    """What is measured, and how often."""

    leads: int
    buyers: int
    concurrency: int
    rounds: int
    speaking: tuple[str, ...]
    per_buyer: bool
    against: Path | None
    json: bool

    def candidates(self) -> list["Candidate"]:
        """Return what takes turns; the first is what the others are compared with."""
        checkouts = [HERE] if self.against is None else [self.against.resolve(), HERE]
        sizes = [self.buyers, FEW] if self.per_buyer else [self.buyers]
        return [
            Candidate(one, speech, size)
            for size in sizes
            for speech in self.speaking
            for one in checkouts
        ]


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


class Folder(msgspec.Struct, frozen=True):
    """Where one round's exchange keeps its stores, and the environment that says so."""

    path: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """Return what its commands are told."""
        return {
            **os.environ,
            "EXCHANGE_DATA_DIR": str(self.path / "data"),
            "EXCHANGE_PORT": str(self.port),
            "EXCHANGE_METRICS_PORT": "0",
            "EXCHANGE_LOG_LEVEL": "warning",
            "EXCHANGE_ALLOW_NETWORKS": "127.0.0.0/8",
        }


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the block lasts, and end it as a person would."""
    process = subprocess.Popen(command, start_new_session=True, **how)  # noqa: S603 - our own
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def fleet(plan: Plan) -> Iterator[str]:
    """Run as many buyers as are asked for, all bidding at once and taking everything."""
    spec = "seed = 7\n" + "".join(
        SPEC.format(speaks=speaks, number=number)
        for speaks in {FORMATS[name].speaks for name in plan.speaking}
        for number in range(1, plan.buyers + 1)
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "fleet.toml"
        path.write_text(spec, encoding="utf-8")
        command = [sys.executable, "-m", "bidders", "fleet", "--profile", str(path)]
        command += ["--port", "0", "--json"]
        with running(command, stdout=subprocess.PIPE, cwd=HERE) as process:
            assert process.stdout is not None, "it was asked for"
            yield msgspec.json.decode(process.stdout.readline())["base_url"]


def exchange(*arguments: str) -> list[str]:
    """Return a command of the exchange; which one, says the checkout that it runs in."""
    return [sys.executable, "-m", "exchange.cli", *arguments]


def tell(candidate: Candidate, folder: Folder, *arguments: str) -> str:
    """Run a command of the exchange to its end and return what it printed."""
    done = subprocess.run(  # noqa: S603 - our own command
        exchange(*arguments),
        cwd=candidate.checkout,
        env={**folder.environment, "PYTHONPATH": str(candidate.checkout)},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout.decode().strip()


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def lead(number: int) -> dict[str, Any]:
    """Return somebody's lead."""
    return {
        "campaign": "bench",
        "source": "search",
        "lead": {
            "first_name": "Ann",
            "last_name": "Lee",
            "phone": f"512{200 + number // 10_000 % 700:03d}{number % 10_000:04d}",
            "email": f"lead{number}@example.com",
            "zip": "78701",
            "birth_date": "1991-04-02",
            "currently_insured": True,
            "homeowner": True,
            "credit": "good",
            "vehicle_year": 2019,
        },
        "consent": {"tcpa": True, "url": "https://quotes.example.com/auto", "ip": "203.0.113.9"},
    }


async def send(url: str, key: str, numbers: range, concurrency: int) -> int:
    """Send these leads, so many at a time; return how many were sold."""
    ahead = iter(numbers)
    sold = 0
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def line() -> None:
            nonlocal sold
            for number in ahead:
                async with session.post(f"{url}/v1/leads", json=lead(number)) as response:
                    answer = await response.json()
                    sold += answer["status"] == "sold"

        await asyncio.gather(*(line() for _ in range(concurrency)))
    return sold


async def ready(url: str) -> None:
    """Return once the exchange can sell."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(READY_WITHIN_S):
        while True:
            try:
                async with session.get(f"{url}/readyz") as response:
                    if response.status == OK:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(ASK_AGAIN_S)  # nothing tells of it


def one_round(plan: Plan, candidate: Candidate, fleet_url: str) -> Measured:
    """Start an exchange on empty stores and measure it."""
    speech = FORMATS[candidate.speaking]
    buyers = "".join(
        BUYER.format(number=number, fleet=fleet_url, format=speech.said, speaks=speech.speaks)
        for number in range(1, candidate.buyers + 1)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name), free_port())
        market = folder.path / "market.toml"
        market.write_text(MARKET.format(mapping=speech.mapping, buyers=buyers), encoding="utf-8")
        url = f"http://{HOST}:{folder.port}"
        environment = {**folder.environment, "PYTHONPATH": str(candidate.checkout)}
        serving = exchange("serve")
        with running(serving, cwd=candidate.checkout, env=environment) as process:
            asyncio.run(ready(url))
            vertical = str(HERE / "config" / "verticals" / "auto_insurance.toml")
            tell(candidate, folder, "apply", vertical, str(market))
            key = tell(
                candidate, folder, "keys", "create", "--role", "seller", "--account", "bench"
            )
            # Its stores keep the core that they were started on.
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {0})
            asyncio.run(send(url, key, range(WARM_LEADS), plan.concurrency))
            before = cpu_s(process.pid)
            numbers = range(WARM_LEADS, WARM_LEADS + plan.leads)
            sold = asyncio.run(send(url, key, numbers, plan.concurrency))
            used = cpu_s(process.pid) - before
    return Measured(used / plan.leads * 1e6, sold)


def measure(plan: Plan) -> dict[str, list[Measured]]:
    """Let the candidates take turns; return every round of each."""
    candidates = plan.candidates()
    found: dict[str, list[Measured]] = {one.name: [] for one in candidates}
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    with fleet(plan) as fleet_url:
        for number in range(plan.rounds):
            turns = candidates if number % 2 == 0 else candidates[::-1]
            for candidate in turns:
                measured = one_round(plan, candidate, fleet_url)
                found[candidate.name].append(measured)
                line = f"{candidate.name}: {measured.cpu_us:.0f} us a lead, {measured.sold} sold\n"
                sys.stderr.write(line)
    return found


def report(plan: Plan, found: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return medians, and ratios to the first candidate, of rounds that lie side by side."""
    first, *_ = found
    told = {
        "leads": plan.leads,
        "buyers": plan.buyers,
        "rounds": plan.rounds,
        "candidates": {
            name: {
                "cpu_us": round(statistics.median(one.cpu_us for one in rounds), 1),
                "least_us": round(min(one.cpu_us for one in rounds), 1),
                "sold": min(one.sold for one in rounds),
                "ratio": round(
                    statistics.median(
                        one.cpu_us / other.cpu_us
                        for one, other in zip(rounds, found[first], strict=True)
                    ),
                    3,
                ),
            }
            for name, rounds in found.items()
        },
    }
    return {**told, "per_buyer": per_buyer(plan, found)} if plan.per_buyer else told


def per_buyer(plan: Plan, found: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return what one buyer more costs, its ping and its answer, and the ratio to the first's."""
    costs: dict[str, list[float]] = {}
    for one in plan.candidates():
        if one.buyers != FEW:
            many, few = found[one.name], found[one.with_few]
            more = plan.buyers - FEW
            costs[one.name] = [
                (large.cpu_us - small.cpu_us) / more for large, small in zip(many, few, strict=True)
            ]
    first, *_ = costs.values()
    return {
        name: {
            "cpu_us": round(statistics.median(rounds), 1),
            "ratio": round(
                statistics.median(one / other for one, other in zip(rounds, first, strict=True)), 2
            ),
        }
        for name, rounds in costs.items()
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What one whole lead costs in CPU.")
    parser.add_argument("--leads", type=int, default=2000)
    parser.add_argument("--buyers", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speaking", nargs="+", choices=list(FORMATS), default=["standard"])
    parser.add_argument("--per-buyer", action="store_true", help="tell what one buyer more costs")
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = vars(parser.parse_args())
    plan = Plan(**{**options, "speaking": tuple(options["speaking"])})
    told = report(plan, measure(plan))
    if plan.json:
        print(msgspec.json.encode(told).decode())  # noqa: T201 - a command speaks on standard output
        return
    for name, one in told["candidates"].items():
        print(f"{name}: {one['cpu_us']} us CPU a lead, ratio {one['ratio']}")  # noqa: T201 - the same
    for name, one in told.get("per_buyer", {}).items():
        print(f"{name}: {one['cpu_us']} us CPU a buyer, ratio {one['ratio']}")  # noqa: T201 - the same


if __name__ == "__main__":
    main()
