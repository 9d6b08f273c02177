"""The fields beside the lead: which campaign, at what price, how long, and all that is wrong.

They mean the same in every vertical and must have their JSON type: a price in quotation marks
is an error, not a guess. Those of forms were given it before.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchange.domain.money import Micros, MoneyError, from_decimal
from exchange.intake.errors import Bad, Errors, bad_value, wrong_type
from exchange.intake.readers import clean
from exchange.intake.request import ABSURD

TEXT_LENGTH_MAX = 200
NAME_LENGTH_MAX = 64
TIMEOUT_MS_MAX = 3_600_000
ALREADY_SOLD_MAX = 1000
NAMES_MAX = 100

TOO_LONG = bad_value(f"must have at most {TEXT_LENGTH_MAX} characters")
NO_PRICE = bad_value("must be zero or more, with at most six decimals")


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for; None where it says nothing."""

    campaign_id: str | None = None
    source_id: str | None = None
    seller_ref: str | None = None
    min_price: Micros | None = None
    timeout_ms: int | None = None
    test: bool | None = None
    already_sold: int | None = None
    exclude_buyers: frozenset[str] | None = None
    legs: frozenset[str] | None = None


def read_controls(fields: Mapping[str, object], errors: Errors) -> Controls:
    """Return what the request asks for; what is wrong with it goes to `errors`."""
    asked: dict[str, Any] = {}
    for field, name, read in READERS:
        if field in fields and (raw := fields[field]) is not None:
            asked[name] = errors.keep(field, read(raw))
    asked.pop("ping_id", None)
    return Controls(**asked)


def a_text(raw: object, length_max: int | None = TEXT_LENGTH_MAX) -> str | Bad | None:
    """Read a text of one line; blanks say nothing."""
    if not isinstance(raw, str):
        return wrong_type("a text")
    text = clean(raw)
    if length_max is not None and len(text) > length_max:
        return TOO_LONG
    return text or None


def a_price(raw: object) -> Micros | Bad:
    """Read an amount of money that is not below zero."""
    if raw is ABSURD:
        return NO_PRICE
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        return wrong_type("a number")
    try:
        price = from_decimal(Decimal(raw))
    except MoneyError:
        return NO_PRICE
    return price if price >= 0 else NO_PRICE


def a_whole(raw: object, least: int, most: int) -> int | Bad:
    """Read a whole number within its bounds."""
    if isinstance(raw, bool) or not isinstance(raw, int):
        return wrong_type("a whole number")
    return raw if least <= raw <= most else bad_value(f"must be from {least} to {most}")


def a_switch(raw: object) -> bool | Bad:
    """Read true or false."""
    return raw if isinstance(raw, bool) else wrong_type("true or false")


def some_names(raw: object) -> frozenset[str] | Bad:
    """Read a list of names."""
    if not isinstance(raw, list) or len(raw) > NAMES_MAX:
        return wrong_type(f"a list of at most {NAMES_MAX} texts")
    names = [item for item in raw if isinstance(item, str) and len(item) <= NAME_LENGTH_MAX]
    return frozenset(names) if len(names) == len(raw) else wrong_type("a list of texts")


READERS: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("ping_id", "ping_id", partial(a_text, length_max=None)),
    ("campaign", "campaign_id", a_text),
    ("source", "source_id", a_text),
    ("seller_ref", "seller_ref", a_text),
    ("min_price", "min_price", a_price),
    ("timeout_ms", "timeout_ms", partial(a_whole, least=1, most=TIMEOUT_MS_MAX)),
    ("test", "test", a_switch),
    ("already_sold", "already_sold", partial(a_whole, least=0, most=ALREADY_SOLD_MAX)),
    ("exclude_buyers", "exclude_buyers", some_names),
    ("legs", "legs", some_names),
)
"""Each field, what it is called here, and how it is read where it says anything."""
