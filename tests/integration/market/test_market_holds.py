"""Holds: all or nothing, exactly once, never past a limit."""

import asyncio

import msgspec
import pytest

from exchange.domain.caps import HoldRefused
from exchange.domain.ids import LeadId
from exchange.domain.reason import Reason
from exchange.market import keys
from tests.integration.market.making import a_hold, a_line, a_spend, time_left_ms
from tests.making import NOW_US

DAY = "offer/a|leads|day|0"
NOW = "offer/a|concurrent|now|0"
SPEND = "buyer/acme|spend|day|0"


async def used(market, buyer_id="acme"):
    standing = await market.standing(buyer_id)
    counters = standing.settled.keys() | standing.held.keys()
    return {c: standing.settled.get(c, 0) + standing.held.get(c, 0) for c in counters}


async def test_two_workers_never_hold_past_a_cap(market, other):
    """200 concurrent holds on a cap of 100, from two workers: exactly 100."""
    holds = [a_hold(a_line(DAY, limit=100)) for _ in range(200)]
    answers = await asyncio.gather(
        *[(market, other)[i % 2].hold(hold) for i, hold in enumerate(holds)]
    )
    assert answers.count(None) == 100
    assert answers.count(HoldRefused(DAY, Reason.CAP_AT_AWARD)) == 100
    standing = await market.standing("acme")
    assert standing.held == {DAY: 100}
    assert len(standing.holds) == 100
    held = [hold for hold, answer in zip(holds, answers, strict=True) if answer is None]
    assert all(await asyncio.gather(*[other.settle("acme", hold.sale_id) for hold in held]))
    standing = await market.standing("acme")
    assert (standing.settled, standing.held) == ({DAY: 100}, {DAY: 0})
    assert not standing.holds


async def test_a_budget_is_never_overspent(market, other):
    """500 concurrent sales at 12.50 on a budget of 1000.00: 80, and not one more."""
    holds = [a_hold(a_spend(SPEND, 12_500_000, 1_000_000_000)) for _ in range(500)]
    answers = await asyncio.gather(
        *[(market, other)[i % 2].hold(hold) for i, hold in enumerate(holds)]
    )
    assert answers.count(None) == 80
    assert answers.count(HoldRefused(SPEND, Reason.BUDGET_AT_AWARD)) == 420
    assert await used(market) == {SPEND: 1_000_000_000}


async def test_amounts_stay_exact_far_above_what_fourteen_digits_hold(market):
    """Sums of money near the greatest amount are exact to the micro."""
    limit = 9_000_000_000_000_001
    assert await market.hold(a_hold(a_spend(SPEND, 8_999_999_999_999_998, limit))) is None
    assert await market.hold(a_hold(a_spend(SPEND, 3, limit))) is None
    assert await market.hold(a_hold(a_spend(SPEND, 1, limit))) is not None
    assert await used(market) == {SPEND: limit}


async def test_a_concurrent_cap_gives_its_room_back(market):
    """What is held at once is limited; what was settled or released leaves room again."""
    first, second, third = (a_hold(a_line(NOW, limit=2, settles=False)) for _ in range(3))
    assert await market.hold(first) is None
    assert await market.hold(second) is None
    assert await market.hold(third) == HoldRefused(NOW, Reason.CAP_AT_AWARD)
    assert await market.settle("acme", first.sale_id)
    assert await market.hold(third) is None
    assert await market.release("acme", second.sale_id)
    assert await used(market) == {NOW: 1}
    assert (await market.standing("acme")).settled == {NOW: 0}


async def test_one_line_without_room_holds_none(market):
    """All lines or none; the first without room is named."""
    lines = (a_line(DAY, limit=5), a_spend(SPEND, 10, 9), a_line(NOW, limit=0, settles=False))
    assert await market.hold(a_hold(*lines)) == HoldRefused(SPEND, Reason.BUDGET_AT_AWARD)
    assert await used(market) == {}
    assert not (await market.standing("acme")).holds


async def test_two_lines_on_one_counter_are_counted_together(market):
    """A counter that two lines move is checked and moved for both."""
    assert await market.hold(a_hold(a_line(DAY, limit=1), a_line(DAY, limit=1))) is not None
    hold = a_hold(a_line(DAY, limit=2), a_line(DAY, limit=2))
    assert await market.hold(hold) is None
    assert await used(market) == {DAY: 2}
    assert await market.settle("acme", hold.sale_id)
    assert (await market.standing("acme")).settled == {DAY: 2}
    assert await used(market) == {DAY: 2}


