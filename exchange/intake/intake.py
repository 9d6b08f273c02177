"""Every door's request becomes one submission, or all of its errors at once."""

from collections.abc import Container, Mapping

import msgspec
from disposable_email_domains import blocklist

from exchange.domain.campaign import Campaign
from exchange.domain.lead import Fingerprint, Lead, Source, Value
from exchange.domain.money import ZERO
from exchange.domain.person import Person
from exchange.domain.quote import Quote, merge
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical
from exchange.intake.arrival import (
    CONTRADICTS,
    Arrival,
    Refused,
    check_legs,
    inherit_consent,
    inherit_controls,
)
from exchange.intake.beyond import read_extra, read_tracking
from exchange.intake.consent import ConsentRead, read_consent
from exchange.intake.controls import Controls, read_controls
from exchange.intake.derived import Derived, derive, origin
from exchange.intake.email import domain_of
from exchange.intake.errors import Bad, Code, Errors, wrong_type
from exchange.intake.forms import CONTROLS, GROUPS
from exchange.intake.geography import Geography
from exchange.intake.parsing import parse
from exchange.intake.readers import absent
from exchange.intake.recognition import MD5_WARNING, Recognition, recognize
from exchange.intake.request import Parsed, Request, Unparsable
from exchange.intake.schema import REQUIRED, Schema

US_PER_MS = 1000
DISPOSABLE_DOMAINS = frozenset(blocklist)
UNNAMED_SOURCE = "unnamed"
"""Under which leads stand in reports whose seller named no source."""

