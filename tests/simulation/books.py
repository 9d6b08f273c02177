"""A simulated PostgreSQL as the ledger uses it: moments, leases, locks; append-only, in memory.

What is written becomes durable and visible at one moment of virtual time, after the statement has
arrived and a while has passed. A server that dies before that has lost it, one that dies after it
has not, and in either case whoever asked may never hear. Nothing is deleted but workers.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from exchange.domain.ids import LeadId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, Moment, MomentKind, SaleEnd
from exchange.ledger.stored import OpenLead, StoredLead, StoredSale
from tests.simulation.loop import Process, World


class Refused(Exception):  # noqa: N818 - said as people say it
    """A constraint does not let this in."""


class Award(msgspec.Struct):
    """A row of `award`, with its end."""

    row: AwardRow
    end: SaleEnd | None = None
    ended_at_us: int | None = None


class Lead(msgspec.Struct):
    """All rows of one lead."""

    worker_id: str = ""
    row: LeadRow | None = None
    received_at_us: int = 0
    moments: list[Moment] = []
    awards: dict[str, Award] = {}
    end: LeadEnd | None = None
    ended_at_us: int | None = None
    is_pending: bool = False


class Registered(msgspec.Struct):
    """A row of `worker`."""

    id: str
    started_at_us: int
    lease_until_us: int
    open_since_us: int
    version: str
    addresses: tuple[str, ...]


class Books:
    """The tables; every method is one statement, done at once."""

    def __init__(self, now_us: Callable[[], int], told: Callable[[str, Moment], None]) -> None:
        """Take the server's clock, and who is told of every moment that became durable."""
        self.now_us = now_us
        self.leads: dict[str, Lead] = {}
        self.numbers: dict[tuple[str, int], tuple[str, int]] = {}
        """Who wrote a moment, under which number of its own."""
        self.workers: dict[str, Registered] = {}
        self.sales: dict[str, Award] = {}
        self._told = told

    # Moments

    def commit(self, worker_id: str, batch: list[tuple[int, Moment]]) -> list[Any] | None:
        """Say for each whether it is written, or Refused; None where the worker has no lease."""
        if worker_id not in self.workers:
            return None
        outcomes = []
        for write, moment in batch:
            key = moment.lead_id, moment.number
            known = self.numbers.get(key)
            if known is not None:
                outcomes.append(known == (worker_id, write))
                continue
            try:
                self._write(worker_id, moment)
            except Refused as refused:
                outcomes.append(refused)
                continue
            self.numbers[key] = worker_id, write
            self._told(worker_id, moment)
            outcomes.append(True)
        return outcomes

    def _write(self, worker_id: str, moment: Moment) -> None:
        lead = self.leads.get(moment.lead_id)
        if lead is None:
            lead = self.leads[moment.lead_id] = Lead(moments=[], awards={})
        self._check(lead, moment)
        lead.moments.append(moment)
        if moment.lead is not None:
            lead.row, lead.worker_id = moment.lead, worker_id
            lead.received_at_us = moment.lead.received_at_us
        if moment.award is not None:
            award = Award(moment.award)
            lead.awards[award.row.sale_id] = self.sales[award.row.sale_id] = award
        if moment.sale_end is not None:
            award = self.sales[moment.sale_end.sale_id]
            award.end, award.ended_at_us = moment.sale_end, moment.at_us
        if moment.lead_end is not None:
            lead.end, lead.ended_at_us = moment.lead_end, moment.at_us
        if moment.kind is MomentKind.PENDING:
            lead.is_pending = True

    def _check(self, lead: Lead, moment: Moment) -> None:
        """Refuse what a primary key of the real tables refuses."""
        if moment.lead_end is not None and lead.end is not None:
            raise Refused("a lead has one end")
        if moment.lead is not None and lead.row is not None:
            raise Refused("a lead is written once")
        if moment.award is not None and moment.award.sale_id in self.sales:
            raise Refused("a sale is awarded once")
        end = moment.sale_end
        if end is not None and end.sale_id in self.sales and self.sales[end.sale_id].end:
            raise Refused("a sale has one end")

    # What was written, read back

    def lead(self, lead_id: str) -> StoredLead | None:
        lead = self.leads.get(lead_id)
        if lead is None or lead.row is None:
            return None
        return StoredLead(
            lead_id=LeadId(lead_id),
            received_at_us=lead.received_at_us,
            row=lead.row,
            last_number=max(moment.number for moment in lead.moments),
            pending=lead.is_pending,
            end=lead.end,
            ended_at_us=lead.ended_at_us,
            sales=tuple(
                StoredSale(
                    award=msgspec.structs.replace(award.row, post=None),
                    end=award.end,
                    ended_at_us=award.ended_at_us,
                )
                for award in lead.awards.values()
            ),
        )

    def open_leads(self, lead_ids: list[str], worker_id: str | None = None) -> list[OpenLead]:
        """Return those without an end, the oldest first; as of this worker, if it takes them."""
        found = []
        for lead_id in lead_ids:
            lead = self.leads.get(lead_id)
            if lead is None or lead.row is None or lead.end is not None:
                continue
            found.append(
                OpenLead(
                    lead_id=LeadId(lead_id),
                    received_at_us=lead.received_at_us,
                    worker_id=worker_id or lead.worker_id,
                    row=lead.row,
                    last_number=max(moment.number for moment in lead.moments),
                    pending=lead.is_pending,
                    awards=tuple(one.row for one in lead.awards.values() if one.end is None),
                )
            )
        return sorted(found, key=lambda lead: (lead.received_at_us, lead.lead_id))

    def timeline(self, lead_id: str) -> list[Any]:
        return [event for moment in self._moments(lead_id) for event in moment.events]

    def quote(self, lead_id: str) -> Any:
        rows = [moment.quote for moment in self._moments(lead_id) if moment.quote is not None]
        return rows[0] if rows else None

    def records(self, lead_id: str) -> list[bytes | None]:
        return [one.record for one in self._moments(lead_id) if one.record is not None]

    def _moments(self, lead_id: str) -> list[Moment]:
        lead = self.leads.get(lead_id)
        return [] if lead is None else sorted(lead.moments, key=lambda one: one.number)

    def left_by(self, worker_id: str, since_us: int) -> list[str]:
        """Return the leads without an end that this worker answers for."""
        return [
            lead_id
            for lead_id, lead in self.leads.items()
            if lead.worker_id == worker_id
            and lead.row is not None
            and lead.end is None
            and lead.received_at_us >= since_us
        ]


