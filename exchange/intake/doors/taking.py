"""How one value is taken from a request: where it stands, and what is made of what stands there."""

from collections.abc import Callable, Mapping

import msgspec

from exchange.contract.door import From, FromPart, Piece
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Scope
from exchange.dialect.template import compile_template
from exchange.dialect.words import alike
from exchange.domain.nearest import hint
from exchange.intake.doors.dates import DateFormatError, date_reader
from exchange.intake.doors.paths import Path, PathError, Reading, path_of
from exchange.intake.errors import Bad
from exchange.intake.readers import absent, scalar_text

Maps = Mapping[str, Mapping[str, object]]
Change = Callable[[object], object]
"""Makes something of a value that was found; None: nothing, a `Bad`: it was wrong."""

ANY = "*"
TEXT_LENGTH_MAX = 10_000
"""A longer text is left as it is: the fields' own checks refuse it, or keep a part of it."""


class Taken(msgspec.Struct, frozen=True):
    """A value, and under which names of the sender it stood."""

    value: object
    places: tuple[str, ...] = ()


class Taker(msgspec.Struct, frozen=True, kw_only=True):
    """One value's rule, compiled."""

    paths: tuple[Path, ...] = ()
    header: str | None = None
    join: tuple[Path, ...] = ()
    between: str = ""
    only_if: tuple[tuple[Path, str | None], ...] = ()
    changes: tuple[Change, ...] = ()
    const: object = None
    default: object = None
    or_only: bool = False
    words: Mapping[str, object] | None = None
    """The map's, where it leaves other words as they are."""

    @property
    def name(self) -> str | None:
        """Return what the sender calls this, for people: the first of several, joined ones all."""
        if self.join:
            return " + ".join(path.text for path in self.join)
        if self.paths:
            return self.paths[0].text
        return self.header

    def take(self, reading: Reading) -> Taken | None:
        """Return the value, or None where the request does not say it."""
        found = self.found(reading)
        value = None if found is None else self.changed(found.value)
        if value is None and self.default is not None:
            return Taken(self.default, () if found is None else found.places)
        return None if found is None or value is None else Taken(value, found.places)

    def found(self, reading: Reading) -> Taken | None:
        """Return what stands in the request, as it stands there."""
        if not self.holds(reading):
            return None
        if self.const is not None:
            return Taken(self.const)
        if self.join:
            return self.joined(reading)
        for path in self.paths:
            told = reading.find(path)
            if told is not None:
                return Taken(told[0], (told[1],))
        text = None if self.header is None else reading.header(self.header)
        return None if text is None else Taken(text, (self.header or "",))

    def holds(self, reading: Reading) -> bool:
        """Tell whether this rule is meant for this request."""
        for path, wanted in self.only_if:
            told = reading.find(path)
            if told is None or alike(told[0]) != wanted:
                return False
        return True

    def joined(self, reading: Reading) -> Taken | None:
        """Return the texts of several places, put together."""
        told = [one for one in map(reading.find, self.join) if one is not None]
        texts = [scalar_text(value) for value, _ in told]
        places = tuple(place for _, place in told)
        return Taken(self.between.join(filter(None, texts)), places) if any(texts) else None

    def changed(self, value: object) -> object:
        """Return what is made of a value that was found."""
        for change in self.changes:
            if value is None or isinstance(value, Bad):
                return value
            value = change(value)
        return value


def part_of(rule: From) -> FromPart:
    """Return a rule in full."""
    return rule if isinstance(rule, FromPart) else FromPart(path=rule)


def compile_taker(rule: From, maps: Maps, place: Place) -> Taker:
    """Return a rule compiled; what is wrong with it goes to `place`."""
    part = part_of(rule)
    changes: list[Change] = []
    if part.piece is not None:
        changes.append(PIECES[part.piece])
    if part.filter is not None:
        changes += filters_of(part.filter, maps, place.at("filter"))
    if part.date is not None:
        changes += dates_of(part.date, place.at("date"))
    if part.map:
        changes += maps_of(part.map, maps, place.at("map"))
    paths = (part.path,) if isinstance(part.path, str) else part.path
    conditions = paths_of(tuple(part.only_if), place.at("only_if"))
    check_places(part, place)
    return Taker(
        paths=paths_of(paths, place.at("path")),
        header=part.header,
        join=paths_of(part.join, place.at("join")),
        between=part.between,
        only_if=tuple(zip(conditions, map(alike, part.only_if.values()), strict=False)),
        changes=tuple(changes),
        const=part.const,
        default=part.default,
        or_only=part.or_only,
        words=words_of(part.map, maps),
    )


