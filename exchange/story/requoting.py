"""The same ping again, while its quote holds, gets the same quote: nobody is asked twice for it."""

import msgspec
import structlog

from exchange.contract.seller import QuoteAnswer
from exchange.domain.ids import LeadId
from exchange.domain.keyed import hmac_sha256
from exchange.domain.submission import Submission
from exchange.market.errors import MarketUnavailable
from exchange.story.stations import Stations

logger = structlog.get_logger(__name__)
LEFT_MIN_US = 1_000_000
"""A quote that ends sooner is of no use to who hears it only now."""
US_PER_MS = 1000


class KeptQuote(msgspec.Struct, frozen=True, array_like=True):
    """A quote as its seller heard it."""

    lead_id: LeadId
    expires_at_us: int
    answer: msgspec.Raw


_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
_decode = msgspec.json.Decoder(KeptQuote).decode
_answer = msgspec.json.Decoder(QuoteAnswer).decode


async def quoted_before(stations: Stations, submission: Submission) -> QuoteAnswer | None:
    """Return what the seller was quoted for the very same ping, if it may still be posted."""
    lead = submission.lead
    try:
        kept = await stations.market.quoted(lead.seller_id, digest(submission, stations))
    except MarketUnavailable:
        return None
    if kept is None:
        return None
    quote = _decode(kept)
    if quote.expires_at_us - stations.now_us() < LEFT_MIN_US:
        return None
    if await stations.ledger.is_used(quote.lead_id):
        return None
    return _answer(quote.answer)


async def keep(
    stations: Stations, submission: Submission, answer: QuoteAnswer, expires_at_us: int
) -> None:
    """Let the same ping have this answer until it expires."""
    lead = submission.lead
    kept = _encode(KeptQuote(lead.lead_id, expires_at_us, msgspec.Raw(_encode(answer))))
    for_ms = (expires_at_us - stations.now_us()) // US_PER_MS
    try:
        await stations.market.keep_quote(lead.seller_id, digest(submission, stations), kept, for_ms)
    except MarketUnavailable:
        logger.warning("quote not kept", lead_id=lead.lead_id)


def digest(submission: Submission, stations: Stations) -> bytes:
    """Return what two pings share that say the same: all but when they came and their names."""
    lead, person = submission.lead, submission.fingerprint
    said = {
        "campaign": lead.campaign_id,
        "source": lead.source.id,
        "ref": lead.seller_ref,
        "fields": lead.fields,
        "consent": lead.consent,
        "least": lead.min_price,
        "sold": lead.already_sold,
        "without": sorted(lead.exclude_buyers),
        "test": lead.test,
        "sha256": person.sha256,
        "md5": person.md5,
    }
    return hmac_sha256(stations.claim_secret, b"ping" + _encode(said))
