"""From the market file's words to the domain's values: each part, once it is known to be right."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exchange.configuration.floors import floors_of
from exchange.configuration.hours import week_of
from exchange.configuration.learning import expecting_of, learn_floor_of, ranked_by
from exchange.configuration.margins import OfferMargins, terms_of
from exchange.contract.mapping import MappingPart, Scalar
from exchange.contract.market.buyers import BillingPart, BuyerPart
from exchange.contract.market.campaigns import CampaignPart, DuplicatesPart, StagePart
from exchange.contract.market.limits import (
    CapPart,
    PilotPart,
    RatePart,
    SellerPilotPart,
    VolumeCapPart,
)
from exchange.contract.market.offers import OfferPart
from exchange.contract.market.sellers import SellerPart, WebhookPart
from exchange.contract.market.verticals import FieldPart, Required, VerticalPart
from exchange.domain.anonymize import shown_names
from exchange.domain.campaign import (
    Campaign,
    DuplicateRule,
    Method,
    Stage,
)
from exchange.domain.caps import account_scope
from exchange.domain.condition import Condition
from exchange.domain.condition_names import names_of
from exchange.domain.dialect import PingDialect, PostDialect, StatusDialect
from exchange.domain.formula import Formula, compile_formula
from exchange.domain.lineup import Lineup, Plan, plan_of
from exchange.domain.message import NoticeTerms, Webhook
from exchange.domain.money import Micros, from_decimal
from exchange.domain.offer import (
    Billing,
    BillingMode,
    Buyer,
    Cap,
    CapKind,
    Offer,
    OnNoAnswer,
    Per,
    PingTerms,
    Points,
    PostTerms,
    PriceRule,
    Rate,
    StatusTerms,
)
from exchange.domain.pacing import Pace
from exchange.domain.pilot import scope_of
from exchange.domain.schedule import US_PER_S, Schedule, either
from exchange.domain.seller import DeclaredSource, Seller
from exchange.domain.vertical import Field, Privacy, Show, Vertical

EVERY_OFFER = "*"
ONLY_RULE = "qualify"
"""The id of a qualification rule that has none of its own."""
STAGE_DECIDES_MS = 120_000
"""An offer's timeout where it names none: the stage's, which is never longer."""
SECONDS_PER_HOUR = 3600
S_PER_DAY = 86_400

Read = Callable[[str], Condition]
"""Compiles a condition for one vertical."""


class Means(NamedTuple):
    """What an offer's calls are made with, beside what stands in the market file."""

    secret: bytes | None
    """Signs them; None: they are not signed."""
    hash_key: bytes
    ping: PingDialect | None = None
    """How its endpoint speaks; None: as the exchange does."""
    post: PostDialect | None = None
    status: StatusDialect | None = None


def vertical_of(part: VerticalPart) -> Vertical:
    """Return a vertical's compiled schema."""
    fields = {name: field_of(name, field) for name, field in part.fields.items()}
    window_s = part.anonymity.window_days * S_PER_DAY if part.anonymity else 0
    return Vertical(part.id, part.name or part.id, fields, window_s)


def field_of(name: str, part: FieldPart) -> Field:
    """Return one field; what a ping shows is decided here, hidden where nothing is said."""
    silent = Show.AS_IS if part.privacy is Privacy.ATTRIBUTE else Show.HIDDEN
    return Field(
        name=name,
        type=part.type,
        privacy=part.privacy,
        show=part.show or silent,
        required_in_ping=part.ping is Required.REQUIRED,
        required_in_post=part.post is Required.REQUIRED,
        values=part.values,
        aliases={spelling.lower(): value for spelling, value in part.aliases.items()},
        minimum=part.min,
        maximum=part.max,
        length_max=part.length_max,
        pattern=part.pattern,
    )


def seller_of(part: SellerPart, secret: bytes | None = None) -> Seller:
    """Return a seller with its declared sources; `secret` signs what it is told."""
    sources = {
        source.id: DeclaredSource(
            id=source.id,
            channel=source.channel,
            cost=from_decimal(source.cost),
            floor=from_decimal(source.floor),
            paused=source.paused,
            caps=volume_of(source.caps, f"source/{part.id}:{source.id}"),
        )
        for source in part.source
    }
    pilot = pilot_of(part.pilot, part.id)
    return Seller(
        id=part.id,
        name=part.name or part.id,
        sources=sources,
        undeclared_sources=part.undeclared_sources,
        always_200=part.always_200,
        webhook=webhook_of(part.webhook, secret),
        paused=part.paused,
        zone=ZoneInfo(part.time_zone),
        caps=(*volume_of(part.caps, f"seller/{part.id}"), *pilot),
        pilot=pilot,
        is_limited=bool(part.caps or pilot) or any(source.caps for source in part.source),
    )


