"""The person behind a lead: a type of its own, masked in every repr, that a ping cannot hold.

The auction package may not import this module; the import map's test sees to it.
"""

import re

import msgspec

from exchange.domain.lead import Value


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the person agreed to, where and when, as the seller gave it."""

    tcpa: bool | None = None
    text: str | None = None
    url: str | None = None
    ip: str | None = None
    at: str | None = None
    trustedform_url: str | None = None
    jornaya_id: str | None = None
    named_buyers: tuple[str, ...] = ()


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """The identity fields of a lead, its consent, and what the seller sent beyond the schema."""

    identity: dict[str, Value] = {}
    consent: Consent = Consent()
    tracking: dict[str, str] = {}
    extra: dict[str, object] = {}
    """Unknown fields, bounded, treated as identity: stored sealed, never pinged."""

    def __repr__(self) -> str:
        """Show which fields there are, never what is in them."""
        return f"Person(identity={sorted(self.identity)}, extra={len(self.extra)})"


MASK = "***"
TELLING_MIN = 3
"""Shorter values occur in ordinary words; masking them would say more than it hides."""


def masked(text: str | None, person: Person) -> str | None:
    """Return somebody's words with every identity value of this person taken out.

    A telephone number is found in whatever way its digits are parted.
    """
    if text is None:
        return None
    consent = person.consent
    for value in (*person.identity.values(), consent.ip):
        if not isinstance(value, str) or len(value) < TELLING_MIN:
            continue
        text = re.sub(re.escape(value), MASK, text, flags=re.IGNORECASE)
        digits = "".join(filter(str.isdigit, value))[-10:]
        if len(digits) >= 2 * TELLING_MIN:
            text = re.sub(r"\D{0,2}".join(digits), MASK, text)
    return text
