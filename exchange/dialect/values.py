"""Values that are worked out by cases: the first whose condition holds."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from exchange.contract.mapping import Scalar, ValuePart
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Broken, Getter, Scope
from exchange.dialect.template import Template, compile_template, constant
from exchange.domain.condition import ConditionError, Name, check_syntax, compile_condition
from exchange.domain.lead import Facts

CASES_MAX = 200

FactsOf = Callable[[Any], Facts]
"""What conditions are asked about, out of a view."""


class Asking(NamedTuple):
    """What a message's conditions may ask of, and where they find it."""

    kinds: Mapping[str, Name]
    facts: FactsOf


def usable(part: ValuePart, scope: Scope, asking: Asking) -> Getter | Broken:
    """Return what works a value out, or why this message cannot use it."""
    try:
        return value_getter(part, scope, asking)
    except (TemplateError, ConditionError) as error:
        return Broken(str(error))


def value_getter(part: ValuePart, scope: Scope, asking: Asking) -> Getter:
    """Return what works a value out; raise what is wrong with the first case that cannot be."""
    cases = [
        (_condition(case.when, asking), scalar_template(case.then, scope).value)
        for case in part.cases
    ]
    otherwise = None if part.otherwise is None else scalar_template(part.otherwise, scope).value
    facts_of = asking.facts

    def value(view: object) -> object:
        facts = facts_of(view)
        for holds, then in cases:
            if holds(facts):
                return then(view)
        return None if otherwise is None else otherwise(view)

    return value


def _condition(text: str, asking: Asking) -> Callable[[Facts], bool]:
    try:
        return compile_condition(text, asking.kinds).holds
    except ConditionError as error:
        raise ConditionError(f"in `{text[:60]}`: {error}") from None


def scalar_template(value: Scalar, scope: Scope) -> Template:
    """Return a constant with its type, or a text that is filled in."""
    return compile_template(value, scope) if isinstance(value, str) else constant(value)


def check_value(part: ValuePart, scope: Scope, place: Place) -> None:
    """Keep what is wrong with a value whatever it may ask of."""
    if not part.cases:
        place.at("cases").fault("a value needs a case")
    if len(part.cases) > CASES_MAX:
        place.at("cases").fault(f"has more than {CASES_MAX} cases")
    for index, case in enumerate(part.cases[:CASES_MAX]):
        here = place.at("cases", index)
        try:
            check_syntax(case.when)
        except ConditionError as error:
            here.at("when").fault(str(error))
        with here.at("then").catching():
            scalar_template(case.then, scope)
    if part.otherwise is not None:
        with place.at("else").catching():
            scalar_template(part.otherwise, scope)
