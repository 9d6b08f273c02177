"""All that a seller may be answered, each with an example as it is really encoded."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from exchange.contract.seller import (
    LeadAnswer,
    Leg,
    Original,
    QuoteAnswer,
    ReasonOut,
    SaleOut,
)
from exchange.domain.campaign import Campaign, LocationCheck
from exchange.domain.reason import Reason
from exchange.domain.seller import Seller, UndeclaredSources
from exchange.domain.states import LeadStatus
from exchange.web.answers import encode
from exchange.web.problems import Kind

LEAD_ID = "019a0000-0000-7000-8000-00000000beef"
SALE_ID = "019a0000-0000-7000-8000-0000000051ed"
FIRST_ID = "019a0000-0000-7000-8000-0000000f1257"
PRICE = Decimal("11.05")
BUYER = "The buyer's public name"


class AnswerSpec(msgspec.Struct, frozen=True):
    """One `status` of a lead or ping."""

    status: str
    meaning: str
    do: str
    example: bytes
    """As JSON."""


class ReasonSpec(msgspec.Struct, frozen=True):
    """One reason that this campaign may give."""

    code: int
    word: str
    status: str
    meaning: str


class ErrorSpec(msgspec.Struct, frozen=True):
    """One HTTP error: when it comes and what to do."""

    http: int
    type: str
    title: str
    do: str


def answers_to_posts(campaign: Campaign) -> tuple[AnswerSpec, ...]:
    """Return every status of a post."""
    return tuple(
        AnswerSpec(status.value, meaning, do, encode(lead_answer(status, campaign)))
        for status, meaning, do in POSTED
        if status is not LeadStatus.DUPLICATE or campaign.duplicates is not None
    )


def answers_to_pings(campaign: Campaign) -> tuple[AnswerSpec, ...]:
    """Return every status of a ping."""
    return tuple(
        AnswerSpec(status.value, meaning, do, encode(quote_answer(status, campaign)))
        for status, meaning, do in PINGED
        if status is not LeadStatus.DUPLICATE or campaign.duplicates is not None
    )


POSTED = (
    (
        LeadStatus.SOLD,
        "`price` is what you are paid, in total.",
        "Send the person to `redirect_url` where a sale has one.",
    ),
    (LeadStatus.UNSOLD, "Nobody took it; `reason` says why.", "It is yours again."),
    (
        LeadStatus.PENDING,
        "A buyer may have it and has not said so yet.",
        "Do not sell it elsewhere; ask `GET /v1/leads/{lead_id}?wait_s=25` until it has an end.",
    ),
    (
        LeadStatus.DUPLICATE,
        "The same person came before; if it came from you, `original` is your first lead.",
        "Nothing: it is not sold twice.",
    ),
    (LeadStatus.REJECTED, "It does not qualify; `reason` says why.", "Do not send it again."),
)
PINGED = (
    (
        LeadStatus.QUOTED,
        "`price` is what you are paid if you post by `expires_at`.",
        "Post it to `/v1/pings/{ping_id}/post`, or let it lapse.",
    ),
    (LeadStatus.UNSOLD, "Nobody would take it; `reason` says why.", "It stays yours."),
    (LeadStatus.DUPLICATE, "The same person came before.", "It would not be sold."),
    (LeadStatus.REJECTED, "It does not qualify; `reason` says why.", "Do not post it."),
)
WHY = {
    LeadStatus.UNSOLD: Reason.NO_BID_ABOVE_FLOOR,
    LeadStatus.PENDING: Reason.IN_DOUBT,
    LeadStatus.DUPLICATE: Reason.DUPLICATE,
    LeadStatus.REJECTED: Reason.PAUSED_SOURCE,
}


def lead_answer(status: LeadStatus, campaign: Campaign) -> LeadAnswer:
    """Return an example of an answer to a post."""
    sold = status is LeadStatus.SOLD
    buyer = BUYER if campaign.disclose_buyer else None
    return LeadAnswer(
        lead_id=LEAD_ID,
        status=status.value,
        price=PRICE if sold else None,
        currency=campaign.currency,
        sales=(SaleOut(SALE_ID, PRICE, buyer),) if sold else (),
        reason=None if sold else ReasonOut.of(WHY[status]),
        score=71 if status in {LeadStatus.SOLD, LeadStatus.UNSOLD, LeadStatus.PENDING} else None,
        duration_ms=143.2,
        original=(
            Original(FIRST_ID, LeadStatus.SOLD.value, PRICE, None)
            if status is LeadStatus.DUPLICATE
            else msgspec.UNSET
        ),
    )


def quote_answer(status: LeadStatus, campaign: Campaign) -> QuoteAnswer:
    """Return an example of an answer to a ping."""
    quoted = status is LeadStatus.QUOTED
    legs: tuple[Leg, ...] = ()
    return QuoteAnswer(
        ping_id="q1.3vGmA…" if quoted else None,
        status=status.value,
        price=PRICE if quoted else None,
        currency=campaign.currency,
        expires_at="2026-11-18T11:05:00.000000Z" if quoted else None,
        legs=legs,
        reason=None if quoted else ReasonOut.of(WHY[status]),
    )


def reasons_of(campaign: Campaign, seller: Seller) -> tuple[ReasonSpec, ...]:
    """Return the reasons that this campaign may give this seller, by code."""
    found = (
        ReasonSpec(reason.value, reason.word, status.value, meaning)
        for reason, status, meaning in given(campaign, seller)
    )
    return tuple(sorted(found, key=lambda one: one.code))


def given(campaign: Campaign, seller: Seller) -> Iterator[tuple[Reason, LeadStatus, str]]:
    """Yield each reason, the status that it stands beside, and what it means."""
    yield from ALWAYS
    if campaign.duplicates is not None:
        yield Reason.DUPLICATE, LeadStatus.DUPLICATE, "the same person came before"
    if seller.undeclared_sources is UndeclaredSources.REFUSE:
        yield Reason.UNKNOWN_SOURCE, LeadStatus.REJECTED, "`source` is not one of yours"
    if campaign.location is LocationCheck.REJECT:
        yield (
            Reason.LOCATION_MISMATCH,
            LeadStatus.REJECTED,
            "the ZIP code lies in another state than the lead says",
        )
    if campaign.qualify:
        yield (
            Reason.NOT_QUALIFIED,
            LeadStatus.REJECTED,
            "a rule of the campaign does not hold; `detail` is the rule",
        )
    if campaign.min_score:
        yield Reason.LOW_SCORE, LeadStatus.REJECTED, "it scores too low"
    if campaign.reject_disposable_email:
        yield (
            Reason.INVALID_FIELD,
            LeadStatus.REJECTED,
            "`disposable_email`: the address is of a throw-away service",
        )


ALWAYS = (
    (Reason.PAUSED_SOURCE, LeadStatus.REJECTED, "source, seller or campaign is paused"),
    (Reason.NO_ELIGIBLE_OFFER, LeadStatus.UNSOLD, "nobody buys such leads at the moment"),
    (
        Reason.NO_BID_ABOVE_FLOOR,
        LeadStatus.UNSOLD,
        "nobody offered enough: the campaign's least price, or your `min_price`",
    ),
    (Reason.ALL_REFUSED, LeadStatus.UNSOLD, "every buyer who was offered it refused"),
    (Reason.DEADLINE, LeadStatus.UNSOLD, "time was up before anyone had taken it"),
    (
        Reason.QUOTE_PROMISE,
        LeadStatus.UNSOLD,
        "nobody would pay what was quoted any more, or the plan was changed since the ping",
    ),
    (
        Reason.INVALID_FIELD,
        LeadStatus.UNSOLD,
        "of a ping: what has to be kept of it is too long for a quote; post it directly",
    ),
    (Reason.IN_DOUBT, LeadStatus.PENDING, "a buyer has not said yet whether it took the lead"),
    (Reason.VOID, LeadStatus.UNSOLD, "a buyer never said whether it took the lead"),
)

DO: dict[Kind, str] = {
    Kind.UNREADABLE: "Mend the body: it is not what its content type says.",
    Kind.UNKNOWN_KEY: "Send your key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
    Kind.FORBIDDEN: "Use the key of your seller's account.",
    Kind.NOT_FOUND: "Check the `ping_id`: it is none of yours.",
    Kind.SLOW: "Send it again with the same `Idempotency-Key`.",
    Kind.CONFLICT: "The quote was posted already; ask for the lead, or ping anew.",
    Kind.UNDER_WAY: "Come again after `Retry-After` with the same `Idempotency-Key`.",
    Kind.EXPIRED: "Ping again.",
    Kind.TOO_LARGE: "Send less.",
    Kind.MEDIA_TYPE: "Send JSON, XML or a form, in UTF-8.",
    Kind.FIELDS: "Correct the fields in `errors`; all of them are listed. It is no lead yet.",
    Kind.KEY_REUSED: "Take another `Idempotency-Key` for another lead.",
    Kind.TOO_MANY: "Come again after `Retry-After`.",
    Kind.INTERNAL: "Tell us the id in `detail`; repeat with the same `Idempotency-Key`.",
    Kind.UNAVAILABLE: "Come again after `Retry-After` with the same `Idempotency-Key`.",
    Kind.OVERLOADED: "Come again after `Retry-After`.",
    Kind.CLOSING: "Come again at once, on a new connection.",
}
"""What a seller does about each error that a ping or a post may meet."""


def errors_of_requests() -> tuple[ErrorSpec, ...]:
    """Return every HTTP error of a ping or post, by status."""
    listed = sorted(DO, key=lambda kind: kind.status)
    return tuple(
        ErrorSpec(kind.status, f"/problems/{kind.word}", kind.title, DO[kind]) for kind in listed
    )
