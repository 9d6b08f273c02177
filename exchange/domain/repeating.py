"""A free text may repeat the person that other fields name: then no ping shows it.

A form that was wired wrong puts a telephone where an occupation belongs, and so do people. One name
alone is also an ordinary word (a Ford, a baker), so a text is kept back for two of them, or for
what is nobody else's: a telephone number, an address, an e-mail address. Of the last two kinds any
is kept back, not only the person's own: of a ping only digests may be known, and people have more
than one.
"""

import re
import unicodedata
from collections.abc import Mapping
from html import unescape
from itertools import permutations
from urllib.parse import unquote

from exchange.domain.lead import ConsentMarks, Value
from exchange.domain.person import MASK
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical

WORD = re.compile(r"[^\W_]+")
TYPED = frozenset({FieldType.TEXT, FieldType.URL, FieldType.NAME, FieldType.CITY})
"""What people, or programs, may write anything into."""
PROSE = TYPED - {FieldType.URL}
"""In which a long number is one to call: addresses of the web hold many others."""
NUMBERS = frozenset({FieldType.INT, FieldType.DECIMAL})
"""What may be a telephone number, where a form was wired wrong."""
WHOLE = frozenset({FieldType.EMAIL, FieldType.ADDRESS, FieldType.IP})
ANY_EMAIL = re.compile(r"[^\s@<>()]@[^\W_][\w-]*\.[^\W\d_]")
EMAIL = re.compile(r"[^\s@<>()]+@[\w.-]+")
ANY_PHONE = re.compile(
    r"(?<!\w)(?:\+?1[\s./-]*)?\(?[2-9]\d\d\)?[\s./-]*[2-9]\d\d[\s./-]*\d{4}(?!\w)", re.ASCII
)
"""As it is written in the United States."""
PHONE_DIGITS = 10
PHONE_MIN = 10 ** (PHONE_DIGITS - 1)
"""No smaller number is one to call: most that leads hold are years and dollars."""
NAMES_MIN = 2
INITIAL_LENGTH = 1


def repeating(
    identity: Mapping[str, Value], fields: Mapping[str, Value], vertical: Vertical
) -> frozenset[str]:
    """Return which fields that a ping would show as they are repeat who the person is."""
    typed = [
        (name, value, field)
        for name, value in fields.items()
        if is_typed(field := vertical.fields.get(name), value)
    ]
    if not typed:
        return frozenset()
    person = Telling(identity, vertical)
    return frozenset(
        name
        for name, value, field in typed
        if person.is_in(text := plain(str(value)))
        or (field is not None and field.type in PROSE and names_anybody(text))
    )


def marks_without(
    identity: Mapping[str, Value], marks: ConsentMarks, vertical: Vertical
) -> ConsentMarks:
    """Return a consent's marks less those that repeat who the person is: they are texts, too."""
    if not identity or not (marks.jornaya_id or marks.trustedform_url):
        return marks
    person = Telling(identity, vertical)
    jornaya, trusted = plain(marks.jornaya_id or ""), plain(marks.trustedform_url or "")
    return ConsentMarks(
        tcpa=marks.tcpa,
        jornaya_id=None if person.is_in(jornaya) else marks.jornaya_id,
        trustedform_url=None if person.is_in(trusted) else marks.trustedform_url,
    )


def is_typed(field: Field | None, value: Value) -> bool:
    """Tell whether a ping shows what somebody wrote into this field."""
    if field is None or field.show is not Show.AS_IS or field.privacy is Privacy.IDENTITY:
        return False
    if isinstance(value, str):
        return field.type in TYPED
    return field.type in NUMBERS and value >= PHONE_MIN


class Telling:
    """What of a person tells who it is, made ready to be looked for."""

    def __init__(self, identity: Mapping[str, Value], vertical: Vertical) -> None:
        self.names: set[str] = set()
        self.whole: list[str] = []
        self.phones: list[str] = []
        for name, value in identity.items():
            field = vertical.fields.get(name)
            if field is not None:
                self.take(field.type, plain(str(value)))
        self.joined = {one + other for one, other in permutations(self.names, 2)}
        """Two names without anything between them."""

    def take(self, kind: FieldType, text: str) -> None:
        """Take one value."""
        if kind is FieldType.NAME:
            self.names |= {word for word in WORD.findall(text) if len(word) > INITIAL_LENGTH}
        elif kind is FieldType.PHONE:
            self.phones.append(digits_of(text)[-PHONE_DIGITS:])
        elif kind in WHOLE:
            self.whole.append(text)

    def is_in(self, text: str) -> bool:
        """Tell whether a plain text repeats it."""
        if any(value in text for value in self.whole):
            return True
        digits = digits_of(text)
        if any(phone in digits for phone in self.phones):
            return True
        words = WORD.findall(text)
        several = len(self.names.intersection(words)) >= NAMES_MIN
        return several or not self.joined.isdisjoint(words)


def without_anybody(words: str | None) -> str | None:
    """Return a buyer's words less any telephone number and e-mail address in them.

    Who was pinged knows a hash, and so perhaps the number: its no may say it.
    """
    if words is None:
        return None
    return ANY_PHONE.sub(MASK, EMAIL.sub(MASK, words))


def names_anybody(text: str) -> bool:
    """Tell whether a plain text holds a telephone number or an e-mail address, whosesoever."""
    return ANY_EMAIL.search(text) is not None or ANY_PHONE.search(text) is not None


def plain(text: str) -> str:
    """Return a text as it reads: no escapes, accents, capitals or digits of another script."""
    if "%" in text or "+" in text:
        text = unquote(text).replace("+", " ")
    if "&" in text:
        text = unescape(text)
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(
        str(unicodedata.decimal(one)) if one.isdecimal() else one
        for one in apart
        if not unicodedata.combining(one)
    )


def digits_of(text: str) -> str:
    """Return only the digits of a text."""
    return "".join(filter(str.isdecimal, text))
