"""A lead's sealed full record, read back as far as what follows from its sale depends on it."""

from decimal import Decimal

import msgspec

from exchange.domain.lead import Fingerprint, Value
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


_decode = msgspec.json.Decoder(WireRecord, float_hook=Decimal).decode


def read(record: bytes) -> Kept:
    """Return who the record is about."""
    wire = _decode(record)
    identity = {n: v for n, v in wire.person.identity.items() if isinstance(v, Value)}
    return Kept(Person(identity=identity, consent=wire.person.consent), wire.fingerprint)
