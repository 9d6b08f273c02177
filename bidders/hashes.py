"""Recognize a person of one's own in a ping, by the keyed hashes that it shows."""

import hashlib
import hmac

from bidders.signature import decoded

NATIONAL_DIGITS = 10


def phone_hash(secret: str, phone: str) -> str:
    """Return the `phone_hash` that a ping shows for this number of the North American plan.

    It may be written with or without +1 and with any punctuation. `secret` is the signing secret.
    """
    digits = "".join(filter(str.isdecimal, phone))
    return keyed(secret, digits[-NATIONAL_DIGITS:])


def email_hash(secret: str, email: str) -> str:
    """Return the `email_hash` that a ping shows for this address."""
    return keyed(secret, email.strip().lower())


def keyed(secret: str, text: str) -> str:
    """Return the hex HMAC-SHA-256, under the decoded secret, of the text's hex SHA-256."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return hmac.digest(decoded(secret), digest.encode(), "sha256").hex()
