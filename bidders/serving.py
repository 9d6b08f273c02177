"""Run one of the programs until somebody ends it, and say where it is."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from bidders.fleet.books import encode as encode_books
from bidders.fleet.fleet import Fleet
from bidders.reference import ReferenceBidder
from bidders.table import Table


async def ended() -> None:
    """Return when the process is asked to end, by Ctrl-C or by SIGTERM."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


def tell(line: str) -> None:
    """Write a line for people."""
    sys.stderr.write(line + "\n")


def report(line: bytes) -> None:
    """Write a line for programs, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


class Telling(msgspec.Struct, frozen=True):
    """Who is told that a fleet is ready: people, or a program on stdout or on a descriptor."""

    json: bool = False
    ready_fd: int | None = None

    def ready(self, where: dict[str, Any]) -> None:
        """Tell that the fleet answers from now on."""
        line = msgspec.json.encode(where)
        if self.ready_fd is not None:
            os.write(self.ready_fd, line + b"\n")
            os.close(self.ready_fd)
        if self.json:
            report(line)
        tell(f"{len(where['buyers'])} buyers answer at {where['base_url']}/BUYER/ping and /post")
        tell(f"buyers: {', '.join(where['buyers'])}")
        tell(f"books: {where['base_url']}/_fleet/books   (Ctrl-C ends)")


async def run_fleet(fleet: Fleet, telling: Telling) -> None:
    """Run the fleet until the process is asked to end; raises OSError where the port is taken."""
    async with fleet:
        telling.ready(
            {
                "base_url": fleet.base_url,
                "port": fleet.port,
                "seed": fleet.seed,
                "buyers": list(fleet.specs),
            }
        )
        await ended()
    if telling.json:
        report(encode_books(fleet.seed, fleet.books, sales=False))


async def run_reference(table: Table, host: str, port: int) -> None:
    """Run a reference bidder until the process is asked to end; raises OSError, `TableError`."""
    bidder = ReferenceBidder(table, now=lambda: datetime.now(UTC))
    runner = web.AppRunner(bidder.app(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        at = runner.addresses[0][1]
        tell(f"bidding at http://{host}:{at}/ping, taking leads at http://{host}:{at}/post")
        if not table.secrets():
            tell("no secret is set: requests are taken unsigned")
        await ended()
    finally:
        await runner.cleanup()
