"""How a lead's way ended, and the words for it: pure, from what happened to one reason."""

import msgspec

from exchange.contract.seller import LeadAnswer, Original, ReasonOut, SaleOut
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros, to_decimal
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    """One sale, as its seller may hear of it."""

    sale_id: SaleId
    payout: Micros
    buyer_name: str | None
    """Only where the campaign discloses it."""
    redirect_url: str | None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lead stands when its seller is answered."""

    status: LeadStatus
    reason: Reason | None = None
    detail: str | None = None
    sales: tuple[Sold, ...] = ()
    original: LeadId | None = None
    own_original: Original | None = None
    """The first lead, where it was the same seller's."""

    @property
    def payout(self) -> Micros | None:
        """What the seller is paid in total; None unless sold."""
        if self.status is not LeadStatus.SOLD:
            return None
        return Micros(sum(sale.payout for sale in self.sales))


PENDING = Ending(status=LeadStatus.PENDING, reason=Reason.IN_DOUBT)


class Course(msgspec.Struct):
    """What was met on the way, from which an unsold lead's one reason follows."""

    eligible: int = 0
    too_late: int = 0
    """Eligible, but with too little time left to be asked."""
    below_floor: int = 0
    above_floor: int = 0
    refused: int = 0
    full_at_award: int = 0
    out_of_time: bool = False
    """Something was left to try when the time was over."""
    voided: bool = False
    """A sale stayed in doubt for as long as it may."""
    advanced: bool = False
    """A buyer did not answer its post, and was left for the next."""
    promised: bool = False
    """A quote's promise stood in the way of lower bids."""
    told_pending: bool = False
    """The seller hears, or has heard, `pending`: the lead's end is announced to who waits."""


def unsold(course: Course) -> Ending:
    """Return the one reason that tells a seller most about why a lead was not sold."""
    if course.voided or (course.advanced and not course.out_of_time):
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.VOID)
    if course.out_of_time:
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.DEADLINE)
    if course.refused:
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.ALL_REFUSED)
    if course.too_late and course.too_late == course.eligible:
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.DEADLINE)
    if not course.eligible or course.full_at_award:
        detail = "every standing bid met a full cap or budget" if course.full_at_award else None
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.NO_ELIGIBLE_OFFER, detail=detail)
    if course.below_floor and course.promised:
        return Ending(status=LeadStatus.UNSOLD, reason=Reason.QUOTE_PROMISE)
    return Ending(status=LeadStatus.UNSOLD, reason=Reason.NO_BID_ABOVE_FLOOR)


def answer(
    lead_id: LeadId, ending: Ending, *, currency: str, score: int | None, duration_ms: float
) -> LeadAnswer:
    """Return what the seller hears."""
    paid = ending.payout
    own = {} if ending.own_original is None else {"original": ending.own_original}
    return LeadAnswer(
        lead_id=lead_id,
        status=ending.status.value,
        price=None if paid is None else to_decimal(paid),
        currency=currency,
        sales=tuple(
            SaleOut(sale.sale_id, to_decimal(sale.payout), sale.buyer_name, sale.redirect_url)
            for sale in ending.sales
        ),
        reason=None if ending.reason is None else ReasonOut.of(ending.reason, ending.detail),
        score=score,
        duration_ms=round(duration_ms, 3),
        **own,
    )
