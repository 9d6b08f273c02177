"""A ping in a foreign dialect: what this offer is shown, put into its buyer's own words."""

from collections.abc import Mapping

import msgspec

from exchange.auction.ping import Showing
from exchange.domain.dialect import PingDialect, PingView
from exchange.domain.lead import ConsentMarks, Value
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.wire.endpoint import Endpoint


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What one offer's ping says beside the lead."""

    ping_id: str
    floor: Micros
    tmax_ms: int
    max_buyers: int
    source_id: str
    """The source's alias for this buyer."""
    at_us: int


def view_of(showing: Showing, offer: Offer, hashes: Mapping[str, str], terms: Terms) -> PingView:
    """Return all that the ping may speak of: the standard ping's fields under their names."""
    lead = dict(showing.fields)
    for name in offer.hidden:
        lead.pop(name, None)
    for name, digest in hashes.items():
        lead[f"{name}_hash"] = digest
    return PingView(
        lead=lead,
        consent=consent_of(showing.consent),
        ping_id=terms.ping_id,
        price_rule=showing.price_rule.value,
        floor=terms.floor,
        currency=showing.currency,
        tmax_ms=terms.tmax_ms,
        max_buyers=terms.max_buyers,
        source_id=terms.source_id,
        channel=showing.channel,
        vertical_id=showing.vertical_id,
        test=showing.test,
        at_us=terms.at_us,
    )


def consent_of(marks: ConsentMarks) -> dict[str, Value]:
    """Return the marks that are known, under the names that a ping gives them."""
    named = {
        "tcpa": marks.tcpa,
        "jornaya_id": marks.jornaya_id,
        "trustedform_ping_url": marks.trustedform_url,
    }
    return {name: value for name, value in named.items() if value is not None}


def foreign_request(endpoint: Endpoint, url: str, dialect: PingDialect, view: PingView) -> bytes:
    """Return the whole request, with what proves who sends it."""
    message = dialect.render(view)
    headers = message.headers + dialect.proof(url, message, view.at_us)
    return endpoint.asking(message.query, message.body, headers)