TOP_LEVEL = CONTROLS | GROUPS
BESIDE = Bad(Code.REQUIRED, "is required inside `lead`; here it stands beside it")
CAMPAIGNS_TOLD = 10


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One request, read: good in every part if nothing was written to `errors`."""

    lead: dict[str, object]
    """As it came."""
    controls: Controls
    campaign: Campaign
    schema: Schema
    values: dict[str, Value]
    recognition: Recognition
    consent: ConsentRead
    tracking: dict[str, str]
    derived: Derived


class Intake:
    """Reads requests; knows the geography, and the domains of addresses that are thrown away."""

    def __init__(
        self, geography: Geography, disposable_domains: Container[str] = DISPOSABLE_DOMAINS
    ) -> None:
        self._geography = geography
        self._disposable = disposable_domains
        self._schemas: dict[str, Schema] = {}

    def parse(self, body: bytes, content_type: str) -> Parsed | Unparsable:
        """Return the request in a body, or the status and sentence to answer with."""
        return parse(body, content_type)

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Refused:
        """Return the request normalized, or everything that is wrong with it.

        Nothing is decided here: whether the lead qualifies, repeats another one or is worth
        anything is for the domain to say.
        """
        errors = Errors()
        seller = snapshot.sellers[arrival.seller_id]
        controls = read_controls(request.fields, errors)
        check_legs(controls, arrival.quote, errors)
        if arrival.quote is not None:
            controls = inherit_controls(controls, arrival.quote, errors)
        campaign = campaign_of(controls, seller, snapshot, errors)
        if campaign is None:
            # Without its vertical the lead cannot be judged; what all verticals have alike can.
            object_of(request.fields.get("lead"), errors)
            read_consent(request.fields.get("consent"), errors)
            read_tracking(request.fields.get("tracking"), errors)
            return Refused(tuple(errors.found))
        vertical = snapshot.verticals[campaign.vertical_id]
        reading = self.read(request.fields, controls, campaign, vertical, arrival, errors)
        if errors.found:
            return Refused(tuple(errors.found), campaign.id)
        return self.submission(request, reading, arrival, snapshot)

    def schema(self, vertical: Vertical) -> Schema:
        """Return how this vertical's leads are read, made ready once for each version of it."""
        schema = self._schemas.get(vertical.id)
        if schema is None or schema.vertical is not vertical:
            schema = self._schemas[vertical.id] = Schema(vertical, self._geography)
        return schema

    def read(
        self,
        fields: Mapping[str, object],
        controls: Controls,
        campaign: Campaign,
        vertical: Vertical,
        arrival: Arrival,
        errors: Errors,
    ) -> Reading:
        """Return what the request says; what is wrong with it goes to `errors`."""
        schema = self.schema(vertical)
        lead = object_of(fields.get("lead"), errors)
        values = schema.read(lead, errors)
        recognition = recognize(schema, values, lead, errors)
        consent = read_consent(fields.get("consent"), errors)
        if arrival.quote is not None:
            values = merged(values, recognition, schema, arrival.quote, errors)
            consent = inherit_consent(consent, arrival.quote)
        derived = derive(schema, values, self._geography, arrival.received_at_us, errors)
        if schema.state is not None and "state" in derived.facts:
            values.setdefault(schema.state, derived.facts["state"])
        # A ping may give a digest in place of what it stands for, a post may not.
        instead = recognition.fingerprint if arrival.is_ping else Fingerprint()
        required = schema.required_in_ping if arrival.is_ping else schema.required_in_post
        if isinstance(fields.get("lead"), str | list | int | float):
            required = ()  # that it is no object was said; what it lacks says no more
        for name in required:
            if name in values:
                continue
            if absent(lead.get(name)) and not recognizes(instead, name):
                errors.keep(f"lead.{name}", REQUIRED if absent(fields.get(name)) else BESIDE)
        return Reading(
            lead=lead,
            controls=controls,
            campaign=campaign,
            schema=schema,
            values=values,
            recognition=recognition,
            consent=consent,
            tracking=read_tracking(fields.get("tracking"), errors),
            derived=derived,
        )

    def submission(
        self, request: Request, reading: Reading, arrival: Arrival, snapshot: Snapshot
    ) -> Submission:
        """Return a good request as a lead and its person; of a ping's person nothing is left."""
        schema, controls, campaign = reading.schema, reading.controls, reading.campaign
        source = source_of(controls.source_id, snapshot.sellers[arrival.seller_id])
        identity: dict[str, Value] = {}
        told: dict[str, Value] = {}
        for name, value in reading.values.items():
            (identity if name in schema.identity else told)[name] = value
        test = controls.test or False
        marks = reading.consent.marks
        person = Person()
        cut = False
        if arrival.is_ping:
            repeats = repeating(identity, told, snapshot.verticals[campaign.vertical_id])
            told = {n: v for n, v in told.items() if n not in repeats}
            marks = marks_without(identity, marks, snapshot.verticals[campaign.vertical_id])
        else:
            extra, cut = read_extra(unknown(request, reading))
            person = Person(identity, reading.consent.consent, reading.tracking, extra)
        lead = Lead(
            lead_id=arrival.lead_id,
            received_at_us=arrival.received_at_us,
            seller_id=arrival.seller_id,
            campaign_id=campaign.id,
            vertical_id=campaign.vertical_id,
            source=source,
            fields=told,
            derived={
                **reading.derived.facts,
                **origin(arrival.seller_id, source),
                "test": test,
            },
            consent=marks,
            seller_ref=controls.seller_ref,
            min_price=controls.min_price or ZERO,
            already_sold=controls.already_sold or 0,
            exclude_buyers=excluded(controls.exclude_buyers, snapshot),
            test=test,
            answer_by_us=answer_by_us(controls, campaign, arrival.received_at_us),
        )
        noticed = (
            ("undeclared_source", not source.declared),
            ("location_mismatch", reading.derived.mismatch),
            ("disposable_email", self.is_disposable(reading)),
            ("md5_hash", reading.recognition.gave_md5),
            ("extra_cut", cut),
        )
        return Submission(
            lead=lead,
            person=person,
            fingerprint=reading.recognition.fingerprint,
            flags=tuple([flag for flag, is_so in noticed if is_so]),
            warnings=(MD5_WARNING,) if reading.recognition.gave_md5 else (),
            legs=controls.legs,
            idempotency_key=arrival.idempotency_key,
        )

    def is_disposable(self, reading: Reading) -> bool:
        """Tell whether the lead's address lies in a domain, or below one, that is thrown away."""
        address = reading.values.get(reading.schema.email or "")
        if not isinstance(address, str):
            return False
        domain = domain_of(address)
        while "." in domain:
            if domain in self._disposable:
                return True
            domain = domain.partition(".")[2]
        return False


