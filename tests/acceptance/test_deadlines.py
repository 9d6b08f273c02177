"""The seller hears in time, whatever buyers do; what comes late is measured and wins nothing."""

import asyncio
from decimal import Decimal

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault, one_of_each_fault
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, offers, reason, verdicts

NOISE_S = 0.5
"""How late a busy machine may be with what was due; every fault here takes seconds longer."""


def slow(latency_ms: float, **more: object) -> dict[str, object]:
    return {"latency_ms": Fixed(latency_ms), **more}


# The auction's deadline


async def test_a_bid_after_its_time_is_a_timeout_and_wins_nothing(house):
    """Row 37: 50 after the offer's timeout loses to 10 in time; the seller waits no longer."""
    async with Fleet(bidding({"acme": "50.00", "bravo": "10.00"})) as fleet:
        fleet.change(bidding({"acme": "50.00"}, **slow(800))[0])
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=200),
                buyer("bravo", fleet.base_url, ping_ms=900),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)
        assert answer.seconds < 0.2 + NOISE_S
        timeline = await house.timeline(answer.body["lead_id"])
        [late] = of(timeline, "no_bid", "acme")
        assert reason(late) == "timeout"
        assert late["ms"] >= 199
        assert fleet.books["acme"].posts == 0

        async def measured() -> bool:
            metrics = await house.call("GET", "/metrics")
            return 'exchange_late_answer_seconds_count{offer="acme"} 1.0' in metrics.body

        await until(measured)
        again = await house.timeline(answer.body["lead_id"])
        assert verdicts(again) == {"acme": ["no_bid timeout"], "bravo": ["accepted"]}


async def test_each_campaign_keeps_its_own_auction_deadline(house):
    """Row 58: a second is too slow for a live transfer of 300 ms, and wins where there are 3."""
    async with Fleet(bidding({"slow": "50.00", "quick": "10.00"}), keep=9) as fleet:
        fleet.change(bidding({"slow": "50.00"}, **slow(1000))[0])
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, ping_ms=5000) for name in fleet.specs),
                campaign("transfer", lines="auction_deadline_ms = 300"),
                campaign("web", lines="auction_deadline_ms = 3000"),
            )
        )
        await house.open()
        hurried = await house.post(campaign="transfer")
        patient = await house.post(campaign="web")
        tmax = [
            ping["auction"]["tmax_ms"] for ping in bodies(fleet.books["slow"].requests, "/ping")
        ]
    assert (hurried.body["status"], hurried.body["price"]) == ("sold", 8.5)
    assert hurried.seconds < 0.3 + NOISE_S < patient.seconds
    assert (patient.body["status"], patient.body["price"]) == ("sold", 42.5)
    assert patient.seconds >= 1.0
    assert 200 < tmax[0] < 300
    assert 1000 < tmax[1] < 3000


async def test_a_stage_may_end_earlier_than_its_auction(house):
    """Two stages share one deadline: the slow first one leaves time for the second."""
    async with Fleet(bidding({"slow": "50.00", "next": "10.00"})) as fleet:
        fleet.change(bidding({"slow": "50.00"}, **slow(2000))[0])
        stages = [
            'method = "auction"\noffers = ["slow"]\ntimeout_ms = 150',
            'method = "auction"\noffers = ["next"]',
        ]
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, ping_ms=5000) for name in fleet.specs),
                campaign(stages=stages),
            )
        )
        await house.open()
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)
        assert 0.15 <= answer.seconds < 0.15 + NOISE_S


async def test_a_hurried_seller_shortens_the_auction(house):
    """`timeout_ms` of a request is kept, and buyers are told of less time."""
    async with Fleet(bidding({"slow": "50.00", "quick": "10.00"}), keep=9) as fleet:
        fleet.change(bidding({"slow": "50.00"}, **slow(2000))[0])
        await house.apply(
            market(*(buyer(n, fleet.base_url, ping_ms=5000) for n in fleet.specs), campaign())
        )
        await house.open()
        answer = await house.post(timeout_ms=600)
        [ping] = bodies(fleet.books["quick"].requests, "/ping")
    assert (answer.body["status"], answer.body["price"]) == ("sold", 8.5)
    assert answer.seconds < 0.6 + NOISE_S
    assert ping["auction"]["tmax_ms"] < 600


async def test_an_offer_without_time_to_answer_is_not_asked(house):
    """What is left must be worth a call; the offer's line says that it was too late."""
    async with Fleet(bidding({"acme": "50.00", "bravo": "10.00"})) as fleet:
        hasty = buyer("acme", fleet.base_url, ping_ms=5)
        await house.apply(market(hasty, buyer("bravo", fleet.base_url, ping_ms=900), campaign()))
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert fleet.books["acme"].pings == 0
    assert verdicts(timeline) == {
        "acme": ["offer_left_out too_late_to_ping"],
        "bravo": ["accepted"],
    }


# All faults at once


CALLS = {"ping_ms": 500, "post_ms": 200, "no_answer": "advance"}
ODD = one_of_each_fault(
    BuyerSpec(id="odd", price=Fixed(Decimal(20)), drip_ms=50.0, late_ms=5000.0, slow_ms=1500.0)
)
SOUND_ENOUGH = {"ping-hangup", "post-lower_price"}
"""Whoever hangs up after a whole answer has answered; a lower price is taken where it is."""


