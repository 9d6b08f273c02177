"""What must hold of sellers and campaigns, beyond the types of their keys."""

from collections.abc import Iterator

from exchange.configuration.compiling.campaigns import EVERY_OFFER, ONLY_RULE
from exchange.configuration.draft import Draft, Entry, OfferEntry, unknown
from exchange.configuration.learning import check_learning
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.configuration.rules_buyer import (
    CheckCondition,
    check_condition,
    check_currency,
    check_pilot,
    check_time_zone,
    check_url,
)
from exchange.configuration.rules_floors import check_floors
from exchange.configuration.rules_price import (
    check_margin,
    check_offer_margins,
    check_price_rule,
)
from exchange.configuration.rules_stage import check_stage
from exchange.configuration.rules_vertical import HASHED_TYPES
from exchange.contract.market.campaigns import CampaignPart, DuplicatesPart, StagePart
from exchange.contract.market.limits import VolumeCapPart
from exchange.contract.market.sellers import SellerPart
from exchange.contract.market.verticals import VerticalPart
from exchange.domain.message import Topic
from exchange.domain.nearest import hint
from exchange.domain.vertical import FieldType


def check_seller(entry: Entry[SellerPart]) -> Iterator[Problem]:
    """Tell what is wrong with a seller."""
    yield from check_time_zone(entry.part.time_zone, (*entry.path, "time_zone"))
    yield from _volume(entry.part.caps, (*entry.path, "caps"))
    yield from check_pilot(entry.part.pilot, (*entry.path, "pilot"))
    seen: set[str] = set()
    for index, source in enumerate(entry.part.source):
        yield from _volume(source.caps, (*entry.path, "source", index, "caps"))
        if source.id in seen:
            path = (*entry.path, "source", index, "id")
            yield Problem(path, f'there is another source "{source.id}" of this seller')
        seen.add(source.id)
    webhook = entry.part.webhook
    if webhook is not None:
        yield from check_url(webhook.url, (*entry.path, "webhook", "url"))
        if not webhook.events:
            path = (*entry.path, "webhook", "events")
            yield Problem(path, f"is empty: name some of {', '.join(Topic)}")


def _volume(caps: tuple[VolumeCapPart, ...], path: Path) -> Iterator[Problem]:
    seen = set()
    for index, cap in enumerate(caps):
        place = (*path, index)
        if (cap.leads is None) is (cap.pings is None):
            yield Problem(place, "names exactly one of leads, pings")
            continue
        kind = "leads" if cap.pings is None else "pings"
        if (kind, cap.per) in seen:
            yield Problem(place, f"{kind} per {cap.per} is limited twice")
        seen.add((kind, cap.per))


def check_campaign(
    entry: Entry[CampaignPart],
    draft: Draft,
    verticals: dict[str, VerticalPart],
    compiles: CheckCondition,
) -> Iterator[Problem]:
    """Tell what is wrong with a campaign."""
    campaign, path = entry.part, entry.path
    yield from unknown("vertical", campaign.vertical, draft, (*path, "vertical"))
    yield from check_currency(campaign.currency, (*path, "currency"))
    yield from _sellers(campaign, draft, path)
    yield from _paid_alike(campaign, draft, path)
    yield from check_pilot(campaign.pilot, (*path, "pilot"))
    yield from check_margin(campaign.margin, (*path, "margin"))
    yield from check_floors(campaign, draft, verticals, (*path, "floors"))
    yield from _qualify(campaign, compiles, (*path, "qualify"))
    yield from check_learning(campaign, path)
    if campaign.answer_deadline_ms < campaign.auction_deadline_ms:
        message = f"is before the auction's end ({campaign.auction_deadline_ms} ms)"
        yield Problem((*path, "answer_deadline_ms"), message)
    vertical = verticals.get(campaign.vertical)
    if campaign.sandbox and vertical is not None and not has_zip(vertical):
        message = 'needs a field of type "us_zip" in its vertical: answers follow from it'
        yield Problem((*path, "sandbox"), message)
    if campaign.duplicates is not None and vertical is not None:
        yield from _duplicates(campaign.duplicates, vertical, (*path, "duplicates", "on"))
    offers = {offer.part.id: offer for offer in draft.offers}
    for index, stage in enumerate(campaign.stage):
        yield from _stage(stage, campaign, offers, (*path, "stage", index))
        yield from check_stage(stage, campaign, draft, compiles, (*path, "stage", index))
        yield from _offers(stage, draft, (*path, "stage", index, "offers"))


