"""`exchange serve`: one process that sells, until it is told to stop."""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack
from typing import Annotated

import msgspec
import structlog
import uvloop
from cyclopts import Parameter

from exchange.app import Sockets, worker
from exchange.commands.database import database_at, ledger_key, store_urls
from exchange.commands.errors import CommandError
from exchange.settings import Settings, checked
from exchange.telemetry.logs import configure_logging

logger = structlog.get_logger(__name__)
BACKLOG = 1024
STOPPING = (signal.SIGTERM, signal.SIGINT)


def serve(
    *,
    port: int | None = None,
    host: str | None = None,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Sell leads; finish those under way when told to stop (SIGTERM, Ctrl-C).

    Parameters
    ----------
    port:
        Where to listen; 0 takes a free one, which the log names.
    host:
        The address to listen on.
    """
    said = {"port": port, "host": host}
    changed = msgspec.structs.replace(
        settings,
        **{
            name: checked(name, value, f"--{name}")
            for name, value in said.items()
            if value is not None
        },
    )
    refuse_what_cannot_be(changed)
    configure_logging(changed.log_level)
    return uvloop.run(run(changed))


def refuse_what_cannot_be(settings: Settings) -> None:
    """Raise CommandError for settings that are each possible, and together are not."""
    if settings.workers > 1:
        raise CommandError(
            f"workers is {settings.workers}, and one `exchange serve` is one worker so far: start "
            "several, each with a port of its own; they share the stores"
        )
    if settings.port and settings.port == settings.metrics_port:
        raise CommandError(
            f"port and metrics_port are both {settings.port}: give health and metrics another one, "
            "or 0 to have them on the port"
        )


async def run(settings: Settings) -> int:
    """Serve until a signal comes; return 1 where another worker took this one's leads over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        sockets = Sockets(
            [stack.enter_context(bound(settings.host, settings.port))],
            [stack.enter_context(bound(settings.host, settings.metrics_port))]
            if settings.metrics_port
            else [],
        )
        urls = await stack.enter_async_context(store_urls(settings))
        async with database_at(urls.database_url) as connection:
            key = await ledger_key(connection, settings)
        built = await stack.enter_async_context(worker(settings, urls, key, sockets))
        logger.info("serving", worker_id=built.worker_id, addresses=sockets.addresses)
        lost = await first_of(stop, built.lease_lost)
        logger.info("stopping", worker_id=built.worker_id)
    return 1 if lost is built.lease_lost else 0


async def first_of(*events: asyncio.Event) -> asyncio.Event:
    """Return the first of these events that is set."""
    waits = {asyncio.ensure_future(event.wait()): event for event in events}
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    return waits[done.pop()]


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, so that nobody else does; connections wait in it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setblocking(False)
    try:
        one.bind((host, port))
        # At once: two that are bound to one port could still go on to fail much later.
        one.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        one.close()
        why = getattr(error, "strerror", None) or "no address"
        raise CommandError(f"cannot listen on {host}:{port}: {why}") from error
    return one
