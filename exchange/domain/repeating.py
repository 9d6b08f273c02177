"""A free text may repeat the person that other fields name: then no ping shows it.

A form that was wired wrong puts a telephone where an occupation belongs, and so do people. One name
alone is also an ordinary word (a Ford, a baker), so a text is kept back for two of them, or for
what is nobody else's: a telephone number, an address, an e-mail address.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from exchange.domain.lead import ConsentMarks, Value
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical

WORD = re.compile(r"\w+")
TYPED = frozenset({FieldType.TEXT, FieldType.URL, FieldType.NAME, FieldType.CITY})
"""What people, or programs, may write anything into."""
WHOLE = frozenset({FieldType.EMAIL, FieldType.ADDRESS, FieldType.IP})
PHONE_DIGITS = 10
NAMES_MIN = 2
INITIAL_LENGTH = 1


def repeating(
    identity: Mapping[str, Value], fields: Mapping[str, Value], vertical: Vertical
) -> frozenset[str]:
    """Return which fields that a ping would show as they are repeat who the person is."""
    texts = {
        name: value
        for name, value in fields.items()
        if isinstance(value, str) and is_typed(vertical.fields.get(name))
    }
    if not texts or not identity:
        return frozenset()
    person = Telling(identity, vertical)
    return frozenset(name for name, text in texts.items() if person.is_in(text))


def marks_without(
    identity: Mapping[str, Value], marks: ConsentMarks, vertical: Vertical
) -> ConsentMarks:
    """Return a consent's marks less those that repeat who the person is: they are texts, too."""
    if not identity or not (marks.jornaya_id or marks.trustedform_url):
        return marks
    person = Telling(identity, vertical)
    return ConsentMarks(
        tcpa=marks.tcpa,
        jornaya_id=None if person.is_in(marks.jornaya_id or "") else marks.jornaya_id,
        trustedform_url=None
        if person.is_in(marks.trustedform_url or "")
        else marks.trustedform_url,
    )


def is_typed(field: Field | None) -> bool:
    """Tell whether a ping shows what somebody wrote into this field."""
    return (
        field is not None
        and field.type in TYPED
        and field.show is Show.AS_IS
        and field.privacy is not Privacy.IDENTITY
    )


class Telling:
    """What of a person tells who it is, made ready to be looked for."""

    def __init__(self, identity: Mapping[str, Value], vertical: Vertical) -> None:
        self.names: set[str] = set()
        self.whole: list[str] = []
        self.phones: list[str] = []
        for name, value in identity.items():
            field = vertical.fields.get(name)
            if field is not None:
                self.take(field.type, str(value).casefold())

    def take(self, kind: FieldType, text: str) -> None:
        """Take one value."""
        if kind is FieldType.NAME:
            self.names |= {word for word in WORD.findall(text) if len(word) > INITIAL_LENGTH}
        elif kind is FieldType.PHONE:
            self.phones.append(digits_of(text)[-PHONE_DIGITS:])
        elif kind in WHOLE:
            self.whole.append(text)

    def is_in(self, text: str) -> bool:
        """Tell whether a text repeats it."""
        lower = (unquote_plus(text) if "%" in text or "+" in text else text).casefold()
        if any(value in lower for value in self.whole):
            return True
        digits = digits_of(lower)
        if any(phone in digits for phone in self.phones):
            return True
        return len(self.names.intersection(WORD.findall(lower))) >= NAMES_MIN


def digits_of(text: str) -> str:
    """Return only the digits of a text."""
    return "".join(filter(str.isdecimal, text))
