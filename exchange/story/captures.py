"""The exact bytes exchanged with buyers, as an operator may see them: identity masked."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from exchange.contract.operator import CaptureOut
from exchange.contract.timeline import utc_text
from exchange.domain.person import Consent, Person, masked
from exchange.ledger.stored import Capture


class CallKind(StrEnum):
    """What was sent to a buyer."""

    PING = "ping"
    POST = "post"


class Captured(msgspec.Struct, frozen=True, array_like=True):
    """One call to a buyer, byte by byte."""

    offer_id: str
    kind: CallKind
    request: bytes
    status: int
    """0 where nothing came back."""
    answer: bytes


class KeptPerson(msgspec.Struct, frozen=True):
    """What of a sealed record is needed to mask the rest."""

    identity: dict[str, object] = {}
    consent: Consent = Consent()


class KeptRecord(msgspec.Struct, frozen=True):
    """A sealed record, as far as it names the person."""

    person: KeptPerson = KeptPerson()


pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Captured]).decode
_read_record = msgspec.json.Decoder(KeptRecord).decode


def published(captures: Sequence[Capture], record: bytes | None) -> tuple[CaptureOut, ...]:
    """Return every kept call, oldest first; without the record nothing can be masked or shown."""
    if record is None:
        return ()
    kept = _read_record(record).person
    texts = {name: value for name, value in kept.identity.items() if isinstance(value, str)}
    person = Person(identity=dict(texts), consent=kept.consent)
    return tuple(
        CaptureOut(
            at=utc_text(capture.at_us),
            offer=call.offer_id,
            kind=call.kind.value,
            request=_shown(call.request, person),
            answer=_shown(call.answer, person) if call.status else None,
        )
        for capture in captures
        for call in _unpack(capture.body)
    )


def _shown(raw: bytes, person: Person) -> str:
    return masked(raw.decode("utf-8", "replace"), person) or ""
