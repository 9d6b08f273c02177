"""The person behind a lead: a type of its own, masked in every repr, that a ping cannot hold.

The auction package may not import this module; the import map's test sees to it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from exchange.domain.disguise import spellings
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
ESCAPE = r"%[0-9A-Fa-f]{2}"
DIGITS_MIN = 6
TELLING_MIN = 3
"""Shorter values occur in ordinary words; masking them would say more than it hides."""
_NO_DIGITS = {code: None for code in range(128) if not chr(code).isdigit()}


def masked(text: str | None, person: Person) -> str | None:
    """Return somebody's words with every identity value of this person taken out.

    Values are found as whole words, in any case, with or without their accents; a telephone number
    in whatever way its digits are parted, a text also as JSON writes it.
    """
    if text is None:
        return None
    text = composed(text)
    values = {alike(composed(value)) for value in telling(person)}
    # The longest first: an address that begins with a name is one value, not two.
    for value in sorted(values, key=len, reverse=True):
        if _may_hold(text, value):
            text = _without(text, value)
        digits = "".join(filter(str.isdigit, value))[-10:]
        if len(digits) >= 2 * TELLING_MIN and _may_hold_digits(text, digits):
            text = _cut(text, rf"(?:{ESCAPE}|\D){{0,2}}".join(digits))
    return text


def composed(text: str) -> str:
    """Return a text in which a letter and its accent are one character."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def alike(text: str) -> str:
    """Return a text, character by character, without accents and in European digits."""
    return text if text.isascii() else "".join(map(_bare, text))


def _bare(letter: str) -> str:
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    parts = unicodedata.normalize("NFKD", letter)
    bare = [part for part in parts if not unicodedata.combining(part)]
    return bare[0] if len(bare) == 1 else letter


# Hardly any text repeats a person, and a pattern for each value of each person costs more to
# compile than a whole auction: one is made only where a cheaper look cannot rule the value out.


def _may_hold(text: str, value: str) -> bool:
    """Return whether a value may stand in a text, in some case; beyond ASCII, always."""
    return not (text.isascii() and value.isascii()) or value.lower() in text.lower()


def _may_hold_digits(text: str, digits: str) -> bool:
    """Return whether digits may follow each other in a text, however parted."""
    # What is escaped has digits of its own between those of a number.
    return not text.isascii() or "%" in text or digits in text.translate(_NO_DIGITS)


def masked_message(text: str, person: Person) -> str:
    """Return a message in anybody's format with every identity value taken out, however spelled.

    As forms, URLs, XML and base64 write it, hashed, and dates in the usual orders.
    """
    return _message_without(text, person, _spelled(person))


def _spelled(person: Person) -> list[str]:
    """Return all that a person's values may be spelled as, the longest first."""
    found = {spelling for value in telling(person) for spelling in spellings(value)}
    return sorted(found, key=lambda one: (-len(one), one))


def _message_without(text: str, person: Person, spelled: Iterable[str]) -> str:
    lower = text.lower()
    for spelling in spelled:
        shortest = DIGITS_MIN if spelling.isdigit() else TELLING_MIN
        if len(spelling) >= shortest and spelling.lower() in lower:
            text = _without(text, spelling)
    return masked(text, person) or ""


def _without(text: str, value: str) -> str:
    # In a form a word may begin right behind an escaped blank; `ann_lee` is two words.
    return _cut(text, rf"(?:(?<![^\W_])|(?<={ESCAPE})){re.escape(value)}(?![^\W_])")


def _cut(text: str, pattern: str) -> str:
    """Return a text with all that looks like this taken out, in any case and with any accents."""
    if text.isascii():
        return re.sub(pattern, MASK, text, flags=re.IGNORECASE)
    kept, at = [], 0
    for found in re.finditer(pattern, alike(text), flags=re.IGNORECASE):
        kept += [text[at : found.start()], MASK]
        at = found.end()
    return "".join([*kept, text[at:]])


def masked_values(value: object, person: Person) -> object:
    """Return decoded JSON with every identity value taken out of its values; keys stay.

    A text in it may be a message itself, such as an address of the web.
    """
    return _values_without(value, person, _spelled(person))


def _values_without(value: object, person: Person, spelled: Sequence[str]) -> object:
    if isinstance(value, dict):
        return {key: _values_without(inner, person, spelled) for key, inner in value.items()}
    if isinstance(value, list):
        return [_values_without(inner, person, spelled) for inner in value]
    if isinstance(value, str):
        return _message_without(value, person, spelled)
    if isinstance(value, bool) or value is None:
        return value
    return MASK if masked(str(value), person) != str(value) else value


def telling(person: Person) -> set[str]:
    """Return what of a person's values would tell who it is, as they may stand in a text."""
    values = (*person.identity.values(), person.consent.ip)
    plain = {str(value) for value in values if value is not None and not isinstance(value, bool)}
    written = {
        msgspec.json.encode(value).decode()[1:-1]
        for value in plain
        if '"' in value or "\\" in value or not value.isprintable()
    }
    return {value for value in plain | written if len(value) >= TELLING_MIN}