class Server:
    """What carries statements to the books and answers back, late, twice, or never."""

    def __init__(self, world: World, books: Books, delay_s: Callable[[], float]) -> None:
        self.world = world
        self.books = books
        self.delay_s = delay_s
        self.chance = Random(world.chance.random())
        self.is_up = True
        self.life = 0
        """Counts its lives: what an earlier one had not made durable is lost."""
        self.is_silent = False
        """It takes everything, and does nothing until it goes on."""
        self.swallows = False
        """It does what it is asked, and answers nothing."""
        self.cuts = 0
        self.locks: dict[str, Any] = {}
        """Which transaction holds a worker's row."""
        self.listeners: list[tuple[Process, Callable[[str], None], Callable[[], None]]] = []
        self._blocked: list[tuple[Any, ...]] = []
        self._held: list[tuple[Any, ...]] = []
        self._silences = 0
        self._unanswered: list[Callable[[], None]] = []

    def ask(
        self, process: Process, do: Callable[[], Any], answered: Callable[[Any], None],
        broken: Callable[[], None], *, locked: str | None = None, takes_s: float = 0.0,
    ) -> None:  # fmt: skip
        """Carry one statement; `locked`: it waits while another one holds this worker's row."""
        asked = (process, do, answered, broken, locked, takes_s)
        self.world.call_later(self.delay_s(), self._arrive, *asked)

    def _arrive(self, process, do, answered, broken, locked, takes_s):
        asked = (process, do, answered, broken, locked, takes_s)
        if not self.is_up:
            process.call_later(self.delay_s(), broken)
        elif self.is_silent:
            self._held.append(asked)
        elif locked is not None and locked in self.locks:
            self._blocked.append(asked)
        else:
            fate = self._fate()
            if fate == "before":
                process.call_later(self.delay_s(), broken)
            else:
                self.world.call_later(
                    takes_s, self._do, process, do, answered, broken, self.life, fate == "after"
                )

    def _do(self, process, do, answered, broken, life, cut_after):
        """Make it durable, unless the server died meanwhile."""
        if life != self.life:
            process.call_later(self.delay_s(), broken)
            return
        try:
            answer = do()
        except Exception as error:  # noqa: BLE001 - it is its caller's
            answer = error
        if cut_after:
            process.call_later(self.delay_s(), broken)
        elif self.swallows:
            self._unanswered.append(broken)
        else:
            process.call_later(self.delay_s(), answered, answer)

    def _fate(self) -> str:
        if not self.cuts:
            return ""
        self.cuts -= 1
        return "before" if self.chance.random() < 1 / 2 else "after"

    # Locks of a worker's row

    def lock(self, worker_id: str, holder: object) -> bool:
        """Take it, unless somebody has it: no waiting."""
        if worker_id in self.locks:
            return False
        self.locks[worker_id] = holder
        return True

    def unlock(self, holder: object) -> None:
        """Give all of these back; who waited goes on."""
        self.locks = {one: by for one, by in self.locks.items() if by is not holder}
        blocked, self._blocked = self._blocked, []
        for asked in blocked:
            self._arrive(*asked)

    def hang_up(self, process: Process) -> None:
        """Take it that a process is gone: its sockets are closed, its locks are given back."""
        holders = {one.process: one for one in self.locks.values()}
        if process in holders:
            self.world.call_later(self.delay_s(), self.unlock, holders[process])

    # What is announced

    def announce(self, lead_id: str) -> None:
        """Tell everybody who listens that this lead moved."""
        for process, moved, _ in self.listeners:
            if not process.is_dead:
                self.world.call_later(self.delay_s(), process.call_soon, moved, lead_id)

    # What may befall it

    def hang(self, for_s: float) -> None:
        """Be silent for so long."""
        self.silence()
        self.world.call_later(for_s, self._over, self._silences)

    def silence(self) -> None:
        self.is_silent = True
        self._silences += 1

    def _over(self, silence: int) -> None:
        if silence == self._silences:
            self.go_on()

    def go_on(self) -> None:
        """Do all that was asked meanwhile."""
        self.is_silent = False
        held, self._held = self._held, []
        for asked in held:
            self._arrive(*asked)

    def cut(self, statements: int) -> None:
        """Let so many of the next statements meet a connection that breaks."""
        self.cuts += statements

    def cut_all(self) -> None:
        """Break the connections of all who wait for an answer that was swallowed."""
        unanswered, self._unanswered = self._unanswered, []
        for broken in unanswered:
            broken()

    def go_down(self) -> None:
        """Die: what is not durable yet is lost, all locks go, nobody is heard."""
        self.is_up = False
        self.life += 1
        self.locks.clear()
        blocked, self._blocked, self._held = self._blocked + self._held, [], []
        for process, _, _, broken, _, _ in blocked:
            process.call_later(self.delay_s(), broken)

    def come_up(self) -> None:
        self.is_up = True
        for process, _, all_may_have_moved in self.listeners:
            if not process.is_dead:
                process.call_soon(all_may_have_moved)