async def test_a_fleet_of_all_faults_delays_no_answer_and_the_sound_buyer_wins(house):
    """Row 37: each buyer fails at pings in another way and bids more; every answer is in time."""
    names = [spec.id for spec in ODD if spec.ping_faults and spec.id not in SOUND_ENOUGH]
    async with Fleet([*ODD, *bidding({"sound": "5.00"})]) as fleet:
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, **CALLS) for name in [*names, "sound"]),
                campaign(lines="auction_deadline_ms = 600"),
            )
        )
        await house.open()
        for number in range(4):
            answer = await house.post(person(number))
            assert (answer.body["status"], answer.body["price"]) == ("sold", 4.25)
            assert answer.seconds < 0.6 + NOISE_S
            ended = verdicts(await house.timeline(answer.body["lead_id"]))
            assert ended.pop("sound") == ["accepted"]
            assert set(ended) == set(names)
            failed = {word for [word] in ended.values()}
            assert failed == {f"no_bid {w}" for w in ("timeout", "invalid_bid", "unreachable")}
        assert len(fleet.books["sound"].accepted()) == 4
        assert not any(fleet.books[name].posts for name in names)


async def test_whatever_a_winner_does_with_its_post_the_next_one_is_sold_to_in_time(house):
    """Row 37: each winner fails at posts in another way; auction and one post's time bound all."""
    names = [spec.id for spec in ODD if spec.post_faults]
    async with Fleet([*ODD, *bidding({"sound": "5.00"})]) as fleet:
        plans = (
            campaign(
                name.replace("_", "-"),
                lines="auction_deadline_ms = 1000",
                stages=[f'method = "auction"\noffers = ["{name}", "sound"]'],
            )
            for name in names
        )
        calls = {**CALLS, "ping_ms": 900}
        callable_ = (buyer(name, fleet.base_url, **calls) for name in [*names, "sound"])
        await house.apply(market(*callable_, *plans))
        await house.open()
        await house.key("seller", "fastquotes")
        answers = await asyncio.gather(
            *(
                house.post(person(number), campaign=name.replace("_", "-"))
                for number, name in enumerate(names)
            )
        )
        for name, answer in zip(names, answers, strict=True):
            taken = name in SOUND_ENOUGH
            assert (answer.body["status"], answer.body["price"]) == ("sold", 17 if taken else 4.25)
            assert answer.seconds < 1.0 + 0.2 + NOISE_S
            ended = verdicts(await house.timeline(answer.body["lead_id"]))
            assert ended["sound"] == (["outbid"] if taken else ["accepted"])
            assert ended[name][0] in {"refused refused", "voided void", "accepted"}
        assert len(fleet.books["sound"].accepted()) == len(names) - 1


# The answer's deadline


async def test_the_seller_hears_pending_at_its_time_and_the_outcome_later(house):
    """A post that is not answered is never waited for longer than the seller wants to."""
    late = {"post_faults": {PostFault.LATE: 1.0}, "late_ms": 1500.0}
    async with Fleet(bidding({"acme": "10.00"}, **late)) as fleet:
        await house.apply(
            market(buyer("acme", fleet.base_url, ping_ms=900, post_ms=5000), campaign())
        )
        await house.open()
        answer = await house.post(timeout_ms=800)
        assert (answer.status, answer.body["status"]) == (200, "pending")
        assert answer.body["price"] is None
        assert 0.79 <= answer.seconds < 0.8 + NOISE_S
        key = await house.key("seller", "fastquotes")
        lead = f"/v1/leads/{answer.body['lead_id']}"
        after = await house.call("GET", f"{lead}?wait_s=10", key=key)
        assert (after.body["status"], after.body["price"]) == ("sold", 8.5)
        assert list(fleet.books["acme"].accepted().values()) == [Decimal("10.00")]


@pytest.mark.parametrize("stages", [1, 2])
async def test_after_pending_a_refused_lead_is_sold_to_nobody_else(house, stages):
    """Never resold behind the seller's back: those who are not tried any more have a reason."""
    refusing = {"post_faults": {PostFault.LATE_REFUSAL: 1.0}, "late_ms": 1400.0}
    async with Fleet(bidding({"acme": "10.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "10.00"}, **refusing)[0])
        plan = [] if stages == 1 else [f'method = "auction"\noffers = ["{n}"]' for n in fleet.specs]
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, ping_ms=900, post_ms=5000) for name in fleet.specs),
                campaign(stages=plan),
            )
        )
        await house.open()
        answer = await house.post(timeout_ms=800)
        assert answer.body["status"] == "pending"
        key = await house.key("seller", "fastquotes")
        lead_id = answer.body["lead_id"]
        after = await house.call("GET", f"/v1/leads/{lead_id}?wait_s=10", key=key)
        assert after.body["status"] == "unsold"
        assert after.body["reason"] == {"code": 510, "reason": "deadline"}
        timeline = await house.timeline(lead_id)
        assert verdicts(timeline) == {
            "acme": ["refused refused"],
            "bravo": ["offer_left_out deadline"],
        }
        assert fleet.books["bravo"].posts == 0
        assert offers(timeline, "posted") == ["acme"]
