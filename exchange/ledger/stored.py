"""What the ledger gives back: leads, sales, balances, as they were written."""

import msgspec

from exchange.domain.events import Merged
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, SaleEnd
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus, SaleState


class StoredSale(msgspec.Struct, frozen=True, kw_only=True):
    """An award, without the post's body, and what became of it."""

    award: AwardRow
    end: SaleEnd | None
    ended_at_us: int | None


class StoredLead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead, its end if it has one, and its sales in the order of their awards."""

    lead_id: LeadId
    received_at_us: int
    row: LeadRow
    last_number: int
    """Of its moments; the next one is this plus one."""
    pending: bool
    """The seller heard that a post's outcome is not known yet."""
    end: LeadEnd | None
    ended_at_us: int | None
    sales: tuple[StoredSale, ...]
    part_of: LeadId | None = None
    """The lead that this is part of: it was merged into it, and is no lead of its own."""

    @property
    def status(self) -> LeadStatus:
        """What is to be said of the lead now."""
        if self.end is not None:
            return self.end.status
        if self.accepted:
            return LeadStatus.SOLD
        return LeadStatus.PENDING if self.pending else LeadStatus.OPEN

    def others(self, claim: Claim) -> Claim:
        """Return what of a claim under its id is not its own: it was written with another one."""
        return claim.beside(self.row.claim)

    @property
    def accepted(self) -> tuple[StoredSale, ...]:
        """The sales that a buyer accepted."""
        return tuple(
            sale
            for sale in self.sales
            if sale.end is not None and sale.end.state is SaleState.ACCEPTED
        )


class Part(msgspec.Struct, frozen=True):
    """What was merged into a lead, and when it came."""

    at_us: int
    merged: Merged


class OpenLead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead without an end, as a recovery finds it."""

    lead_id: LeadId
    received_at_us: int
    worker_id: str
    """Who answers for it."""
    row: LeadRow
    last_number: int
    pending: bool
    awards: tuple[AwardRow, ...]
    """Those without an end; `post` in clear, None where it was erased or there was none."""


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What was captured since the moment before, in clear."""

    number: int
    at_us: int
    body: bytes


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """That a lead's person was erased, since when, and on whose word."""

    at_us: int
    by: str
    """`operator/night-desk`, or who typed the command."""


class Balance(msgspec.Struct, frozen=True):
    """What came into an account less what left it."""

    account: str
    currency: str
    amount: Micros


class Violation(msgspec.Struct, frozen=True):
    """Something that must always hold and does not."""

    check: str
    subject: str
    """A lead, a sale, an account or a limit."""
    detail: str
