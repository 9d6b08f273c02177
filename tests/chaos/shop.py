"""Several `exchange serve` on the same stores, each on a port of its own, and a seller of them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.acceptance.house import free_port
from tests.chaos.serving import Exchange


class Shop:
    """A market in a folder; `selling` runs one more process that sells in it."""

    def __init__(
        self, around: Mapping[str, str], folder: Path, session: aiohttp.ClientSession
    ) -> None:
        self.around = around
        self.folder = folder
        self.session = session
        self.bases: list[str] = []
        self.key = ""
        """The seller's, once the market is made."""

    async def open(self, market: str) -> str:
        """Make this the market; return the seller's key."""
        path = self.folder / "market.toml"
        path.write_text(market)
        office = Exchange(self.around, free_port(), self.folder / "office.log")
        await office.command("apply", str(path))
        create = ("keys", "create", "--role", "seller", "--account", "fastquotes")
        self.key = await office.command(*create)
        return self.key

    @asynccontextmanager
    async def selling(self) -> AsyncIterator[str]:
        """Run a process for as long as the block lasts; it can sell when the block begins."""
        port = free_port()
        one = Exchange(self.around, port, self.folder / f"serve-{port}.log")
        with one.log.open("ab") as log:
            one.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "exchange.cli", "serve"),
                env={**os.environ, **one.environment},
                stderr=log,
            )
        try:
            await one.until_ready(self.session, self.key)
            self.bases.append(one.base)
            yield one.base
        finally:
            assert await one.stop() == 0, one.log.read_text()

    async def post(self, key: str, lead: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Post a lead to one of the processes; return what its seller is told."""
        headers = {"Authorization": f"Bearer {key}"}
        body = {"campaign": "auto-us", "source": "search", "lead": lead}
        url = f"{self.bases[number]}/v1/leads"
        async with self.session.post(url, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            told: dict[str, Any] = msgspec.json.decode(await response.read())
            return told
