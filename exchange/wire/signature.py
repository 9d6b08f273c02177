"""Calls are signed as Standard Webhooks says, so that a buyer knows whose they are."""

from binascii import b2a_base64

from exchange.domain.keyed import hmac_sha256

ID = b"webhook-id: "
STAMP = b"\r\nwebhook-timestamp: "
SIGNATURE = b"\r\nwebhook-signature: v1,"


def signature_headers(secret: bytes, message_id: str, at_s: int, body: bytes) -> bytes:
    """Return the three Standard Webhooks headers (HMAC-SHA-256, version 1), ready to send."""
    digest = hmac_sha256(secret, b"%b.%d.%b" % (message_id.encode(), at_s, body))
    signature = b2a_base64(digest, newline=False)
    return b"".join((ID, message_id.encode(), STAMP, b"%d" % at_s, SIGNATURE, signature, b"\r\n"))
