"""A buyer that does not answer its post: asked again under the same key, charged at most once."""

import asyncio
import time
from datetime import datetime

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.audit import audit, by_state, keys_of, posts_of, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import events, of

HURRY_MS = 600
"""When a seller hears `pending` here: after the post's time, before its first repetition."""

NOISE_S = 0.6

WAY_OF_A_DOUBT = ["posted", "in_doubt", "repeated", "resolved", "accepted"]
"""What the timeline says of its offer in the end."""

TELLS_WHEN_ASKED_AGAIN = [
    PostFault.LATE,
    PostFault.NEVER,
    PostFault.PENDING,
    PostFault.RESETTING,
    PostFault.UNREAD,
    PostFault.DRIPPING,
    PostFault.GARBAGE,
    PostFault.HTTP_500,
    PostFault.REDIRECT,
]


def doubtful(*faults, late_ms=60_000.0):
    """One buyer for each of these faults, of the same name, which all have always."""
    return [
        BuyerSpec(
            id=fault, price=Fixed(12.0), post_faults={fault: 1.0}, late_ms=late_ms, drip_ms=50
        )
        for fault in faults
    ]


def a_market(fleet, *names, lines="", **terms):
    """A campaign for each buyer alone, of its name."""
    return market(
        *(buyer(name, fleet.base_url, post_ms=200, **terms) for name in names),
        *(campaign(name, lines=lines, stages=[only(name)]) for name in names),
    )


def only(*names):
    offers = ", ".join(f'"{name}"' for name in names)
    return f'method = "auction"\noffers = [{offers}]'


async def get(house, lead_id, wait_s=20, base=0):
    """What the seller sees once the lead has ended."""
    key = await house.key("seller", "fastquotes")
    return await house.call("GET", f"/v1/leads/{lead_id}?wait_s={wait_s}", key=key, base=base)


# wait: the post is repeated until its buyer tells


async def test_in_doubt_the_post_is_repeated_with_its_key_and_the_seller_hears_when_it_must(house):
    """Issue 2: whatever the buyer did instead of answering, it is asked again and has one lead.

    Late, never, 202, reset, unread, dripping, garbage, 500, a redirect: `pending` at the seller's
    own deadline, then the outcome by GET. Each post is the same bytes under the same key.
    """
    async with Fleet(doubtful(*TELLS_WHEN_ASKED_AGAIN), keep=20) as fleet:
        await house.apply(a_market(fleet, *TELLS_WHEN_ASKED_AGAIN))
        await house.open()
        await house.key("seller", "fastquotes")
        told = await asyncio.gather(
            *(
                house.post(person(number), campaign=name, timeout_ms=HURRY_MS)
                for number, name in enumerate(TELLS_WHEN_ASKED_AGAIN)
            )
        )
        for answer in told:
            assert (answer.body["status"], answer.body["price"]) == ("pending", None)
            assert answer.body["reason"]["reason"] == "in_doubt"
            assert answer.seconds < HURRY_MS / 1000 + NOISE_S
        for answer, name in zip(told, TELLS_WHEN_ASKED_AGAIN, strict=True):
            outcome = await get(house, answer.body["lead_id"])
            assert (outcome.body["status"], outcome.body["price"]) == ("sold", 10.2), name
            keys = keys_of(fleet, name)
            assert len(keys) >= 2
            assert set(keys) == {outcome.body["sales"][0]["sale_id"]}
            assert all(body == posts_of(fleet, name)[0] for body in posts_of(fleet, name))
            timeline = await house.timeline(answer.body["lead_id"])
            assert events(timeline, name)[-5:] == WAY_OF_A_DOUBT
        assert by_state(await audit(house, fleet)) == {"accepted": len(TELLS_WHEN_ASKED_AGAIN)}


async def test_who_waits_for_a_pending_lead_is_woken_by_its_end_on_any_worker(house):
    """`?wait_s` on another worker returns with the repetition's answer, not at a later look."""
    async with Fleet(doubtful(PostFault.NEVER)) as fleet:
        await house.apply(a_market(fleet, "never"))
        await house.open()
        await house.open()
        told = await house.post(campaign="never", timeout_ms=HURRY_MS)
        waiting = asyncio.create_task(get(house, told.body["lead_id"], base=1))
        await fleet.received("never", posts=2)
        answered = time.monotonic()
        assert (await waiting).body["status"] == "sold"
        assert time.monotonic() - answered < NOISE_S


