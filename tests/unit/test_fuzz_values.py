"""Whatever a field is told: one value or one reason, soon, and the reason repeats nothing of it."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.vertical import FieldType
from exchange.intake.consent import READERS
from exchange.intake.doors.dates import date_reader
from exchange.intake.errors import Bad
from exchange.intake.normalize import normalizer
from exchange.intake.readers import absent
from tests.making_intake import a_field, geography
from tests.making_odd import BODY_MAX, CPU_MAX_S, JSON_VALUES, TEXTS, VALUES, cpu_s

CHOICES = ("poor", "fair", "very_good")
FIELDS = {
    kind.value: normalizer(a_field("f", kind, values=CHOICES, pattern="[A-Za-z0-9 ]*"), geography())
    for kind in FieldType
}
CONSENTS = {f"consent.{name}": read for name, read in READERS.items()}
TYPED = {**FIELDS, **CONSENTS}
DATES = {
    written: date_reader(written)
    for written in ("YYYY-MM-DD", "DD/MM/YY", "M/D/YYYY HH:mm:ss", "unix")
}


@pytest.mark.parametrize("kind", TYPED)
@given(raw=JSON_VALUES.filter(lambda raw: not absent(raw)))
def test_a_field_takes_or_refuses_whatever_json_can_say(kind, raw):
    """A value of its own kind, or a reason; never anything else."""
    value = TYPED[kind](raw)
    assert isinstance(value, str | int | Decimal | bool | tuple | Bad)


@pytest.mark.parametrize("kind", FIELDS)
@given(raw=st.one_of(TEXTS, st.integers(), st.booleans()).filter(lambda raw: not absent(raw)))
@example(raw="a\u0315\u0300\u05ae\u0301")
def test_what_was_taken_is_taken_as_it_is(kind, raw):
    """A value once normalized is its own normal form."""
    value = FIELDS[kind](raw)
    if not isinstance(value, Bad):
        assert FIELDS[kind](value) == value


@pytest.mark.parametrize("written", DATES)
@given(raw=TEXTS)
def test_a_date_in_a_senders_format_is_a_day_or_wrong(written, raw):
    assert isinstance(DATES[written](raw), str | Bad)


@pytest.mark.parametrize("kind", [*TYPED, *DATES])
def test_no_value_of_the_corpus_holds_the_others_up(kind):
    """Not as it is, and not over and over until 64 KiB, and all of them are taken or refused."""
    read = {**TYPED, **DATES}[kind]
    for text in VALUES:
        for raw in (
            text,
            (text * 64)[:254],
            (text * BODY_MAX)[:2_000],
            (text * BODY_MAX)[:BODY_MAX],
        ):
            if not absent(raw):
                assert cpu_s(read, raw, repetitions=3) < CPU_MAX_S


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("text", [text for text in VALUES if len(text.strip()) > 6])
def test_a_reason_never_repeats_the_value(kind, text):
    value = FIELDS[kind](text)
    if isinstance(value, Bad):
        assert text.strip() not in value.message
