"""Run by the supervisor as `python -m exchange.supervision.process FD`: one of several workers.

A fresh process, not a fork: nothing of the supervisor's loop, locks or connections is in it, and
after an upgrade it runs the new code.
"""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from typing import BinaryIO

import structlog
import uvloop

from exchange.app import worker
from exchange.errors import explained
from exchange.opening import database_at, ledger_key, store_urls
from exchange.supervision import brief as briefs
from exchange.supervision.brief import Brief
from exchange.supervision.waiting import first_of, say, speak
from exchange.supervision.watchdog import closing_max_s, end_within
from exchange.telemetry.logs import configure_logging
from exchange.telemetry.shared import SharedFolder
from exchange.web.crowd import Crowd
from exchange.worker.sockets import Part, Sockets

logger = structlog.get_logger(__name__)
STOPPING = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Sell until told to stop; return the exit status."""
    # A restart is the supervisor's to make; a stray signal to all its processes is not for us.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[1]))
    try:
        brief = briefs.read(line)
        configure_logging(brief.settings.log_level)
        shared = SharedFolder(brief.metrics, brief.slot)
        shared.count_here()
        with os.fdopen(brief.crowd, "r+b", buffering=0) as memory:
            return uvloop.run(run(brief, line, shared, memory))
    except EOFError:
        return 1
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        print(message, file=sys.stderr)  # noqa: T201 - as every command tells what went wrong
        return 1


async def run(brief: Brief, line: socket.socket, shared: SharedFolder, memory: BinaryIO) -> int:
    """Serve until told to stop or to retire; return 1 where others took this one's leads over."""
    stop, retire = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop.set)
    listen(line, stop, retire)
    sockets = Sockets(list(map(inherited, brief.doors)), list(map(inherited, brief.operations)))
    part = Part(brief.worker_id, shared, Crowd(memory))
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(store_urls(brief.settings))
        async with database_at(urls.database_url) as connection:
            key = await ledger_key(connection, brief.settings)
        built = await stack.enter_async_context(worker(brief.settings, urls, key, sockets, part))
        logger.info("serving", worker_id=built.worker_id, addresses=sockets.addresses)
        say(line, briefs.READY)
        speaking = asyncio.ensure_future(speak(line))
        why = await first_of(stop, retire, built.lease_lost)
        if why is retire:
            logger.info("retiring", worker_id=built.worker_id)
            retiring = asyncio.ensure_future(built.retire())
            why = await first_of(stop, built.lease_lost, beside=retiring)
            retiring.cancel()
        end_within(closing_max_s(brief.settings))
        logger.info("stopping", worker_id=built.worker_id)
    speaking.cancel()
    return 1 if why is built.lease_lost else 0


def listen(line: socket.socket, stop: asyncio.Event, retire: asyncio.Event) -> None:
    """Hear what the supervisor says; without one, end in order."""
    loop = asyncio.get_running_loop()
    line.setblocking(False)

    def heard() -> None:
        try:
            said = line.recv(briefs.READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            retire.set()
            return
        loop.remove_reader(line)
        logger.warning("supervisor gone")
        stop.set()

    loop.add_reader(line, heard)


def inherited(descriptor: int) -> socket.socket:
    """Return a listening socket that was open before this process began."""
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
    return listening


if __name__ == "__main__":
    sys.exit(main())
