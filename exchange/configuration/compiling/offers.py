"""An offer with its conditions compiled and its buyer's limits after its own."""

from typing import NamedTuple

from exchange.configuration.compiling.conditions import Read
from exchange.configuration.compiling.limits import caps_of, pilot_of, rate_of
from exchange.configuration.hours import week_of
from exchange.contract.market.offers import OfferPart
from exchange.domain.anonymize import shown_names
from exchange.domain.condition_names import names_of
from exchange.domain.dialect import PingDialect, PostDialect, StatusDialect
from exchange.domain.formula import Formula, compile_formula
from exchange.domain.message import NoticeTerms
from exchange.domain.money import from_decimal
from exchange.domain.offer import (
    Buyer,
    Cap,
    Offer,
    OnNoAnswer,
    PingTerms,
    Points,
    PostTerms,
    PriceRule,
    StatusTerms,
)
from exchange.domain.pilot import scope_of_offer
from exchange.domain.schedule import Schedule
from exchange.domain.vertical import Vertical

STAGE_DECIDES_MS = 120_000
"""An offer's timeout where it names none: the stage's, which is never longer."""


class Means(NamedTuple):
    """What an offer's calls are made with, beside what stands in the market file."""

    secret: bytes | None
    """Signs them; None: they are not signed."""
    hash_key: bytes
    ping: PingDialect | None = None
    """How its endpoint speaks; None: as the exchange does."""
    post: PostDialect | None = None
    status: StatusDialect | None = None


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
    pilot = pilot_of(part.pilot, scope_of_offer(part.id))
    own = *caps_of(part.caps, f"offer/{part.id}", schedule), *pilot
    return Offer(
        id=part.id,
        buyer=buyer,
        vertical_id=part.vertical,
        where=None if part.where is None else read(part.where),
        account=part.account,
        caps=(*own, *account_caps(part, buyer), *buyer.caps),
        pilot=pilot,
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


def ping_of(part: OfferPart, dialect: PingDialect | None = None) -> PingTerms | None:
    """Return where an offer is asked, or None where it competes unasked."""
    if part.ping is None:
        return None
    timeout_ms = part.ping.timeout_ms or STAGE_DECIDES_MS
    max_bid, rate = from_decimal(part.ping.max_bid), rate_of(part.ping.rate)
    return PingTerms(part.ping.url, timeout_ms, max_bid, dialect, rate)


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
