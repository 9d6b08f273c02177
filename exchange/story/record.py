"""A lead's sealed full record, read back as far as what follows from its sale depends on it."""

from decimal import Decimal
from typing import Any, get_type_hints

import msgspec

from exchange.domain.lead import Facts, Fingerprint, Lead, Value
from exchange.domain.person import Consent, Person
from exchange.domain.submission import Submission


class Kept(msgspec.Struct, frozen=True):
    """Who the lead is about: to mask what others say of the person, and to know it again."""

    person: Person
    fingerprint: Fingerprint


class WirePerson(msgspec.Struct, frozen=True):
    """The person as it was written."""

    identity: dict[str, object] = {}
    consent: Consent = Consent()


class WireRecord(msgspec.Struct, frozen=True):
    """The record as it was written; a ping's names nobody."""

    person: WirePerson = WirePerson()
    fingerprint: Fingerprint = Fingerprint()


class WireFields(msgspec.Struct, frozen=True):
    """What a lead said, and what followed from it, as it was written."""

    fields: dict[str, object] = {}
    derived: dict[str, object] = {}


class WireFacts(WireFields, frozen=True):
    """The same of a record: a ping's has it at its top, a lead's one step below."""

    lead: WireFields = WireFields()
    person: WirePerson = WirePerson()


_decode_facts = msgspec.json.Decoder(WireFacts, float_hook=Decimal).decode
raw = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
"""A record as it was written, its numbers exact."""
_decode = msgspec.json.Decoder(WireRecord, float_hook=Decimal).decode


def read(record: bytes) -> Kept:
    """Return who the record is about."""
    wire = _decode(record)
    identity = {n: v for n, v in wire.person.identity.items() if isinstance(v, Value)}
    return Kept(Person(identity=identity, consent=wire.person.consent), wire.fingerprint)


def facts(record: bytes) -> Facts:
    """Return what a condition could ask of, but for the score, as `Submission.facts` does."""
    wire = _decode_facts(record)
    parts = (wire.person.identity, wire.lead.fields, wire.lead.derived, wire.fields, wire.derived)
    return {n: v for part in parts for n, v in part.items() if isinstance(v, Value)}


LEAD_TYPES = get_type_hints(Lead)
VALUES = frozenset({"fields", "derived"})
"""No decoder could tell an exact number from a text: they are taken as they are."""


def submission(record: bytes) -> Submission:
    """Return a request of a seller as its record has it; not what it sent beside its schema."""
    wire = raw(record)
    person, legs = wire.get("person", {}), wire.get("legs")
    return Submission(
        lead=lead_of(wire["lead"]),
        person=Person(
            identity=person.get("identity", {}),
            consent=msgspec.convert(person.get("consent", {}), Consent),
        ),
        fingerprint=msgspec.convert(wire.get("fingerprint", {}), Fingerprint),
        flags=tuple(wire.get("flags", ())),
        legs=None if legs is None else frozenset(legs),
    )


def lead_of(wire: dict[str, Any]) -> Lead:
    """Return a lead from its JSON."""
    known = {
        name: wire[name] if name in VALUES else msgspec.convert(wire[name], kind)
        for name, kind in LEAD_TYPES.items()
        if name in wire
    }
    return Lead(**known)
