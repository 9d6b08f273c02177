"""The faults, done to a round that runs."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable

import structlog

from tests.chaos.plan import Fault, Strike
from tests.chaos.proxy import Line
from tests.chaos.quota import DataFolder
from tests.chaos.reading import Stores
from tests.chaos.serving import LEASE_S, Exchange, kill, pid_of
from tests.chaos.witness import Witness

logger = structlog.get_logger()
TRAP_S = 4.0
"""How long a strike waits for a buyer to get a post."""

PAST_LEASE_S = LEASE_S + 1.5
SLOW_S = 0.08


class Striking:
    """Everything of a round that can be broken."""

    def __init__(
        self,
        exchange: Exchange,
        stores: Stores,
        data: DataFolder,
        lines: dict[str, Line],
        witness: Witness,
        choose: Callable[[list[int]], int],
    ) -> None:
        self.exchange = exchange
        self.stores = stores
        self.data = data
        self.lines = lines
        self.witness = witness
        self.choose = choose
        self.done: Counter[str] = Counter()
        self.kills_after_post = 0

    async def strike(self, strike: Strike) -> None:
        """Do it when its time has come; whatever can be mended is mended after its time."""
        await asyncio.sleep(strike.after_s)
        sale_id = None
        if strike.between_post_and_outcome:
            try:
                sale_id = (await asyncio.wait_for(self.witness.trap(), TRAP_S)).sale_id
            except TimeoutError:
                logger.warning("nobody got a post", fault=str(strike.fault))
        await self.do(strike, sale_id)
        self.done[strike.fault] += 1

    async def do(self, strike: Strike, sale_id: str | None) -> None:
        """Do one fault, to whoever is at that sale where there is one."""
        what = strike.fault
        match what:
            case Fault.KILL_WORKER:
                self.killed([await self.worker(sale_id)], sale_id)
            case Fault.KILL_SUPERVISOR:
                self.killed([self.exchange.supervisor], sale_id)
            case Fault.KILL_VALKEY | Fault.KILL_POSTGRES:
                name = what.removeprefix("kill_")
                self.killed([pid_of(self.data.path / f"{name}.lock")], sale_id)
            case Fault.STOP_WORKER:
                await self.stop(await self.worker(sale_id))
            case Fault.FILL_DISK:
                pids = [pid_of(self.data.path / f"{name}.lock") for name in ("valkey", "postgres")]
                self.data.fill([pid for pid in pids if pid is not None])
                await asyncio.sleep(strike.lasts_s)
                self.data.free()
            case _:
                await self.disturb(what, strike.lasts_s)

    def killed(self, pids: list[int | None], sale_id: str | None) -> None:
        """Kill, and count it where a buyer has the lead and holds its answer at this moment."""
        if kill(pids) and sale_id is not None:
            self.kills_after_post += 1

    async def worker(self, sale_id: str | None) -> int | None:
        """Return the worker that sells this, or any."""
        workers = self.exchange.workers()
        if sale_id is not None and (worker := await self.stores.worker_of(sale_id)) in workers:
            return workers[worker]
        return self.choose(sorted(workers.values())) if workers else None

    async def stop(self, pid: int | None) -> None:
        """Let a worker stand still until all believe it dead, then let it go on."""
        if kill([pid], signal.SIGSTOP):
            await asyncio.sleep(PAST_LEASE_S)
            kill([pid], signal.SIGCONT)

    async def disturb(self, fault: Fault, lasts_s: float) -> None:
        """Cut, clamp or slow a line for a while."""
        how, _, where = fault.partition("_")
        line = self.lines[where]
        if how == "slow":
            line.slow(SLOW_S)
        elif how == "cut":
            line.cut()
        else:
            line.clamp()
        await asyncio.sleep(lasts_s)
        line.mend()
