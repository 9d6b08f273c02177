"""The process that owns the sockets and keeps the workers; it sells nothing itself.

The sockets stay open for as long as it lives: what waits in them is never lost, whichever workers
come and go.
"""

import asyncio
import signal
import socket
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from exchange.ledger.worker import expire
from exchange.settings import Settings, SettingsError
from exchange.supervision import brief as briefs
from exchange.supervision.brief import Brief
from exchange.supervision.happening import (
    Action,
    Ended,
    Event,
    Finish,
    GiveUp,
    Kill,
    Ready,
    Renewed,
    Retire,
    Spoke,
    Start,
    Stop,
    Told,
    Woke,
)
from exchange.supervision.members import Roster
from exchange.supervision.roster import decide, wake_at_s
from exchange.telemetry.shared import worker_gone
from exchange.web.crowd import Crowd
from exchange.worker.sockets import Sockets

logger = structlog.get_logger(__name__)
EXPIRE_TIMEOUT_S = 5.0
MODULE = "exchange.supervision.process"


@dataclass(frozen=True, slots=True)
class Child:
    """A worker's process, and the line to it."""

    process: Process
    line: socket.socket
    worker_id: str


class Supervisor:
    """Starts, replaces, restarts and ends workers, as the roster decides."""

    def __init__(
        self,
        settings: Settings,
        sockets: Sockets,
        database_url: str,
        count: Callable[[Settings], int],
        reload: Callable[[], Settings],
    ) -> None:
        """Take what all share; `count` tells how many there should be, `reload` reads anew."""
        self.sockets = sockets
        self.database_url = database_url
        self.count = count
        self.reload = reload
        self.roster = Roster(wanted=count(settings), silent_max_s=settings.worker_silent_max_s)
        self.decided_s = 0.0
        self.settings = [settings]
        """Of each edition."""
        self.renewals: deque[Settings] = deque()
        """Of the editions that are still to be heard of among the events."""
        self.children: dict[int, Child] = {}
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.beside: set[asyncio.Task[None]] = set()
        self.status: int | None = None

    async def run(self) -> int:
        """Keep the workers until told to stop; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.events.put_nowait, Told())
        loop.add_signal_handler(signal.SIGHUP, self.renew)
        async with AsyncExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="exchange-metrics-")
            self.metrics = Path(stack.enter_context(folder))
            self.memory = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - it closes with the stack
            self.crowd = Crowd.of_nobody(self.memory)
            stack.callback(self.kill_all)
            logger.info("supervising", workers=self.roster.wanted)
            await self.hear(Woke())
            while self.status is None:
                await self.hear(await self.next_event())
            await asyncio.gather(*self.beside)
        return self.status

    async def next_event(self) -> Event:
        """Return what happens next, at the latest the moment that is waited for."""
        at_s = wake_at_s(self.roster, self.decided_s)
        try:
            async with asyncio.timeout(None if at_s is None else at_s - time.monotonic()):
                return await self.events.get()
        except TimeoutError:
            return Woke()

    async def hear(self, event: Event) -> None:
        """Decide what an event means, and do it."""
        if isinstance(event, Renewed):
            # Only now: other restarts may have begun, or been given up, since it was asked for.
            self.settings[self.roster.edition + 1 :] = [self.renewals.popleft()]
        self.decided_s = time.monotonic()
        self.roster, actions = decide(self.roster, event, self.decided_s)
        for action in actions:
            await self.do(action)

    def renew(self) -> None:
        """Begin a rolling restart, with the settings as they are now."""
        try:
            settings = fixed(self.reload(), self.settings[0])
        except SettingsError as error:
            logger.error("restart refused", problem=str(error))  # noqa: TRY400 - it is a sentence
            return
        self.renewals.append(settings)
        self.events.put_nowait(Renewed(self.count(settings), settings.worker_silent_max_s))

    # What was decided

    async def do(self, action: Action) -> None:
        """Do one thing."""
        match action:
            case Start(slot, edition):
                await self.start(slot, self.settings[edition])
            case Retire(slot):
                self.say(slot, briefs.RETIRE)
            case Stop(slot):
                self.send(slot, signal.SIGTERM)
            case Kill(slot, why):
                logger.warning("worker killed", slot=slot, why=why)
                self.send(slot, signal.SIGKILL)
            case GiveUp():
                logger.error("restart given up: the new workers do not start, the old ones stay")
            case Finish(status):
                self.status = status

    async def start(self, slot: int, settings: Settings) -> None:
        """Start a worker; one that cannot be started is one that ended at once."""
        try:
            child = await self.begun(slot, settings)
        except OSError as error:  # no memory, no file left, an interpreter that is being replaced
            logger.error("worker not started", slot=slot, problem=error.strerror)  # noqa: TRY400 - it is a sentence
            self.events.put_nowait(Ended(slot))
            return
        self.children[slot] = child
        logger.info("worker started", slot=slot, worker_id=child.worker_id, pid=child.process.pid)
        self.spawn(self.watch(slot, child))

    async def begun(self, slot: int, settings: Settings) -> Child:
        """Return a fresh process that is given the sockets, and told the rest."""
        # Whoever tidies up temporary folders may have taken it away.
        self.metrics.mkdir(mode=0o700, exist_ok=True)
        brief = Brief(
            settings=settings,
            worker_id=str(uuid.uuid4()),
            slot=slot,
            doors=descriptors(self.sockets.doors),
            operations=descriptors(self.sockets.operations),
            crowd=self.memory.fileno(),
            metrics=self.metrics,
        )
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as unless_begun:
            unless_begun.enter_context(ours)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, str(theirs.fileno())),
                pass_fds=(theirs.fileno(), *brief.descriptors),
                # Ctrl-C in the terminal is for us; we tell them, in order.
                start_new_session=True,
            )
            unless_begun.pop_all()
        with suppress(OSError):  # it has ended already: whoever watches it will see
            briefs.tell(ours, brief)
        ours.setblocking(False)
        return Child(process, ours, brief.worker_id)

    async def watch(self, slot: int, child: Child) -> None:
        """Tell what a worker says, and when it has ended; bury it."""
        with suppress(OSError):  # it ended with something of its brief unread
            await self.listen(slot, child)
        status = await child.process.wait()
        logger.info("worker ended", slot=slot, worker_id=child.worker_id, status=status)
        child.line.close()
        self.crowd.leave(slot)
        worker_gone(self.metrics, slot)
        if status:
            self.spawn(self.expire(child.worker_id))
        del self.children[slot]
        self.events.put_nowait(Ended(slot))

    async def listen(self, slot: int, child: Child) -> None:
        """Tell when a worker is ready, and that it lives, until its end of the line is closed."""
        loop, said = asyncio.get_running_loop(), b""
        while more := await loop.sock_recv(child.line, briefs.READ_BYTES):
            *lines, said = (said + more).split(b"\n")
            for line in lines:
                if line + b"\n" == briefs.READY:
                    logger.info("worker ready", slot=slot, worker_id=child.worker_id)
                    self.events.put_nowait(Ready(slot))
                else:
                    self.events.put_nowait(Spoke(slot))

    async def expire(self, worker_id: str) -> None:
        """Let the others take its leads over at once, where the ledger can be reached."""
        try:
            async with asyncio.timeout(EXPIRE_TIMEOUT_S):
                connection = await asyncpg.connect(self.database_url)
                try:
                    await expire(connection, worker_id)
                finally:
                    await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning("lease left to run out", worker_id=worker_id, error=type(error).__name__)

    def say(self, slot: int, words: bytes) -> None:
        """Tell a worker something; one that ended hears nothing."""
        try:
            self.children[slot].line.send(words)
        except (KeyError, OSError):
            logger.info("worker not told", slot=slot)

    def send(self, slot: int, number: signal.Signals) -> None:
        """Send a worker a signal, unless it ended."""
        child = self.children.get(slot)
        if child is not None and child.process.returncode is None:
            child.process.send_signal(number)

    def kill_all(self) -> None:
        """Leave nobody behind, whatever went wrong."""
        for slot in self.children:
            self.send(slot, signal.SIGKILL)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the rest; it is waited for at the end."""
        task = asyncio.ensure_future(work)
        self.beside.add(task)
        task.add_done_callback(self.beside.discard)


def descriptors(sockets: Sequence[socket.socket]) -> tuple[int, ...]:
    """Return the numbers of these sockets."""
    return tuple(one.fileno() for one in sockets)


FIXED = ("host", "port", "metrics_port", "data_dir", "database_url", "market_url", "master_key")
"""What a rolling restart leaves as it is: old and new workers share sockets, stores and keys."""


def fixed(settings: Settings, first: Settings) -> Settings:
    """Return new settings, but for what only a whole restart can change. Errors: SettingsError."""
    changed = [name for name in FIXED if getattr(settings, name) != getattr(first, name)]
    if changed:
        raise SettingsError(f"{', '.join(changed)}: changed, which takes a stop and a start")
    return settings
