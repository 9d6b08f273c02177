"""The exact bytes exchanged with buyers, as an operator may see them: identity masked."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from exchange.contract.operator import CaptureOut
from exchange.contract.timeline import utc_text
from exchange.domain.person import Person, masked
from exchange.ledger.stored import Capture
from exchange.story.record import read


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


pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Captured]).decode


def published(captures: Sequence[Capture], record: bytes | None) -> tuple[CaptureOut, ...]:
    """Return every kept call, oldest first; without the record nothing can be masked or shown."""
    if record is None:
        return ()
    person = read(record).person
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