async def test_a_sale_without_any_limit_is_held_too(market):
    """No line is no reason to know nothing of the sale."""
    hold = a_hold()
    hold = type(hold)(
        sale_id=hold.sale_id, lead_id=hold.lead_id, buyer_id="open", held_at_us=NOW_US, lines=()
    )
    assert await market.hold(hold) is None
    assert (await market.standing("open")).holds == {hold.sale_id: hold.lead_id}
    assert await market.settle("open", hold.sale_id)
    assert not (await market.standing("open")).holds


async def test_the_same_hold_again_gets_the_first_answer(market, other):
    """Whether still held, settled or released: a repeated hold changes nothing."""
    kept, settled, released = (a_hold(a_line(DAY, limit=3)) for _ in range(3))
    for hold in (kept, settled, released):
        assert await market.hold(hold) is None
    assert await market.settle("acme", settled.sale_id)
    assert await market.release("acme", released.sale_id)
    before = await market.standing("acme")
    for hold in (kept, settled, released):
        assert await other.hold(hold) is None
    assert await market.standing("acme") == before
    assert before.settled == {DAY: 1}
    assert before.held == {DAY: 1}


async def test_an_end_comes_once_and_repeats_its_answer(market):
    """Settled stays settled, released stays released, and neither becomes the other."""
    settled, released = a_hold(a_line(DAY)), a_hold(a_line(DAY))
    await market.hold(settled)
    await market.hold(released)
    for _ in range(2):
        assert await market.settle("acme", settled.sale_id)
        assert await market.release("acme", released.sale_id)
        assert not await market.release("acme", settled.sale_id)
        assert not await market.settle("acme", released.sale_id)
    assert await used(market) == {DAY: 1}


async def test_a_sale_nobody_knows_is_neither_settled_nor_released(market):
    """There is nothing to count and nothing to give back."""
    assert not await market.settle("acme", "never")
    assert not await market.release("acme", "never")
    assert await used(market) == {}


async def test_a_release_that_overtakes_its_hold_wins(market):
    """A caller who gave up and released is not left with a hold that arrives later."""
    late = a_hold(a_line(DAY))
    assert not await market.release("acme", late.sale_id)
    assert await market.hold(late) == HoldRefused("", Reason.VOID)
    assert not await market.settle("acme", late.sale_id)
    assert await used(market) == {}


async def test_a_sale_settles_at_less_than_was_held(market):
    """Only money follows the lower price; numbers count as they did."""
    hold = a_hold(a_line(DAY), a_spend(SPEND, 10_000_000, 10_000_000))
    assert await market.hold(hold) is None
    assert await market.settle("acme", hold.sale_id, 7_250_000)
    standing = await market.standing("acme")
    assert standing.settled == {DAY: 1, SPEND: 7_250_000}
    assert standing.held == {DAY: 0, SPEND: 0}


async def test_a_sale_cannot_settle_at_more_than_was_held(market):
    """What was not held might not be there: it is our mistake, and nothing happens."""
    hold = a_hold(a_spend(SPEND, 10, 10))
    await market.hold(hold)
    with pytest.raises(AssertionError, match="no more than was held"):
        await market.settle("acme", hold.sale_id, 11)
    assert (await market.standing("acme")).held == {SPEND: 10}


async def test_a_return_gives_back_once_and_never_falls_below_zero(market):
    """What settled is taken off, a repeated return changes nothing."""
    hold = a_hold(a_line(DAY), a_spend(SPEND, 9, 100), a_line(NOW, limit=5, settles=False))
    await market.hold(hold)
    assert not await market.give_back(hold), "it is still held"
    await market.settle("acme", hold.sale_id)
    for _ in range(2):
        assert await market.give_back(hold)
        assert await used(market) == {DAY: 0, SPEND: 0, NOW: 0}
    long_ago = a_hold(a_line(DAY), a_line("offer/a|leads|day|-86400"))
    assert await market.give_back(long_ago)
    assert await used(market) == {DAY: 0, SPEND: 0, NOW: 0}, "no counter comes back or goes below"
    assert await market.settle("acme", hold.sale_id), "it was settled, once"


async def test_a_released_sale_cannot_be_returned(market):
    """What never counted is not taken off again."""
    sold, released = a_hold(a_line(DAY)), a_hold(a_line(DAY))
    await market.hold(sold)
    await market.settle("acme", sold.sale_id)
    await market.hold(released)
    await market.release("acme", released.sale_id)
    assert not await market.give_back(released)
    assert await used(market) == {DAY: 1}


