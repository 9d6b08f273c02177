"""One worker's HTTP server on sockets that it was given; closes only once its leads are through."""

import asyncio
import socket
from collections.abc import Sequence

import structlog
from aiohttp import web

from exchange.web.acceptor import Acceptor
from exchange.web.connection import Connection
from exchange.web.crowd import Crowd
from exchange.web.limits import Limits
from exchange.web.quick import QUICK
from exchange.web.shedding import SHEDDING
from exchange.web.under_way import UnderWay

logger = structlog.get_logger()

BACKLOG = 4096
"""Connections that may wait to be taken: what comes beyond hears nothing for a second."""
LINE_MAX_BYTES = 16_384
"""Of the request line, which may hold a quote's token, and of each header."""
KEEP_ALIVE_S = 75.0
"""Longer than load balancers keep an idle connection, so that it is they who close it."""
LINGER_S = 2.0
"""How long the rest of an unread body is read and thrown away, so that its answer is heard."""
LAST_WRITES_S = 2.0
"""How long answers may take to be written once the leads are through."""


class HttpServer:
    """Serves an application on listening sockets; stops by finishing what is under way."""

    def __init__(
        self,
        app: web.Application,
        limits: Limits,
        under_way: UnderWay,
        share: tuple[Crowd, int] | None = None,
    ) -> None:
        """Take what to serve; `share`: other workers listen there, too, and this is its slot."""
        self.limits = limits
        self.share = share
        self.under_way = under_way
        self.quick = app.get(QUICK)
        self.shedding = app.get(SHEDDING)
        self.runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=LAST_WRITES_S,
            handler_cancellation=False,  # a lead is sold in its request's task, whoever hangs up
        )
        self.listening: list[Acceptor] = []
        self.open = 0
        """Connections."""
        self.emptied = asyncio.Event()

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that are bound already; they are the server's from now."""
        await self.runner.setup()
        for bound in sockets:
            bound.setblocking(False)
            bound.listen(BACKLOG)
            if self.share is None:
                self.listening.append(Acceptor(bound, self.connection))
            else:
                crowd, slot = self.share
                crowd.join(slot)
                self.listening.append(Acceptor(bound, self.connection, crowd, slot))

    def connection(self) -> Connection:
        """Return the protocol of a new connection."""
        manager = self.runner.server
        assert manager is not None, "connections come once the runner is set up"
        self.open += 1
        self.emptied.clear()
        return Connection(
            manager,
            self.lost,
            self.quick,
            self.shedding,
            loop=asyncio.get_running_loop(),
            access_log=None,  # as its own runner turns it off
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=LINE_MAX_BYTES,
            max_field_size=LINE_MAX_BYTES,
            lingering_time=LINGER_S,
            auto_decompress=False,  # undone in `body.py`, which stops at the limit
        )

    def lost(self) -> None:
        """Count a connection that is gone."""
        if self.share is not None:
            crowd, slot = self.share
            crowd.add(slot, -1)
        self.open -= 1
        if not self.open:
            self.emptied.set()

    def close_listening(self) -> None:
        """Accept no new connections; where others listen, too, they take them."""
        for server in self.listening:
            server.close()
        if self.share is not None:
            crowd, slot = self.share
            crowd.leave(slot)

    async def begun(self) -> None:
        """Return once every connection that was taken is served."""
        await asyncio.gather(*(task for one in self.listening for task in one.beginning))

    async def retire(self) -> None:
        """Leave to the others what comes; return when every connection here has had its answer.

        An idle connection is not closed under its caller, whose next request may be on the way: it
        is answered, and the connection ends with that. What stays idle is let be after the grace.
        """
        self.under_way.retire()
        self.close_listening()
        await self.begun()
        if not self.open:
            return
        try:
            async with asyncio.timeout(self.limits.shutdown_grace_s):
                await self.emptied.wait()
        except TimeoutError:
            logger.info("idle connections closed", count=self.open)

    async def stop(self) -> int:
        """Finish the auctions under way, answer them, close; return how many were cut off.

        New connections are refused at once, requests on old ones hear 503 and are closed. What
        is cut off after the grace is found in the ledger and finished by another worker.
        """
        self.under_way.close()
        self.close_listening()
        await self.begun()
        cut_off = await self.under_way.drain(self.limits.shutdown_grace_s)
        await self.runner.cleanup()
        if cut_off:
            logger.warning("stories cut off", count=cut_off)
        return cut_off
