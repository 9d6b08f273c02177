"""Who looks the same in a ping is counted, each person once, and forgotten with the window."""

import hashlib
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.anonymity import (
    FILTER_BITS,
    PERIODS,
    Population,
    combination,
    each_k,
    marks_of,
    spread,
    token,
    visible,
)
from exchange.domain.lead import Fingerprint
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical
from tests.making import NOW_US, a_lead

DAY_US = 86_400_000_000
WINDOW_US = 6 * DAY_US
SECRET = b"s" * 32


def field(name, kind, privacy, show):
    return Field(name=name, type=kind, privacy=privacy, show=show)


def a_vertical(zip_show=Show.AS_IS, birth=Show.AGE_BAND):
    fields = (
        field("phone", FieldType.PHONE, Privacy.IDENTITY, Show.HASH),
        field("zip", FieldType.US_ZIP, Privacy.QUASI, zip_show),
        field("birth_date", FieldType.DATE, Privacy.QUASI, birth),
        field("state", FieldType.US_STATE, Privacy.ATTRIBUTE, Show.AS_IS),
        field("job", FieldType.TEXT, Privacy.QUASI, Show.HIDDEN),
    )
    return Vertical("auto", "Auto", {one.name: one for one in fields}, 6 * 86_400)


def somebody(zip_code="78701", born="1991-04-02", at_us=NOW_US, **more):
    fields = {"zip": zip_code, "birth_date": born, "state": "TX", **more}
    return msgspec.structs.replace(
        a_lead(), fields={n: v for n, v in fields.items() if v}, derived={}, received_at_us=at_us
    )


def person(number):
    return hashlib.sha256(str(number).encode()).digest()


def test_what_a_ping_shows_of_quasi_identifying_fields_counts_and_nothing_else():
    """As coarse as it is shown; attributes, hidden fields and the person do not tell apart."""
    fields = visible(a_vertical())
    assert [one.name for one in fields] == ["zip", "birth_date"]
    same = combination(somebody(), fields)
    assert combination(somebody(born="1990-12-31", state="OK", job="baker"), fields) == same
    assert combination(somebody(zip_code="78702"), fields) != same
    assert combination(somebody(born=""), fields) != same
    coarse = visible(a_vertical(Show.ZIP3))
    assert combination(somebody(zip_code="78702"), coarse) == combination(somebody(), coarse)


def test_everybody_counts_once_and_is_among_those_who_look_the_same():
    """k of somebody new is one more than were counted; of somebody known just those."""
    population = Population(visible(a_vertical()), WINDOW_US)
    for number in (1, 2, 3, 3, 3):
        population.count(somebody(), person(number))
    population.count(somebody(zip_code="90210"), person(4))
    assert population.people == 4
    assert population.k(somebody(), person(9)) == 4
    assert population.k(somebody(), person(2)) == 3
    assert population.k(somebody(), None) == 4
    assert population.k(somebody(zip_code="10001"), person(9)) == 1


def test_the_oldest_part_of_the_window_is_forgotten_as_a_whole():
    """After the window nobody is left; in between only who came lately."""
    population = Population(visible(a_vertical()), WINDOW_US)
    for day in range(PERIODS):
        population.count(somebody(at_us=NOW_US + day * DAY_US), person(day))
    now = somebody(at_us=NOW_US + (PERIODS - 1) * DAY_US)
    assert population.k(now, person(99)) == PERIODS + 1
    population.forget(NOW_US + (PERIODS + 2) * DAY_US)
    assert population.people == PERIODS - 2
    population.forget(NOW_US + 30 * DAY_US)
    assert population.people == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["78701", "78702", "90210"]))))
def test_counts_are_those_of_brute_force(came):
    """Each person by the first look of his."""
    population = Population(visible(a_vertical()), WINDOW_US)
    first = {}
    for number, zip_code in came:
        population.count(somebody(zip_code), person(number))
        first.setdefault(number, zip_code)
    counts = Counter(first.values())
    for zip_code in ("78701", "78702", "90210"):
        assert population.k(somebody(zip_code), person(1000)) == counts[zip_code] + 1
    assert sorted(each_k(v.encode() for v in first.values())) == sorted(
        counts[v] for v in first.values()
    )


def test_people_are_known_again_by_a_digest_under_a_secret_and_by_nothing_else():
    """The same person under one secret; under another, or without a digest, nobody."""
    ann = Fingerprint({"phone": "a" * 64, "email": "b" * 64}, {"phone": "c" * 32})
    assert token(ann, SECRET) == token(ann, SECRET)
    assert token(ann, SECRET) != token(ann, b"t" * 32)
    assert token(Fingerprint({}, {"phone": "c" * 32}), SECRET) is not None
    assert token(Fingerprint(), SECRET) is None
    assert all(0 <= mark < FILTER_BITS for mark in marks_of(person(1)))


def test_a_spread_tells_how_many_are_how_anonymous():
    """Shares of people, not of combinations."""
    found = spread([1, 4, 4, 4, 4, 19, 100, 100])
    assert (found.people, found.alone, found.below_5, found.below_20) == (8, 0.125, 0.625, 0.75)
    assert (found.below_100, found.median) == (0.75, 4)
    assert spread([]).people == 0
