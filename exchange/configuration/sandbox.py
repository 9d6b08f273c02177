"""The test offers of a campaign with `sandbox = true`: offers like others, made and not written."""

from zoneinfo import ZoneInfo

from msgspec.structs import replace

from exchange.configuration.compiling.conditions import Read
from exchange.domain import sandbox
from exchange.domain.campaign import Campaign, Method, Stage
from exchange.domain.money import Micros
from exchange.domain.offer import (
    Billing,
    BillingMode,
    Buyer,
    Offer,
    OnNoAnswer,
    PingTerms,
    PostTerms,
    PriceRule,
)
from exchange.domain.vertical import FieldType, Vertical

PING_MS = 250
POST_MS = 1000
IN_DOUBT_MAX_S = 60
BID_MAX = Micros(1_000_000 * sandbox.DOLLAR)


def zip_field(vertical: Vertical) -> str | None:
    """Return the field by which test offers tell leads apart; None: there is none."""
    for name, field in vertical.fields.items():
        if field.type is FieldType.US_ZIP:
            return name
    return None


def offers_of(
    campaign: Campaign, vertical: Vertical, read: Read, hash_key: bytes
) -> dict[str, Offer]:
    """Return a campaign's test offers, each for its ZIP codes; errors: the vertical has no ZIP."""
    name = zip_field(vertical)
    if name is None:
        raise ValueError("a sandbox needs a field of the type us_zip")
    buyers = {
        one: Buyer(
            id=sandbox.buyer_id(campaign.id, one),
            name=f"Sandbox, {one} buyer",
            zone=ZoneInfo("UTC"),
            currency=campaign.currency,
            billing=Billing(BillingMode.OPEN),
        )
        for one in (sandbox.FIRST, sandbox.SECOND)
    }
    made = {}
    for role in sandbox.ROLES:
        listed = role.zips or sandbox.SPECIAL
        texts = ", ".join(f'"{code}"' for code in listed)
        offer = Offer(
            id=sandbox.offer_id(campaign.id, role),
            buyer=buyers[role.buyer],
            vertical_id=vertical.id,
            where=read(f"{name} {'in' if role.zips else 'not in'} [{texts}]"),
            prices=(PriceRule(None, role.price),),
            ping=PingTerms(sandbox.url(role, "ping"), PING_MS, BID_MAX),
            post=PostTerms(sandbox.url(role, "post"), POST_MS, OnNoAnswer.WAIT, IN_DOUBT_MAX_S),
            test=True,
            hash_key=hash_key,
        )
        made[offer.id] = offer
    return made


def opened(campaign: Campaign, offers: dict[str, Offer]) -> Campaign:
    """Return the campaign as test leads meet it: an auction of these offers after its stages.

    One buyer gets the lead there, at what it bid, whatever the campaign's own stages are like.
    """
    last = Stage(
        number=len(campaign.stages) + 1,
        method=Method.AUCTION,
        offer_ids=tuple(offers),
        timeout_ms=campaign.auction_deadline_ms,
        floor=campaign.floor,
        by_rules=campaign.floors is not None,
    )
    changed: Campaign = replace(campaign, stages=(*campaign.stages, last))
    return changed
