"""Where a lead stands now, as the story tells it; and the two views of it that are published."""

from collections.abc import Mapping

import msgspec

from exchange.contract.operator import CaptureOut, OperatorLeadView, OperatorSale
from exchange.contract.seller import LeadAnswer, LeadView, ReasonOut
from exchange.contract.timeline import operator_timeline, seller_timeline, utc_text
from exchange.domain.events import Event
from exchange.domain.ids import LeadId
from exchange.domain.money import Micros, to_decimal
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.domain.states import SaleState


class SaleStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One award of a lead and what became of it so far."""

    sale_id: str
    offer_id: str
    buyer_id: str
    state: SaleState
    price: Micros
    payout: Micros
    stage: int
    reason: Reason | None = None
    reference: str | None = None
    redirect_url: str | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the person: what the ledger, and a sale under way, know of one lead."""

    answer: LeadAnswer
    """What the seller would be answered now: `pending` while nothing final is known."""
    is_open: bool = False
    """It has no end yet: of one that several share, more sales may follow."""
    seller_id: str
    campaign_id: str
    source_id: str
    channel: str | None
    seller_ref: str | None
    test: bool
    version: int
    received_at_us: int
    owner: str | None
    """The public names of its buyers, only where the campaign discloses them."""
    sales: tuple[SaleStanding, ...]
    events: tuple[Event, ...]
    part_of: LeadId | None = None
    """The lead that this was merged into: it is no lead of its own."""
    buyers: dict[str, str] = msgspec.field(default_factory=dict)
    """Of offers as they were when the lead met them; the others have their present buyer."""


def seller_view(standing: Standing) -> LeadView:
    """Return the answer, up to date, and the seller's part of the timeline."""
    answer = standing.answer
    # Who else posted this person afterwards is no seller's business.
    events = [one for one in standing.events if is_told(one, standing.seller_id)]
    return LeadView(
        lead_id=answer.lead_id,
        status=answer.status,
        price=answer.price,
        currency=answer.currency,
        sales=answer.sales,
        reason=answer.reason,
        score=answer.score,
        duration_ms=answer.duration_ms,
        campaign=standing.campaign_id,
        source=standing.source_id,
        seller_ref=standing.seller_ref,
        test=standing.test,
        owner=standing.owner,
        timeline=seller_timeline(events, {sale.sale_id for sale in answer.sales}),
        original=answer.original,
    )


def is_told(event: Event, seller_id: str) -> bool:
    """Tell whether an event is this seller's: what others posted and was merged is not."""
    return event.merged is None or event.merged.seller_id == seller_id


def operator_view(
    standing: Standing, offers: Mapping[str, Offer], captures: tuple[CaptureOut, ...]
) -> OperatorLeadView:
    """Return all that is known but the person; `offers` name the buyers in the timeline."""

    def buyer_of(offer_id: str) -> str | None:
        offer = offers.get(offer_id)
        return standing.buyers.get(offer_id) or (None if offer is None else offer.buyer.id)

    answer = standing.answer
    return OperatorLeadView(
        lead_id=answer.lead_id,
        status=answer.status,
        price=answer.price,
        currency=answer.currency,
        reason=answer.reason,
        score=answer.score,
        duration_ms=answer.duration_ms,
        received_at=utc_text(standing.received_at_us),
        seller=standing.seller_id,
        campaign=standing.campaign_id,
        source=standing.source_id,
        channel=standing.channel,
        seller_ref=standing.seller_ref,
        test=standing.test,
        market_version=standing.version,
        heard=answer,
        sales=tuple(operator_sale(sale) for sale in standing.sales),
        timeline=operator_timeline(standing.events, buyer_of),
        captures=captures,
    )


def operator_sale(sale: SaleStanding) -> OperatorSale:
    """Return a sale as it is published to operators."""
    return OperatorSale(
        sale_id=sale.sale_id,
        offer=sale.offer_id,
        buyer=sale.buyer_id,
        state=sale.state.value,
        price=to_decimal(sale.price),
        payout=to_decimal(sale.payout),
        stage=sale.stage,
        reason=None if sale.reason is None else ReasonOut.of(sale.reason),
        reference=sale.reference,
        redirect_url=sale.redirect_url,
    )
