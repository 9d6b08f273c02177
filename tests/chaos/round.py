"""One round: an exchange is opened, sells, is broken, recovers; then the books are compared."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import msgspec

from bidders.fleet import Fleet
from exchange.stores.embedded import EmbeddedStores, StoreUrls
from tests.acceptance.house import free_port
from tests.chaos import checker, market
from tests.chaos.books import Books, Violation
from tests.chaos.plan import Plan
from tests.chaos.proxy import Line
from tests.chaos.quota import DataFolder, data_folder
from tests.chaos.reading import Stores
from tests.chaos.seller import Seller
from tests.chaos.serving import Exchange, environment, socket_of
from tests.chaos.striking import Striking
from tests.chaos.witness import Witness

POSTGRES_SOCKET = ".s.PGSQL.5432"
LAST_WORD_WITHIN_S = 60.0
REST_WITHIN_S = 45.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a round."""

    leads: int
    sold: int
    in_doubt: int
    in_doubt_resolved: int
    kills_after_post: int
    faults: dict[str, int]
    statuses: dict[str, int]
    quota: str
    violations: list[Violation]


async def run(
    plan: Plan, keep_logs: Path | None = None, tick: Callable[[], object] = int
) -> Outcome:
    """Run a round; `keep_logs`: the folder where all logs stay; `tick` is called at each lead."""
    chance = random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        data = stack.enter_context(data_folder())
        urls = await stack.enter_async_context(EmbeddedStores(data.path))
        fleet = await stack.enter_async_context(Fleet(market.buyers(), seed=plan.seed))
        witness = Witness(fleet)
        lines = await stack.enter_async_context(proxies(urls, fleet, data.path.parent))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=False))
        )
        # Where a full disk is full for the logs, too.
        log = data.path / "serve.log"
        if keep_logs is not None:
            stack.callback(copy_logs, data.path, keep_logs)
        near = StoreUrls(*lines.urls)
        exchange = Exchange(environment(data.path, *near), free_port(), log)
        key = await opened(exchange, data, lines, plan)
        keeping = asyncio.ensure_future(exchange.keep())
        stack.callback(exchange.kill)
        stack.callback(keeping.cancel)
        await exchange.until_ready(session, key)

        stores = Stores(*urls)
        seller = Seller(exchange.base, key, chance, session)
        striking = Striking(exchange, stores, data, lines.by_name, witness, chance.choice)
        strikes = [asyncio.ensure_future(striking.strike(one)) for one in plan.strikes]
        for _ in range(plan.leads):
            seller.send()
            tick()
            await asyncio.sleep(chance.expovariate(plan.per_s))
        await asyncio.gather(*strikes)
        await seller.settle(LAST_WORD_WITHIN_S)
        await stores.rest(fleet.specs, REST_WITHIN_S)
        status = await ended(exchange, keeping)
        books = await read(stores, seller, witness, fleet)
        found = checker.violations(books)
        if status != 0:
            found.append(Violation("did_not_stop", "exchange serve", f"exit status {status}"))
        return outcome(books, found, striking, data)


def copy_logs(data: Path, folder: Path) -> None:
    """Keep what the exchange, the stores and their keeper said."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in data.glob("*.log"):
        shutil.copy(log, folder)


async def opened(exchange: Exchange, data: DataFolder, lines: "Proxies", plan: Plan) -> str:
    """Make the market and return the seller's key."""
    path = data.path.parent / "market.toml"
    buyers_url = f"http://127.0.0.1:{lines.by_name['buyers'].port}"
    action = "merge" if plan.merges else "reject"
    path.write_text(market.text(buyers_url, plan.buyers_max, action))
    await exchange.command("apply", str(path))
    create = ("keys", "create", "--role", "seller", "--account", "fastquotes")
    return await exchange.command(*create)


async def ended(exchange: Exchange, keeping: "asyncio.Future[None]") -> int | None:
    """Let it end in order, and nobody start it again."""
    stopping = asyncio.ensure_future(exchange.stop())
    await asyncio.sleep(0)  # it is told before its keeper goes
    keeping.cancel()
    return await stopping


async def read(stores: Stores, seller: Seller, witness: Witness, fleet: Fleet) -> Books:
    """Return all books."""
    return Books(
        orders=tuple(seller.orders),
        posts=tuple(witness.posts),
        leads=await stores.leads(),
        awards=await stores.awards(),
        transfers=await stores.transfers(),
        events=await stores.events(),
        messages=await stores.messages(),
        standings={name: await stores.standing(name) for name in fleet.specs},
        caps=market.CAPS,
        forgetful=market.FORGETFUL,
    )


def outcome(books: Books, found: list[Violation], striking: Striking, data: DataFolder) -> Outcome:
    """Return the numbers of a round."""
    return Outcome(
        leads=len(books.orders),
        sold=sum(1 for lead in books.leads if lead.status == "sold"),
        in_doubt=len(checker.in_doubt(books)),
        in_doubt_resolved=checker.in_doubt_resolved(books),
        kills_after_post=striking.kills_after_post,
        faults=dict(striking.done),
        statuses=dict(Counter(str(lead.status) for lead in books.leads)),
        quota=data.how,
        violations=found,
    )


class Proxies(msgspec.Struct, frozen=True):
    """The lines that can be broken, and the stores' addresses at their near ends."""

    by_name: dict[str, Line]
    urls: tuple[str, str]


@asynccontextmanager
async def proxies(urls: StoreUrls, fleet: Fleet, folder: Path) -> AsyncIterator[Proxies]:
    """Put a line before both stores and all buyers."""
    database, market_at = urlsplit(urls.database_url), urlsplit(urls.market_url)
    far = Path(parse_qs(database.query)["host"][0]) / POSTGRES_SOCKET
    lines = {
        "database": Line(lambda: asyncio.open_unix_connection(far)),
        "market": Line(lambda: asyncio.open_unix_connection(socket_of(urls.market_url))),
        "buyers": Line(lambda: asyncio.open_connection("127.0.0.1", fleet.port)),
    }
    near = folder / "near"
    near.mkdir()
    await lines["database"].listen(near / POSTGRES_SOCKET)
    await lines["market"].listen(near / "market")
    await lines["buyers"].listen()
    try:
        yield Proxies(
            lines,
            (
                database._replace(query=f"host={quote(str(near), safe='')}").geturl(),
                market_at._replace(path=str(near / "market")).geturl(),
            ),
        )
    finally:
        for line in lines.values():
            await line.close()
