"""Builds the demo's stage: stores, buyers, market, exchange, and a seller awaiting its order."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec

from exchange.demo.children import Child, ChildError
from exchange.demo.folder import DemoFolder
from exchange.demo.market import Opened, open_market
from exchange.demo.order import Mix, Order
from exchange.demo.played import Played, profile
from exchange.ledger.vault import Vault
from exchange.master_key import master_key
from exchange.settings import Settings
from exchange.stores.embedded import EmbeddedStores, StoreUrls

HOST = "127.0.0.1"
OK = 200
READY_WITHIN_S = 60.0
ASK_AGAIN_S = 0.05
GRACE_SLACK_S = 5.0
"""What the exchange needs beside its own grace, to begin to stop and to close."""

HOLD_LEASE_S = 10
"""Far shorter than a real exchange's: what an outage left held is put right before the check."""

SERVING = re.compile(r'"addresses":\["([^"]+)"\].*"event":"serving"')
TAKEN = "cannot listen on"
"""What an exchange writes into its log when it serves, and when somebody has its port."""

FLEET_FILE = "fleet.json"
KEY_FILE = "key"
"""In the run's folder: a header with an operator's key, as curl reads it."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of a run."""

    seconds: float | None
    """None: until it is interrupted."""
    rate: float
    seed: int
    keep: bool
    config: Path | None
    market: str = "demo"
    """The folder of config/ whose market is played, or a path."""


class FleetReady(msgspec.Struct, frozen=True):
    """What the fleet says when its buyers answer."""

    base_url: str
    buyers: tuple[str, ...]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that runs and stands before the first lead."""

    urls: StoreUrls
    vault: Vault
    opened: Opened
    order: Order
    fleet: FleetReady
    fleet_process: Child
    exchange: Child
    seller: Child
    how_to_open: str
    """A command that shows one lead; `LEAD` stands for its id."""


async def set_up(
    folder: DemoFolder,
    settings: Settings,
    options: Options,
    show: Played,
    stack: AsyncExitStack,
    say: Callable[[str], None],
) -> Stage:
    """Return the stage, all of which ends with the stack. Errors: ChildError, StoreError."""
    own = msgspec.structs.replace(
        settings, data_dir=folder.path, database_url=None, market_url=None
    )
    say("Starting PostgreSQL, Valkey and the buyers …")
    fleet_process = await stack.enter_async_context(fleet_of(folder, options, show))
    seller = await stack.enter_async_context(
        Child("seller", python("exchange.demo.seller"), folder.log("seller"), speaks=True)
    )
    urls = await stack.enter_async_context(EmbeddedStores(folder.path))
    fleet = await ready_fleet(fleet_process)
    say(f"Opening a market of {len(fleet.buyers)} buyers …")
    market = show.at(fleet.base_url)
    vault = Vault(master_key(own))
    opened = await open_market(urls.database_url, vault, market)
    say("Starting the exchange …")
    wanted = settings.port if free_port(settings.port) == settings.port else 0
    base_url, exchange = await open_exchange(folder, settings, options, stack, wanted)
    return Stage(
        urls=urls,
        vault=vault,
        opened=opened,
        order=Order(
            base_url=base_url,
            keys=opened.seller_keys,
            feeds=show.traffic.feeds(market),
            mix=show.traffic.mix or Mix(),
            rate=options.rate,
            seconds=options.seconds,
            seed=options.seed,
        ),
        fleet=fleet,
        fleet_process=fleet_process,
        exchange=exchange,
        seller=seller,
        how_to_open=curl(folder, base_url, opened.operator_key),
    )


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module in this environment."""
    return (sys.executable, "-m", module, *arguments)


def fleet_of(folder: DemoFolder, options: Options, show: Played) -> Child:
    """Return the process of all simulated buyers."""
    path = folder.path / FLEET_FILE
    path.write_bytes(profile(show.buyers))
    command = python(
        "bidders",
        "fleet",
        "--profile",
        str(path),
        "--port",
        "0",
        "--seed",
        str(options.seed),
        "--json",
    )
    return Child("fleet of buyers", command, folder.log("buyers"), speaks=True)


