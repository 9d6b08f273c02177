"""Where in an answer something stands, compiled; reading never raises, whatever came."""

from collections.abc import Callable

import re2

from exchange.contract.mapping import PriceReadPart, ReadPart, Unit
from exchange.dialect.answers import Answer
from exchange.dialect.document import Found, Kind, settled
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.filters import mapping
from exchange.dialect.headers import is_header_name
from exchange.dialect.paths import parse_path
from exchange.dialect.prices import PriceForm, price_of
from exchange.dialect.words import text_of, to_json
from exchange.domain.money import Micros

PLACES = ("path", "regex", "header", "text", "status")
MAP_MAX = 1_000
REGEX_LENGTH_MAX = 500
REGEX_MEMORY_MAX = 1 << 18
REGEX_SIZE_MAX = 1_300
REGEX_BYTES_MAX = 8_192
"""A regex sees no more of an answer."""
REGEX_STEPS_MAX = 3_500_000
"""Its time is at worst its size times what it sees: a large one sees less."""

Read = Callable[[Answer], Found]
"""Finds something in an answer; None: it is not there."""


def compile_read(part: ReadPart, place: Place, *, pages: bool = False) -> Read:
    """Return what reads this place of an answer; what is wrong with it is kept at its place.

    `pages`: texts and regexes also look into HTML pages.
    """
    named = [name for name in PLACES if getattr(part, name) not in {None, False}]
    if len(named) != 1:
        place.fault(f"is exactly one of {', '.join(PLACES)}")
        return nothing
    try:
        read = _reading(named[0], part, pages=pages)
    except TemplateError as error:
        place.at(named[0]).fault(str(error))
        return nothing
    if not part.map:
        return read
    if len(part.map) > MAP_MAX:
        place.at("map").fault(f"has more than {MAP_MAX} words")
    return _mapped(read, part)


def nothing(_: Answer) -> None:
    """Find nothing."""


def _mapped(read: Read, part: ReadPart) -> Read:
    words = mapping(part.map)
    return lambda answer: words(read(answer))  # type: ignore[return-value] # all that a map holds


def _reading(kind: str, part: ReadPart, *, pages: bool) -> Read:
    if kind == "status":
        return lambda answer: answer.status
    if kind == "text":
        return lambda answer: whole_text(answer, pages=pages)
    if kind == "path":
        return path_reader(part.path or "")
    if kind == "header":
        if not is_header_name(part.header or ""):
            raise TemplateError("is no header's name")
        name = (part.header or "").lower().encode()
        return lambda answer: answer.header(name)
    search = compile_regex(part.regex or "")
    return lambda answer: search(whole_text(answer, pages=pages))


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


def whole_text(answer: Answer, *, pages: bool) -> str | None:
    """Return all of an answer; of an HTML page, which may say anything, nothing unless asked."""
    document = answer.document
    return None if document.kind is Kind.HTML and not pages else document.text.strip()


def compile_regex(pattern: str) -> Callable[[str | None], str | None]:
    """Return what finds a pattern's first group, or all of it; raise TemplateError."""
    if len(pattern) > REGEX_LENGTH_MAX:
        raise TemplateError(f"is a regex of more than {REGEX_LENGTH_MAX} characters")
    options = re2.Options()
    options.max_mem = REGEX_MEMORY_MAX
    options.log_errors = False
    try:
        regex = re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        told = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise TemplateError(f"is no regular expression of RE2: {told}") from None
    if regex.programsize > REGEX_SIZE_MAX:
        raise TemplateError("is a regex that takes too long; write it with fewer repetitions")
    group = 1 if regex.groups else 0
    seen = min(REGEX_BYTES_MAX, REGEX_STEPS_MAX // max(regex.programsize, 1))

    def search(text: str | None) -> str | None:
        if text is None:
            return None
        found = regex.search(text.encode(errors="replace")[:seen])
        told = None if found is None else found[group]
        return None if told is None else told.decode(errors="replace")

    return search


def compile_price(
    part: PriceReadPart, place: Place, *, pages: bool = False
) -> Callable[[Answer], Micros | None]:
    """Return what reads an amount; None for what is none."""
    read = compile_read(part, place, pages=pages)
    form = PriceForm(part.decimal, part.unit is Unit.CENT)
    return lambda answer: price_of(read(answer), form)


def printable(value: Found, longest: int) -> str | None:
    """Return what was read as a text of printable characters, cut off; None for nothing."""
    text = to_json(value).decode() if isinstance(value, dict | list) else text_of(value)
    if text is None:
        return None
    text = " ".join(text[: 4 * longest].split())[:longest]
    text = text if text.isprintable() else "".join(c for c in text if c.isprintable())
    return text or None
