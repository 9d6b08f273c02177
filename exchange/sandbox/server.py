"""The test buyers' server: on a loopback port of this worker, opened when the first one is called.

Nobody but the wire finds it, by the name that no resolver knows; what it is told it forgets, but
for how often a post came.
"""

import asyncio
from collections import OrderedDict

from aiohttp import web

from exchange.domain.sandbox import BY_NAME, Role
from exchange.sandbox.answers import Said, to_ping, to_post

KEY = "Idempotency-Key"
SILENCE_S = 2.0
"""Longer than any of them is waited for."""
KEYS_MAX = 10_000
ROLE = "role"
CALL = "call"


class Sandbox:
    """Answers for all test buyers."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._runner: web.AppRunner | None = None
        self._opening = asyncio.Lock()
        self._address: tuple[str, int] | None = None
        self._seen: OrderedDict[str, int] = OrderedDict()

    async def address(self) -> tuple[str, int]:
        """Return where it listens; it is opened for the first who asks."""
        async with self._opening:
            if self._address is None:
                self._address = await self._open()
        return self._address

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _open(self) -> tuple[str, int]:
        app = web.Application()
        app.router.add_post("/{role}/{call}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return host, port

    async def _answer(self, request: web.Request) -> web.Response:
        role = BY_NAME.get(request.match_info[ROLE])
        if role is None:
            raise web.HTTPNotFound
        said = await self._said(role, request)
        if said.hangs_up and request.transport is not None:
            request.transport.close()
        return web.Response(status=said.status, body=said.body, content_type="application/json")

    async def _said(self, role: Role, request: web.Request) -> Said:
        body = await request.read()
        if request.match_info[CALL] == "post":
            return to_post(role, body, self._repetition(request.headers.get(KEY, "")))
        said = to_ping(role, body)
        if said is None:
            await asyncio.sleep(SILENCE_S)
            return Said(204)
        return said

    def _repetition(self, key: str) -> int:
        """Return how often a post came before; those of long ago are forgotten."""
        before = self._seen.pop(key, -1) + 1
        self._seen[key] = before
        if len(self._seen) > KEYS_MAX:
            self._seen.popitem(last=False)
        return before