def campaign_of(
    controls: Controls, seller: Seller, snapshot: Snapshot, errors: Errors
) -> Campaign | None:
    """Return the seller's campaign of this name; another seller's is as unknown as none at all."""
    if controls.campaign_id is None:
        if not any(error.field == "campaign" for error in errors.found):
            needed = f"is required; {campaigns_of(seller, snapshot)}"
            errors.keep("campaign", Bad(Code.REQUIRED, needed))
        return None
    campaign = snapshot.campaigns.get(controls.campaign_id)
    if campaign is None or seller.id not in campaign.sellers:
        unknown = f"is not a campaign of this seller; {campaigns_of(seller, snapshot)}"
        errors.keep("campaign", Bad(Code.UNKNOWN_CAMPAIGN, unknown))
        return None
    return campaign


def campaigns_of(seller: Seller, snapshot: Snapshot) -> str:
    """Return in words what this seller may post into."""
    own = [one.id for one in snapshot.campaigns.values() if seller.id in one.sellers]
    if not own:
        return "this seller has none"
    return "there is " + ", ".join(
        [*own[:CAMPAIGNS_TOLD], *(["…"] if own[CAMPAIGNS_TOLD:] else [])]
    )


def object_of(raw: object, errors: Errors) -> dict[str, object]:
    """Return the lead as it came; a lead left out has no field."""
    if raw is None or isinstance(raw, dict):
        return raw or {}
    errors.keep("lead", wrong_type("an object"))
    return {}


def merged(
    values: dict[str, Value],
    recognition: Recognition,
    schema: Schema,
    quote: Quote,
    errors: Errors,
) -> dict[str, Value]:
    """Return a post's values with its ping's, as far as the vertical still has such fields."""
    together = merge(quote, values, recognition.fingerprint)
    for name in together.contradictions:
        errors.keep(f"lead.{name}", CONTRADICTS)
    return {name: value for name, value in together.fields.items() if name in schema.known}


def recognizes(fingerprint: Fingerprint, name: str) -> bool:
    """Tell whether there is any digest of this field."""
    return name in fingerprint.sha256 or name in fingerprint.md5


def source_of(source_id: str | None, seller: Seller) -> Source:
    """Return the feed that a lead came by; what is not declared has no channel and no floor."""
    declared = seller.sources.get(source_id or "")
    if declared is None:
        return Source(source_id or UNNAMED_SOURCE, declared=False)
    return Source(declared.id, declared.channel, declared=True, floor=declared.floor)


def unknown(request: Request, reading: Reading) -> dict[str, object]:
    """Return what no schema names: beside the lead, then inside it."""
    fields, known = request.fields, reading.schema.known
    if not request.extra and fields.keys() <= TOP_LEVEL and reading.lead.keys() <= known:
        return {}
    beside = {name: value for name, value in fields.items() if name not in TOP_LEVEL}
    inside = {name: value for name, value in reading.lead.items() if name not in known}
    return {**beside, **inside, **request.extra}


def excluded(names: frozenset[str] | None, snapshot: Snapshot) -> frozenset[str]:
    """Return the buyers of these ids, or of these public names in whatever letters.

    A name that no buyer has excludes nobody, and has no business in a record or token.
    """
    if not names:
        return frozenset()
    by_id = names & snapshot.buyers.keys()
    told = {name.casefold() for name in names - by_id}
    if not told:
        return by_id
    buyers = snapshot.buyers.values()
    return by_id | {buyer.id for buyer in buyers if buyer.name.casefold() in told}


def answer_by_us(controls: Controls, campaign: Campaign, at_us: int) -> int:
    """Return when the seller must have heard: its own wish counts where it is shorter."""
    wait_ms = campaign.answer_deadline_ms
    if controls.timeout_ms is not None:
        wait_ms = min(wait_ms, controls.timeout_ms)
    return at_us + wait_ms * US_PER_MS
