"""A worker that is gone: what it had written and held when it died, and nothing that it did after.

It speaks to the real ledger and market state as a worker does, moment by moment, so that a test
chooses where exactly the power failed.
"""

import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from exchange.clock import now_us
from exchange.delivery.parcels import packed
from exchange.domain import exclusivity
from exchange.domain.caps import Hold, hold_lines
from exchange.domain.dialect import Message
from exchange.domain.events import Event, EventName
from exchange.domain.ids import ENTROPY_BYTES, LeadId, SaleId, uuid7
from exchange.domain.lead import Fingerprint, Lead, Source
from exchange.domain.moment import AwardRow, LeadRow, Moment, MomentKind
from exchange.domain.money import Micros, to_decimal
from exchange.domain.person import Person
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.ledger import Ledger
from exchange.ledger.worker import Leases
from exchange.market.market import Market, Terms
from tests.acceptance.audit import market_state, snapshot_of
from tests.acceptance.house import House, person

ONE_S = DOLLAR = 1_000_000


@dataclass
class Ghost:
    """A worker whose lease runs out at once; `lead` begins a lead that it never finishes."""

    ledger: Ledger
    market: Market
    snapshot: Snapshot
    claim_secret: bytes

    def lead(self, number: int) -> "Left":
        """Return the lead of this person, of which nothing is written yet."""
        return Left(self, new_id(), person(number))


@dataclass
class Left:
    """One lead as far as the ghost came with it."""

    ghost: Ghost
    lead_id: LeadId
    who: dict[str, Any]
    number: int = 0
    sale_id: SaleId = field(default_factory=lambda: SaleId(new_id()))

    async def claim(self) -> exclusivity.Claim:
        """Claim the person, as before anything is written."""
        claim = self.claimed()
        assert claim is not None, "the campaign checks for duplicates"
        assert await self.ghost.market.claim(claim) is None
        return claim

    async def write(self, kind: MomentKind = MomentKind.LEAD, **rows: Any) -> bool:
        """Write the next moment; of the first one the lead's own rows."""
        self.number += 1
        if kind is MomentKind.LEAD:
            rows |= {"lead": self.row(), "record": RECORD.encode(self.submission())}
        events = rows.pop("events", (Event(at_us=now_us(), event=EventName.RECEIVED),))
        moment = Moment(
            lead_id=self.lead_id,
            number=self.number,
            kind=kind,
            at_us=now_us(),
            events=events,
            **rows,
        )
        return await self.ghost.ledger.commit(moment)

    async def hold(self, offer_id: str, dollars: int) -> None:
        """Hold what a sale at this price takes of its offer's limits."""
        offer = self.ghost.snapshot.offers[offer_id]
        credited = self.ghost.snapshot.credited.get(offer.buyer.id, Micros(0))
        lines = hold_lines(offer, Micros(dollars * DOLLAR), now_us(), credited=credited, test=False)
        hold = Hold(
            sale_id=self.sale_id,
            lead_id=self.lead_id,
            buyer_id=offer.buyer.id,
            held_at_us=now_us(),
            lines=lines,
        )
        assert await self.ghost.market.hold(hold) is None

    async def award(self, offer_id: str, dollars: int, post: Message | None = None) -> AwardRow:
        """Hold and award, as before the post: this message, or one in the standard format."""
        await self.hold(offer_id, dollars)
        micros = Micros(dollars * DOLLAR)
        body = {"sale_id": self.sale_id, "price": to_decimal(micros), "lead": self.who}
        award = AwardRow(
            sale_id=self.sale_id,
            offer_id=offer_id,
            buyer_id=self.ghost.snapshot.offers[offer_id].buyer.id,
            price=micros,
            payout=Micros(micros // 2),
            currency="USD",
            held_at_us=now_us(),
            bid_id=None,
            ping_id=None,
            stage=1,
            post=packed(post or Message(body=RECORD.encode(body))),
        )
        assert await self.write(MomentKind.AWARD, award=award)
        return award

    def claimed(self) -> exclusivity.Claim | None:
        """Return what intake makes this lead claim."""
        return exclusivity.claim(
            self.fingerprint(),
            self.ghost.snapshot.campaigns["auto-us"],
            self.lead_id,
            self.ghost.claim_secret,
            test=False,
        )

    def fingerprint(self) -> Fingerprint:
        """Return by what the person is known."""
        return Fingerprint(sha256={"phone": hashlib.sha256(self.who["phone"].encode()).hexdigest()})

    def row(self) -> LeadRow:
        """Return the lead as the reports know it."""
        claim = self.claimed()
        return LeadRow(
            seller_id="fastquotes",
            campaign_id="auto-us",
            source_id="search",
            channel="search",
            source_declared=True,
            vertical_id="auto_insurance",
            seller_ref=None,
            test=False,
            version=1,
            received_at_us=now_us(),
            answer_by_us=now_us() + 30 * ONE_S,
            claim=None if claim is None else msgspec.msgpack.encode(claim),
        )

    def submission(self) -> Submission:
        """Return what came through the door."""
        lead = Lead(
            lead_id=self.lead_id,
            received_at_us=now_us(),
            seller_id="fastquotes",
            campaign_id="auto-us",
            vertical_id="auto_insurance",
            source=Source("search"),
            fields={"zip": self.who["zip"]},
            derived={},
            answer_by_us=now_us() + 30 * ONE_S,
        )
        identity = {name: self.who[name] for name in ("first_name", "phone", "email")}
        return Submission(lead=lead, person=Person(identity), fingerprint=self.fingerprint())


RECORD = msgspec.json.Encoder(decimal_format="number")


def new_id() -> LeadId:
    """Return a new id of now."""
    return LeadId(uuid7(now_us(), os.urandom(ENTROPY_BYTES)))


@asynccontextmanager
async def a_ghost(house: House, *, lease_s: float = 0.3) -> AsyncIterator[Ghost]:
    """Lend a worker that dies with the block; its leases are of a fraction of a second."""
    connections = Connections(house.urls.database_url, Limits(timeout_s=5.0))
    await connections.open()
    leases = Leases(connections, str(uuid.uuid4()), house.vault, now_us, lease_s=lease_s)
    await leases.register("ghost", ["127.0.0.1:1"])
    ledger = Ledger(connections, leases.worker_id, house.vault, leases.unheard)
    await ledger.open()
    try:
        async with market_state(house, terms=Terms(lease_s=0)) as market:
            secret = house.vault.derive("claims")
            yield Ghost(ledger, market, await snapshot_of(house), secret)
    finally:
        await ledger.close()
        await connections.close()
