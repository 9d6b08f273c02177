"""`python -m tests.chaos.cap [--times 20]`: 500 sales at once on a cap of 100, from 3 processes.

Each time with stores, processes and people of its own. The last line is JSON; the exit status is 1
where a time did not end with exactly 100 sales, in every book.
"""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import track

from bidders.fleet import BuyerSpec, Fixed, Fleet
from exchange.stores.embedded import EmbeddedStores
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.chaos.reading import Stores
from tests.chaos.serving import environment
from tests.chaos.shop import Shop
from tests.places import store_folder

SALES, MOST, PROCESSES = 500, 100, 3
WITHIN_S = 60
REST_WITHIN_S = 30.0

UNHURRIED = {
    "EXCHANGE_WORKERS": "1",
    "EXCHANGE_DATABASE_TIMEOUT_MS": "20000",
    "EXCHANGE_MARKET_TIMEOUT_MS": "20000",
    "EXCHANGE_LEDGER_WAIT_TARGET_MS": "20000",
    "EXCHANGE_LOOP_LAG_TARGET_MS": "20000",
    "EXCHANGE_LOOP_LAG_MAX_MS": "20000",
    "EXCHANGE_MARKET_WAIT_MAX_MS": "60000",
    "EXCHANGE_AUCTION_OVERDUE_MAX_MS": "60000",
    # All of them are to come to the hold, and be decided there.
    "EXCHANGE_CALLS_IN_FLIGHT_MAX": "1000",
    "EXCHANGE_CONNECTIONS_PER_HOST_MAX": "1000",
    "EXCHANGE_CAPS_READ_EVERY_MS": "60000",
}


class Counted(msgspec.Struct, frozen=True):
    """What the books say of one time."""

    told: int
    """Sellers that heard `sold`."""
    written: int
    """Accepted sales of the ledger."""
    received: int
    """Sales that the buyer believes to have made."""
    settled: int
    held: int

    @property
    def is_right(self) -> bool:
        """Whether it is exactly the cap, everywhere, and nothing is held."""
        return {self.told, self.written, self.received, self.settled} == {MOST} and not self.held


async def once(sales: int = SALES) -> Counted:
    """Sell all at once and return what the books say."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(store_folder())
        urls = await stack.enter_async_context(EmbeddedStores(folder / "data"))
        spec = BuyerSpec(id="acme", price=Fixed(12.0))
        fleet = await stack.enter_async_context(Fleet([spec]))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=WITHIN_S),
            )
        )
        patient = buyer(
            *("acme", fleet.base_url),
            offer=f'caps = [ {{ leads = {MOST}, per = "total" }} ]',
            ping_ms=20_000,
            post_ms=20_000,
        )
        around = {**environment(folder / "data", *urls), **UNHURRIED}
        shop = Shop(around, folder, session)
        key = await shop.open(market(patient, campaign(lines="auction_deadline_ms = 20000")))
        await asyncio.gather(*(stack.enter_async_context(shop.selling()) for _ in range(PROCESSES)))
        answers = await asyncio.gather(
            *(shop.post(key, person(number), number % PROCESSES) for number in range(sales))
        )
        stores = Stores(*urls)
        await stores.rest(["acme"], REST_WITHIN_S)
        standing = await stores.standing("acme")
        return Counted(
            told=sum(1 for answer in answers if answer["status"] == "sold"),
            written=sum(1 for award in await stores.awards() if award.state == "accepted"),
            received=len(fleet.books["acme"].accepted()),
            settled=sum(standing.settled.values()),
            held=sum(standing.held.values()),
        )


def main() -> int:
    """Repeat it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cap", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    console = Console(file=sys.stderr)
    times = track(range(given.times), "times", console=console, disable=not console.is_terminal)
    counted = [asyncio.run(once()) for _ in times]
    right = sum(1 for one in counted if one.is_right)
    told = {"sales": SALES, "cap": MOST, "processes": PROCESSES, "times": len(counted)}
    wrong = [msgspec.structs.asdict(one) for one in counted if not one.is_right]
    print(msgspec.json.encode({**told, "exact": right, "wrong": wrong}).decode())  # noqa: T201 - it is asked for
    return 0 if right == len(counted) else 1


if __name__ == "__main__":
    sys.exit(main())
