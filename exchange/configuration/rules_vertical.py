"""What must hold inside a vertical, beyond the types of its keys."""

import keyword
import re
from collections.abc import Iterator

from exchange.configuration.draft import Entry
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.market.verticals import FieldPart, VerticalPart
from exchange.domain.condition_names import DERIVED_TYPES, EXCHANGE_NAMES, LANGUAGE_WORDS
from exchange.domain.nearest import hint
from exchange.domain.vertical import FieldType, Privacy, Show

IDENTITY_TYPES = frozenset(
    {FieldType.NAME, FieldType.PHONE, FieldType.EMAIL, FieldType.ADDRESS, FieldType.IP}
)
"""Types whose every value names somebody, whatever the field is called."""

HASHED_TYPES = frozenset({FieldType.PHONE, FieldType.EMAIL})
NUMBER_TYPES = frozenset({FieldType.INT, FieldType.DECIMAL})

SHOWN_ENDINGS = ("_hash", "_sha256", "_md5")
"""Endings under which hashes travel."""

TAKEN_NAMES = LANGUAGE_WORDS | EXCHANGE_NAMES.keys() | {"age_band", "api_key", "campaign"}
"""Words of conditions, what the exchange itself knows, what stands beside the fields of a form."""

QUASI_SHOWS = {
    Show.ZIP3: (FieldType.US_ZIP,),
    Show.AGE: (FieldType.DATE,),
    Show.AGE_BAND: (FieldType.DATE,),
    Show.YEAR: (FieldType.DATE,),
}


def check_vertical(entry: Entry[VerticalPart]) -> Iterator[Problem]:
    """Tell what is wrong with a vertical."""
    path = (*entry.path, "fields")
    if not entry.part.fields:
        yield Problem(path, "a vertical needs a field")
    fields = entry.part.fields.values()
    for name, field in entry.part.fields.items():
        yield from _name(name, field, (*path, name))
        yield from _privacy(field, (*path, name))
        yield from _choices(field, (*path, name))
        yield from _limits(field, (*path, name))
    if entry.part.anonymity is not None and not any(map(is_quasi_shown, fields)):
        message = 'pings show no field with privacy = "quasi": there is nothing to count'
        yield Problem((*entry.path, "anonymity"), message)


def is_quasi_shown(field: FieldPart) -> bool:
    """Tell whether pings show something by which people could be told apart."""
    shown = field.show is not None and field.show is not Show.HIDDEN
    return field.privacy is Privacy.QUASI and shown


def _name(name: str, field: FieldPart, path: Path) -> Iterator[Problem]:
    if name in TAKEN_NAMES or keyword.iskeyword(name):
        yield Problem(path, f'"{name}" is a word of the exchange; call the field something else')
    elif name.endswith(SHOWN_ENDINGS):
        yield Problem(
            path, f"hashes are called {', '.join(SHOWN_ENDINGS)}; call the field otherwise"
        )
    wanted = DERIVED_TYPES.get(name)
    if wanted is not None and field.type is not wanted:
        yield Problem((*path, "type"), f'"{name}" must be of type "{wanted}", as it is derived')


def _privacy(field: FieldPart, path: Path) -> Iterator[Problem]:
    if field.type in IDENTITY_TYPES and field.privacy is not Privacy.IDENTITY:
        yield Problem((*path, "privacy"), f'a field of type "{field.type}" is "identity"')
    show = field.show
    if show in {None, Show.HIDDEN}:
        return
    path = (*path, "show")
    if field.privacy is Privacy.IDENTITY:
        if show is not Show.HASH or field.type not in HASHED_TYPES:
            yield Problem(
                path,
                'identity is hidden; only fields of type "phone" and "email" may show a "hash"',
            )
    elif field.privacy is Privacy.ATTRIBUTE:
        if show is not Show.AS_IS:
            yield Problem(path, 'an attribute shows "as_is" or "hidden"')
    elif show is Show.HASH:
        yield Problem(path, 'only identity shows a "hash"')
    elif show in QUASI_SHOWS and field.type not in QUASI_SHOWS[show]:
        wanted = " or ".join(f'"{kind}"' for kind in QUASI_SHOWS[show])
        yield Problem(path, f'"{show}" is for fields of type {wanted}')


def _choices(field: FieldPart, path: Path) -> Iterator[Problem]:
    if field.type is not FieldType.CHOICE:
        for key in ("values", "aliases"):
            if getattr(field, key):
                yield Problem((*path, key), 'only a field of type "choice" has it')
        return
    if not field.values:
        yield Problem((*path, "values"), "a choice needs values")
    for index, value in enumerate(field.values):
        if value in field.values[:index]:
            yield Problem((*path, "values", index), f'"{value}" stands twice')
    for spelling, value in field.aliases.items():
        if value not in field.values:
            yield Problem(
                (*path, "aliases", spelling), f'"{value}" is no value{hint(value, field.values)}'
            )


def _limits(field: FieldPart, path: Path) -> Iterator[Problem]:
    for key in ("min", "max"):
        limit = getattr(field, key)
        if limit is None:
            continue
        if field.type not in NUMBER_TYPES:
            yield Problem((*path, key), 'only fields of type "int" and "decimal" have it')
        elif field.type is FieldType.INT and limit != int(limit):
            yield Problem((*path, key), "must be a whole number")
    if field.min is not None and field.max is not None and field.min > field.max:
        yield Problem((*path, "min"), f"min {field.min} is more than max {field.max}")
    if field.pattern is not None:
        try:
            re.compile(field.pattern)
        except re.error as error:
            yield Problem((*path, "pattern"), f"is no regular expression: {error}")
