"""What one seller may send into one campaign, whole: the page and the schema are made of it."""

from typing import ClassVar

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.offer import Offer
from exchange.domain.sandbox import OUTCOMES, PREFIX, Outcome
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.vertical import Vertical
from exchange.web.answers import encode
from exchange.web.requests import CONSENT, LEAD_REQUEST, Schema
from exchange.web.specs.answers import (
    AnswerSpec,
    ErrorSpec,
    ReasonSpec,
    answers_to_pings,
    answers_to_posts,
    errors_of_requests,
    reasons_of,
)
from exchange.web.specs.examples import InLanguage, by_language, programs_of, setting_of
from exchange.web.specs.fields import FieldSpec, digest_names, field_specs
from exchange.web.specs.leads import Body, example, request_of
from exchange.web.specs.ready_leads import (
    Accept,
    ReadyLead,
    Trial,
    first_source,
    ready_leads,
)
from exchange.web.specs.schema import json_schema
from exchange.web.specs.terms import RuleSpec, SourceSpec, rules_of, sentences, sources_of


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which spec, as it is to look from outside."""

    campaign: Campaign
    seller: Seller
    base_url: str
    """Where the exchange is reached: `https://exchange.example`, without a slash at its end."""
    token: str | None = None
    """What of a signed link opens this spec; its schema is reached by the same."""
    alone: bool = False
    """It is to stand in a file: nothing can be tried from there."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One field beside the lead."""

    name: str
    type: str
    about: str
    ping: bool
    post: bool
    required: bool = False


class DoorSpec(msgspec.Struct, frozen=True):
    """Another way in, for what this seller sends already."""

    name: str
    urls: tuple[str, ...]


class PostingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a seller must know of a campaign, and nothing of anybody else."""

    template: ClassVar[str] = "posting_spec.html"
    version: int
    """Of the market: a later one may ask for something else."""
    base_url: str
    schema_path: str | None
    alone: bool
    campaign: str
    currency: str
    vertical: str
    seller: str
    seller_id: str
    paused: bool
    can_sell_tests: bool
    """Somebody buys test leads here."""
    sandbox: tuple[Outcome, ...]
    """What a test lead of each ZIP code brings, where the campaign has a sandbox."""
    fields: tuple[FieldSpec, ...]
    digests: tuple[str, ...]
    controls: tuple[Control, ...]
    consent: tuple[Control, ...]
    sources: tuple[SourceSpec, ...]
    terms: tuple[str, ...]
    rules: tuple[RuleSpec, ...]
    buyers: tuple[str, ...]
    """Public names, only where the campaign discloses them."""
    posted: tuple[AnswerSpec, ...]
    pinged: tuple[AnswerSpec, ...]
    reasons: tuple[ReasonSpec, ...]
    errors: tuple[ErrorSpec, ...]
    doors: tuple[DoorSpec, ...]
    programs: tuple[InLanguage, ...]
    ready: tuple[ReadyLead, ...]
    ping: Body
    post: Body


def posting_spec(snapshot: Snapshot, asked: Asked, accept: Accept) -> PostingSpec:
    """Return what this seller must know of this campaign, as the market is now."""
    campaign, seller = asked.campaign, asked.seller
    vertical = snapshot.verticals[campaign.vertical_id]
    source = first_source(seller)
    sample = example(vertical, campaign)
    post = request_of(sample.lead, campaign, source)
    ping = request_of(sample.ping, campaign, source, consent=False)
    offers = offers_for_tests(snapshot, campaign)
    trial = Trial(campaign=campaign, seller=seller, accept=accept, test_offers=offers)
    setting = setting_of(
        asked.base_url, vertical, campaign.id, sample, campaign.answer_deadline_ms, (post, ping)
    )
    return PostingSpec(
        version=snapshot.version,
        base_url=asked.base_url,
        schema_path=schema_path(asked),
        alone=asked.alone,
        campaign=campaign.id,
        currency=campaign.currency,
        vertical=vertical.name,
        seller=seller.name,
        seller_id=seller.id,
        paused=campaign.paused or seller.paused,
        can_sell_tests=bool(offers),
        sandbox=OUTCOMES if any(map(is_of_sandbox, offers)) else (),
        fields=field_specs(vertical),
        digests=tuple(name for _, name, kind in digest_names(vertical) if kind == "sha256"),
        controls=controls(),
        consent=consents(),
        sources=sources_of(seller),
        terms=sentences(campaign, seller),
        rules=rules_of(campaign),
        buyers=disclosed(snapshot, campaign),
        posted=answers_to_posts(campaign),
        pinged=answers_to_pings(campaign),
        reasons=reasons_of(campaign, seller),
        errors=errors_of_requests(),
        doors=doors_of(snapshot, asked),
        programs=by_language(programs_of(setting)),
        ready=ready_leads(vertical, trial),
        ping=ping,
        post=post,
    )


def posting_schema(snapshot: Snapshot, asked: Asked, accept: Accept) -> bytes:
    """Return the same as JSON Schema, with what a schema has no word for under `x-exchange`."""
    spec = posting_spec(snapshot, asked, accept)
    schema = json_schema(vertical_of(snapshot, asked.campaign), asked.campaign, asked.seller)
    return msgspec.json.format(encode({**schema, "x-exchange": beyond(spec)}), indent=1)


def vertical_of(snapshot: Snapshot, campaign: Campaign) -> Vertical:
    """Return what kind of leads a campaign takes."""
    return snapshot.verticals[campaign.vertical_id]


def beyond(spec: PostingSpec) -> dict[str, object]:
    """Return what a program may want to know beyond the requests' own form."""
    return {
        "version": spec.version,
        "campaign": spec.campaign,
        "seller": spec.seller_id,
        "currency": spec.currency,
        "urls": {
            "ping": f"{spec.base_url}/v1/pings",
            "post": f"{spec.base_url}/v1/leads",
            "post_of_quote": f"{spec.base_url}/v1/pings/{{ping_id}}/post",
        },
        "terms": spec.terms,
        "rules": spec.rules,
        "sources": spec.sources,
        "doors": spec.doors,
        "reasons": spec.reasons,
        "errors": spec.errors,
        "examples": {"ping": spec.ping, "post": spec.post},
        "test_leads": spec.ready,
        "sandbox": spec.sandbox,
    }


