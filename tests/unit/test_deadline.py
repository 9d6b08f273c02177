"""Buyers are asked no longer than stage, auction and seller allow, and never less than nothing."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.deadline import asking_ends_us, asking_left_ms
from tests.making import NOW_US, a_campaign, a_lead, a_stage


def test_a_patient_seller_leaves_the_auction_its_whole_deadline():
    """Thirty seconds of wait, a second of asking, 400 ms of it for this stage."""
    assert asking_ends_us(a_lead(), a_campaign()) == NOW_US + 1_000_000
    assert asking_left_ms(a_lead(), a_campaign(), a_stage(), NOW_US) == 400.0
    assert asking_left_ms(a_lead(), a_campaign(), a_stage(), NOW_US + 700_000) == 300.0


def test_a_hurried_seller_leaves_time_for_the_post():
    """Of 500 ms, 350 are for asking."""
    lead = a_lead(answer_by_us=NOW_US + 500_000)
    assert asking_ends_us(lead, a_campaign()) == NOW_US + 350_000


def test_after_an_award_only_the_sellers_wait_binds():
    """A refusal may take longer than an auction; whoever comes next is asked all the same."""
    lead, late_us = a_lead(), NOW_US + 5_000_000
    assert asking_left_ms(lead, a_campaign(), a_stage(), late_us) == 0
    assert asking_left_ms(lead, a_campaign(), a_stage(), late_us, awarded=True) == 400.0


@given(st.integers(1, 60_000), st.integers(100, 30_000), st.integers(0, 60_000))
def test_no_clock_is_ever_overrun(wait_ms, deadline_ms, passed_ms):
    """What is left plus what has passed stays within every clock."""
    lead = a_lead(answer_by_us=NOW_US + wait_ms * 1000)
    campaign = a_campaign(auction_deadline_ms=deadline_ms)
    left = asking_left_ms(lead, campaign, a_stage(timeout_ms=5000), NOW_US + passed_ms * 1000)
    assert 0 <= left <= 5000
    assert left == 0 or left + passed_ms <= min(wait_ms, deadline_ms)
