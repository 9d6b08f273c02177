"""Ready test leads: what to send, and what becomes of it under the present market."""

from collections.abc import Callable, Iterator

import msgspec

from exchange.contract.seller import FieldError
from exchange.domain import scoring
from exchange.domain.campaign import Against, Campaign, LocationCheck
from exchange.domain.offer import Offer
from exchange.domain.qualification import judge
from exchange.domain.reason import Reason
from exchange.domain.seller import Seller, UndeclaredSources
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.domain.vertical import FieldType, Vertical
from exchange.intake.arrival import Refused
from exchange.intake.schema import Schema
from exchange.web.specs.fields import in_post
from exchange.web.specs.leads import Body, barest, request_of, whole

Accept = Callable[[Body], Submission | Refused]
"""Reads a request as intake does, of this seller and at this moment."""

ELSEWHERE = "NY"
"""A state in which the invented ZIP code does not lie."""
NO_SOURCE = "no-such-source"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a test lead."""

    http: int
    status: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


class ReadyLead(msgspec.Struct, frozen=True, kw_only=True):
    """One lead to try out."""

    id: str
    about: str
    body: Body
    twice: bool
    """Sent twice, under two idempotency keys: the second answer is the expected one."""
    expected: Expected


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A lead before anybody has looked what becomes of it."""

    id: str
    about: str
    body: Body
    twice: bool = False


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Under which market leads are tried."""

    campaign: Campaign
    seller: Seller
    accept: Accept
    test_offers: tuple[Offer, ...]
    """The offers to which a test lead can go."""


def ready_leads(vertical: Vertical, trial: Trial) -> tuple[ReadyLead, ...]:
    """Return leads to try out, with what becomes of each."""
    return tuple(
        ReadyLead(
            id=case.id,
            about=case.about,
            body=case.body,
            twice=case.twice,
            expected=expected(case, trial),
        )
        for case in cases(vertical, trial.campaign, trial.seller)
    )


def cases(vertical: Vertical, campaign: Campaign, seller: Seller) -> Iterator[Case]:
    """Yield what is worth trying in this campaign."""
    source = first_source(seller)
    full = whole(vertical, 1).lead
    yield Case(id="whole", about="Every field", body=request_of(full, campaign, source))
    bare = barest(vertical, campaign, 2).lead
    yield Case(
        id="barest", about="What is needed and no more", body=request_of(bare, campaign, source)
    )
    needed = {field.name for field in vertical.fields.values() if in_post(field)}
    lacking = {name: value for name, value in bare.items() if name not in needed}
    if needed:
        yield Case(
            id="missing",
            about="Nothing of what is needed",
            body=request_of(lacking, campaign, source),
        )
    wrong = {field.name: WRONG[field.type] for field in vertical.fields.values()}
    yield Case(
        id="wrong",
        about="No value is one",
        body=request_of({**full, **wrong}, campaign, source),
    )
    if campaign.duplicates is not None:
        again = whole(vertical, 3).lead
        yield Case(
            id="duplicate",
            about="The same person twice",
            body=request_of(again, campaign, source),
            twice=True,
        )
    schema = Schema(vertical, ())
    if schema.state and schema.zip and campaign.location is LocationCheck.REJECT:
        away = {**whole(vertical, 4).lead, schema.state: ELSEWHERE}
        yield Case(
            id="elsewhere",
            about="A ZIP code of another state",
            body=request_of(away, campaign, source),
        )
    if seller.undeclared_sources is UndeclaredSources.REFUSE:
        yield Case(
            id="source",
            about="A source that is not declared",
            body=request_of(whole(vertical, 5).lead, campaign, NO_SOURCE),
        )


WRONG: dict[FieldType, object] = {
    FieldType.NAME: "123",
    FieldType.PHONE: "123",
    FieldType.EMAIL: "nobody",
    FieldType.TEXT: ["a list"],
    FieldType.ADDRESS: ["a list"],
    FieldType.CITY: "123",
    FieldType.US_ZIP: "00000",
    FieldType.US_STATE: "ZZ",
    FieldType.DATE: "2/30/1991",
    FieldType.BOOL: "perhaps",
    FieldType.CHOICE: "none of these values",
    FieldType.INT: "many",
    FieldType.DECIMAL: "much",
    FieldType.URL: "not an address",
    FieldType.IP: "999.1.1.1",
}
"""A value that no field of this type may have."""


def expected(case: Case, trial: Trial) -> Expected:
    """Return what becomes of a lead: the same functions look at it that look at a real one."""
    read = trial.accept(case.body)
    if isinstance(read, Refused):
        return Expected(http=422, errors=read.errors)
    verdict = judge(read, trial.campaign, trial.seller)
    if verdict is not None:
        return ended(LeadStatus.REJECTED, *verdict)
    score = scoring.score(read)
    sells = any(wants(offer, scoring.scored(read, score)) for offer in trial.test_offers)
    if case.twice and repeats(trial.campaign, sold=sells):
        return ended(LeadStatus.DUPLICATE, Reason.DUPLICATE)
    low = scoring.too_low(score, trial.campaign)
    if low is not None:
        return ended(LeadStatus.REJECTED, *low)
    if sells:
        return Expected(http=200, status=LeadStatus.SOLD.value)
    return ended(LeadStatus.UNSOLD, Reason.NO_ELIGIBLE_OFFER)


def ended(status: LeadStatus, reason: Reason, detail: str | None = None) -> Expected:
    """Return an answer that is no sale."""
    return Expected(http=200, status=status.value, reason=reason, detail=detail)


def wants(offer: Offer, submission: Submission) -> bool:
    """Tell whether an offer's filter lets a lead pass; what it bids is its own affair."""
    return offer.where is None or offer.where.holds(submission.facts())


def repeats(campaign: Campaign, *, sold: bool) -> bool:
    """Tell whether the second of two equal leads is a duplicate."""
    rule = campaign.duplicates
    return rule is not None and (sold or rule.against is Against.ALL)


def first_source(seller: Seller) -> str | None:
    """Return a source of this seller that is not paused, if it has declared one."""
    return next((one.id for one in seller.sources.values() if not one.paused), None)