def offers_for_tests(snapshot: Snapshot, campaign: Campaign) -> tuple[Offer, ...]:
    """Return the offers to which a test lead can go."""
    lineups = snapshot.plan(campaign.id, test=True).lineups
    named = {offer_id for lineup in lineups for offer_id in lineup.offer_ids}
    return tuple(offer for offer in buying(snapshot, campaign, named) if offer.test)


def is_of_sandbox(offer: Offer) -> bool:
    """Tell whether an offer is one of the exchange's own test offers."""
    return offer.id.startswith(PREFIX)


def buying(snapshot: Snapshot, campaign: Campaign, named: set[str]) -> list[Offer]:
    """Return those of these offers that can buy at all."""
    offers = (snapshot.offers[name] for name in sorted(named) if name in snapshot.offers)
    return [
        offer
        for offer in offers
        if not offer.paused and not offer.buyer.paused and offer.buyer.currency == campaign.currency
    ]


def disclosed(snapshot: Snapshot, campaign: Campaign) -> tuple[str, ...]:
    """Return the buyers' public names, none where the campaign does not tell them."""
    if not campaign.disclose_buyer:
        return ()
    named = {offer_id for stage in campaign.stages for offer_id in stage.offer_ids}
    offers = buying(snapshot, campaign, named)
    return tuple(sorted({offer.buyer.name for offer in offers if not offer.test}))


def doors_of(snapshot: Snapshot, asked: Asked) -> tuple[DoorSpec, ...]:
    """Return the doors that are open to this seller, by their addresses."""
    return tuple(
        DoorSpec(
            door.name, tuple(f"{asked.base_url}/doors/{door.id}/{path}" for path in door.paths)
        )
        for door in snapshot.doors.values()
        if door.admits(asked.seller.id) and door.paths
    )


def controls() -> tuple[Control, ...]:
    """Return the fields beside the lead."""
    return tuple(
        Control(
            name=name,
            type=type_of(schema),
            about=str(schema.get("description", ABOUT.get(name, ""))),
            ping=name not in {"ping_id", "legs"},
            post=True,
            required=name in {"campaign", "lead"},
        )
        for name, schema in LEAD_REQUEST.items()
    )


ABOUT = {
    "consent": "To what the person agreed, and the proof of it; see below.",
    "tracking": "Marks of your own, such as `sub1`, `utm_source`, `click_id`; for reports.",
    "exclude_buyers": "Ids of buyers who must not get it.",
    "legs": "Which parts of the quote are posted; all where it is not said.",
}


def consents() -> tuple[Control, ...]:
    """Return the fields of a consent, as far as a ping may show them marked so."""
    return tuple(
        Control(
            name=f"consent.{name}",
            type=type_of(schema),
            about=str(schema.get("description", CONSENTED.get(name, ""))),
            ping=name in {"tcpa", "jornaya_id"},
            post=True,
        )
        for name, schema in CONSENT.items()
    )


CONSENTED = {
    "tcpa": "Whether the person agreed to be called.",
    "ip": "From which address.",
    "trustedform_url": "The certificate, for the winner alone; a ping shows only the ping URL,"
    " which may stand here, too, or as `trustedform_ping_url`.",
    "jornaya_id": "The LeadiD.",
    "named_buyers": "The companies to whom the person agreed, by name.",
}

TYPE_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list of texts",
    "object": "object",
}


def type_of(schema: Schema) -> str:
    """Return a control field's type in words."""
    kinds = schema.get("type", "object")
    first = kinds if isinstance(kinds, str) else kinds[0]
    return TYPE_NAMES[first]


def schema_path(asked: Asked) -> str | None:
    """Return where the schema of the same spec is found, opened by the same link."""
    if asked.alone:
        return None
    path = f"/v1/campaigns/{asked.campaign.id}/spec.json"
    return path if asked.token is None else f"{path}?t={asked.token}"
