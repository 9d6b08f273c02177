"""Where in an answer something stands, compiled; reading never raises, whatever came."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from exchange.contract.mapping import PriceReadPart, ReadPart, Unit
from exchange.dialect.answers import Answer
from exchange.dialect.document import Found, settled
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.filters import mapping
from exchange.dialect.headers import is_header_name
from exchange.dialect.paths import parse_path
from exchange.dialect.prices import PriceForm, price_of
from exchange.dialect.regexes import Regexes
from exchange.dialect.words import WORD_MAX, text_of, to_json
from exchange.domain.money import Micros

PLACES = ("path", "regex", "header", "text", "status")
MAP_MAX = 1_000
READS_MAX = 100
"""So many places one half of a mapping may read in an answer."""

Read = Callable[[Answer], Found]
"""Finds something in an answer; None: it is not there."""


class Stated(NamedTuple):
    """What stands where an amount may stand."""

    is_there: bool
    amount: Micros | None
    """None: nothing, or no amount."""


class Reads:
    """Compiles what one half of a mapping reads in an answer: all of it within bounds."""

    def __init__(self, *, pages: bool = False) -> None:
        """Take whether texts and regexes also look into HTML pages."""
        self._pages = pages
        self._regexes = Regexes()
        self._count = 0

    def read(self, part: ReadPart, place: Place) -> Read:
        """Return what reads this place; what is wrong with it is kept at its place."""
        named = [name for name in PLACES if getattr(part, name) not in {None, False}]
        if len(named) != 1:
            place.fault(f"is exactly one of {', '.join(PLACES)}")
            return nothing
        self._count += 1
        if self._count == READS_MAX + 1:
            place.fault(f"is one place too many: {READS_MAX} are read in an answer at most")
        try:
            read = self._reading(named[0], part)
        except TemplateError as error:
            place.at(named[0]).fault(str(error))
            return nothing
        return _mapped(read, part, place.at("map")) if part.map else read

    def price(self, part: PriceReadPart, place: Place) -> Callable[[Answer], Micros | None]:
        """Return what reads an amount; None for what is none."""
        read = self.read(part, place)
        form = PriceForm(part.decimal, part.unit is Unit.CENT)
        return lambda answer: price_of(read(answer), form)

    def stated(self, part: PriceReadPart, place: Place) -> Callable[[Answer], Stated]:
        """Return what reads an amount, and tells one that is not there from what is none."""
        read = self.read(part, place)
        form = PriceForm(part.decimal, part.unit is Unit.CENT)

        def stated(answer: Answer) -> Stated:
            found = read(answer)
            return Stated(found is not None and found != "", price_of(found, form))

        return stated

    def _reading(self, kind: str, part: ReadPart) -> Read:
        pages = self._pages
        if kind == "status":
            return lambda answer: answer.status
        if kind == "text":
            return lambda answer: answer.text(pages=pages)
        if kind == "path":
            return path_reader(part.path or "")
        if kind == "header":
            if not is_header_name(part.header or ""):
                raise TemplateError("is no header's name")
            name = (part.header or "").lower().encode()
            return lambda answer: answer.header(name)
        search = self._regexes.search(part.regex or "")
        return lambda answer: answer.once(search, lambda: search(answer, pages=pages))


def nothing(_: Answer) -> None:
    """Find nothing."""


def _mapped(read: Read, part: ReadPart, place: Place) -> Read:
    if len(part.map) > MAP_MAX:
        place.fault(f"has more than {MAP_MAX} words")
    check_words(part.map, place)
    words = mapping(part.map)
    return lambda answer: words(read(answer))  # type: ignore[return-value] # all that a map holds


def check_words(words: Iterable[object], place: Place) -> None:
    """Keep the words that nothing could be alike."""
    for word in words:
        if len(text_of(word) or "") > WORD_MAX:
            place.fault(f"has a word of more than {WORD_MAX} characters")


def path_reader(text: str) -> Read:
    """Return what finds a path, at once where it is a single key of JSON."""
    path = parse_path(text)
    key = path.steps[0]
    if len(path.steps) > 1 or not isinstance(key, str):
        return lambda answer: answer.document.find(path)

    def read(answer: Answer) -> Found:
        root = answer.document.root
        if type(root) is not dict:
            return answer.document.find(path)
        found = root.get(key)
        return found if type(found) is str else settled(found)

    return read


def printable(value: Found, longest: int) -> str | None:
    """Return what was read as a text of printable characters, cut off; None for nothing."""
    text = to_json(value).decode() if isinstance(value, dict | list) else text_of(value)
    if text is None:
        return None
    text = text[: 4 * longest]
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c.isspace())
    return " ".join(text.split())[:longest].rstrip() or None
