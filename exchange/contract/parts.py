"""What the tables of the market file are made of: ids, amounts, times, and no unknown keys."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

UNSIGNED = {"least": 0}
"""Marks a Decimal that may not be below zero; msgspec has no such limit for Decimals."""

ID_RULE = "lower-case letters, digits, - and _, at most 64, a letter or digit first"
SOURCE_RULE = "letters, digits, and . _ : -, at most 100"
NAME_RULE = "lower-case letters, digits and _, at most 60, a letter first"

Id = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", extra={"rule": ID_RULE}, examples=["acme-tx"])
]
SourceId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}$", extra={"rule": SOURCE_RULE}, examples=["fb-1"])
]
FieldName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,59}$", extra={"rule": NAME_RULE}, examples=["zip"])
]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[Decimal, Meta(extra=UNSIGNED)]
Percent = Annotated[Decimal, Meta(extra={"least": 0, "most": 100})]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=120_000)]
Url = Annotated[str, Meta(min_length=1, max_length=2000)]
Text = Annotated[str, Meta(min_length=1)]


class Part(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """A table of the market file; an unknown key in it is an error."""
