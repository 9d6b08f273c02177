"""Where a lead stands, told from what the ledger holds of it: pure."""

from collections.abc import Sequence

from exchange.contract.seller import LeadAnswer, Original, ReasonOut, SaleOut
from exchange.contract.standing import SaleStanding, Standing
from exchange.domain.events import Event, EventName
from exchange.domain.money import Micros, to_decimal
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.stored import Part, StoredLead, StoredSale

US_PER_MS = 1000


def standing(
    stored: StoredLead, events: Sequence[Event], snapshot: Snapshot, original: Original | None
) -> Standing:
    """Return everything but the person; names and terms are those of the present market."""
    row = stored.row
    discloses = _discloses(stored, snapshot)
    return Standing(
        answer=answered(stored, snapshot, original),
        seller_id=row.seller_id,
        campaign_id=row.campaign_id,
        source_id=row.source_id,
        channel=row.channel,
        seller_ref=row.seller_ref,
        test=row.test,
        version=row.version,
        received_at_us=stored.received_at_us,
        owner=_owners(stored.accepted, snapshot) if discloses else None,
        is_open=stored.end is None,
        sales=tuple(sale_standing(sale) for sale in stored.sales),
        events=tuple(events),
        part_of=stored.part_of,
    )


def woven(events: Sequence[Event], parts: Sequence[Part]) -> list[Event]:
    """Return a lead's events with what was merged into it, each after all that was before it."""
    told: list[Event] = []
    left = list(parts)
    for event in reversed(events):
        while left and left[-1].at_us >= event.at_us:
            told.append(merged(left.pop()))
        told.append(event)
    told += [merged(part) for part in reversed(left)]
    return told[::-1]


def merged(part: Part) -> Event:
    """Return the event of what was merged."""
    return Event(at_us=part.at_us, event=EventName.MERGED, merged=part.merged)


def answered(stored: StoredLead, snapshot: Snapshot, original: Original | None) -> LeadAnswer:
    """Return what the seller would be answered now; an open lead is as good as pending to it."""
    status, price = _status(stored)
    end = stored.end
    reason, detail = (None, None) if end is None else (end.reason, end.detail)
    if status is LeadStatus.PENDING:
        reason = Reason.IN_DOUBT
    discloses = _discloses(stored, snapshot)
    own = {} if original is None else {"original": original}
    return LeadAnswer(
        lead_id=stored.lead_id,
        status=status.value,
        price=None if price is None else to_decimal(price),
        currency=_currency(stored, snapshot),
        sales=tuple(
            SaleOut(
                sale.award.sale_id,
                to_decimal(sale.award.payout),
                _name(sale, snapshot) if discloses else None,
                None if sale.end is None else sale.end.redirect_url,
            )
            for sale in stored.accepted
        ),
        reason=None if reason is None else ReasonOut.of(reason, detail),
        score=stored.row.score,
        duration_ms=_duration_ms(stored),
        **own,
    )


def as_original(stored: StoredLead) -> Original:
    """Return a lead as the first of a duplicate, for the seller that sent both."""
    status, price = _status(stored)
    accepted = stored.accepted
    redirect_url = accepted[0].end.redirect_url if accepted and accepted[0].end else None
    return Original(
        lead_id=stored.lead_id,
        status=status.value,
        price=None if price is None else to_decimal(price),
        redirect_url=redirect_url,
    )


def sale_standing(sale: StoredSale) -> SaleStanding:
    """Return one award and what became of it so far."""
    award, end = sale.award, sale.end
    return SaleStanding(
        sale_id=award.sale_id,
        offer_id=award.offer_id,
        buyer_id=award.buyer_id,
        state=SaleState.AWARDED if end is None else end.state,
        price=award.price,
        payout=award.payout,
        stage=award.stage,
        reason=None if end is None else end.reason,
        reference=None if end is None else end.reference,
        redirect_url=None if end is None else end.redirect_url,
    )


def _status(stored: StoredLead) -> tuple[LeadStatus, Micros | None]:
    """Return what the seller is told of a lead, and what it is paid.

    One that several share is sold with those who accepted so far, while others are in doubt.
    """
    if stored.end is not None:
        return stored.end.status, stored.end.price
    accepted = stored.accepted
    if accepted:
        return LeadStatus.SOLD, Micros(sum(sale.award.payout for sale in accepted))
    return LeadStatus.PENDING, None


def _owners(accepted: Sequence[StoredSale], snapshot: Snapshot) -> str | None:
    """Return the public names of who bought it; None where nobody did."""
    names = (_name(sale, snapshot) for sale in accepted)
    return ", ".join(name for name in names if name is not None) or None


def _discloses(stored: StoredLead, snapshot: Snapshot) -> bool:
    campaign = snapshot.campaigns.get(stored.row.campaign_id)
    return campaign is not None and campaign.disclose_buyer


def _currency(stored: StoredLead, snapshot: Snapshot) -> str:
    """Return the currency of its sale; a lead without one has its campaign's."""
    if stored.sales:
        return stored.sales[0].award.currency
    campaign = snapshot.campaigns.get(stored.row.campaign_id)
    return "USD" if campaign is None else campaign.currency


def _name(sale: StoredSale, snapshot: Snapshot) -> str | None:
    buyer = snapshot.buyers.get(sale.award.buyer_id)
    return None if buyer is None else buyer.name


def _duration_ms(stored: StoredLead) -> float:
    until_us = stored.ended_at_us or stored.row.answer_by_us
    return round((until_us - stored.received_at_us) / US_PER_MS, 3)
