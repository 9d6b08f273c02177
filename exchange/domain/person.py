"""The person behind a lead: a type of its own, masked in every repr, that a ping cannot hold.

The auction package may not import this module; the import map's test sees to it.
"""

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
