"""Rules that an answer may meet: what is not named is not success."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from exchange.contract.mapping import RulePart, Rules
from exchange.dialect.answers import Answer
from exchange.dialect.document import Found
from exchange.dialect.faults import Place
from exchange.dialect.reading import PLACES, Read, Reads, check_words, printable
from exchange.dialect.words import alike, number_of, text_of
from exchange.domain.dialect import Miss

RULES_MAX = 20
AND_MAX = 5
WORDS_MAX = 500
REASON_MAX = 200
CONTAINING_MAX = 16_384
"""Characters of a text in which `contains` looks."""
SHOWN_MAX = 2_000
"""Characters of a place's text that are told where no rule is met."""
TESTS = ("equals", "contains", "above", "present")

Holds = Callable[[Answer], bool]


class Look(msgspec.Struct, frozen=True):
    """One place at which a rule looks, and what it wants there, in words."""

    place: str
    wanted: str
    read: Read
    holds: Holds


class Rule(msgspec.Struct, frozen=True):
    """One rule, compiled."""

    holds: Holds
    asks_status: bool
    """The HTTP status is part of it, so it needs no other look at it."""
    reason: Read | None
    looks: tuple[Look, ...] = ()
    """The rule's own place, and those of each `and` in it."""


class Met(msgspec.Struct, frozen=True):
    """That a rule holds, and what the buyer said about it."""

    asks_status: bool
    reason: str | None = None


MET = Met(asks_status=False)
MET_WITH_STATUS = Met(asks_status=True)


class RuleList(msgspec.Struct, frozen=True):
    """Several rules of which one is enough."""

    rules: tuple[Rule, ...]

    def met(self, answer: Answer) -> Met | None:
        """Return that a rule holds, with the first reason of those that do, or None."""
        met = None
        for rule in self.rules:
            if rule.holds(answer):
                met = MET_WITH_STATUS if rule.asks_status or met is MET_WITH_STATUS else MET
                if rule.reason and (said := printable(rule.reason(answer), REASON_MAX)):
                    return Met(self._asks_status(answer), said)
        return met

    def in_vain(self, answer: Answer) -> Iterator[Look]:
        """Return the first look of each rule that finds something else."""
        for rule in self.rules:
            yield from [look for look in rule.looks if not look.holds(answer)][:1]

    def _asks_status(self, answer: Answer) -> bool:
        return any(rule.asks_status and rule.holds(answer) for rule in self.rules)


def misses(lists: Iterable[RuleList], answer: Answer) -> tuple[Miss, ...]:
    """Return where each rule looked in vain, place by place; nothing where one of them is met."""
    lists = tuple(lists)
    if any(rules.met(answer) for rules in lists):
        return ()
    wanted: dict[tuple[str, str | None], dict[str, None]] = {}
    for look in (look for rules in lists for look in rules.in_vain(answer)):
        found = printable(look.read(answer), SHOWN_MAX)
        wanted.setdefault((look.place, found), {})[look.wanted] = None
    return tuple(Miss(place, found, tuple(words)) for (place, found), words in wanted.items())


def compile_rules(part: Rules, place: Place, reads: Reads) -> RuleList:
    """Return the rules; what is wrong with them is kept at its place."""
    if isinstance(part, RulePart):
        return RuleList((_rule(part, place, 0, reads),))
    if len(part) > RULES_MAX:
        place.fault(f"has more than {RULES_MAX} rules")
    return RuleList(
        tuple(_rule(rule, place.at(index), 0, reads) for index, rule in enumerate(part[:RULES_MAX]))
    )


def _rule(part: RulePart, place: Place, depth: int, reads: Reads) -> Rule:
    read = reads.read(part, place)
    holds = _holding(part, read, place)
    asks_status = part.status
    reason = None if part.reason is None else reads.read(part.reason, place.at("reason"))
    looks = (Look(place_text(part), wanted_text(part), read, holds),)
    if part.also is None:
        return Rule(holds, asks_status, reason, looks)
    if depth == AND_MAX:
        place.at("and").fault(f"has more than {AND_MAX} rules one inside the other")
        return Rule(holds, asks_status, reason, looks)
    also = _rule(part.also, place.at("and"), depth + 1, reads)
    first, second = holds, also.holds
    return Rule(
        lambda answer: first(answer) and second(answer),
        asks_status or also.asks_status,
        reason or also.reason,
        (*looks, *also.looks),
    )


def place_text(part: RulePart) -> str:
    """Return where a rule looks, as people say it."""
    if part.path is not None:
        return f"`{part.path}`"
    if part.status or part.text:
        return "the HTTP status" if part.status else "the whole text"
    return f"the header `{part.header}`" if part.header else f"`{part.regex}`"


def wanted_text(part: RulePart) -> str:
    """Return what a rule wants to find, as people say it."""
    if part.equals is not None:
        return " or ".join(f"`{text_of(word)}`" for word in part.equals)
    if part.contains is not None:
        return f"a text with `{part.contains}`"
    if part.above is not None:
        return f"more than {part.above}"
    return "something" if part.present else "nothing"


def _holding(part: RulePart, read: Read, place: Place) -> Holds:
    named = [test for test in TESTS if getattr(part, test) is not None]
    if len(named) != 1:
        place.fault(f"needs exactly one test: {', '.join(TESTS)}")
        return lambda _: False
    if part.equals is not None:
        return _equals(part.equals, read, place)
    if part.contains is not None:
        check_words((part.contains,), place.at("contains"))
        return _contains(part.contains.casefold(), read, part)
    if part.above is not None:
        least = part.above
        return lambda answer: (found := number_of(read(answer))) is not None and found > least
    present = part.present
    return lambda answer: (read(answer) not in NOTHING) is present


def folded(value: Found) -> str:
    """Return a value's text, its beginning, whatever its capitals."""
    return (text_of(value) or "")[:CONTAINING_MAX].casefold()


def _contains(wanted: str, read: Read, part: RulePart) -> Holds:
    # However many rules look for a word at one place, its text is made comparable once.
    place = ("folded", *(getattr(part, name) for name in PLACES), *part.map.items())

    def holds(answer: Answer) -> bool:
        return wanted in answer.once(place, lambda: folded(read(answer)))

    return holds


NOTHING: tuple[object, ...] = (None, "", [], {})


def _equals(words: tuple[object, ...], read: Read, place: Place) -> Holds:
    if not words:
        place.at("equals").fault("names no word")
    if len(words) > WORDS_MAX:
        place.at("equals").fault(f"has more than {WORDS_MAX} words")
    check_words(words, place.at("equals"))
    wanted = {alike(word) for word in words} - {None}
    spelled = {word for word in words if isinstance(word, str)}
    is_true, is_false = "true" in wanted, "false" in wanted

    def holds(answer: Answer) -> bool:
        found = read(answer)
        kind = type(found)
        if kind is str:
            return found in spelled or alike(found) in wanted
        if kind is bool:
            return is_true if found else is_false
        return found is not None and alike(found) in wanted

    return holds
