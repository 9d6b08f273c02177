"""What is wrong with one value: a code of the contract and a sentence that never repeats it."""

from enum import StrEnum
from typing import TypeVar

import msgspec

from exchange.contract.seller import FieldError


class Code(StrEnum):
    """The contract's codes for a bad field."""

    REQUIRED = "required"
    WRONG_TYPE = "wrong_type"
    BAD_VALUE = "bad_value"
    INVALID_PHONE = "invalid_phone"
    INVALID_EMAIL = "invalid_email"
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    CONTRADICTS_PING = "contradicts_ping"


class Bad(msgspec.Struct, frozen=True):
    """Why a value was not taken."""

    code: Code
    message: str


def wrong_type(wanted: str) -> Bad:
    """Return that something else was expected: `a text`, `true or false`."""
    return Bad(Code.WRONG_TYPE, f"must be {wanted}")


def bad_value(rule: str) -> Bad:
    """Return that the value breaks a rule: `must be at least 1950`."""
    return Bad(Code.BAD_VALUE, rule)


T = TypeVar("T")


class Errors:
    """All that is wrong with one request, gathered while the reading goes on."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[FieldError] = []

    def keep(self, field: str, value: T | Bad) -> T | None:
        """Return a good value; write down a bad one under its field and return None."""
        if isinstance(value, Bad):
            self.found.append(FieldError(field, value.code, value.message))
            return None
        return value
