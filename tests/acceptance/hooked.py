"""A seller's own endpoint for webhooks: keeps what it is sent, and fails as a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Told:
    """One message as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Return by what its recipient knows it again."""
        return self.headers["webhook-id"]

    @property
    def says(self) -> Any:
        """Return what it says."""
        return msgspec.json.decode(self.body)

    def verify(self, secret: str) -> None:
        """Check it with the library that a recipient would use; raises where it is not genuine."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Hook:
    """An endpoint at `url`."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    is_mute: bool = False
    """It takes the request and says nothing."""
    told: list[Told] = field(default_factory=list)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    quitting: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        """Keep a message and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self.heard:
            self.told.append(Told(headers, await request.read()))
            self.heard.notify_all()
        if self.is_mute:
            await self.quitting.wait()
        return web.Response(status=self.status, headers=self.headers)

    async def until_told(self, messages: int, within_s: float = 20.0) -> list[Told]:
        """Return what came as soon as it is so many messages."""
        async with asyncio.timeout(within_s), self.heard:
            await self.heard.wait_for(lambda: len(self.told) >= messages)
        return self.told


@asynccontextmanager
async def a_hook() -> AsyncIterator[Hook]:
    """Run an endpoint for as long as the block lasts."""
    hook = Hook()
    application = web.Application()
    application.router.add_post("/hook", hook.handle)
    async with TestServer(application) as running:
        hook.url = str(running.make_url("/hook"))
        try:
            yield hook
        finally:
            hook.quitting.set()
