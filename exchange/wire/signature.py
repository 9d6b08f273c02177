"""Calls are signed as Standard Webhooks says, so that a buyer knows whose they are."""

import base64

from exchange.domain.keyed import hmac_sha256


def signature_headers(secret: bytes, message_id: str, at_s: int, body: bytes) -> bytes:
    """Return the three Standard Webhooks headers (HMAC-SHA-256, version 1), ready to send."""
    signed = f"{message_id}.{at_s}.".encode() + body
    digest = base64.b64encode(hmac_sha256(secret, signed))
    return (
        (
            f"webhook-id: {message_id}\r\nwebhook-timestamp: {at_s}\r\nwebhook-signature: v1,"
        ).encode()
        + digest
        + b"\r\n"
    )