def has_zip(vertical: VerticalPart) -> bool:
    """Tell whether leads of a vertical have a ZIP code."""
    return any(field.type is FieldType.US_ZIP for field in vertical.fields.values())


def _sellers(campaign: CampaignPart, draft: Draft, path: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    if not campaign.sellers:
        yield Problem(path, "has no sellers: nobody can post into it", is_warning=True)
    for index, seller in enumerate(campaign.sellers):
        place: Path = (*path, "sellers", index)
        if not isinstance(seller, str):
            yield from check_margin(seller.margin, (*place, "margin"))
            own = (*place, "offer_margins")
            yield from check_offer_margins(seller.offer_margins, campaign, draft, own)
            place = (*place, "id")
        name = seller if isinstance(seller, str) else seller.id
        yield from unknown("seller", name, draft, place)
        if name in seen:
            yield Problem(place, f'"{name}" stands twice')
        seen.add(name)


def _paid_alike(campaign: CampaignPart, draft: Draft, path: Path) -> Iterator[Problem]:
    """Tell of a seller whose pilot limits money, and that is paid in several currencies."""
    limited = {
        entry.part.id
        for entry in draft.sellers
        if entry.part.pilot is not None and entry.part.pilot.payout is not None
    }
    for name in sorted(limited & sellers_of(campaign)):
        first = next(one.part for one in draft.campaigns if name in sellers_of(one.part))
        if first.currency != campaign.currency:
            message = (
                f'pays "{name}" in {campaign.currency}, "{first.id}" in {first.currency}: '
                "the payout of a pilot is of one currency"
            )
            yield Problem((*path, "currency"), message)


def sellers_of(campaign: CampaignPart) -> set[str]:
    """Return who may post into a campaign."""
    return {one if isinstance(one, str) else one.id for one in campaign.sellers}


def _qualify(campaign: CampaignPart, compiles: CheckCondition, path: Path) -> Iterator[Problem]:
    if isinstance(campaign.qualify, str):
        yield from check_condition(campaign.qualify, campaign.vertical, compiles, path)
        return
    for rule, text in campaign.qualify.items():
        yield from check_condition(text, campaign.vertical, compiles, (*path, rule))
        if rule == ONLY_RULE:
            message = f'"{rule}" names a rule without a name; call it something else'
            yield Problem((*path, rule), message)


def _duplicates(rule: DuplicatesPart, vertical: VerticalPart, path: Path) -> Iterator[Problem]:
    hashed = [name for name, field in vertical.fields.items() if field.type in HASHED_TYPES]
    if not rule.on:
        yield Problem(path, "names no field to compare by")
    for index, name in enumerate(rule.on):
        if name not in hashed:
            likely = hint(name, hashed) or f"; there are {', '.join(hashed) or 'none'}"
            message = f'"{name}" is no field of type "phone" or "email" of this vertical{likely}'
            yield Problem((*path, index), message)
        elif name in rule.on[:index]:
            yield Problem((*path, index), f'"{name}" stands twice')


def _offers(stage: StagePart, draft: Draft, path: Path) -> Iterator[Problem]:
    if not stage.offers:
        yield Problem(path, 'names no offer; "*" is all of the vertical')
    if EVERY_OFFER in stage.offers and len(stage.offers) > 1:
        yield Problem(path, '"*" is every offer already; it stands alone')
    for index, name in enumerate(stage.offers):
        if name != EVERY_OFFER:
            yield from unknown("offer", name, draft, (*path, index))
        if name in stage.offers[:index]:
            yield Problem((*path, index), f'"{name}" stands twice')


def _stage(
    stage: StagePart, campaign: CampaignPart, offers: dict[str, OfferEntry], path: Path
) -> Iterator[Problem]:
    timeout_ms = stage.timeout_ms
    if timeout_ms is not None and timeout_ms > campaign.answer_deadline_ms:
        yield Problem((*path, "timeout_ms"), "is later than the answer deadline")
    yield from check_price_rule(stage, campaign, path)
    for index, name in enumerate(stage.offers):
        entry = offers.get(name)
        if entry is None:
            continue
        place = (*path, "offers", index)
        offer = entry.part
        if offer.vertical != campaign.vertical:
            yield Problem(place, f'"{name}" is an offer for "{offer.vertical}"')
        if entry.buyer is not None and entry.buyer.currency != campaign.currency:
            message = f'"{name}" pays in {entry.buyer.currency} and is left out'
            yield Problem(place, message, is_warning=True)
