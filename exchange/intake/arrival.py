"""How a request came, and what it takes over from the ping that it refers to."""

import msgspec

from exchange.contract.seller import FieldError
from exchange.domain.ids import LeadId
from exchange.domain.lead import ConsentMarks
from exchange.domain.person import Consent
from exchange.domain.quote import Quote
from exchange.intake.consent import ConsentRead
from exchange.intake.controls import Controls
from exchange.intake.errors import Bad, Code, Errors, bad_value

CONTRADICTS = Bad(Code.CONTRADICTS_PING, "must be what the ping said; what it said may be left out")
NO_LEG = bad_value("must name legs of the quote by their `leg_id`, one at least")


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request, through which door and when: what its fields do not say."""

    seller_id: str
    lead_id: LeadId
    """A new one; for the post of a quote the quote's own."""
    received_at_us: int
    is_ping: bool = False
    idempotency_key: bytes | None = None
    """Digest of account, path and key; None where the seller sent no key."""
    quote: Quote | None = None
    """What this post refers to: it takes over the ping's fields and may not contradict them."""


class Refused(msgspec.Struct, frozen=True):
    """All that is wrong with a request, without any of its values."""

    errors: tuple[FieldError, ...]
    campaign_id: str | None = None
    """Where it is one of the seller's."""


def inherit_controls(controls: Controls, quote: Quote, errors: Errors) -> Controls:
    """Return what a post asks for, its ping's word where it says nothing itself.

    Campaign, source and test are the ping's. Where the post names no `min_price`, what was promised
    is insisted on, of several legs the least; a lower one permits less.
    """
    for field, said, quoted in (
        ("campaign", controls.campaign_id, quote.campaign_id),
        ("source", controls.source_id, quote.source.id),
        ("test", controls.test, quote.test),
    ):
        if said is not None and said != quoted:
            errors.keep(field, CONTRADICTS)
    return Controls(
        campaign_id=quote.campaign_id,
        source_id=quote.source.id,
        seller_ref=controls.seller_ref or quote.seller_ref,
        min_price=quote.least if controls.min_price is None else controls.min_price,
        timeout_ms=controls.timeout_ms,
        test=quote.test,
        already_sold=max(controls.already_sold or 0, quote.already_sold),
        exclude_buyers=(controls.exclude_buyers or frozenset()) | quote.exclude_buyers,
        legs=controls.legs,
    )


def check_legs(controls: Controls, quote: Quote | None, errors: Errors) -> None:
    """Write down a choice of legs that no quote offered, or of none, which would use a quote up."""
    offered = {leg.leg_id for leg in quote.legs} if quote is not None else set()
    is_empty = quote is not None and not controls.legs
    if controls.legs is not None and (is_empty or not controls.legs <= offered):
        errors.keep("legs", NO_LEG)


def inherit_consent(read: ConsentRead, quote: Quote) -> ConsentRead:
    """Return a post's consent, its ping's marks where it says nothing itself."""
    marks, quoted = read.marks, quote.consent
    tcpa = quoted.tcpa if marks.tcpa is None else marks.tcpa
    jornaya_id = marks.jornaya_id or quoted.jornaya_id
    ping_url = marks.trustedform_url or quoted.trustedform_url
    consent: Consent = msgspec.structs.replace(read.consent, tcpa=tcpa, jornaya_id=jornaya_id)
    return ConsentRead(consent, ConsentMarks(tcpa, jornaya_id, ping_url))
