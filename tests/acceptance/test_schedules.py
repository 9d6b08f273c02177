"""An offer is open by its buyer's own wall clock, to the second, whatever the clocks do."""

from datetime import datetime

import pytest

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import reasons

OFFICE = 'hours = { mon-fri = "09:00-17:00" }'


async def test_an_offer_closes_on_the_second_and_the_next_has_the_lead(house, clock):
    """Row 64: Friday 16:59:59 in Chicago is pinged, 17:00:00 is not, with reason `schedule`."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "5.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, own='time_zone = "America/Chicago"', offer=OFFICE)
        await house.apply(market(acme, buyer("bravo", fleet.base_url), campaign()))
        clock.set(datetime.fromisoformat("2026-11-20T16:59:50-06:00"))
        await house.open()
        assert (await house.post(person(1))).body["price"] == 10.2
        clock.set(datetime.fromisoformat("2026-11-20T17:00:00-06:00"))
        after = await house.post(person(2))
        assert after.body["price"] == 4.25
        timeline = await house.timeline(after.body["lead_id"])
        assert reasons(timeline, "offer_left_out") == {"acme": "schedule"}
        assert fleet.books["acme"].pings == 1


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "is_open"),
    [
        (OFFICE, "America/Chicago", "2026-11-23T08:59:50-06:00", False),
        (OFFICE, "America/Chicago", "2026-11-23T09:00:00-06:00", True),
        (OFFICE, "America/Chicago", "2026-11-21T12:00:00-06:00", False),
        # The Monday after clocks were set forward: nine is an hour earlier in the world.
        (OFFICE, "America/Chicago", "2026-03-09T08:59:50-05:00", False),
        (OFFICE, "America/Chicago", "2026-03-09T09:00:00-05:00", True),
        (OFFICE, "Asia/Kolkata", "2026-11-23T09:00:00+05:30", True),
        # The hour that comes twice is open both times; the one that is left out costs nothing.
        ('hours = { sun = "01:00-02:00" }', "America/Chicago", "2026-11-01T01:30:00-05:00", True),
        ('hours = { sun = "01:00-02:00" }', "America/Chicago", "2026-11-01T01:30:00-06:00", True),
        ('hours = { sun = "02:00-03:00" }', "America/Chicago", "2026-03-08T03:00:00-05:00", False),
        ('hours = { sat = "22:00-24:00" }', "America/Chicago", "2026-11-21T23:59:50-06:00", True),
        ('hours = { sat = "22:00-24:00" }', "America/Chicago", "2026-11-22T00:00:00-06:00", False),
        ("", "America/Chicago", "2026-11-22T03:00:00-06:00", True),
    ],
)
async def test_hours_hold_in_the_buyers_zone(house, clock, hours, zone, moment, is_open):
    """Row 64: a day that is not named is closed, an offer without hours never is."""
    own = f'time_zone = "{zone}"'
    acme = buyer("acme", own=own, offer=f"price = 9.00\n{hours}")
    await house.apply(market(acme, campaign()))
    clock.set(datetime.fromisoformat(moment))
    await house.open()
    answer = await house.post()
    assert answer.body["status"] == ("sold" if is_open else "unsold")
    if not is_open:
        timeline = await house.timeline(answer.body["lead_id"])
        assert reasons(timeline, "offer_left_out") == {"acme": "schedule"}
