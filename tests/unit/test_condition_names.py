"""Which names a condition knows."""

import pytest

from exchange.domain.condition import ConditionError, Kind, compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical


def vertical(*fields: Field) -> Vertical:
    return Vertical("auto", "Auto", {field.name: field for field in fields})


def field(name: str, kind: FieldType, **more) -> Field:
    return Field(name=name, type=kind, privacy=Privacy.ATTRIBUTE, show=Show.AS_IS, **more)


def test_a_vertical_offers_its_fields_and_what_follows_from_them():
    """Fields have the kind of their type; derived names are there for every vertical."""
    names = names_of(
        vertical(
            field("year", FieldType.INT),
            field("bill", FieldType.DECIMAL),
            field("insured", FieldType.BOOL),
            field("born", FieldType.DATE),
            field("zip", FieldType.US_ZIP),
        )
    )
    kinds = {name: names[name].kind for name in ("year", "bill", "insured", "born", "zip")}
    assert kinds == {
        "year": Kind.NUMBER,
        "bill": Kind.NUMBER,
        "insured": Kind.BOOL,
        "born": Kind.DATE,
        "zip": Kind.TEXT,
    }
    derived = {"state", "zip3", "time_zone", "area_code", "age", "hour", "weekday", "score"}
    assert derived | {"source", "channel", "seller", "test"} <= names.keys()


def test_a_choice_is_compared_with_its_choices_only():
    """A value that cannot be is told before it costs a lead."""
    names = names_of(vertical(field("credit", FieldType.CHOICE, values=("good", "poor"))))
    assert compile_condition('credit == "good"', names).holds({"credit": "good"})
    with pytest.raises(ConditionError, match='never "god"; did you mean "good"'):
        compile_condition('credit == "god"', names)


def test_states_and_weekdays_are_spelled_as_the_exchange_spells_them():
    """`Texas` and `monday` are refused, `TX` and `mon` are not."""
    names = names_of(vertical())
    for good in ('state == "TX"', 'weekday in ["mon", "fri"]', 'state == "DC"'):
        compile_condition(good, names)
    for bad in ('state == "Texas"', 'weekday == "monday"'):
        with pytest.raises(ConditionError, match="is never"):
            compile_condition(bad, names)
