"""`python -m tests.chaos.outage`: how much is sold again once a store is back, and what is said.

Leads come at a steady rate. Each store in turn is killed and kept away for a while; then, in the
five seconds after it answers again, as many leads as before must be answered with an end. The last
line is JSON; the exit status is 1 where fewer than nine in ten are.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress

import aiohttp
import asyncpg
import msgspec
import redis

from bench.processes import children
from bidders.fleet import BuyerSpec, Fixed, Fleet, Uniform
from exchange.stores.embedded import EmbeddedStores
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.chaos.reading import Stores
from tests.chaos.serving import environment, kill, pid_of
from tests.chaos.shop import Shop
from tests.places import store_folder

BEFORE_S, AWAY_S, AFTER_S = 8.0, 3.0, 5.0
GOOD_SHARE = 0.9
LOOK_S = 0.01


class Said(msgspec.Struct, frozen=True):
    """One lead that was sent: when, the answer's status (0: none), and after how long."""

    at: float
    status: int
    seconds: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One store's outage."""

    store: str
    before_per_s: float
    after_per_s: float
    share: float
    refused: dict[str, int]
    """Answers while it was away, by status."""
    refused_p99_ms: float
    """How long a seller waited for a 503."""
    back_after_s: float
    """From the kill until the store itself answered again."""


class Stream:
    """Leads at a steady rate, each once."""

    def __init__(self, shop: Shop, key: str, per_s: float) -> None:
        self.shop = shop
        self.headers = {"Authorization": f"Bearer {key}"}
        self.per_s = per_s
        self.chance = random.Random(1)
        self.said: list[Said] = []
        self.sent = 0

    async def run(self) -> None:
        """Send until cancelled, whatever comes back."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self.post(self.sent))
                self.sent += 1
                await asyncio.sleep(self.chance.expovariate(self.per_s))

    async def post(self, number: int) -> None:
        """Send one lead and note what was said."""
        began, status = time.monotonic(), 0
        body = {"campaign": "auto-us", "source": "search", "lead": person(number)}
        url = f"{self.shop.bases[0]}/v1/leads"
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self.shop.session.post(url, json=body, headers=self.headers) as response:
                await response.read()
                status = response.status
        self.said.append(Said(began, status, time.monotonic() - began))

    def between(self, start: float, end: float) -> list[Said]:
        """Return what was said of the leads that were sent then."""
        return [one for one in self.said if start <= one.at < end]


async def measured(per_s: float) -> list[Measured]:
    """Kill each store in turn under a steady stream of leads."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(store_folder())
        data = folder / "data"
        urls = await stack.enter_async_context(EmbeddedStores(data))
        spec = BuyerSpec(id="acme", price=Fixed(12.0), post_latency_ms=Uniform(5, 50))
        fleet = await stack.enter_async_context(Fleet([spec]))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        shop = Shop(environment(data, *urls), folder, session)
        cap = 'caps = [ { leads = 100000, per = "total" } ]'
        key = await shop.open(market(buyer("acme", fleet.base_url, offer=cap), campaign()))
        await stack.enter_async_context(shop.selling())
        stream = Stream(shop, key, per_s)
        running = asyncio.create_task(stream.run())
        stores = Stores(*urls)
        found = []
        for name in ("valkey", "postgres"):
            await asyncio.sleep(BEFORE_S)
            killed = time.monotonic()
            pid = pid_of(data / f"{name}.lock")
            assert pid is not None, "the stores run"
            pids = [pid, *children(pid)]
            kill(pids, signal.SIGSTOP)  # away, as a machine that nobody reaches
            await asyncio.sleep(AWAY_S)
            kill(pids)
            await answers(stores, name)
            back = time.monotonic()
            await asyncio.sleep(AFTER_S + 2)
            found.append(judged(name, stream, killed, back))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return found


def judged(name: str, stream: Stream, killed: float, back: float) -> Measured:
    """Return the numbers of one outage."""
    before = stream.between(killed - BEFORE_S / 2, killed - 1)
    after = stream.between(back, back + AFTER_S)
    away = [one for one in stream.between(killed + 0.5, back) if one.status != 200]
    before_per_s = sum(one.status == 200 for one in before) / (BEFORE_S / 2 - 1)
    # Poisson arrivals differ from span to span: what counts is the share of them that was served.
    served = sum(one.status == 200 for one in after)
    waits = sorted(one.seconds for one in away) or [0.0]
    return Measured(
        store=name,
        before_per_s=round(before_per_s, 1),
        after_per_s=round(served / AFTER_S, 1),
        share=round(served / max(1, len(after)), 3),
        refused=dict(Counter(str(one.status) for one in away)),
        refused_p99_ms=round(1000 * waits[int(0.99 * (len(waits) - 1))], 1),
        back_after_s=round(back - killed, 2),
    )


async def answers(stores: Stores, name: str) -> None:
    """Return once a store answers again."""
    broken = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, redis.RedisError)
    while True:
        with suppress(*broken):
            if name == "postgres":
                await stores.rows("SELECT 1")
            else:
                await stores.standing("acme")
            return
        await asyncio.sleep(LOOK_S)


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="leads in a second")
    given = parser.parse_args()
    found = asyncio.run(measured(given.rate))
    told = {"rate": given.rate, "outages": [msgspec.structs.asdict(one) for one in found]}
    print(msgspec.json.encode(told).decode())  # noqa: T201 - it is asked for
    return 0 if all(one.share >= GOOD_SHARE for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