def volume_of(parts: Iterable[VolumeCapPart], scope: str) -> tuple[Cap, ...]:
    """Return the limits of what a seller or a source brings."""
    return tuple(
        Cap(scope, CapKind.PINGS, part.pings, part.per)
        if part.pings is not None
        else Cap(scope, CapKind.LEADS, part.leads or 0, part.per)
        for part in parts
    )


def webhook_of(part: WebhookPart | None, secret: bytes | None) -> Webhook | None:
    """Return where a seller is told of its leads, and of what."""
    return None if part is None else Webhook(part.url, frozenset(part.events), secret)


def buyer_of(part: BuyerPart) -> Buyer:
    """Return a buyer without its offers."""
    hours = part.duplicates.window_hours if part.duplicates else 0
    pilot = pilot_of(part.pilot, part.id)
    return Buyer(
        id=part.id,
        name=part.name or part.id,
        zone=ZoneInfo(part.time_zone),
        currency=part.currency,
        billing=billing_of(part.billing),
        caps=(*caps_of(part.caps, f"buyer/{part.id}", hours_of(part, part.offer)), *pilot),
        pilot=pilot,
        accounts={
            account.id: caps_of(
                account.caps,
                account_scope(part.id, account.id),
                hours_of(part, [one for one in part.offer if one.account == account.id]),
            )
            for account in part.account
        },
        duplicate_window_s=hours * SECONDS_PER_HOUR,
        paused=part.paused,
        own=part.own,
    )


def pilot_of(part: PilotPart | SellerPilotPart | None, name: str) -> tuple[Cap, ...]:
    """Return the limits of a pilot, which never begin anew."""
    if part is None:
        return ()
    scope, found = scope_of(name), []
    if part.leads is not None:
        found.append(Cap(scope, CapKind.LEADS, part.leads, Per.TOTAL))
    if isinstance(part, PilotPart) and part.spend is not None:
        found.append(Cap(scope, CapKind.SPEND, from_decimal(part.spend), Per.TOTAL))
    return tuple(found)


def billing_of(part: BillingPart | None) -> Billing:
    """Return how far an account may go: open where nothing is said."""
    if part is None:
        return Billing(BillingMode.OPEN)
    return Billing(BillingMode(part.mode), money_of(part.limit))


def hours_of(buyer: BuyerPart, offers: Iterable[OfferPart]) -> Schedule | None:
    """Return the hours in which any of these offers is open; None where one always is."""
    zone = ZoneInfo(buyer.time_zone)
    weeks = (None if one.hours is None else Schedule(zone, week_of(one.hours)) for one in offers)
    return either(weeks, zone)


def caps_of(parts: Iterable[CapPart], scope: str, hours: Schedule | None) -> tuple[Cap, ...]:
    """Return limits with whose they are; those that are paced are spread over these hours."""
    return tuple(cap_of(part, scope, hours) for part in parts)


def cap_of(part: CapPart, scope: str, hours: Schedule | None) -> Cap:
    """Return one limit: a number of leads or of sales under way, or micros."""
    pace = Pace(hours) if part.pace else None
    if part.spend is not None:
        return Cap(scope, CapKind.SPEND, from_decimal(part.spend), part.per, pace)
    if part.leads is not None:
        return Cap(scope, CapKind.LEADS, part.leads, part.per, pace)
    assert part.concurrent is not None, "a checked cap names one limit"
    return Cap(scope, CapKind.CONCURRENT, part.concurrent, None)


