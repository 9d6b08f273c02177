"""`python -m tests.chaos.sealing [--leads 20000]`: what a verifiable record costs, in CPU per lead.

Sold leads are written as workers write them (lead, award, outcome: three moments, a record, a
post, a capture, two transfers), then all of them are sealed, then verified. CPU is counted of this
process and of every process of its PostgreSQL. The last line is JSON.
"""

import argparse
import asyncio
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from exchange.clock import now_us
from exchange.ledger.connections import Connections, Limits, prepare
from exchange.ledger.ledger import Ledger
from exchange.ledger.migrations import migrate
from exchange.ledger.sealing import Sealer
from exchange.ledger.seals import SEALS
from exchange.ledger.vault import Vault
from exchange.ledger.verifying import Verifier
from exchange.ledger.worker import Leases
from exchange.stores.embedded import EmbeddedStores
from tests.integration.test_ledger.conftest import MASTER_KEY, Story
from tests.places import store_folder

AT_ONCE = 200
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PATIENT = Limits(timeout_s=60.0)


class Cost(msgspec.Struct, frozen=True):
    """What something took, in seconds."""

    seconds: float
    own_cpu_s: float
    database_cpu_s: float

    def per_lead_us(self, leads: int) -> dict[str, float]:
        """Return microseconds of CPU for each lead."""
        own, theirs = self.own_cpu_s / leads, self.database_cpu_s / leads
        return {"own_us": round(own * 1e6, 1), "database_us": round(theirs * 1e6, 1)}


def database_cpu_s(postmaster: int) -> float:
    """Return the CPU that a PostgreSQL has taken, its processes that ended included."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it ended
            continue
        numbers = rest.split()
        if postmaster in {int(name.split()[0]), int(numbers[1])}:
            ticks += sum(map(int, numbers[11:15]))
    return ticks / TICKS_PER_S


async def cost(postmaster: int, doing: Callable[[], Awaitable[Any]]) -> tuple[Any, Cost]:
    """Do something; return what came of it, and what it took."""
    began, own = time.monotonic(), time.process_time()
    theirs = database_cpu_s(postmaster)
    result = await doing()
    took = time.monotonic() - began
    return result, Cost(took, time.process_time() - own, database_cpu_s(postmaster) - theirs)


async def written(ledger: Ledger, leads: int) -> None:
    """Write sold leads, some at once."""
    story = Story()

    async def one() -> None:
        lead_id, sale_id = story.new_id(), story.new_id()
        at_us = now_us()
        for moment in (
            story.received(lead_id, received_at_us=at_us),
            story.awarded(lead_id, sale_id),
            story.sold(lead_id, sale_id),
        ):
            assert await ledger.commit(msgspec.structs.replace(moment, at_us=at_us))

    for begin in range(0, leads, AT_ONCE):
        await asyncio.gather(*(one() for _ in range(begin, min(begin + AT_ONCE, leads))))


async def measured(leads: int) -> dict[str, object]:
    """Write, seal and verify so many leads; return what each step took."""
    vault = Vault(MASTER_KEY)
    key = vault.derive(SEALS)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(store_folder())
        urls = await stack.enter_async_context(EmbeddedStores(folder / "data"))
        await migrate(urls.database_url)
        [pid_file] = (folder / "data").glob("postgres/**/postmaster.pid")
        postmaster = int(pid_file.read_text().split()[0])
        connections = Connections(urls.database_url, PATIENT)
        await connections.open()
        stack.push_async_callback(connections.close)
        leases = Leases(connections, str(uuid.uuid4()), vault, now_us, lease_s=3600.0)
        await leases.register("1", [])
        ledger = Ledger(connections, leases.worker_id, vault)
        await ledger.open()
        stack.push_async_callback(ledger.close)
        _, writing = await cost(postmaster, lambda: written(ledger, leads))
        sealer = Sealer(connections, key, now_us)
        high = await sealer.high()
        seals, sealing = await cost(postmaster, lambda: sealer.seal(high))
        connection = await asyncpg.connect(urls.database_url)
        stack.push_async_callback(connection.close)
        await prepare(connection)
        found, verifying = await cost(
            postmaster, lambda: Verifier(connection, key, now_us()).verify(None)
        )
    assert not found.faults, found.faults[:3]
    return {
        "leads": leads,
        "seals": len(seals),
        "entries": found.entries,
        "writing": writing.per_lead_us(leads),
        "sealing": {**sealing.per_lead_us(leads), "seconds": round(sealing.seconds, 2)},
        "verifying": {
            **verifying.per_lead_us(leads),
            "seconds": round(verifying.seconds, 2),
            "leads_per_s": round(leads / verifying.seconds),
        },
    }


def main() -> int:
    """Measure once; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.sealing", description=__doc__)
    parser.add_argument("--leads", type=int, default=20_000)
    result = asyncio.run(measured(parser.parse_args().leads))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
