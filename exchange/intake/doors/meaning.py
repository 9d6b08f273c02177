"""Which campaign a request at a door means: the named one, that of its quote, or the only one."""

from collections.abc import Callable, Mapping

from exchange.domain.campaign import Campaign
from exchange.domain.door import Call, Sent
from exchange.domain.quote import Quote

Meant = tuple[str | None, str | None]
"""A campaign and its vertical; of a campaign that is not the seller's the word alone."""


def no_quote() -> None:
    """Return that a request refers to no quote."""


def campaign_of(
    call: Call,
    sent: Sent,
    seller_id: str,
    campaigns: Mapping[str, Campaign],
    quote_of: Callable[[], Quote | None] = no_quote,
) -> Meant:
    """Return the campaign that is meant, and its vertical; a quote is opened only if need be."""
    named = call.campaign(sent)
    campaign = campaigns.get(named or "")
    if campaign is not None and seller_id in campaign.sellers:
        return campaign.id, campaign.vertical_id
    earlier = quote_of()
    if earlier is not None and (named is None or call.or_only):
        return earlier.campaign_id, earlier.vertical_id
    if call.or_only:
        own = [one for one in campaigns.values() if seller_id in one.sellers]
        if len(own) == 1:
            return own[0].id, own[0].vertical_id
    return named, None
