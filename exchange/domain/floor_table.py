"""Floors by rules: keys such as `TX|*|mobile` over a lead's fields, compiled into dictionaries.

The rule with the fewest wildcards counts; among those with as many, the one whose first field that
differs in being named is named: `TX|*` goes before `*|mobile`. Two rules for the same leads with
equal weight cannot be, so that nothing depends on their order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product

import msgspec

from exchange.domain.condition_code import Kind, Name
from exchange.domain.lead import Facts, Value
from exchange.domain.money import Micros
from exchange.domain.nearest import hint

ANY = "*"
BETWEEN = "|"
"""Between the parts of a key."""
OR = ","
"""Between values of one part, each of which is as good."""
RANGE = "-"
"""Between the first and the last of a range of whole numbers."""
DEFAULT = "default"
"""What is said of a floor that no rule gave."""
VERTICAL = "vertical"
"""A field that every table may name: it is the campaign's own, so that tables can be alike."""
RANGE_MAX = 1000
TOLD_MAX = 100
"""So much of a key stands in timelines, and in quotes."""
ENTRIES_MAX = 200_000
"""So many entries a table may have, lists and ranges written out."""


class FloorRuleError(ValueError):
    """What is wrong with a rule's key, in a sentence for whoever wrote it."""


class RuledFloor(msgspec.Struct, frozen=True):
    """A floor, and the key of the rule that gave it, long ones shortened."""

    amount: Micros
    rule: str


Known = Value | None
"""None: nothing is known of a field; or, in a rule, it names the campaign's own vertical."""


class Layer(msgspec.Struct, frozen=True):
    """All rules that name the same fields."""

    places: tuple[int, ...]
    """Which fields, by their places in the table."""
    floors: Mapping[tuple[Known, ...], RuledFloor]
    """By the values of these fields."""


class FloorTable(msgspec.Struct, frozen=True):
    """The floors of a campaign, by what is known of a lead."""

    fields: tuple[str, ...]
    layers: tuple[Layer, ...]
    """The most specific first; few, whatever the number of rules: one for each set of fields."""
    default: RuledFloor

    def find(self, facts: Facts) -> RuledFloor:
        """Return the floor of the most specific rule that fits; a field not known fits no name."""
        values = [facts.get(name) for name in self.fields]
        for layer in self.layers:
            found = layer.floors.get(tuple([values[place] for place in layer.places]))
            if found is not None:
                return found
        return self.default


class Columns(msgspec.Struct, frozen=True):
    """What the parts of a table's keys stand for."""

    fields: tuple[str, ...]
    names: Mapping[str, Name]
    """What a lead of the campaign's vertical may hold, by name."""
    vertical_id: str


class Drawing:
    """A table while it is made, rule by rule; their order does not matter."""

    def __init__(self, columns: Columns) -> None:
        """Begin without rules."""
        self._columns = columns
        self._layers: defaultdict[tuple[int, ...], dict[tuple[Known, ...], RuledFloor]]
        self._layers = defaultdict(dict)
        self._entries = 0

    def add(self, key: str, amount: Micros) -> None:
        """Add a rule, or nothing of it: raise FloorRuleError where its key cannot be.

        Rules for other verticals than the campaign's are read and left away.
        """
        rule = RuledFloor(amount, key if len(key) <= TOLD_MAX else f"{key[:TOLD_MAX]}…")
        places, combinations = entries_of(key, self._columns)
        layer = self._layers[places]
        entries: dict[tuple[Known, ...], RuledFloor] = {}
        for combination in combinations:
            if combination in layer:
                same = layer[combination].rule
                raise FloorRuleError(f'is for leads for which "{same}" stands already')
            if self._entries + len(entries) >= ENTRIES_MAX:
                raise FloorRuleError(f"is too much: a table has {ENTRIES_MAX} entries at most")
            entries[combination] = rule
        layer.update(entries)
        self._entries += len(entries)

    def table(self, default: Micros) -> FloorTable:
        """Return what was drawn."""
        places = sorted(self._layers, key=lambda these: (-len(these), these))
        layers = tuple(Layer(these, self._layers[these]) for these in places)
        return FloorTable(self._columns.fields, layers, RuledFloor(default, DEFAULT))


def entries_of(key: str, columns: Columns) -> tuple[tuple[int, ...], Iterable[tuple[Known, ...]]]:
    """Return which fields a key names, by place, and every combination of values that it fits."""
    parts = [part.strip() for part in key.split(BETWEEN)]
    if len(parts) != len(columns.fields):
        count, wanted = len(parts), len(columns.fields)
        words = f"{count} part{'s' * (count != 1)} for {wanted} field{'s' * (wanted != 1)}"
        raise FloorRuleError(f"has {words}")
    named: dict[int, tuple[Known, ...]] = {}
    is_ours = True
    for place, (part, field) in enumerate(zip(parts, columns.fields, strict=True)):
        if part == ANY:
            continue
        if field == VERTICAL and field not in columns.names:
            is_ours = is_ours and columns.vertical_id in alternatives(part, None)
            named[place] = (None,)
        else:
            named[place] = alternatives(part, columns.names[field])
    return tuple(named), product(*named.values()) if is_ours else ()


def alternatives(part: str, name: Name | None) -> tuple[Value, ...]:
    """Return the values that a part names; raise FloorRuleError where it cannot hold one."""
    values: list[Value] = []
    for word in (one.strip() for one in part.split(OR)):
        if not word:
            raise FloorRuleError('has an empty part; "*" fits everything')
        if word == ANY:
            raise FloorRuleError('"*" is every value already; it stands alone')
        values += one_of(word, name)
    if len(values) > len(set(values)):
        raise FloorRuleError(f'"{part}" names a value twice')
    return tuple(values)


def one_of(word: str, name: Name | None) -> Sequence[Value]:
    """Return the value, or the values of a range, that a word stands for."""
    match None if name is None else name.kind:
        case Kind.NUMBER:
            return numbers(word)
        case Kind.BOOL:
            if word not in {"true", "false"}:
                raise FloorRuleError(f'"{word}" is neither true nor false')
            return (word == "true",)
    if name is not None and name.values and word not in name.values:
        raise FloorRuleError(f'"{word}" is none of its values{hint(word, name.values)}')
    return (word,)


def numbers(word: str) -> Sequence[Value]:
    """Return a number, or all whole numbers of a range, its ends among them."""
    first, dash, last = word.partition(RANGE)
    if dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit():
        low, high = int(first), int(last)
        if low > high:
            raise FloorRuleError(f'"{word}" ends before it begins')
        if high - low >= RANGE_MAX:
            raise FloorRuleError(f'"{word}" is too wide: {RANGE_MAX} numbers at most')
        return range(low, high + 1)
    try:
        number = Decimal(word)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise FloorRuleError(f'"{word}" is neither a number nor a range such as 9-16')
    return (number,)
