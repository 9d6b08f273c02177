"""An offer is open by its buyer's own wall clock, to the second, whatever the clocks do."""

from datetime import datetime

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


MOMENTS = [  # in the order of time: the exchange lives through all of them
    ("early", "2026-03-08T03:00:00-05:00", False),
    ("office", "2026-03-09T08:59:50-05:00", False),
    ("office", "2026-03-09T09:00:00-05:00", True),
    ("sunday", "2026-11-01T01:30:00-05:00", True),
    ("sunday", "2026-11-01T01:30:00-06:00", True),
    ("office", "2026-11-21T12:00:00-06:00", False),
    ("late", "2026-11-21T23:59:50-06:00", True),
    ("late", "2026-11-22T00:00:00-06:00", False),
    ("always", "2026-11-22T03:00:00-06:00", True),
    ("kolkata", "2026-11-23T08:59:50+05:30", False),
    ("kolkata", "2026-11-23T09:00:00+05:30", True),
    ("office", "2026-11-23T08:59:50-06:00", False),
    ("office", "2026-11-23T09:00:00-06:00", True),
]
HOURS = {
    "office": OFFICE,
    "kolkata": OFFICE,
    "always": "",
    # The hour that comes twice is open both times, and the one that is left out never.
    "sunday": 'hours = { sun = "01:00-02:00" }',
    "early": 'hours = { sun = "02:00-03:00" }',
    "late": 'hours = { sat = "22:00-24:00" }',
}


async def test_hours_hold_in_the_buyers_zone(house, clock):
    """Row 64: a day that is not named is closed, an offer without hours never is."""
    zones = dict.fromkeys(HOURS, "America/Chicago") | {"kolkata": "Asia/Kolkata"}
    await house.apply(
        market(
            *(
                buyer(name, own=f'time_zone = "{zones[name]}"', offer=f"price = 9.00\n{hours}")
                for name, hours in HOURS.items()
            ),
            *(
                campaign(name, stages=[f'method = "waterfall"\noffers = ["{name}"]'])
                for name in HOURS
            ),
        )
    )
    clock.set(datetime.fromisoformat(MOMENTS[0][1]))
    await house.open()
    for name, moment, is_open in MOMENTS:
        clock.set(datetime.fromisoformat(moment))
        answer = await house.post(campaign=name)
        assert answer.body["status"] == ("sold" if is_open else "unsold"), (name, moment)
        if not is_open:
            timeline = await house.timeline(answer.body["lead_id"])
            assert reasons(timeline, "offer_left_out") == {name: "schedule"}