async def test_a_lease_lapses_unless_it_is_extended(market, other, clock):
    """The sweeper sees holds whose lease ran out, of every buyer and worker, but none extended."""
    extended, lost = a_hold(), a_hold()
    elsewhere = a_hold(buyer_id="best")
    await market.hold(extended)
    await market.hold(lost)
    await other.hold(elsewhere)
    assert await market.lapsed(clock.now_us + 29_999_999) == ()
    clock.now_us += 30_000_000
    assert await market.extend("acme", extended.sale_id)
    assert {
        (hold.buyer_id, hold.sale_id, hold.lead_id) for hold in await market.lapsed(clock.now_us)
    } == {
        ("acme", lost.sale_id, lost.lead_id),
        ("best", elsewhere.sale_id, elsewhere.lead_id),
    }
    assert await other.release("acme", lost.sale_id)
    assert await other.extend("best", elsewhere.sale_id)
    assert await market.lapsed(clock.now_us + 29_999_999) == ()
    assert len(await market.lapsed(clock.now_us + 30_000_000)) == 2
    assert not await market.extend("acme", lost.sale_id), "a hold that is gone has no lease"


async def test_a_repeated_hold_does_not_shorten_its_lease(market, clock):
    """An extended hold stays extended, whatever comes late."""
    hold = a_hold()
    await market.hold(hold)
    clock.now_us += 20_000_000
    await market.extend("acme", hold.sale_id)
    await market.hold(hold)
    assert await market.lapsed(clock.now_us + 29_999_999) == ()


async def test_everything_but_counters_and_buyers_ends_with_its_sale_or_by_time(market, link):
    """Memory is bounded: what remains of a sale is its count, and its end for a while."""
    sold, refused = a_hold(), a_hold()
    for hold in (sold, refused):
        await market.hold(hold)
    await market.settle("acme", sold.sale_id)
    await market.release("acme", refused.sale_id)
    await market.release("acme", "never")
    ends = [keys.ended("acme", sale) for sale in (sold.sale_id, refused.sale_id, "never")]
    gone = [keys.holds("acme"), keys.leases("acme")]
    for key in ends:
        assert 0 < await time_left_ms(link, key) <= 120_000
    for key in gone:
        assert await time_left_ms(link, key) == -2, "no key is left where nothing is held"


async def test_a_leads_own_place_that_was_given_back_is_held_anew(market, other):
    """A quote whose post met another limit may be posted again; somebody has its room by then."""
    line = a_line(DAY, limit=1)
    place = a_hold(line)
    place = msgspec.structs.replace(place, lead_id=LeadId(place.sale_id))
    assert await market.hold(place) is None
    assert await market.release("acme", place.sale_id)
    another = a_hold(line)
    assert await market.hold(another) is None
    assert await other.hold(place) == HoldRefused(DAY, Reason.CAP_AT_AWARD)
    assert await market.release("acme", another.sale_id)
    assert await other.hold(place) is None
    assert await used(market) == {DAY: 1}
    assert await market.settle("acme", place.sale_id)
    assert await other.hold(place) is None, "what counts is not counted again"
    assert await used(market) == {DAY: 1}


def a_place(asker="", lead="lead"):
    """A lead's own place, as one of the posts of its quote asks for it."""
    hold = a_hold(a_line(DAY, limit=1), sale=lead)
    return msgspec.structs.replace(hold, lead_id=LeadId(lead), asker=asker)


async def test_a_place_that_several_posts_rely_on_is_free_with_the_last_that_gives_it_back(
    market, other
):
    """Whoever held it first has no more of it than whoever found it held, at any worker."""
    asked = [(market, "1"), (market, "2"), (other, "1")]
    for where, asker in asked:
        assert await where.hold(a_place(asker)) is None
    assert await market.hold(a_place("1")) is None, "asking again is not a part of its own"
    for where, asker in asked[:2]:
        for _ in range(2):
            assert await where.release("acme", "lead", asker)
            assert await used(market) == {DAY: 1}
            assert await market.hold(a_place("9", "another")) is not None
    assert await other.release("acme", "lead", "1")
    assert await used(market) == {DAY: 0}
    assert await market.hold(a_place("9", "another")) is None


@pytest.mark.parametrize("end", ["settle", "release"])
async def test_a_place_on_which_several_rely_counts_or_is_given_back_as_one(market, end):
    """Whatever was seen to of its lead holds for all who asked."""
    for asker in ("1", "2"):
        assert await market.hold(a_place(asker)) is None
    assert await getattr(market, end)("acme", "lead")
    counts = end == "settle"
    assert await used(market) == {DAY: int(counts)}
    assert await market.release("acme", "lead", "2") is not counts
    assert await used(market) == {DAY: int(counts)}