def check_places(part: FromPart, place: Place) -> None:
    """Note a rule that cannot find anything, or that says twice where."""
    if part.const is not None and (part.path or part.header or part.join):
        place.at("const").fault("is always the same: path, header and join are nothing to it")
    elif part.join and (part.path or part.header):
        place.at("join").fault("stands in place of path and header")
    says_where = part.path or part.header or part.join or part.const is not None
    if not says_where and part.default is None and not part.or_only:
        place.fault("says nowhere to read: path, header, join, const or default")


def paths_of(texts: tuple[str, ...], place: Place) -> tuple[Path, ...]:
    """Return paths; those that are none go to `place`."""
    found = []
    for text in texts:
        try:
            found.append(path_of(text))
        except PathError as error:
            place.fault(f'"{text}" {error}')
    return tuple(found)


def filters_of(text: str, maps: Maps, place: Place) -> list[Change]:
    """Return filters of the mapping language as one change."""
    scope = Scope(names={"it": lambda value: value}, maps=maps)
    changes: list[Change] = []
    with place.catching():
        template = compile_template(f"{{it|{text}}}", scope)
        if not template.is_single:
            raise TemplateError("must be filters with | between")
        changes.append(short(template.value))
    return changes


def dates_of(text: str, place: Place) -> list[Change]:
    """Return the reading of a date as a change."""
    try:
        read = date_reader(text)
    except DateFormatError as error:
        place.fault(str(error))
        return []
    return [on_text(read)]


def maps_of(named: str | Mapping[str, object], maps: Maps, place: Place) -> list[Change]:
    """Return a map, by name or as it is, as a change."""
    table = maps.get(named) if isinstance(named, str) else named
    if table is None:
        place.fault(f'there is no map "{named}"{hint(str(named), maps)}')
        return []
    return [mapped(table)]


def words_of(named: str | Mapping[str, object] | None, maps: Maps) -> Mapping[str, object] | None:
    """Return the words of a map that has none for all the rest."""
    table = maps.get(named) if isinstance(named, str) else named
    return table if table and ANY not in table else None


def mapped(table: Mapping[str, object]) -> Change:
    """Return what turns words into others, whatever their capitals; what is in no map stays."""
    words = {alike(word): meant for word, meant in table.items() if word != ANY}
    rest = table.get(ANY)

    def change(value: object) -> object:
        word = alike(value)
        return words.get(word, value if rest is None else rest) if word is not None else value

    return change


def short(change: Change) -> Change:
    """Return a change that leaves a far too long text as it is."""

    def changed(value: object) -> object:
        too_long = isinstance(value, str) and len(value) > TEXT_LENGTH_MAX
        return value if too_long else change(value)

    return changed


def on_text(change: Callable[[str], object]) -> Change:
    """Return a change of texts; what is no text, or far too long, stays as it is."""

    def changed(value: object) -> object:
        text = scalar_text(value)
        return value if text is None or len(text) > TEXT_LENGTH_MAX else change(text)

    return changed


def first_word(text: str) -> str | None:
    """Return the first word."""
    return next(iter(text.split(maxsplit=1)), None)


def rest_of_words(text: str) -> str | None:
    """Return all words but the first."""
    words = text.split(maxsplit=1)
    return words[1].strip() if len(words) > 1 else None


def last_word(text: str) -> str | None:
    """Return the last word of several."""
    words = text.rsplit(maxsplit=1)
    return words[1] if len(words) > 1 else None


PIECES: Mapping[Piece, Change] = {
    Piece.FIRST: on_text(first_word),
    Piece.REST: on_text(rest_of_words),
    Piece.LAST: on_text(last_word),
}


def text_taken(taken: Taken | None) -> str | None:
    """Return what was taken as a text of one line, or None where it is none."""
    text = None if taken is None else scalar_text(taken.value)
    return None if text is None or absent(text) else text
