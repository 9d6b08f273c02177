"""The exact bytes exchanged with buyers, as an operator may see them: identity masked."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from exchange.contract.operator import CaptureOut
from exchange.contract.timeline import utc_text
from exchange.domain.captured import Captured
from exchange.domain.person import Person, masked_message, masked_values
from exchange.ledger.stored import Capture
from exchange.story.record import read

pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Captured]).decode


def published(captures: Sequence[Capture], record: bytes | None) -> tuple[CaptureOut, ...]:
    """Return every kept call, oldest first; without the record nothing can be masked or shown."""
    if record is None:
        return ()
    person = read(record).person
    return tuple(
        CaptureOut(
            at=utc_text(call.at_us),
            offer=call.offer_id,
            kind=call.kind.value,
            request=_shown(call.request, person),
            answer=_shown(call.answer, person) if call.status else None,
        )
        for capture in captures
        for call in _unpack(capture.body)
    )


def _shown(raw: bytes, person: Person) -> str:
    """Return a message with the person masked: in JSON the values only, so that it stays JSON."""
    head, gap, body = raw.rpartition(HEAD_END)
    try:
        shown = _write_json(masked_values(_read_json(body), person)).decode()
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        return _text(raw, person)  # no JSON, or JSON that only its sender could write
    return _text(head + gap, person) + shown


def _text(raw: bytes, person: Person) -> str:
    return masked_message(raw.decode("utf-8", "replace"), person)


HEAD_END = b"\r\n\r\n"
_read_json = msgspec.json.Decoder(float_hook=Decimal).decode
_write_json = msgspec.json.Encoder(decimal_format="number").encode
