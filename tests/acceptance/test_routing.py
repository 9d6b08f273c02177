"""Where a lead goes: by plan, place, kind, capacity and bid; and why others did not get it."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest

from bidders.fleet import Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import events, of, offers, reasons, verdicts

DAILY = 'caps = [ { leads = 1, per = "day" } ]'


def called(fleet: Fleet, **lines: str) -> list[str]:
    """Return all buyers of the fleet, each with further lines of its offer."""
    return [
        buyer(name, fleet.base_url, ping_ms=900, offer=lines.get(name, "")) for name in fleet.specs
    ]


# The plan


async def test_two_campaigns_sell_the_same_lead_by_two_methods(house):
    """Row 50: by auction the best bid gets it, by waterfall the first in line; each says why."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "13.00"})) as fleet:
        prices = {"acme": "price = 9.00\npriority = 1", "bravo": "price = 10.00\npriority = 2"}
        await house.apply(
            market(
                *called(fleet, **prices),
                campaign("by-auction", stages=['method = "auction"']),
                campaign("by-waterfall", stages=['method = "waterfall"']),
            )
        )
        await house.open()
        timelines = {}
        for name, payout in (("by-auction", 11.05), ("by-waterfall", 7.65)):
            answer = await house.post(campaign=name)
            assert (answer.body["status"], answer.body["price"]) == ("sold", payout)
            timelines[name] = await house.timeline(answer.body["lead_id"])
    assert of(timelines["by-auction"], "stage")[0]["detail"] == "auction"
    assert of(timelines["by-waterfall"], "stage")[0]["detail"] == "waterfall"
    assert offers(timelines["by-auction"], "ranked") == ["bravo", "acme"]
    assert offers(timelines["by-waterfall"], "ranked") == ["acme", "bravo"]
    assert offers(timelines["by-auction"], "pinged") == ["acme", "bravo"]
    assert offers(timelines["by-waterfall"], "pinged") == []
    assert verdicts(timelines["by-auction"]) == {"acme": ["outbid"], "bravo": ["accepted"]}
    assert verdicts(timelines["by-waterfall"]) == {"acme": ["accepted"], "bravo": ["outbid"]}


# Four dimensions


MATRIX = list(product((True, False), repeat=4))


async def test_place_kind_capacity_and_bid_each_decide_alone(house):
    """Row 51: acme gets the lead in one of sixteen cases, and in the others the reason is told."""
    wants = "where = 'state == \"TX\" and currently_insured'"
    rivals = {"low": "10.00", "high": "30.00"}
    async with Fleet(bidding({"roomy": "20.00", "full": "20.00", **rivals})) as fleet:
        plans = [
            campaign(f"{room}-{rival}", stages=[f'method = "auction"\noffers = {[room, rival]}'])
            for room in ("roomy", "full")
            for rival in rivals
        ]
        await house.apply(market(*called(fleet, roomy=wants, full=f"{wants}\n{DAILY}"), *plans))
        await house.open()
        filler = await house.post(person(99), campaign="full-low")
        assert filler.body["price"] == 17.0
        seen = {}
        for number, (place, kind, capacity, bid) in enumerate(MATRIX):
            lead = person(number, zip="78701" if place else "10001", currently_insured=kind)
            acme, rival = ("roomy" if capacity else "full"), ("low" if bid else "high")
            answer = await house.post(lead, campaign=f"{acme}-{rival}")
            ended = verdicts(await house.timeline(answer.body["lead_id"]))
            assert answer.body["status"] == "sold"
            assert set(ended) == {acme, rival}
            seen[place, kind, capacity, bid] = ended[acme]
    for place, kind, capacity, bid in MATRIX:
        expected = (
            "offer_left_out filtered"
            if not (place and kind)
            else "offer_left_out cap"
            if not capacity
            else "outbid"
            if not bid
            else "accepted"
        )
        assert seen[place, kind, capacity, bid] == [expected]


# Caps and budgets


async def test_a_full_buyer_is_not_asked_and_the_second_best_gets_the_lead(house):
    """Row 53: at its daily cap the top buyer hears no ping; the same lead goes to number two."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"})) as fleet:
        await house.apply(market(*called(fleet, acme=DAILY), campaign()))
        await house.open()
        first = await house.post(person(1))
        assert first.body["price"] == 11.05
        second = await house.post(person(2))
        assert (second.body["status"], second.body["price"]) == ("sold", 10.2)
        timeline = await house.timeline(second.body["lead_id"])
        assert events(timeline, "acme") == ["offer_left_out"]
        [line] = of(timeline, "offer_left_out", "acme")
        assert line["reason"] == {"code": 203, "reason": "cap"}
        assert "acme|leads|day" in line["detail"]
        assert (fleet.books["acme"].pings, fleet.books["bravo"].pings) == (1, 2)


async def test_a_cap_that_another_worker_filled_is_kept_and_soon_known(house):
    """Until a worker knows, the hold decides; then the full buyer is not even asked."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"})) as fleet:
        await house.apply(market(*called(fleet, acme=DAILY), campaign()))
        await house.open()
        await house.open()
        assert (await house.post(person(1))).body["price"] == 11.05
        people = iter(range(2, 500))

        async def left_out_by_the_other_worker() -> bool:
            answer = await house.post(person(next(people)), base=1)
            assert answer.body["price"] == 10.2
            [ended] = verdicts(await house.timeline(answer.body["lead_id"]))["acme"]
            assert ended in {"hold_failed cap_at_award", "offer_left_out cap"}
            return ended == "offer_left_out cap"

        await until(left_out_by_the_other_worker)
        assert len(fleet.books["acme"].accepted()) == 1


