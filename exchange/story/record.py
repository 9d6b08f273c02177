"""A lead's sealed full record, read back as far as what follows from its sale depends on it."""

from decimal import Decimal

import msgspec

from exchange.domain.lead import Facts, Fingerprint, Value
from exchange.domain.person import Consent, Person


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
