"""`exchange serve`: one process that sells, until it is told to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import uvloop
from cyclopts import Parameter

from exchange.app import worker
from exchange.errors import CommandError
from exchange.open_files import raise_limit
from exchange.opening import database_at, ledger_key, store_urls
from exchange.settings import Settings, checked, load_settings
from exchange.supervision.supervisor import Supervisor
from exchange.supervision.waiting import first_of, speak
from exchange.supervision.watchdog import closing_max_s, end_within, watched
from exchange.telemetry.logs import configure_logging
from exchange.worker.sockets import Sockets

logger = structlog.get_logger(__name__)
BACKLOG = 1024
STOPPING = (signal.SIGTERM, signal.SIGINT)
ALONE = "one worker alone is not restarted by SIGHUP: set workers to 2 or more"


def serve(
    *,
    port: int | None = None,
    host: str | None = None,
    workers: int | None = None,
    settings: Annotated[Settings, Parameter(parse=False)],
    config: Annotated[Path | None, Parameter(parse=False)] = None,
) -> int:
    """Sell leads; finish those under way when told to stop (SIGTERM, Ctrl-C).

    Several workers are restarted one by one on SIGHUP, with the settings as they are then; nobody
    who calls notices.

    Parameters
    ----------
    port:
        Where to listen; 0 takes a free one, which the log names.
    host:
        The address to listen on.
    workers:
        How many processes sell; 0: one for each core, but for one that the embedded stores have.
    """
    said = {"port": port, "host": host, "workers": workers}
    chosen = partial(changed, {name: value for name, value in said.items() if value is not None})
    first = chosen(settings)
    refuse_what_cannot_be(first)
    configure_logging(first.log_level)
    raise_limit()
    if workers_of(first) == 1:
        return uvloop.run(run(first, watched(first.worker_silent_max_s)))
    return asyncio.run(supervise(first, lambda: chosen(load_settings(config, os.environ))))


def changed(said: dict[str, object], settings: Settings) -> Settings:
    """Return the settings with what the command line says over them. Errors: SettingsError."""
    values = {name: checked(name, value, f"--{name}") for name, value in said.items()}
    return msgspec.structs.replace(settings, **values)


def workers_of(settings: Settings) -> int:
    """Return how many processes are to sell."""
    if settings.workers:
        return settings.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) - settings.embedded)


def refuse_what_cannot_be(settings: Settings) -> None:
    """Raise CommandError for settings that are each possible, and together are not."""
    if settings.port and settings.port == settings.metrics_port:
        raise CommandError(
            f"port and metrics_port are both {settings.port}: give health and metrics another one, "
            "or 0 to have them on the port"
        )


def listening(settings: Settings, stack: AsyncExitStack) -> Sockets:
    """Return the sockets of these settings, which close with the stack. Errors: CommandError."""
    return Sockets(
        [stack.enter_context(bound(settings.host, settings.port))],
        [stack.enter_context(bound(settings.host, settings.metrics_port))]
        if settings.metrics_port
        else [],
    )


async def supervise(settings: Settings, reload: Callable[[], Settings]) -> int:
    """Keep several workers until a signal comes; return 1 where none of them could start."""
    async with AsyncExitStack() as stack:
        sockets = listening(settings, stack)
        urls = await stack.enter_async_context(store_urls(settings))
        async with database_at(urls.database_url) as connection:
            await ledger_key(connection, settings)
        supervisor = Supervisor(settings, sockets, urls.database_url, workers_of, reload)
        return await supervisor.run()


async def run(settings: Settings, watchdog: socket.socket) -> int:
    """Serve until a signal comes; return 1 where another worker took this one's leads over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, logger.warning, ALONE)
    async with AsyncExitStack() as stack:
        sockets = listening(settings, stack)
        urls = await stack.enter_async_context(store_urls(settings))
        async with database_at(urls.database_url) as connection:
            key = await ledger_key(connection, settings)
        built = await stack.enter_async_context(worker(settings, urls, key, sockets))
        logger.info("serving", worker_id=built.worker_id, addresses=sockets.addresses)
        speaking = asyncio.ensure_future(speak(watchdog))
        lost = await first_of(stop, built.lease_lost)
        end_within(closing_max_s(settings))
        logger.info("stopping", worker_id=built.worker_id)
    speaking.cancel()
    return 1 if lost is built.lease_lost else 0


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
