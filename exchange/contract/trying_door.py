"""One request at a door, tried: what became of each of its fields, and what would be answered."""

import msgspec


class DoorTry(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: a request as a seller would send it."""

    seller: str
    door: str | None = None
    """None: the one door that is the seller's alone, or the native way where it has none."""
    call: str | None = None
    """None: the door's first call that sells."""
    body: bytes = b""
    content_type: str = ""
    query: bytes = b""
    headers: dict[str, str] = {}
    """By names in lower case."""


class TriedField(msgspec.Struct, frozen=True, kw_only=True):
    """One value that was read."""

    field: str
    """By our name: `lead.phone`."""
    found: tuple[str, ...]
    """Where, as the sender calls it; nowhere where the door itself says it."""
    value: object = None
    """As the lead has it, identity as `***`; None where it is wrong."""
    changed: bool = False
    """It is spelled otherwise than it came."""
    error: str | None = None


class TriedFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field, in the sender's words and in ours."""

    field: str
    native: str
    code: str
    message: str


class TriedSaying(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender would hear of one outcome."""

    outcome: str
    status: int
    content_type: str
    body: str


class TriedDoor(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request; nothing of it is on any book."""

    seller: str
    door: str | None
    """None: it came the native way."""
    call: str | None
    does: str
    key: str
    """`known`, `unknown`, `another's` or `missing`."""
    campaign: str | None
    vertical: str | None
    fields: tuple[TriedField, ...]
    extra: dict[str, str]
    """What is kept though nobody has read it, by its place; every value as `***`."""
    passed_over: tuple[str, ...]
    """What is no part of the lead: the key, what tells pings from posts …"""
    flags: tuple[str, ...]
    errors: tuple[TriedFault, ...]
    """None: it is a lead."""
    answers: tuple[TriedSaying, ...]
    note: str | None = None
    """What a real request would meet otherwise."""


class Untried(msgspec.Struct, frozen=True):
    """Why nothing could be tried, in a sentence."""

    why: str
