"""Telephone numbers become E.164, or are refused; what phonenumbers says, said faster."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

from exchange.intake.errors import Bad, Code

PHONE_LENGTH_MAX = 64
NATIONAL_DIGITS = 10
CONTEXT = ";phone-context="
"""Of telephone links; no form sends it, and 64 characters keep its pattern busy for 300 ms."""
INVALID = Bad(Code.INVALID_PHONE, "must be a possible and valid telephone number")

# The ways in which nearly every form writes a US number. Whatever looks otherwise, or is not in
# the metadata's own patterns for the US, takes the long way.
PLAIN = re.compile(
    r"(?:\+?1[ .-]?)?(?:\((\d{3})\)[ .-]?|(\d{3})[ .-]?)(\d{3})[ .-]?(\d{4})\Z", re.ASCII
)


def us_numbers() -> re.Pattern[str]:
    """Return one pattern for all national numbers that the metadata finds valid in the US."""
    metadata = PhoneMetadata.metadata_for_region("US")
    assert metadata is not None, "phonenumbers knows the United States"
    kinds = (
        metadata.fixed_line,
        metadata.mobile,
        metadata.toll_free,
        metadata.premium_rate,
        metadata.shared_cost,
        metadata.personal_number,
        metadata.voip,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    )
    patterns = {
        kind.national_number_pattern: None
        for kind in kinds
        if kind is not None and kind.national_number_pattern
    }
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.ASCII)


US_NUMBERS = us_numbers()


def normalize_phone(text: str) -> str | Bad:
    """Return the number in E.164; a number without a country is one of the United States."""
    if len(text) == NATIONAL_DIGITS and US_NUMBERS.fullmatch(text):
        return f"+1{text}"
    plain = PLAIN.match(text)
    if plain is not None:
        national = (plain[1] or plain[2]) + plain[3] + plain[4]
        if US_NUMBERS.fullmatch(national):
            return f"+1{national}"
    if len(text) > PHONE_LENGTH_MAX or CONTEXT in text:
        return INVALID
    try:
        number = phonenumbers.parse(text, "US")
    except NumberParseException:
        return INVALID
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        return INVALID
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def hashed_digits(e164: str) -> str:
    """Return what a digest of this number is made of: the ten national digits.

    For a number outside the North American plan all digits with the country code, so that it is
    never taken for an American one.
    """
    return e164[2:] if e164.startswith("+1") else e164[1:]


def area_code(e164: str) -> str | None:
    """Return the area code of a number in the North American plan, or None for any other."""
    return e164[2:5] if e164.startswith("+1") else None