@pytest.mark.parametrize(
    "lines",
    [
        {"offer": 'caps = [ { spend = 30.00, per = "day" } ]'},
        {"own": 'caps = [ { spend = 30.00, per = "total" } ]'},
        {"own": 'billing = { mode = "prepaid", opening_balance = 30.00 }'},
        {"own": 'billing = { mode = "credit", limit = 30.00 }'},
    ],
)
async def test_a_bid_that_its_buyer_cannot_pay_is_passed_over(house, lines):
    """Row 54: 30 are left, the bid is 41: `budget_at_award`, and the next bid wins at its 40."""
    async with Fleet(bidding({"acme": "41.00", "bravo": "40.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, ping_ms=900, **lines)
        await house.apply(market(acme, buyer("bravo", fleet.base_url, ping_ms=900), campaign()))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert (answer.body["status"], answer.body["price"]) == ("sold", 34.0)
        assert fleet.books["acme"].posts == 0
    assert of(timeline, "hold_failed")[0]["reason"] == {"code": 304, "reason": "budget_at_award"}
    assert verdicts(timeline) == {
        "acme": ["hold_failed budget_at_award"],
        "bravo": ["accepted"],
    }


async def test_a_spent_budget_is_not_asked_again(house):
    """What is left pays for no lead at the floor: reason `budget`, and no ping."""
    own = 'billing = { mode = "prepaid", opening_balance = 41.00 }'
    async with Fleet(bidding({"acme": "41.00", "bravo": "40.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, ping_ms=900, own=own)
        await house.apply(market(acme, buyer("bravo", fleet.base_url, ping_ms=900), campaign()))
        await house.open()
        assert (await house.post(person(1))).body["price"] == 34.85
        answer = await house.post(person(2))
        timeline = await house.timeline(answer.body["lead_id"])
        assert answer.body["price"] == 34.0
        assert reasons(timeline, "offer_left_out") == {"acme": "budget"}
        assert fleet.books["acme"].pings == 1


# Why a lead was not sold


async def test_every_way_not_to_be_sold_has_its_reason(house):
    """507 nobody may be asked, 508 no bid reaches the floor, 509 all refused, 510 no time."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "9.00", "cargo": "9.00"})) as fleet:
        refusing = bidding({"bravo": "9.00"}, post_faults={PostFault.REFUSING: 1.0})
        fleet.change(refusing[0])
        plan = 'method = "auction"\noffers = ["{}"]'
        await house.apply(
            market(
                *called(fleet, acme="where = 'state == \"TX\"'", cargo=DAILY),
                campaign("acme", stages=[plan.format("acme")]),
                campaign("dear", lines="floor = 10.00", stages=[plan.format("acme")]),
                campaign("bravo", stages=[plan.format("bravo")]),
                campaign("hasty", stages=[plan.format("acme") + "\ntimeout_ms = 5"]),
                campaign("cargo", stages=[plan.format("cargo")]),
            )
        )
        await house.open()
        york = {**ANN, "zip": "10001"}
        assert await reason_of(house, york, "acme") == {"code": 507, "reason": "no_eligible_offer"}
        heard = await reason_of(house, ANN, "dear")
        assert heard == {"code": 508, "reason": "no_bid_above_floor"}
        assert await reason_of(house, ANN, "bravo") == {"code": 509, "reason": "all_refused"}
        assert await reason_of(house, ANN, "hasty") == {"code": 510, "reason": "deadline"}
        assert (await house.post(campaign="cargo")).body["status"] == "sold"
        assert (await reason_of(house, ANN, "cargo"))["reason"] == "no_eligible_offer"


async def reason_of(house, lead, name: str):
    """Return why this campaign did not sell the lead."""
    answer = await house.post(lead, campaign=name)
    assert (answer.status, answer.body["status"]) == (200, "unsold")
    return answer.body["reason"]


async def test_an_offer_of_another_currency_a_paused_one_and_an_excluded_one_have_their_reasons(
    house,
):
    """None of them is asked, and each line says what kept it out."""
    other_day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[datetime.now(UTC).weekday() - 3]
    async with Fleet(bidding(dict.fromkeys(("acme", "euro", "off", "resting"), "9.00"))) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=900),
                buyer("euro", fleet.base_url, own='currency = "EUR"'),
                buyer("off", fleet.base_url, own="paused = true"),
                buyer("resting", fleet.base_url, offer="paused = true"),
                buyer("closed", offer=f'price = 9\nhours = {{ {other_day} = "00:00-24:00" }}'),
                buyer("tester", offer="price = 9\ntest = true"),
                buyer("disliked", offer="price = 9"),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post(exclude_buyers=["disliked"])
        timeline = await house.timeline(answer.body["lead_id"])
        assert [fleet.books[name].pings for name in ("euro", "off", "resting")] == [0, 0, 0]
        assert list(fleet.books["acme"].accepted().values()) == [Decimal("9.00")]
    assert offers(timeline, "accepted") == ["acme"]
    assert reasons(timeline, "offer_left_out") == {
        "euro": "currency",
        "off": "paused",
        "resting": "paused",
        "closed": "schedule",
        "tester": "filtered",
        "disliked": "suppressed",
    }
