"""A paced cap is spread over its open hours, never ahead of the clock, and still fully usable."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.caps import Limits, full, hold_lines
from exchange.domain.money import Micros
from exchange.domain.offer import Billing, BillingMode, Buyer, Cap, CapKind, Offer, Per
from exchange.domain.pacing import Pace, paced
from exchange.domain.reason import Reason
from exchange.domain.schedule import (
    US_PER_S,
    Schedule,
    either,
    open_s,
    window_end_s,
    window_start_s,
)

CHICAGO = ZoneInfo("America/Chicago")
ZONES = [UTC_ZONE := ZoneInfo("UTC"), CHICAGO, ZoneInfo("Australia/Lord_Howe")]
DAYS = [  # short, long and plain ones
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
    datetime(2026, 11, 26, tzinfo=UTC),
]
DOLLAR = 1_000_000
STEP_S = 300


def spans():
    """Hours of one day: up to three spans of whole quarters that neither touch nor overlap."""
    edges = st.lists(st.integers(0, 96), min_size=0, max_size=6, unique=True).map(sorted)
    return edges.map(
        lambda found: tuple(
            (15 * found[at], 15 * found[at + 1]) for at in range(0, len(found) - 1, 2)
        )
    )


def weeks(zone):
    return st.lists(spans(), min_size=7, max_size=7).map(lambda week: Schedule(zone, tuple(week)))


def offer(cap, zone, hours=None):
    buyer = Buyer(
        id="acme", name="Acme", zone=zone, currency="USD", billing=Billing(BillingMode.OPEN)
    )
    return Offer(id="acme-tx", buyer=buyer, vertical_id="auto", caps=(cap,), schedule=hours)


@given(st.data(), st.sampled_from(ZONES), st.sampled_from(DAYS))
def test_open_seconds_are_those_in_which_it_is_open(data, zone, day):
    """Minute by minute by the wall, on the days when clocks change, too."""
    hours = data.draw(weeks(zone))
    start_s = int(day.timestamp()) - 12 * 3600
    until_s = start_s + data.draw(st.integers(0, 3 * 24 * 60)) * 60
    asked = sum(60 for at in range(start_s, until_s, 60) if hours.is_open(at * US_PER_S))
    assert open_s(hours, start_s, until_s, zone) == asked
    assert open_s(None, start_s, until_s, zone) == until_s - start_s


@given(st.data(), st.sampled_from(ZONES))
def test_either_is_open_where_one_of_them_is(data, zone):
    """The hours of a buyer are those of all of its offers together."""
    one, other = data.draw(weeks(zone)), data.draw(weeks(zone))
    both = either([one, other], zone)
    at_us = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * US_PER_S
    for minute in range(0, 7 * 24 * 60, 15):
        moment = at_us + minute * 60 * US_PER_S
        is_open = both is not None and both.is_open(moment)
        assert is_open == (one.is_open(moment) or other.is_open(moment))
    assert either([one, None], zone) is None


@given(
    st.data(),
    st.sampled_from(ZONES),
    st.sampled_from(DAYS),
    st.sampled_from([Per.HOUR, Per.DAY, Per.WEEK]),
    st.integers(1, 40),
)
def test_a_paced_cap_is_never_ahead_of_the_clock_and_is_used_up_in_the_end(
    data, zone, day, per, limit
):
    """Where somebody asks all the time, its last lead is sold before it closes, and none early."""
    hours = data.draw(st.none() | weeks(zone))
    cap = Cap("offer/acme-tx", CapKind.LEADS, limit, per, Pace(hours))
    one = offer(cap, zone, hours)
    noon_us = (int(day.timestamp()) + 12 * 3600) * US_PER_S
    start_s, end_s = window_start_s(per, noon_us, zone), window_end_s(per, noon_us, zone)
    whole_s = open_s(hours, start_s, end_s, zone)
    step_s = max(1, whole_s // (8 * limit)) if whole_s else STEP_S
    sold, gone_s, at_s = 0, 0, start_s
    while at_s < end_s:
        at_us = at_s * US_PER_S
        if hours is None or hours.is_open(at_us):
            gone_s = open_s(hours, start_s, at_s, zone)
            while took(one, sold, at_us):
                sold += 1
                assert sold <= limit
                assert (sold - 1) * whole_s <= limit * gone_s
            at_s += step_s
        else:
            at_s += 60 - at_s % 60
    assert sold == (limit if whole_s else 0)


def took(one, sold, at_us):
    """Whether one more lead is let in: what the hold says, and both looks ahead with it."""
    price = Micros(DOLLAR)
    (pacing, cap) = hold_lines(one, price, at_us, credited=Micros(0), test=False)
    used = {cap.counter: sold}
    fits = sold + pacing.amount <= pacing.limit and sold + cap.amount <= cap.limit
    ahead = full(one, price, at_us, used, credited=Micros(0), test=False)
    assert (ahead is None) == fits
    if ahead is not None:
        assert Limits(one, at_us).may_be_full(used, price)
    return fits


@given(st.integers(1, 30), st.integers(1, 60))
def test_a_paced_budget_buys_as_many_leads_as_one_that_is_not(price, limit):
    """However dear a lead is, what fits into the budget at all is bought before its day ends."""
    cap = Cap("offer/acme-tx", CapKind.SPEND, limit * DOLLAR, Per.DAY, Pace())
    one = offer(cap, UTC_ZONE)
    start = datetime(2026, 11, 26, tzinfo=UTC)
    spent = bought = 0
    for minute in range(24 * 60):
        at_us = int((start + timedelta(minutes=minute)).timestamp()) * US_PER_S
        pacing, line = hold_lines(
            one, Micros(price * DOLLAR), at_us, credited=Micros(0), test=False
        )
        if spent + pacing.amount <= pacing.limit and spent + line.amount <= line.limit:
            spent, bought = spent + price * DOLLAR, bought + 1
    assert bought == limit // price


def test_it_says_that_there_is_room_but_not_yet():
    """The same reason as a full cap, its counter told as paced; an hour later it has room."""
    cap = Cap("offer/acme-tx", CapKind.LEADS, 24, Per.DAY, Pace())
    one = offer(cap, UTC_ZONE)
    at_us = int(datetime(2026, 11, 26, 0, 30, tzinfo=UTC).timestamp()) * US_PER_S
    name = hold_lines(one, Micros(1), at_us, credited=Micros(0), test=False)[1].counter
    verdict = full(one, Micros(1), at_us, {name: 1}, credited=Micros(0), test=False)
    assert verdict == (Reason.CAP, f"{name}|paced")
    later_us = at_us + 3600 * US_PER_S
    assert full(one, Micros(1), later_us, {name: 1}, credited=Micros(0), test=False) is None


@pytest.mark.parametrize(
    ("at", "share"), [("09:00", 0), ("11:00", 25), ("16:59", 99), ("20:00", 100)]
)
def test_the_share_follows_the_open_hours(at, share):
    """Nine to five: a quarter is free after two hours, nothing is held back after the close."""
    hours = Schedule(CHICAGO, (((540, 1020),),) * 7)
    hour, minute = map(int, at.split(":"))
    moment = datetime(2026, 11, 24, hour, minute, tzinfo=CHICAGO)
    at_us = int(moment.timestamp()) * US_PER_S
    assert paced(100, Per.DAY, Pace(hours), at_us, CHICAGO) == share
