"""What came through a door and passed its checks: a lead, its person, and how to recognize it."""

import msgspec

from exchange.domain.lead import Facts, Fingerprint, Lead
from exchange.domain.person import Person


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One well-formed request of a seller, normalized; nothing is decided yet."""

    lead: Lead
    person: Person
    fingerprint: Fingerprint
    flags: tuple[str, ...] = ()
    """What was noticed and let pass: undeclared_source, disposable_email, md5_hash …"""
    warnings: tuple[str, ...] = ()
    """Sentences for the seller, in the answer to a ping."""
    legs: frozenset[str] | None = None
    """Which parts of its quote a post is for; None: all."""
    idempotency_key: bytes | None = None
    """Digest of account, path and key; None where the seller sent no key."""

    def facts(self) -> Facts:
        """Return all that a condition may ask of: fields, what follows from them, the person."""
        return {**self.person.identity, **self.lead.fields, **self.lead.derived}