def offer_of(
    part: OfferPart,
    buyer: Buyer,
    vertical: Vertical,
    read: Read,
    means: Means,
) -> Offer:
    """Return an offer with its conditions compiled and its buyer's limits after its own."""
    prices = [PriceRule(read(rule.when), from_decimal(rule.price)) for rule in part.prices]
    if part.price is not None:
        prices.append(PriceRule(None, from_decimal(part.price)))
    schedule = None if part.hours is None else Schedule(buyer.zone, week_of(part.hours))
    own = caps_of(part.caps, f"offer/{part.id}", schedule)
    return Offer(
        id=part.id,
        buyer=buyer,
        vertical_id=part.vertical,
        where=None if part.where is None else read(part.where),
        account=part.account,
        caps=(*own, *account_caps(part, buyer), *buyer.caps),
        schedule=schedule,
        prices=tuple(prices),
        floor=from_decimal(part.floor),
        buy_now=None if part.buy_now is None else from_decimal(part.buy_now),
        fit=fit_of(part, vertical, read),
        priority=part.priority,
        weight=part.weight,
        ping=ping_of(part, means.ping),
        post=post_of(part, means.post, means.status),
        hash_kind=part.hash,
        hidden=hidden_of(part, vertical),
        on_lower_price=part.on_lower_price,
        exclusive_price=None
        if part.exclusive_price is None
        else from_decimal(part.exclusive_price),
        take_down_to=part.take_down_to,
        notices=notices_of(part),
        share_with_max=part.share_with_max,
        not_with=frozenset(part.not_with),
        in_flight_max=part.in_flight_max,
        test=part.test,
        paused=part.paused,
        secret=means.secret,
        hash_key=means.hash_key,
    )


def account_caps(part: OfferPart, buyer: Buyer) -> tuple[Cap, ...]:
    """Return the limits of the account that an offer belongs to, if it does to one."""
    return () if part.account is None else buyer.accounts[part.account]


def fit_of(part: OfferPart, vertical: Vertical, read: Read) -> tuple[Points, ...] | Formula:
    """Return how well a lead fits an offer: nothing where nothing is said."""
    if isinstance(part.fit, str):
        return compile_formula(part.fit, names_of(vertical))
    return tuple([Points(read(rule.when), rule.points) for rule in part.fit])


def notices_of(part: OfferPart) -> NoticeTerms | None:
    """Return what an offer is told of its bids, and where."""
    told = part.notices
    return None if told is None else NoticeTerms(told.url, frozenset(told.events))


def hidden_of(part: OfferPart, vertical: Vertical) -> frozenset[str]:
    """Return the names that an offer's pings do not show."""
    return shown_names(vertical, frozenset(part.hide))


def halves_of(part: OfferPart) -> dict[str, str]:
    """Return the format of an offer's ping and of its post: `standard`, or a mapping's id."""
    if isinstance(part.format, str):
        return {"ping": part.format, "post": part.format}
    return {"ping": part.format.ping, "post": part.format.post}


def params_of(mapping: MappingPart, part: OfferPart) -> dict[str, Scalar]:
    """Return a mapping's params as they are for leads of an offer's vertical."""
    own = mapping.vertical.get(part.vertical)
    return {**mapping.params, **(own.params if own else {})}


def own_params(mapping: MappingPart, part: OfferPart) -> dict[str, Scalar]:
    """Return what an offer says of a mapping's params; its other half may have others."""
    held = params_of(mapping, part)
    return {name: value for name, value in part.params.items() if name in held}


def ping_of(part: OfferPart, dialect: PingDialect | None = None) -> PingTerms | None:
    """Return where an offer is asked, or None where it competes unasked."""
    if part.ping is None:
        return None
    timeout_ms = part.ping.timeout_ms or STAGE_DECIDES_MS
    max_bid, rate = from_decimal(part.ping.max_bid), rate_of(part.ping.rate)
    return PingTerms(part.ping.url, timeout_ms, max_bid, dialect, rate)


def rate_of(part: RatePart | None) -> Rate | None:
    """Return how often an offer may be pinged."""
    if part is None:
        return None
    if part.per_second is not None:
        return Rate(part.per_second, US_PER_S)
    assert part.per_minute is not None, "a checked rate names one of the two"
    return Rate(part.per_minute, 60 * US_PER_S)


def post_of(
    part: OfferPart, dialect: PostDialect | None = None, asked: StatusDialect | None = None
) -> PostTerms | None:
    """Return where a won lead goes, or None where its buyer fetches it."""
    if part.post is None:
        return None
    post = part.post
    no_answer = post.on_no_answer or OnNoAnswer.WAIT
    status = None
    if post.status is not None:
        status = StatusTerms(post.status.url, post.status.timeout_ms, asked)
    return PostTerms(post.url, post.timeout_ms, no_answer, post.in_doubt_max_s, dialect, status)


