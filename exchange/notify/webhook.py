"""One message as it goes out: signed as Standard Webhooks says, by its own library."""

from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook as Signer

from exchange.contract.standing import Standing, seller_view
from exchange.contract.timeline import utc_text

US_PER_S = 1_000_000
encode = msgspec.json.Encoder(decimal_format="number").encode


class Envelope(msgspec.Struct, frozen=True):
    """The body of a message."""

    type: str
    timestamp: str
    """When what it tells happened."""
    data: object


def enveloped(topic: str, at_us: int, data: object) -> bytes:
    """Return a message's body."""
    return encode(Envelope(topic, utc_text(at_us), data))


def told(topic: str, at_us: int, standing: Standing) -> bytes:
    """Return the body that tells a seller of a lead: its own view of it, as `GET` answers."""
    return enveloped(topic, at_us, seller_view(standing))


def signed_lines(secret: bytes | None, message_id: str, now_us: int, body: bytes) -> bytes:
    """Return the headers of one try, each line ended: who it is, when, and signed where it can."""
    at_s = now_us // US_PER_S
    lines = f"webhook-id: {message_id}\r\nwebhook-timestamp: {at_s}\r\n"
    if secret is not None:
        moment = datetime.fromtimestamp(at_s, UTC)
        signature = Signer(secret).sign(message_id, moment, body.decode())
        lines += f"webhook-signature: {signature}\r\n"
    return lines.encode()
