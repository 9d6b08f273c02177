"""How many of what sellers brought had come before, as operators read it."""

from decimal import Decimal

import msgspec


class RepeatedOut(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many were of a person who had come before."""

    all: int
    duplicates: int
    rate: Decimal | None
    """`duplicates` of `all`, from 0 to 1; null of none."""


class SourceDuplicatesOut(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a seller, without its test leads."""

    seller: str
    source: str
    submissions: RepeatedOut
    """Leads that it posted, merged ones among them: duplicates by the campaign's own check."""
    pings: RepeatedOut
    """Prices that it asked for: duplicates by the same check."""
    sales: RepeatedOut
    """Posts of its leads that a buyer took or refused: duplicates are those refused because the
    buyer has the person already."""


class DuplicatesReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/admin/reports/duplicates`."""

    since: str
    sources: tuple[SourceDuplicatesOut, ...]
    """By seller and source; those of which nothing came are not there."""