async def test_a_seller_with_time_waits_for_the_outcome_itself(house):
    """No `pending` where the buyer tells before the answer deadline; the pauses are 1 s, 2 s."""
    async with Fleet(doubtful(PostFault.MUTE)) as fleet:
        await house.apply(a_market(fleet, "mute"))
        await house.open()
        waiting = asyncio.create_task(house.post(campaign="mute"))
        await fleet.received("mute", posts=2)
        fleet.change(bidding({"mute": "12.00"})[0])
        fleet.books["mute"].sales.clear()
        answer = await waiting
        assert answer.body["status"] == "sold"
        view = await house.admin(answer.body["lead_id"])
        calls = [*of(view["timeline"], "posted"), *of(view["timeline"], "repeated")]
        first, second, third = (datetime.fromisoformat(call["at"]) for call in calls)
        assert (second - first).total_seconds() > 1.2 - 0.01, "its own time, then the first pause"
        assert (third - second).total_seconds() > 2.0 - 0.01
        assert fleet.books["mute"].posts == 3
        await audit(house, fleet)


async def test_a_refusal_after_pending_leaves_the_lead_unsold_and_is_not_sold_on(house):
    """The seller may have gone elsewhere by then; the second best buyer never hears of it."""
    specs = [*doubtful(PostFault.LATE_REFUSAL), *bidding({"second": "9.00"})]
    async with Fleet(specs) as fleet:
        await house.apply(
            market(
                buyer("late_refusal", fleet.base_url, post_ms=200),
                buyer("second", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        told = await house.post(timeout_ms=HURRY_MS)
        assert told.body["status"] == "pending"
        outcome = await get(house, told.body["lead_id"])
        assert (outcome.body["status"], outcome.body["price"]) == ("unsold", None)
        assert fleet.books["second"].posts == 0
        assert by_state(await audit(house, fleet)) == {"refused": 1}


async def test_a_refusal_in_time_lets_the_next_buyer_have_the_lead(house):
    """The answer came late for the post and early enough for the seller: the next bid is tried."""
    specs = [*doubtful(PostFault.LATE_REFUSAL, late_ms=400.0), *bidding({"second": "9.00"})]
    async with Fleet(specs) as fleet:
        await house.apply(
            market(
                buyer("late_refusal", fleet.base_url, post_ms=200),
                buyer("second", fleet.base_url),
                campaign(),
            )
        )
        await house.open()
        assert (await house.post()).body["price"] == 7.65
        assert by_state(await audit(house, fleet)) == {"refused": 1, "accepted": 1}


async def test_what_stays_in_doubt_too_long_is_void_and_gives_everything_back(house):
    """`in_doubt_max_s`: unsold, 403; the cap is free, the person may be sold again."""
    async with Fleet(doubtful(PostFault.MUTE)) as fleet:
        lines = 'duplicates = { window_hours = 24, on = ["phone"] }'
        cap = 'caps = [ { leads = 1, per = "day" } ]'
        await house.apply(a_market(fleet, "mute", lines=lines, in_doubt_s=1, offer=cap))
        await house.open()
        told = await house.post(campaign="mute")
        assert told.body["status"] == "unsold"
        assert told.body["reason"] == {"code": 403, "reason": "void"}
        assert not any((await standing(house, "mute")).held.values())
        fleet.change(bidding({"mute": "12.00"})[0])
        assert (await house.post(campaign="mute")).body["status"] == "sold"
        assert by_state(await audit(house, fleet)) == {"void": 1, "accepted": 1}


# advance: the next buyer has the lead


async def test_advance_goes_on_at_once_and_a_late_acceptance_is_never_charged(house):
    """The sale is void, its hold free, the next bid wins; what the first says later is recorded."""
    specs = [*doubtful(PostFault.LATE, late_ms=500.0), *bidding({"second": "9.00"})]
    async with Fleet(specs) as fleet:
        first = buyer(
            "late",
            fleet.base_url,
            post_ms=200,
            no_answer="advance",
            offer="caps = [ { concurrent = 1 } ]",
        )
        await house.apply(market(first, buyer("second", fleet.base_url), campaign()))
        await house.open()
        told = await house.post()
        assert (told.body["status"], told.body["price"]) == ("sold", 7.65)
        assert told.seconds < 0.2 + NOISE_S
        lead_id = told.body["lead_id"]
        await until(lambda: has(house, lead_id, "late_acceptance"))
        timeline = await house.timeline(lead_id)
        assert [line["event"] for line in of(timeline, "voided")] == ["voided"]
        assert fleet.books["late"].posts == 1
        assert len(fleet.books["late"].accepted()) == 1
        async with house.ledger() as ledger:
            assert await ledger.balance("buyer/late") == {}
            assert await ledger.balance("buyer/second") == {"USD": -9_000_000}
        assert by_state(await audit(house, fleet)) == {"void": 1, "accepted": 1}


async def has(house, lead_id, event):
    return bool(of(await house.timeline(lead_id), event))


async def test_advance_without_another_bid_is_void_not_refused(house):
    """A buyer may call this person: the seller hears 403, the truth."""
    async with Fleet(doubtful(PostFault.GARBAGE)) as fleet:
        await house.apply(a_market(fleet, "garbage", no_answer="advance"))
        await house.open()
        told = await house.post(campaign="garbage")
        assert (told.body["status"], told.body["reason"]["code"]) == ("unsold", 403)
        await audit(house, fleet)


# What happens beside it


async def test_a_seller_in_a_great_hurry_hears_of_nothing_that_is_not_on_the_books(house):
    """One millisecond: the lead was written before `pending` was said, or it has its end."""
    async with Fleet(bidding({"acme": "12.00"}, latency_ms=Fixed(100))) as fleet:
        lines = 'duplicates = { window_hours = 24, on = ["phone"] }'
        await house.apply(market(buyer("acme", fleet.base_url), campaign(lines=lines)))
        await house.open()
        await house.key("seller", "fastquotes")
        told = await asyncio.gather(
            *(house.post(person(n), timeout_ms=1 + n) for n in range(20)),
        )
        for answer in told:
            assert answer.body["status"] in {"pending", "unsold"}
            assert answer.seconds < NOISE_S
            outcome = await get(house, answer.body["lead_id"])
            assert outcome.body["status"] == "unsold"
            assert outcome.body["reason"]["reason"] in {"deadline", "no_bid_above_floor"}
        assert fleet.books["acme"].posts == 0
        assert (await house.post(person(0))).body["status"] == "sold", "nobody is blocked by it"
        await audit(house, fleet)


async def test_a_client_that_hangs_up_does_not_stop_its_auction(house):
    """The lead is sold as if it had stayed, and a repetition with its key hears so."""
    async with Fleet(bidding({"acme": "12.00"}, post_latency_ms=Fixed(300))) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.open()
        await house.key("seller", "fastquotes")
        headers = {"Idempotency-Key": "once"}
        gone = asyncio.create_task(house.post(headers=headers))
        await fleet.received("acme", posts=1)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        answer = await house.post(headers=headers)
        assert (answer.body["status"], answer.body["price"]) == ("sold", 10.2)
        assert fleet.books["acme"].posts == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_an_offer_that_is_retired_while_its_post_is_in_doubt_still_tells(house):
    """The story goes on under the market that it began with; new leads see the new one."""
    specs = [*doubtful(PostFault.NEVER), *bidding({"second": "9.00"})]
    async with Fleet(specs) as fleet:
        never = buyer("never", fleet.base_url, post_ms=200, offer="caps = [ { concurrent = 5 } ]")
        second = buyer("second", fleet.base_url)
        await house.apply(market(never, second, campaign()))
        await house.open()
        told = await house.post(timeout_ms=HURRY_MS)
        assert told.body["status"] == "pending"
        await house.apply(market(second, campaign()))
        assert (await house.post(person(2))).body["price"] == 7.65
        outcome = await get(house, told.body["lead_id"])
        assert (outcome.body["status"], outcome.body["price"]) == ("sold", 10.2)
        assert not any((await standing(house, "never")).held.values())


@pytest.mark.parametrize("told", ["202", "null"])
async def test_a_buyer_that_will_tell_later_is_asked_again_and_not_taken_for_refusing(house, told):
    """202 and `"accepted": null` stay in doubt until they are decided."""
    fault = PostFault.UNDECIDED if told == "null" else PostFault.PENDING
    async with Fleet(doubtful(fault)) as fleet:
        await house.apply(a_market(fleet, str(fault), in_doubt_s=2))
        await house.open()
        answer = await house.post(campaign=str(fault))
        ends = ("unsold", 403) if fault is PostFault.UNDECIDED else ("sold", None)
        reason = answer.body["reason"]
        assert (answer.body["status"], reason and reason["code"]) == ends
        await audit(house, fleet)
