"""A simulated PostgreSQL as the ledger uses it: moments, leases, locks; append-only, in memory.

What is written becomes durable and visible at one moment of virtual time, after the statement has
arrived and a while has passed. A server that dies before that has lost it, one that dies after it
has not, and in either case whoever asked may never hear. Nothing is deleted but workers.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from exchange.domain.events import EventName, Merged
from exchange.domain.ids import LeadId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, Moment, MomentKind, SaleEnd
from exchange.domain.reason import Reason
from exchange.ledger.decisions import Decision, SaleWord
from exchange.ledger.stored import OpenLead, Part, StoredLead, StoredSale

NUMBER = attrgetter("number")


class Refused(Exception):  # noqa: N818 - said as people say it
    """A constraint does not let this in."""


class Award(msgspec.Struct):
    """A row of `award`, with its end."""

    row: AwardRow
    lead_id: str
    end: SaleEnd | None = None
    ended_at_us: int | None = None
    charge: int = 0

    @property
    def state(self) -> str:
        return "open" if self.end is None else str(self.end.state)

    @property
    def is_duplicate(self) -> bool:
        """Tell whether its buyer refused it as a person that it has already."""
        return self.end is not None and self.end.reason is Reason.DUPLICATE_FOR_BUYER


class Lead(msgspec.Struct):
    """All rows of one lead."""

    worker_id: str = ""
    row: LeadRow | None = None
    received_at_us: int = 0
    moments: list[Moment] = []
    """In the order of their numbers."""
    awards: dict[str, Award] = {}
    end: LeadEnd | None = None
    ended_at_us: int | None = None
    is_pending: bool = False
    part_of: LeadId | None = None
    """It is no lead, but merged into this one."""
    message: Any = None
    """What tells its seller of its end."""


class Registered(msgspec.Struct):
    """A row of `worker`."""

    id: str
    started_at_us: int
    lease_until_us: int
    open_since_us: int
    version: str
    addresses: tuple[str, ...]
    epoch: int
    """Up to which epoch of market state it holds."""
    unheard_since: int
    """From which of its writes on it may not have heard of an end."""


class AsNow(NamedTuple):
    """What a transaction sees from its first statement on, whatever is written meanwhile."""

    sales: list[Award]
    taken_in: dict[str, int]
    """When each lead came, by its id."""
    pinged: list[tuple[str, int, int]]
    """For which lead, when and how many pings were sent at once."""


class Books:
    """The tables; every method is one statement, done at once."""

    def __init__(
        self,
        now_us: Callable[[], int],
        told: Callable[[str, Moment], None],
        decided: Callable[[str, Decision], None] = lambda _sale_id, _decision: None,
    ) -> None:
        """Take the server's clock, and who is told of all moments and words that became durable."""
        self.now_us = now_us
        self.leads: dict[str, Lead] = {}
        self.numbers: dict[tuple[str, int], tuple[str, int]] = {}
        """Who wrote a moment, under which number of its own."""
        self.workers: dict[str, Registered] = {}
        self.sales: dict[str, Award] = {}
        self.decisions: dict[str, Decision] = {}
        self._taken_in: dict[str, int] = {}
        self._pinged: list[tuple[str, int, int]] = []
        self._parts: defaultdict[str, list[str]] = defaultdict(list)
        """What is merged, by the lead that it is part of."""
        self.epoch: tuple[int, str | None] = (0, None)
        """Which market state is whole, and in which server."""
        self._told = told
        self._decided = decided

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

    def decide(self, sale_id: str, decision: Decision) -> bool:
        """Write the word on a sale; False where it has its end, or a word."""
        sale = self.sales.get(sale_id)
        if sale is None or sale.end is not None or sale_id in self.decisions:
            return False
        self.decisions[sale_id] = decision
        self._decided(sale_id, decision)
        return True

    def sale_word(self, sale_id: str) -> SaleWord | None:
        sale = self.sales.get(sale_id)
        if sale is None:
            return None
        said = self.decisions.get(sale_id)
        return SaleWord(
            sale_id=sale.row.sale_id,
            lead_id=LeadId(sale.lead_id),
            buyer_id=sale.row.buyer_id,
            offer_id=sale.row.offer_id,
            price=sale.row.price,
            currency=sale.row.currency,
            state=None if sale.end is None else sale.end.state,
            decided_by=said and said.by,
            accepted=said and said.accepted,
        )

    def _write(self, worker_id: str, moment: Moment) -> None:
        lead = self.leads.get(moment.lead_id)
        if lead is None:
            lead = self.leads[moment.lead_id] = Lead(moments=[], awards={})
        self._check(lead, moment)
        insort(lead.moments, moment, key=NUMBER)
        self._pinged += [
            (moment.lead_id, event.at_us, len(event.offers or ()))
            for event in moment.events
            if event.event is EventName.PINGED
        ]
        if moment.lead is not None:
            lead.row, lead.worker_id = moment.lead, worker_id
            lead.received_at_us = moment.lead.received_at_us
            self._taken_in[moment.lead_id] = lead.received_at_us
        if moment.award is not None:
            award = Award(moment.award, moment.lead_id)
            lead.awards[award.row.sale_id] = self.sales[award.row.sale_id] = award
        if moment.sale_end is not None:
            award = self.sales[moment.sale_end.sale_id]
            award.end, award.ended_at_us = moment.sale_end, moment.at_us
            buyer = f"buyer/{award.row.buyer_id}"
            award.charge = sum(one.amount for one in moment.transfers if one.debit == buyer)
        if moment.lead_end is not None:
            lead.end, lead.ended_at_us = moment.lead_end, moment.at_us
            lead.message = moment.message
            if moment.kind is MomentKind.MERGED:
                lead.part_of = moment.lead_end.original
                self._parts[lead.part_of].append(moment.lead_id)
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
            last_number=lead.moments[-1].number,
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
            part_of=lead.part_of,
        )

    def merged(self, lead_id: str) -> tuple[Part, ...]:
        """Return what is part of a lead, in the order in which it came."""
        found = [
            Part(
                lead.received_at_us,
                Merged(
                    lead_id=LeadId(part_id),
                    seller_id=lead.row.seller_id,
                    source_id=lead.row.source_id,
                    channel=lead.row.channel,
                ),
            )
            for part_id in self._parts.get(lead_id, ())
            if (lead := self.leads[part_id]).row is not None
        ]
        return tuple(sorted(found, key=lambda part: (part.at_us, part.merged.lead_id)))

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
                    last_number=lead.moments[-1].number,
                    pending=lead.is_pending,
                    awards=tuple(one.row for one in lead.awards.values() if one.end is None),
                )
            )
        return sorted(found, key=lambda lead: (lead.received_at_us, lead.lead_id))

    def timeline(self, lead_id: str) -> list[Any]:
        return [event for moment in self._moments(lead_id) for event in moment.events]

    def owe(self, lead_id: str, message: Any) -> None:
        """Write the message of an end that has none."""
        lead = self.leads.get(lead_id)
        if lead is not None and lead.end is not None and lead.message is None:
            lead.message = message

    def is_used(self, lead_id: str) -> bool:
        """Tell whether a quote cannot be posted any more."""
        return any(moment.number == 2 for moment in self._moments(lead_id))

    def unheard(self, worker_id: str, since_us: int) -> list[tuple[str, Lead]]:
        """Return leads whose end this worker may not have heard of, and nobody is told."""
        since = self.workers[worker_id].unheard_since
        found = []
        for lead_id, lead in self.leads.items():
            if lead.worker_id != worker_id or lead.received_at_us < since_us:
                continue
            if lead.end is None or lead.part_of is not None or lead.message is not None:
                continue
            number = next(one.number for one in lead.moments if one.lead_end is not None)
            writer, write = self.numbers[lead_id, number]
            if writer == worker_id and write >= since:
                found.append((lead_id, lead))
        return found

    def quote(self, lead_id: str) -> Any:
        rows = [moment.quote for moment in self._moments(lead_id) if moment.quote is not None]
        return rows[0] if rows else None

    def records(self, lead_id: str) -> list[bytes | None]:
        return [one.record for one in self._moments(lead_id) if one.record is not None]

    def _moments(self, lead_id: str) -> list[Moment]:
        lead = self.leads.get(lead_id)
        return [] if lead is None else lead.moments

    def as_now(self) -> AsNow:
        """Return all sales, and what sellers brought, as they are now."""
        return AsNow(
            [one.__copy__() for one in self.sales.values()],
            self._taken_in.copy(),
            self._pinged.copy(),
        )

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
