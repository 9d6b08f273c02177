"""Many conditions at once: which of them hold for a lead, found without asking each of them.

A set of offers is a whole number, a bit for each by its place: `&` and `|` of a thousand offers
take some fifty nanoseconds. What a clause says of a single field depends on that field's value
alone, so it is found once for each value and kept, as the set of offers whose clauses about that
field all hold; lists of texts and of beginnings, the commonest clauses, are looked up even the
first time. Nothing of the language is repeated here: every answer is that of the clause's own code.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal

from exchange.domain import places
from exchange.domain.condition import Clause, Condition
from exchange.domain.lead import Facts

KEPT_MAX = 4096
"""Values of one field whose answers are kept; then it begins anew."""


class FilterIndex:
    """The conditions of offers by their places; `None` holds for every lead."""

    def __init__(
        self, conditions: Sequence[Condition | None], personal: Collection[str] = ()
    ) -> None:
        """Prepare; of fields that are `personal` no value is kept."""
        self._conditions = tuple(conditions)
        everyone = (1 << len(self._conditions)) - 1
        asking: defaultdict[Clause, int] = defaultdict(int)
        self._single = 0
        """Whose condition has to be asked by itself, as far as the fields leave it open."""
        for place, condition in enumerate(self._conditions):
            if condition is None:
                continue
            if not condition.clauses:
                self._single |= 1 << place
            for clause in condition.clauses:
                if len(clause.names) == 1:
                    asking[clause] |= 1 << place
                else:
                    self._single |= 1 << place
        by_name: defaultdict[str, dict[Clause, int]] = defaultdict(dict)
        for clause, mask in asking.items():
            (name,) = clause.names
            by_name[name][clause] = mask
        self._fields = [
            FieldIndex(name, clauses, everyone, keeps=name not in personal)
            for name, clauses in by_name.items()
        ]

    def holding(self, facts: Facts, among: int) -> int:
        """Return those of this set of offers whose condition holds, as a set."""
        for field in self._fields:
            among &= field.holding(facts)
        for place in places.each(among & self._single):
            condition = self._conditions[place]
            if condition is not None and not condition.holds(facts):
                among ^= 1 << place
        return among


class FieldIndex:
    """All that conditions say of one field alone."""

    def __init__(
        self, name: str, clauses: dict[Clause, int], everyone: int, *, keeps: bool
    ) -> None:
        self._name = name
        self._everyone = everyone
        self._keeps = keeps
        self._equal: dict[str, int] = {}
        self._begin: defaultdict[int, dict[str, int]] = defaultdict(dict)
        listed = 0
        self._others: list[tuple[Clause, int]] = []
        """Each with those that do not ask for it."""
        for clause, mask in clauses.items():
            # Of an offer with two lists both must hold: the second one is a clause like others.
            first = mask & ~listed
            if first and (clause.equals or clause.begins):
                listed |= first
                self._list(clause, first)
                mask ^= first  # noqa: PLW2901 - what is left of it
            if mask:
                self._others.append((clause, everyone ^ mask))
        self._unlisted = everyone ^ listed
        self._kept: dict[tuple[type, object], int] = {}

    def _list(self, clause: Clause, mask: int) -> None:
        for text in clause.equals:
            self._equal[text] = self._equal.get(text, 0) | mask
        for text in clause.begins:
            table = self._begin[len(text)]
            table[text] = table.get(text, 0) | mask

    def holding(self, facts: Facts) -> int:
        """Return the offers of which every clause about this field holds."""
        value = facts.get(self._name)
        # True is 1 to a dictionary, but not to a condition.
        key = value.__class__, value
        if not self._keeps or key[0] is Decimal:
            return self._found(facts)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            found = self._kept[key] = self._found(facts)
        return found

    def _found(self, facts: Facts) -> int:
        value = facts.get(self._name)
        found = self._everyone
        if self._unlisted != self._everyone:
            found = self._unlisted
            if value.__class__ is str:
                found |= self._equal.get(value, 0)
                for length, table in self._begin.items():
                    found |= table.get(value[:length], 0)
        for clause, others in self._others:
            # Once no offer that asks for it is left, its answer changes nothing.
            if found | others != others and not clause.holds(facts):
                found &= others
        return found
