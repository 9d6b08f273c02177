"""From the market file's words about margins to the domain's: whose holds for which sale."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart, Rounding, TermsPart
from exchange.contract.market.margins import BandPart, MarginPart
from exchange.domain.campaign import Band, Margin, MarginKind, SellerTerms
from exchange.domain.money import from_decimal

OfferMargins = Mapping[str, MarginPart]
"""By offer: the margins that offers have of their own."""


def offer_margins(buyers: Iterable[BuyerPart]) -> OfferMargins:
    """Return the margins of all offers of a market that have one of their own."""
    return {
        offer.id: offer.margin
        for buyer in buyers
        for offer in buyer.offer
        if offer.margin is not None
    }


def terms_of(campaign: CampaignPart, seller: str | TermsPart, margins: OfferMargins) -> SellerTerms:
    """Return what a seller agreed: its own terms, where it has any, before the campaign's.

    The margin of a sale is the seller's for that offer, else the seller's, else the offer's, else
    the campaign's: what was agreed with somebody goes before what was merely set.
    """
    terms = TermsPart(id=seller) if isinstance(seller, str) else seller
    rounding = terms.payout_rounding or campaign.payout_rounding
    own = {**(margins if terms.margin is None else {}), **terms.offer_margins}
    by_offer = {name: margin_of(part, rounding) for name, part in own.items()}
    others = tuple(dict.fromkeys(by_offer.values()))
    return SellerTerms(
        terms.id,
        margin_of(terms.margin or campaign.margin, rounding),
        terms.returns or campaign.returns,
        others,
        {name: others.index(margin) for name, margin in by_offer.items()},
    )


def margin_of(part: MarginPart | None, rounding: Rounding) -> Margin:
    """Return the exchange's part; nothing where nothing is said."""
    to_cent = rounding is Rounding.CENT
    if part is None:
        return Margin(round_to_cent=to_cent)
    if part.bands is None:
        return plain(part, to_cent=to_cent, allow_loss=part.allow_loss)
    bands = tuple(
        Band(
            None if band.upto is None else from_decimal(band.upto),
            plain(band, to_cent=to_cent, allow_loss=part.allow_loss),
        )
        for band in part.bands
    )
    whole = Margin(MarginKind.BANDS, round_to_cent=to_cent, allow_loss=part.allow_loss, bands=bands)
    if all(band.margin.relaxed is None for band in bands):
        return whole
    least = tuple(Band(band.upto, band.margin.relaxed or band.margin) for band in bands)
    return replaced(whole, relaxed=replaced(whole, bands=least))


def plain(part: MarginPart | BandPart, *, to_cent: bool, allow_loss: bool) -> Margin:
    """Return a margin without bands; to what it may shrink, where it may, is of the same kind."""
    margin = Margin(round_to_cent=to_cent, allow_loss=allow_loss)
    least = part.relax_to
    if part.percent is not None:
        margin = replaced(margin, percent=part.percent)
        return (
            margin if least is None else replaced(margin, relaxed=replaced(margin, percent=least))
        )
    if part.payout is not None:
        return replaced(margin, kind=MarginKind.PAYOUT, amount=from_decimal(part.payout))
    assert part.fixed is not None, "a checked margin names one way"
    margin = replaced(margin, kind=MarginKind.FIXED, amount=from_decimal(part.fixed))
    if least is None:
        return margin
    return replaced(margin, relaxed=replaced(margin, amount=from_decimal(least)))


def replaced(margin: Margin, **changes: Any) -> Margin:
    """Return the margin with some of it changed."""
    changed: Margin = msgspec.structs.replace(margin, **changes)
    return changed
