"""One request at a seller's door is tried: what became of each field; nothing is booked or sold."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from exchange.contract.seller import FieldError
from exchange.contract.trying_door import (
    DoorTry,
    TriedDoor,
    TriedFault,
    TriedField,
    Untried,
)
from exchange.domain.door import Call, Does, Door, Fault, Outcome, Sent
from exchange.domain.ids import ENTROPY_BYTES, LeadId, uuid7
from exchange.domain.lead import Value
from exchange.domain.nearest import hint
from exchange.domain.person import MASK, Person, masked_values
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.beyond import read_extra, read_tracking
from exchange.intake.consent import read_consent
from exchange.intake.doors.bodies import sent_of
from exchange.intake.doors.meaning import campaign_of
from exchange.intake.errors import Errors
from exchange.intake.forms import CONTROLS, GROUPS
from exchange.intake.request import Parsed, Request, Unparsable
from exchange.intake.schema import Schema
from exchange.trying.sayings import Hearer, outcomes_of, sayings

BY_HEADER = ("authorization", "x-api-key")
LEAD = "lead"
NATIVE_CALLS = {"leads": Does.POST, "pings": Does.PING}
OF_A_QUOTE = "it names a quote, which is not opened here: a real post has its ping's fields, too"
NO_SOURCE = FieldError("source", "bad_value", "is no source of this door")


class Intake(Protocol):
    """Reads requests."""

    def parse(self, body: bytes, content_type: str) -> Parsed | Unparsable:
        """Return the request in a body, or why there is none."""

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Refused:
        """Return what was sent, normalized, or all that is wrong with it."""

    def schema(self, vertical: Vertical) -> Schema:
        """Return how this vertical's leads are read."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request in our words, whichever way it came."""

    request: Request
    read: Mapping[str, tuple[str, ...]]
    """Where each value stood: by our name the sender's."""
    does: Does
    key: str | None
    campaign_id: str | None
    vertical_id: str | None
    passed_over: tuple[str, ...] = ()


class At(msgspec.Struct, frozen=True):
    """Where a request that is not in our words came, and what it said."""

    door: Door
    call: Call
    sent: Sent