def campaign_of(
    part: CampaignPart,
    offers: Mapping[str, Offer],
    read: Read,
    vertical: Vertical,
    margins: OfferMargins,
) -> Campaign:
    """Return a campaign with its stages resolved against all offers, in their order."""
    everyone = [offer for offer in offers.values() if offer.vertical_id == part.vertical]
    stages = part.stage or (StagePart(method=Method.AUCTION),)
    return Campaign(
        id=part.id,
        vertical_id=part.vertical,
        currency=part.currency,
        sellers={
            terms.seller_id: terms
            for terms in (terms_of(part, seller, margins) for seller in part.sellers)
        },
        floor=from_decimal(part.floor),
        floors=floors_of(part, vertical),
        stages=tuple(
            stage_of(number, stage, part, everyone, read) for number, stage in enumerate(stages, 1)
        ),
        auction_deadline_ms=part.auction_deadline_ms,
        answer_deadline_ms=part.answer_deadline_ms,
        quote_ttl_s=part.quote_ttl_s,
        hold_quotes=part.hold_quotes,
        qualify=tuple((rule, read(text)) for rule, text in rules_of(part).items()),
        min_score=part.min_score,
        location=part.location,
        duplicates=duplicates_of(part.duplicates),
        disclose_buyer=part.disclose_buyer,
        reject_disposable_email=part.reject_disposable_email,
        expecting=expecting_of(part),
        learn_floor=learn_floor_of(part),
        paused=part.paused,
    )


def rules_of(part: CampaignPart) -> Mapping[str, str]:
    """Return the qualification rules by the id with which they reject."""
    if isinstance(part.qualify, str):
        return {ONLY_RULE: part.qualify}
    return part.qualify


def stage_of(
    number: int, part: StagePart, campaign: CampaignPart, everyone: Iterable[Offer], read: Read
) -> Stage:
    """Return one step of a routing plan, its silent keys filled from its campaign."""
    floor = campaign.floor if part.floor is None else part.floor
    team = part.method is Method.OWN_TEAM
    all_of_it = tuple(offer.id for offer in everyone if offer.buyer.own or not team)
    return Stage(
        number=number,
        method=part.method,
        offer_ids=all_of_it if part.offers == (EVERY_OFFER,) else part.offers,
        timeout_ms=part.timeout_ms or campaign.auction_deadline_ms,
        floor=from_decimal(floor),
        rank_by=ranked_by(part, campaign),
        max_buyers=part.max_buyers,
        by_rules=part.floor is None and campaign.floors is not None,
        price_rule=part.price_rule,
        when=None if part.when is None else read(part.when),
        weights=part.weights,
        buy_now=None if part.buy_now is None else from_decimal(part.buy_now),
        early_close=part.early_close,
    )


def plans_of(
    version: int,
    campaigns: Iterable[Campaign],
    offers: Mapping[str, Offer],
    verticals: Mapping[str, Vertical],
) -> dict[str, Plan]:
    """Return every campaign's prepared plan; stages with the same offers share their lineup."""
    made: dict[tuple[str, ...], Lineup] = {}
    remembers = any(offer.buyer.duplicate_window_s for offer in offers.values())

    def lineup_of(campaign: Campaign, stage: Stage) -> Lineup:
        if stage.offer_ids not in made:
            present = [offers[name] for name in stage.offer_ids if name in offers]
            made[stage.offer_ids] = Lineup(present, identity_of(verticals[campaign.vertical_id]))
        return made[stage.offer_ids]

    return {
        campaign.id: plan_of(
            version,
            [lineup_of(campaign, stage) for stage in campaign.stages],
            remembers=remembers,
        )
        for campaign in campaigns
    }


def identity_of(vertical: Vertical) -> frozenset[str]:
    """Return the fields that name somebody."""
    fields = vertical.fields.values()
    return frozenset(field.name for field in fields if field.privacy is Privacy.IDENTITY)


def duplicates_of(part: DuplicatesPart | None) -> DuplicateRule | None:
    """Return when a lead repeats an earlier one."""
    if part is None:
        return None
    return DuplicateRule(
        part.window_hours * SECONDS_PER_HOUR, part.on, part.match, part.against, part.scope
    )


def money_of(amount: Decimal | None) -> Micros:
    """Return the amount in micros; nothing is nothing."""
    return Micros(0) if amount is None else from_decimal(amount)
