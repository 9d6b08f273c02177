"""How long a worker takes from its start until it can sell, and what it holds in memory then.

    python -m bench.startup [--offers 1000] [--rounds 5] [--json]

The stores are up already, as when a worker is replaced: one exchange keeps them for as long as
this takes, and others join it. Half of the offers are called in a foreign format, by a mapping.
Time by the wall, from the command to the first `ready`, and CPU time of the process itself.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.eligibility import market_text
from bench.lead_cost import (
    HERE,
    HOST,
    JSON_MAPPING,
    Candidate,
    Folder,
    cpu_s,
    exchange,
    free_port,
    ready,
    running,
    tell,
)

VERTICAL = HERE / "config" / "verticals" / "auto_insurance.toml"
CALLS = """ping = { url = "https://bids.example.com/ping" }
post = { url = "https://bids.example.com/post" }
"""
FOREIGN = 'format = "json"\n'
KIB_PER_MIB = 1024


class Started(msgspec.Struct, frozen=True):
    """One start."""

    ready_s: float
    """By the wall, until `ready`; shared machines make it longer."""
    cpu_s: float
    memory_mib: float
    """Resident, all that the process holds."""


class Startup(msgspec.Struct, frozen=True):
    """Medians of all rounds."""

    offers: int
    rounds: int
    ready_s: float
    least_s: float
    cpu_s: float
    memory_mib: float


def market(offers: int) -> str:
    """Return a market of offers that are called, half of them in a foreign format."""
    chance = random.Random(offers)
    head, *each = market_text(offers, chance).split("price = ")
    called = (f"{CALLS}{FOREIGN * (n % 2)}price = {rest}" for n, rest in enumerate(each))
    return JSON_MAPPING + head + "".join(called)


def resident_mib(pid: int) -> float:
    """Return how much memory a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / KIB_PER_MIB


def start(folder: Folder) -> Started:
    """Start a worker beside the one that keeps the stores, and measure it."""
    beside = msgspec.structs.replace(folder, port=free_port())
    began = time.monotonic()
    with running(exchange("serve"), cwd=HERE, env=beside.environment) as process:
        asyncio.run(ready(f"http://{HOST}:{beside.port}"))
        took_s = time.monotonic() - began
        return Started(took_s, cpu_s(process.pid), resident_mib(process.pid))


def measure(offers: int, rounds: int) -> Startup:
    """Return what a start costs with so many offers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name), free_port())
        path = folder.path / "market.toml"
        path.write_text(market(offers), encoding="utf-8")
        with running(exchange("serve"), cwd=HERE, env=folder.environment):
            asyncio.run(ready(f"http://{HOST}:{folder.port}"))
            tell(Candidate(HERE, "standard", offers), folder, "apply", str(VERTICAL), str(path))
            starts = [start(folder) for _ in range(rounds + 1)][1:]
    return Startup(
        offers=offers,
        rounds=rounds,
        ready_s=round(statistics.median(one.ready_s for one in starts), 2),
        least_s=round(min(one.ready_s for one in starts), 2),
        cpu_s=round(statistics.median(one.cpu_s for one in starts), 2),
        memory_mib=round(statistics.median(one.memory_mib for one in starts), 1),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="bench.startup", description=__doc__)
    parser.add_argument("--offers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one object")
    given = parser.parse_args()
    found = measure(given.offers, given.rounds)
    if given.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write(
            f"{found.offers:,} offers: ready after {found.ready_s} s (at best {found.least_s} s), "
            f"{found.cpu_s} s of CPU, {found.memory_mib} MiB\n"
        )


if __name__ == "__main__":
    main()