class DoorTrying:
    """Tries requests."""

    def __init__(
        self, intake: Intake, *, now_us: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        """Take how leads are read, time and chance."""
        self._intake = intake
        self._now_us = now_us
        self._entropy = entropy

    def run(
        self, asked: DoorTry, snapshot: Snapshot, outcomes: Iterable[Outcome] | None = None
    ) -> TriedDoor | Untried:
        """Tell what becomes of a request, and what its sender hears of these outcomes, or of all.

        It is read as any request is, and goes no further. The key is looked for, and not needed.
        """
        seller = snapshot.sellers.get(asked.seller)
        if seller is None:
            likely = hint(asked.seller, snapshot.sellers)
            return Untried(f'there is no seller "{asked.seller}" in the market{likely}')
        door = door_of(asked, snapshot)
        if isinstance(door, Untried):
            return door
        if door is None:
            return self._native(asked, seller, snapshot)
        return self._foreign(asked, seller, door, snapshot, outcomes)

    # The two ways

    def _native(self, asked: DoorTry, seller: Seller, snapshot: Snapshot) -> TriedDoor | Untried:
        parsed = self._intake.parse(asked.body or asked.query, asked.content_type)
        if isinstance(parsed, Unparsable):
            return Untried(parsed.detail)
        path = asked.call or next(iter(NATIVE_CALLS))
        if path not in NATIVE_CALLS:
            return Untried(f"without a door, the call is one of {', '.join(NATIVE_CALLS)}")
        request = parsed.request
        named = request.fields.get("campaign")
        campaign = snapshot.campaigns.get(named) if isinstance(named, str) else None
        heard = Heard(
            request=request,
            read={name: (name,) for name in names_of(request)},
            does=NATIVE_CALLS[path],
            key=parsed.api_key,
            campaign_id=named if isinstance(named, str) else None,
            vertical_id=None if campaign is None else campaign.vertical_id,
        )
        return self._told(asked, seller, heard, snapshot)

    def _foreign(
        self,
        asked: DoorTry,
        seller: Seller,
        door: Door,
        snapshot: Snapshot,
        outcomes: Iterable[Outcome] | None,
    ) -> TriedDoor | Untried:
        path = asked.call or selling_call(door)
        call = door.call(path)
        if call is None:
            return Untried(no_call(door, path))
        if not door.admits(seller.id):
            return Untried(f'the door "{door.id}" is not open to the seller "{seller.id}"')
        sent = sent_of(asked.body, asked.content_type, asked.query, asked.headers, door.inside)
        if isinstance(sent, Unparsable):
            return Untried(sent.detail)
        heard = heard_at(call, sent, seller, snapshot)
        told = self._told(asked, seller, heard, snapshot, At(door, call, sent))
        campaign = snapshot.campaigns.get(heard.campaign_id or "")
        faults = tuple(Fault(one.field, one.native, one.code, one.message) for one in told.errors)
        hearer = Hearer(
            call=call,
            does=heard.does,
            format=call.open(sent).format,
            seller=seller,
            currency=None if campaign is None else campaign.currency,
            faults=faults or (Fault("Zip", "lead.zip", "required", "is required"),),
        )
        wanted = outcomes_of(heard.does) if outcomes is None else outcomes
        return msgspec.structs.replace(
            told, door=door.id, call=path, answers=tuple(sayings(hearer, wanted))
        )

    # What became of it

    def _told(
        self,
        asked: DoorTry,
        seller: Seller,
        heard: Heard,
        snapshot: Snapshot,
        at: At | None = None,
    ) -> TriedDoor:
        result = None
        errors: tuple[FieldError, ...] = ()
        if heard.does is not Does.STATUS:
            result = self._intake.accept(heard.request, self._arrival(seller, heard), snapshot)
            errors = result.errors if isinstance(result, Refused) else ()
        source = heard.request.fields.get("source")
        if at is not None and not at.door.takes(source if isinstance(source, str) else None):
            errors = (*errors, NO_SOURCE)
        if at is not None:
            errors = tuple(in_words_of(at, error, heard.vertical_id) for error in errors)
        vertical = snapshot.verticals.get(heard.vertical_id or "")
        schema = None if vertical is None else self._intake.schema(vertical)
        return TriedDoor(
            seller=seller.id,
            door=None,
            call=None,
            does=heard.does,
            key=key_told(asked, heard.key, seller, snapshot),
            campaign=heard.campaign_id,
            vertical=heard.vertical_id,
            fields=tuple(fields_of(heard, schema, errors)),
            extra=dict.fromkeys(extra_of(heard.request, schema), MASK),
            passed_over=heard.passed_over,
            flags=result.flags if isinstance(result, Submission) else (),
            errors=tuple(
                fault_of(error, None if at is None else at.call, heard.vertical_id)
                for error in errors
            ),
            answers=(),
            note=None if heard.request.ping_id is None else OF_A_QUOTE,
        )

    def _arrival(self, seller: Seller, heard: Heard) -> Arrival:
        now_us = self._now_us()
        return Arrival(
            seller_id=seller.id,
            lead_id=LeadId(uuid7(now_us, self._entropy(ENTROPY_BYTES))),
            received_at_us=now_us,
            is_ping=heard.does is Does.PING,
        )


def door_of(asked: DoorTry, snapshot: Snapshot) -> Door | Untried | None:
    """Return the door that is meant: the one that is named, or that is the seller's alone."""
    if asked.door is not None:
        named = snapshot.doors.get(asked.door)
        if named is None:
            likely = hint(asked.door, snapshot.doors)
            return Untried(f'there is no door "{asked.door}" in the market{likely}')
        return named
    own = [door for door in snapshot.doors.values() if asked.seller in door.sellers]
    if len(own) > 1:
        names = ", ".join(door.id for door in own)
        return Untried(f"this seller has several doors, name one of them: {names}")
    return own[0] if own else None


def selling_call(door: Door) -> str:
    """Return the first call that sells leads, or the first of all."""
    calls = [(path, door.call(path)) for path in door.paths]
    selling = [p for p, call in calls if call is not None and call.default_does() is Does.POST]
    return next(iter((*selling, *door.paths)), "")


def no_call(door: Door, path: str) -> str:
    """Return why there is nothing at this path."""
    if path in door.paths:
        return f'the door "{door.id}" is paused'
    known = ", ".join(door.paths)
    return f'the door "{door.id}" has no call "{path}"{hint(path, door.paths)}; it has {known}'


def heard_at(call: Call, sent: Sent, seller: Seller, snapshot: Snapshot) -> Heard:
    """Return what a request says at a door, as the door would hear it."""
    opening = call.open(sent)
    campaign_id, vertical_id = campaign_of(call, sent, seller.id, snapshot.campaigns)
    translated = call.translate(sent, campaign_id, vertical_id)
    return Heard(
        request=Request(translated.fields, translated.extra),
        read=translated.read,
        does=opening.does,
        key=opening.key,
        campaign_id=campaign_id,
        vertical_id=vertical_id,
        passed_over=translated.passed_over,
    )


def names_of(request: Request) -> Iterator[str]:
    """Return every field of a native request, dotted as errors name it."""
    for name, value in request.fields.items():
        if name in GROUPS and isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in value)
        elif name in CONTROLS:
            yield name


