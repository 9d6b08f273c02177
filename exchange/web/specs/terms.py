"""What a campaign asks of one seller and promises it, in sentences; backticks are code."""

import ast
from collections.abc import Iterator

import msgspec

from exchange.domain.campaign import (
    Against,
    Campaign,
    DuplicateScope,
    LocationCheck,
    MarginKind,
    MatchOn,
)
from exchange.domain.condition import Condition, parsed
from exchange.domain.money import to_text
from exchange.domain.seller import Seller, UndeclaredSources

MS_PER_S = 1000
HOUR_S = 3600
DAY_S = 24 * HOUR_S
ABOUT_SELLERS = frozenset({"seller", "source"})


class SourceSpec(msgspec.Struct, frozen=True):
    """One declared feed of the seller."""

    id: str
    channel: str | None
    paused: bool


class RuleSpec(msgspec.Struct, frozen=True):
    """One rule that a lead must keep; None where its words name other sellers' feeds."""

    id: str
    text: str | None


def sources_of(seller: Seller) -> tuple[SourceSpec, ...]:
    """Return the seller's declared feeds; what they cost and their floors stay ours."""
    return tuple(SourceSpec(one.id, one.channel, one.paused) for one in seller.sources.values())


def rules_of(campaign: Campaign) -> tuple[RuleSpec, ...]:
    """Return the rules by which a lead qualifies."""
    return tuple(
        RuleSpec(rule_id, None if names_sellers(rule) else " ".join(rule.text.split()))
        for rule_id, rule in campaign.qualify
    )


def names_sellers(rule: Condition) -> bool:
    """Tell whether a rule asks who sends: its words may then name somebody else."""
    _, tree = parsed(rule.text)
    asked = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return not asked.isdisjoint(ABOUT_SELLERS)


def sentences(campaign: Campaign, seller: Seller) -> tuple[str, ...]:
    """Return all terms, one sentence each."""
    return tuple(told(campaign, seller))


def told(campaign: Campaign, seller: Seller) -> Iterator[str]:
    """Yield the terms."""
    if campaign.paused or seller.paused:
        yield "At the moment this is paused: every lead is rejected with `paused_source`."
    yield deadlines(campaign)
    yield f"A quote holds for {duration(campaign.quote_ttl_s)} at most; its `expires_at` says."
    yield duplicates(campaign)
    yield undeclared(seller)
    if campaign.location is LocationCheck.REJECT:
        yield "A lead whose state is not its ZIP code's is rejected: `location_mismatch`."
    if campaign.min_score:
        yield f"A lead that scores below {campaign.min_score} of 100 is rejected: `low_score`."
    if campaign.reject_disposable_email:
        yield "Addresses of throw-away mail services are rejected: `invalid_field`."
    agreed = campaign.sellers[seller.id]
    margin = agreed.margin
    if margin.kind is MarginKind.PAYOUT and not agreed.others:
        yield f"You are paid {to_text(margin.amount)} {campaign.currency} for each sale."
    yield (
        "A sale tells its buyer's public name, as `buyer`."
        if campaign.disclose_buyer
        else "Who bought a lead is not told."
    )
    if seller.always_200:
        yield (
            "Your errors 4xx come with the HTTP status 200; the real one stands in the body's"
            " `status`."
        )


def deadlines(campaign: Campaign) -> str:
    """Return how long a seller waits."""
    return (
        f"You hear within {duration_ms(campaign.answer_deadline_ms)}, or sooner where your"
        f" `timeout_ms` says so; a quote comes within {duration_ms(campaign.auction_deadline_ms)}."
        " What is still open then is `pending`."
    )


def duplicates(campaign: Campaign) -> str:
    """Return what counts as the same lead again."""
    rule = campaign.duplicates
    if rule is None:
        return "Nobody looks whether a lead came before."
    joint = " or " if rule.match is MatchOn.ANY else " and "
    same = joint.join(f"`{name}`" for name in rule.on)
    where = (
        "this campaign"
        if rule.scope is DuplicateScope.CAMPAIGN
        else "any campaign of the same vertical"
    )
    before = (
        "that was sold, or may still be"
        if rule.against is Against.SOLD
        else "whatever became of it"
    )
    return (
        f"A lead is a `duplicate` if one with the same {same} came into {where} within"
        f" {duration(rule.window_s)}, from whomever, {before}. A ping looks, a post claims."
    )


def undeclared(seller: Seller) -> str:
    """Return what becomes of a source that nobody declared."""
    if seller.undeclared_sources is UndeclaredSources.REFUSE:
        return "A `source` that is not declared, or none at all, is rejected: `unknown_source`."
    return "A `source` that is not declared is accepted and flagged; none at all is `unnamed`."


def duration_ms(milliseconds: int) -> str:
    """Return a time span as people say it."""
    if milliseconds % MS_PER_S:
        return f"{milliseconds} ms"
    return duration(milliseconds // MS_PER_S)


def duration(seconds: int) -> str:
    """Return a time span as people say it: in the largest unit that it is a multiple of."""
    for unit, length in (("day", DAY_S), ("hour", HOUR_S), ("minute", 60)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds // length} {unit}s"
    return f"{seconds} second" if seconds == 1 else f"{seconds} seconds"
