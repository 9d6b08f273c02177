"""The floor of one auction: drawn now and then, else of the narrowest segment that has one."""

import random
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.learned_floors import (
    CHANCE_BYTES,
    How,
    LearnedFloors,
    Segment,
    candidates,
    floored,
    segment_of,
    widening,
)
from exchange.domain.lessons import Lessons
from exchange.domain.money import Micros
from tests.making import DOLLAR, NOW_US, a_campaign, a_stage
from tests.making_learning import a_rule

SEGMENT = Segment("TX", "12-18")


@given(st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES), st.integers(0, 10**6))
def test_every_floor_lies_within_the_operators_bounds(chance, explore_ppm):
    """Drawn, learned or neither; and the same chance gives the same floor."""
    rule = a_rule(explore_ppm=explore_ppm)
    for table in (LearnedFloors(), LearnedFloors({("TX", "*"): Micros(99 * DOLLAR)})):
        one = floored(SEGMENT, rule, table, chance)
        assert rule.minimum <= one.floor <= rule.maximum
        assert one == floored(SEGMENT, rule, table, chance)


def test_so_many_are_drawn_as_the_operator_says_half_of_them_the_minimum():
    """A twentieth of ten thousand; half of these show what there would be without a floor."""
    chance = random.Random(1)
    table = LearnedFloors({("*", "*"): Micros(8 * DOLLAR)})
    drawn = [floored(SEGMENT, a_rule(), table, chance.randbytes(CHANCE_BYTES)) for _ in range(9999)]
    how = Counter(one.how for one in drawn)
    assert how[How.EXPLORED] == pytest.approx(250, rel=0.2)
    assert how[How.CONTROL] == pytest.approx(250, rel=0.2)
    assert how[How.LEARNED] == 9999 - how[How.EXPLORED] - how[How.CONTROL]
    assert {one.floor for one in drawn if one.how is How.CONTROL} == {2 * DOLLAR}
    tried = {one.floor for one in drawn if one.how is How.EXPLORED}
    assert tried == set(candidates(Micros(2 * DOLLAR), Micros(30 * DOLLAR)))


def test_nothing_is_drawn_where_nothing_is_explored():
    """A share of 0 is none."""
    assert floored(SEGMENT, a_rule(explore_ppm=0), LearnedFloors(), bytes(16)).how is How.LEAST


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        ({("TX", "12-18"): 5, ("TX", "*"): 6, ("*", "*"): 8}, (5, SEGMENT)),
        ({("TX", "*"): 6, ("*", "12-18"): 7}, (6, Segment("TX", "*"))),
        ({("*", "12-18"): 7, ("*", "*"): 8}, (7, Segment("*", "12-18"))),
        ({("*", "*"): 8, ("OK", "12-18"): 3}, (8, Segment("*", "*"))),
    ],
)
def test_what_has_no_floor_of_its_own_has_that_of_a_wider_segment(floors, expected):
    """Campaign x state x hours, then state, then hours, then the campaign."""
    table = LearnedFloors({name: Micros(amount * DOLLAR) for name, amount in floors.items()})
    one = floored(SEGMENT, a_rule(), table, b"\xff" * CHANCE_BYTES)
    assert (one.how, one.floor // DOLLAR, one.learned_of) == (How.LEARNED, *expected)
    assert one.segment == SEGMENT


def test_a_segment_is_a_state_and_hours_of_the_campaigns_own_clock():
    """A lead without a state is in none."""
    hour_us = 3_600_000_000
    day_us = NOW_US - NOW_US % (24 * hour_us)
    assert segment_of("TX", day_us + 13 * hour_us, a_rule()) == SEGMENT
    assert segment_of(None, day_us, a_rule()) == Segment("-", "00-06")
    west = a_rule(zone=ZoneInfo("America/Los_Angeles"), hours=12)
    assert segment_of("CA", day_us + 13 * hour_us, west) == Segment("CA", "00-12")
    assert SEGMENT.text == "TX 12-18"
    assert len(set(widening(SEGMENT))) == 4


def test_only_the_stage_that_asks_has_a_learned_floor():
    """And only where its campaign learns."""
    table = {"auto-us": LearnedFloors({("*", "*"): Micros(9 * DOLLAR)})}
    lessons = Lessons(floors=table)
    learning = a_campaign(learn_floor=a_rule(stage=2))
    chance = b"\xff" * CHANCE_BYTES
    first, second = a_stage("acme-tx"), a_stage("acme-tx", number=2)
    assert lessons.floored(a_campaign(), first, "TX", NOW_US, chance) is None
    assert lessons.floored(learning, first, "TX", NOW_US, chance) is None
    one = lessons.floored(learning, second, "TX", NOW_US, chance)
    assert one is not None
    assert one.floor == 9 * DOLLAR
