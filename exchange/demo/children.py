"""The demo's child processes: started in sessions of their own, logged, ended in order."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from exchange.demo import tether
from exchange.errors import CommandError

LINE_MAX_BYTES = 1 << 24
"""A line of a child may be long: books of many buyers are one."""

KILL_AFTER_S = 5.0


class ChildError(CommandError):
    """A child of the demo did not do its part; the message names its log."""


class Child:
    """One child process, running inside the `async with` block and ended at its end.

    What it writes goes to `log`, but for standard output where it `speaks` to us by lines.
    SIGTERM asks it to end; after `grace_s` it is killed. Errors on entering: ChildError.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        speaks: bool = False,
        environment: Mapping[str, str] | None = None,
        grace_s: float = KILL_AFTER_S,
    ) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.speaks = speaks
        self.environment = environment or {}
        self.grace_s = grace_s
        self.process: Process | None = None

    async def __aenter__(self) -> Self:
        with self.log.open("ab") as log:
            try:
                self.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                    *self.command,
                    stdin=PIPE,
                    stdout=PIPE if self.speaks else log,
                    stderr=log,
                    start_new_session=True,
                    limit=LINE_MAX_BYTES,
                    env={**os.environ, **self.environment},
                )
            except OSError as error:
                raise ChildError(f"the {self.name} cannot be started: {error}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    @property
    def running(self) -> Process:
        """The process, between start and end."""
        assert self.process is not None, f"the {self.name} was started"
        return self.process

    async def write_line(self, line: bytes) -> None:
        """Hand the child one line on its standard input, and no more after it."""
        stdin = self.running.stdin
        assert stdin is not None, "standard input is a pipe"
        stdin.write(line + b"\n")
        await stdin.drain()
        stdin.close()

    async def read_line(self) -> bytes | None:
        """Return the next line of standard output; None at its end."""
        stdout = self.running.stdout
        assert stdout is not None, f"the {self.name} speaks"
        return (await stdout.readline()) or None

    def ask_to_end(self) -> None:
        """Ask it to finish what it does and end; it is not waited for."""
        if self.running.returncode is None:
            self.running.send_signal(signal.SIGTERM)

    async def end(self) -> int:
        """Return its exit status once it has ended, by its own doing or ours."""
        process = self.running
        self.ask_to_end()
        # A pipe that nobody reads any more must not keep it from ending.
        draining = asyncio.ensure_future(drain(process))
        try:
            async with asyncio.timeout(self.grace_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            await draining
        return await process.wait()

    def failure(self) -> ChildError:
        """Return the error of a child that ended before its time."""
        return ChildError(f"the {self.name} stopped unexpectedly: {self.log}\n{tail(self.log)}")


async def drain(process: Process) -> None:
    """Read and forget what a process still says."""
    while process.stdout is not None and await process.stdout.read(1 << 16):
        pass


TAIL_LINES = 12


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"  {line}" for line in lines)
