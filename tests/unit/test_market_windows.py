"""Which counters are past: by the domain's own names, never one that is still asked for."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.caps import balance_counter, counter
from exchange.domain.offer import Cap, CapKind, Per
from exchange.market.windows import is_past
from tests.making import NOW_US, a_buyer, an_offer

HOUR_US = 3_600_000_000
ZONES = ["UTC", "America/Chicago", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]
OFFERS = {zone: an_offer(buyer=a_buyer(zone=ZoneInfo(zone))) for zone in ZONES}


@given(
    at_us=st.integers(NOW_US - 400 * 24 * HOUR_US, NOW_US),
    zone=st.sampled_from(ZONES),
    per=st.sampled_from(list(Per)),
    late_us=st.integers(0, 2 * HOUR_US),
    test=st.booleans(),
)
def test_a_window_that_is_still_open_or_only_just_over_is_not_past(at_us, zone, per, late_us, test):
    """As long as a hold may still count in it, by a clock two hours slow, in any zone."""
    name = counter(Cap("offer/a", CapKind.LEADS, 1, per), at_us, OFFERS[zone], test=test)
    assert not is_past(name, at_us + late_us)


@given(zone=st.sampled_from(ZONES), per=st.sampled_from([p for p in Per if p is not Per.TOTAL]))
def test_every_window_is_past_in_the_end(zone, per):
    """None stays for ever."""
    name = counter(Cap("offer/a|b", CapKind.LEADS, 1, per), NOW_US, OFFERS[zone], test=False)
    assert is_past(name, NOW_US + 32 * 24 * HOUR_US)


def test_what_has_no_window_is_never_past():
    """Totals, balances, and what is held at once."""
    offer = OFFERS["UTC"]
    names = [
        balance_counter("acme"),
        counter(Cap("offer/a", CapKind.SPEND, 1, Per.TOTAL), NOW_US, offer, test=False),
        counter(Cap("offer/a", CapKind.CONCURRENT, 1, None), NOW_US, offer, test=True),
    ]
    assert not any(is_past(name, 10 * NOW_US) for name in names)