def key_told(asked: DoorTry, inside: str | None, seller: Seller, snapshot: Snapshot) -> str:
    """Return whose key came, in a word; a header's goes before one in the request."""
    keys = [asked.headers.get(name, "").removeprefix("Bearer ").strip() for name in BY_HEADER]
    key = next(filter(None, (*keys, inside)), None)
    if key is None:
        return "missing"
    role = snapshot.keys.get(hashlib.sha256(key.encode(errors="surrogateescape")).digest())
    if role is None:
        return "unknown"
    return "known" if (role.role, role.account) == ("seller", seller.id) else "another's"


def fields_of(
    heard: Heard, schema: Schema | None, errors: Iterable[FieldError]
) -> Iterator[TriedField]:
    """Return every value that was read, as the lead has it, and what is wrong with it."""
    wrong = {error.field: error.message for error in errors}
    values = shown_values(heard.request, schema)
    known = frozenset() if schema is None else schema.known
    for name, found in heard.read.items():
        group, _, inner = name.partition(".")
        if group == LEAD and inner not in known and schema is not None:
            continue  # the vertical has no such field: it is kept as extra
        yield TriedField(
            field=name,
            found=found,
            value=None if name in wrong else values.get(name, MASK),
            error=wrong.get(name),
        )


def shown_values(request: Request, schema: Schema | None) -> dict[str, object]:
    """Return normalized values by their names; identity masked, as is what nobody can judge."""
    lead = request.fields.get("lead")
    ignored = Errors()
    values: dict[str, Value] = {}
    if schema is not None and isinstance(lead, dict):
        values = schema.read(lead, ignored)
    identity = frozenset() if schema is None else schema.identity
    person = Person({name: value for name, value in values.items() if name in identity})
    consent = read_consent(request.fields.get("consent"), ignored).consent
    person = msgspec.structs.replace(person, consent=consent)
    tracking = read_tracking(request.fields.get("tracking"), ignored)
    plain: dict[str, object] = {
        **{name: request.fields[name] for name in CONTROLS & request.fields.keys()},
        **{f"lead.{name}": value for name, value in values.items()},
        **{f"consent.{name}": told for name, told in msgspec.to_builtins(consent).items()},
        **{f"tracking.{name}": text for name, text in tracking.items()},
    }
    hidden = {"ping_id", "consent.ip", *(f"lead.{name}" for name in identity)}
    return {
        name: MASK if name in hidden else masked_values(value, person)
        for name, value in plain.items()
    }


def extra_of(request: Request, schema: Schema | None) -> Iterable[str]:
    """Return the places of all that is kept though no rule and no schema names it."""
    fields, lead = request.fields, request.fields.get("lead")
    beside = {name: value for name, value in fields.items() if name not in CONTROLS | GROUPS}
    inside = lead if isinstance(lead, dict) and schema is not None else {}
    known = frozenset() if schema is None else schema.known
    beyond = {name: value for name, value in inside.items() if name not in known}
    return read_extra({**beside, **beyond, **request.extra})[0]


def fault_of(error: FieldError, call: Call | None, vertical_id: str | None) -> TriedFault:
    """Return a bad field in the sender's words and in ours."""
    foreign = None if call is None else call.foreign(error.field, vertical_id)
    return TriedFault(
        field=foreign or error.field, native=error.field, code=error.code, message=error.message
    )


def in_words_of(at: At, error: FieldError, vertical_id: str | None) -> FieldError:
    """Return a bad field with what its value must be in the sender's own words."""
    message = at.call.wanted(at.sent, error.field, vertical_id, error.message)
    return msgspec.structs.replace(error, message=message)