async def ready_fleet(fleet: Child) -> FleetReady:
    """Return where the buyers are, as soon as they answer."""
    line = await fleet.read_line()
    if line is None:
        raise fleet.failure()
    return msgspec.json.decode(line, type=FleetReady)


async def open_exchange(
    folder: DemoFolder, settings: Settings, options: Options, stack: AsyncExitStack, wanted: int
) -> tuple[str, Child]:
    """Return the exchange and its URL as soon as it can sell; where the port is taken, at another.

    Its own log says where it listens: whoever else answers on a port is not asked. Errors:
    ChildError.
    """
    for port in (wanted, 0):
        exchange = await stack.enter_async_context(exchange_of(folder, settings, options, port))
        address = await serving_at(exchange)
        if address is not None:
            base_url = f"http://{address}"
            await ready(base_url, exchange)
            return base_url, exchange
    raise exchange.failure()


async def serving_at(exchange: Child) -> str | None:
    """Return the address that the exchange says it serves at; None: somebody has its port.

    Errors: ChildError where it ends for another reason.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                has_ended = exchange.running.returncode is not None
                said = exchange.log.read_text(encoding="utf-8", errors="replace")
                if not has_ended and (found := SERVING.search(said)) is not None:
                    return found[1]
                if has_ended and TAKEN in said:
                    return None
                if has_ended:
                    raise exchange.failure()
                await asyncio.sleep(ASK_AGAIN_S)
    except TimeoutError:
        raise late(exchange) from None


def exchange_of(folder: DemoFolder, settings: Settings, options: Options, port: int) -> Child:
    """Return the exchange's process: the settings of this one, but for what makes it a demo."""
    config = () if options.config is None else ("--config", str(options.config))
    environment = {
        "EXCHANGE_HOST": HOST,
        "EXCHANGE_PORT": str(port),
        "EXCHANGE_METRICS_PORT": "0",
        "EXCHANGE_WORKERS": "1",
        # It says there where it serves.
        "EXCHANGE_LOG_LEVEL": "debug" if settings.log_level == "debug" else "info",
        "EXCHANGE_DATA_DIR": str(folder.path),
        "EXCHANGE_DATABASE_URL": "",
        "EXCHANGE_MARKET_URL": "",
        "EXCHANGE_HOLD_LEASE_S": str(HOLD_LEASE_S),
        # What is sealed is learned from: within a play of seconds, not after its first minute.
        "EXCHANGE_SEAL_EVERY_S": "3",
        "EXCHANGE_LEARN_EVERY_S": "1",
        # The simulated buyers are on this machine.
        "EXCHANGE_ALLOW_NETWORKS": "127.0.0.0/8",
    }
    return Child(
        "exchange",
        python("exchange.cli", *config, "serve"),
        folder.log("exchange"),
        environment=environment,
        grace_s=settings.shutdown_grace_s + GRACE_SLACK_S,
    )


async def ready(base_url: str, exchange: Child) -> None:
    """Return as soon as the exchange can sell. Errors: ChildError."""
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await can_sell(session, base_url):
                    if exchange.running.returncode is not None:
                        raise exchange.failure()
                    await asyncio.sleep(ASK_AGAIN_S)
        except TimeoutError:
            raise late(exchange) from None


def late(exchange: Child) -> ChildError:
    """Return the error of an exchange that takes too long to begin."""
    return ChildError(f"the exchange could not sell within {READY_WITHIN_S:.0f} s: {exchange.log}")


async def can_sell(session: aiohttp.ClientSession, base_url: str) -> bool:
    """Tell whether the exchange answers that it is ready."""
    try:
        async with session.get(f"{base_url}/readyz") as response:
            return response.status == OK
    except aiohttp.ClientError:
        return False


def free_port(wanted: int) -> int:
    """Return the wanted port, or any other where somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ChildError(f"no port is free on {HOST}")


def curl(folder: DemoFolder, base_url: str, operator_key: str) -> str:
    """Return the command that shows a lead; the key stays in a file, out of sight."""
    header = folder.path / KEY_FILE
    header.touch(mode=0o600)
    header.write_text(f"Authorization: Bearer {operator_key}\n", encoding="ascii")
    short = min(str(header), os.path.relpath(header), key=len)
    return f"curl -sH @{short} {base_url.removeprefix('http://')}/v1/admin/leads/LEAD"
