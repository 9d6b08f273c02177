"""The seller's log of what was no lead: when, into which campaign, which fields, never a value."""

import msgspec


class FaultOut(msgspec.Struct, frozen=True):
    """One bad field and how it was bad."""

    field: str
    code: str


class RejectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was answered 422."""

    at: str
    campaign: str | None
    """Null where the request named none that exists."""
    errors: tuple[FaultOut, ...]


class RejectionsOut(msgspec.Struct, frozen=True):
    """The answer to `GET /v1/rejections`, newest first."""

    rejections: tuple[RejectionOut, ...]
