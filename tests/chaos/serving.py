"""`exchange serve --workers 2` as a user runs it, and a person who starts it again when it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

ROOT = Path(__file__).parents[2]
WORKERS = 2
LEASE_S = 2.0
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
AGAIN_S = 0.1
NO_LEAD = "/v1/leads/00000000-0000-7000-8000-000000000000"

SETTINGS = {
    "WORKERS": str(WORKERS),
    "WORKER_LEASE_S": str(LEASE_S),
    "HOLD_LEASE_S": "3",
    "SHUTDOWN_GRACE_S": "5",
    "ALLOW_NETWORKS": "127.0.0.0/8",
    "LOG_LEVEL": "info",
    # What breaks here is not overload: the machine is busy with the test itself.
    "LOOP_LAG_TARGET_MS": "1000",
    "LEDGER_WAIT_TARGET_MS": "2000",
    "LOOP_LAG_MAX_MS": "2000",
    "AUCTION_OVERDUE_MAX_MS": "10000",
}


class Exchange:
    """The processes that sell; `keep` starts them again for as long as it runs."""

    def __init__(self, environment: Mapping[str, str], port: int, log: Path) -> None:
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self.environment["EXCHANGE_PORT"] = str(port)
        self.base = f"http://127.0.0.1:{port}"
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0

    async def keep(self) -> None:
        """Start it, and again whenever it ended; its own workers may hold the port for a while."""
        while True:
            with self.log.open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "exchange.cli", "serve"),
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                    start_new_session=True,
                )
            self.starts += 1
            await self.process.wait()
            await asyncio.sleep(AGAIN_S)

    async def command(self, *words: str) -> str:
        """Run another command of the exchange to its end and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exchange.cli", *words),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        told, problem = await process.communicate()
        assert process.returncode == 0, problem.decode()
        return told.decode().strip()

    async def until_ready(self, session: aiohttp.ClientSession, key: str) -> None:
        """Return once it can sell: this one, and not another that was quicker at the same port."""
        headers = {"Authorization": f"Bearer {key}"}
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    async with (
                        session.get(f"{self.base}/readyz") as ready,
                        session.get(f"{self.base}{NO_LEAD}", headers=headers) as known,
                    ):
                        if (ready.status, known.status) == (200, 404):
                            return
                await asyncio.sleep(AGAIN_S)  # nobody can tell us of a port that opens

    # Its processes

    @property
    def supervisor(self) -> int | None:
        """The supervisor's process, if it lives."""
        if self.process is None or self.process.returncode is not None:
            return None
        return self.process.pid

    def workers(self) -> dict[str, int]:
        """Return the processes of the workers that live, by their ids, as the log names them."""
        found = {}
        for line in self.log.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):
                said = msgspec.json.decode(line)
                if said.get("event") == "worker started" and is_worker(said["pid"]):
                    found[said["worker_id"]] = said["pid"]
        return found

    async def stop(self) -> int | None:
        """Tell it to end; return its exit status, None where it did not end in time."""
        process = self.process
        assert process is not None, "it was started"
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            return None

    def kill(self) -> None:
        """End whatever still runs, at once: the end of a round."""
        for pid in (self.supervisor, *self.workers().values()):
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def is_worker(pid: int) -> bool:
    """Tell whether this process lives and is a worker's: numbers are given again."""
    try:
        return b"exchange.supervision.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def environment(data: Path, database_url: str, market_url: str) -> dict[str, str]:
    """Return the settings of an exchange that reaches its stores by these addresses."""
    own = {
        **SETTINGS,
        "DATA_DIR": str(data),
        "DATABASE_URL": database_url,
        "MARKET_URL": market_url,
    }
    return {f"EXCHANGE_{name}": value for name, value in own.items()}


def socket_of(url: str) -> Path:
    """Return the unix socket of a market URL."""
    return Path(urlsplit(url).path)


def pid_of(lock: Path) -> int | None:
    """Return the process that wrote itself into a store's lock file."""
    text = lock.read_text().strip() if lock.exists() else ""
    return int(text) if text.isdigit() else None


def kill(pids: Sequence[int | None], number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to all of these that live; return to how many."""
    sent = 0
    for pid in pids:
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                sent += 1
    return sent
