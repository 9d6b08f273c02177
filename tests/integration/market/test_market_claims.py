"""Claims and purchases: who came first, and who bought whom."""

import asyncio

import pytest

from tests.integration.market.making import a_claim, time_left_ms


async def test_of_fifty_at_once_exactly_one_claims_a_person(market, other):
    """Simultaneous claims of one person: one goes on, all others learn its lead."""
    claims = [a_claim(f"lead-{number}", "phone", "email") for number in range(50)]
    answers = await asyncio.gather(
        *[(market, other)[i % 2].claim(claim) for i, claim in enumerate(claims)]
    )
    winners = [c.lead_id for c, answer in zip(claims, answers, strict=True) if answer is None]
    assert len(winners) == 1
    assert {answer for answer in answers if answer is not None} == set(winners)


async def test_any_one_key_makes_a_duplicate_and_then_nothing_is_claimed(market):
    """Known by its phone, the second lead claims no e-mail either."""
    assert await market.claim(a_claim("first", "phone-1")) is None
    assert await market.claim(a_claim("second", "email-2", "phone-1")) == "first"
    assert await market.claim(a_claim("third", "email-2")) is None


async def test_a_claim_again_is_ours_still(market, other):
    """A repeated claim of one lead is granted, also where it adds a key."""
    assert await market.claim(a_claim("first", "phone-1")) is None
    assert await other.claim(a_claim("first", "phone-1", "email-1")) is None
    assert await market.claim(a_claim("second", "email-1")) == "first"


async def test_looking_up_claims_nothing(market):
    """A ping sees who came first and leaves no trace."""
    assert await market.look_up(a_claim("ping", "phone-1")) is None
    assert await market.claim(a_claim("first", "phone-1")) is None
    assert await market.look_up(a_claim("ping", "email-1", "phone-1")) == "first"
    assert await market.look_up(a_claim("first", "phone-1")) is None, "oneself is no duplicate"


async def test_only_the_owner_gives_a_claim_back(market):
    """Unclaiming what another lead has changes nothing; one's own is free again."""
    await market.claim(a_claim("first", "phone-1"))
    await market.unclaim(a_claim("second", "phone-1"))
    assert await market.look_up(a_claim("second", "phone-1")) == "first"
    await market.unclaim(a_claim("first", "phone-1"))
    await market.unclaim(a_claim("first", "phone-1"))
    assert await market.claim(a_claim("second", "phone-1")) is None


async def test_scopes_do_not_know_each_other(market):
    """A campaign's duplicates are not another's, nor a test lead's."""
    await market.claim(a_claim("first", scope="campaign:auto-us"))
    assert await market.claim(a_claim("second", scope="campaign:solar")) is None
    assert await market.claim(a_claim("third", scope="campaign:auto-us:test")) is None


KEY = "{campaign:auto-us}:claim:phone-1"


@pytest.mark.parametrize("window_s", [60, 720 * 3600])
async def test_a_claim_lasts_for_its_window(market, link, window_s):
    """It counts though its end is never told to market state; repeating prolongs nothing."""
    await market.claim(a_claim("first", "phone-1", window_s=window_s))
    left_ms = await time_left_ms(link, KEY)
    assert (window_s - 10) * 1000 < left_ms <= window_s * 1000
    await market.claim(a_claim("first", "phone-1", window_s=999_999))
    assert await time_left_ms(link, KEY) <= left_ms


async def test_a_kept_claim_lasts_for_its_window_from_now_on(market, other, link):
    """A sold lead counts for the whole window from its sale, also where its claim was lost."""
    window_s = 720 * 3600
    for lead, key in (("first", "phone-1"), ("lapsed", "phone-2")):
        if lead == "first":
            await market.claim(a_claim(lead, key, window_s=60))
        await other.keep_claim(a_claim(lead, key, window_s=window_s))
        assert await market.look_up(a_claim("second", key)) == lead
    assert (window_s - 10) * 1000 < await time_left_ms(link, KEY) <= window_s * 1000


async def test_keeping_takes_nothing_from_another_lead(market, link):
    """Whoever claimed after the window ran out keeps what it has, and for as long as it had it."""
    await market.claim(a_claim("second", "phone-1", window_s=60))
    await market.keep_claim(a_claim("first", "phone-1", "email-1"))
    assert await market.look_up(a_claim("x", "phone-1")) == "second"
    assert await market.look_up(a_claim("x", "email-1")) == "first"
    assert await time_left_ms(link, KEY) <= 60_000


async def test_a_buyer_who_bought_a_person_is_known_by_any_key_until_its_time(market, other, clock):
    """Purchases are found by every digest of the person, and forgotten at their time."""
    hour_us = 3_600_000_000
    await market.remember_purchase(("phone", "email"), "acme", clock.now_us + hour_us)
    await market.remember_purchase(("phone",), "best", clock.now_us + 2 * hour_us)
    assert await other.bought_by(("email",)) == {"acme"}
    assert await other.bought_by(("phone", "email", "unknown")) == {"acme", "best"}
    assert await other.bought_by(()) == frozenset()
    clock.now_us += hour_us
    assert await other.bought_by(("phone", "email")) == {"best"}


async def test_a_shorter_memory_does_not_cut_a_longer_one(market, clock, link):
    """The longest time counts, and the key goes with it."""
    day_us = 86_400_000_000
    await market.remember_purchase(("phone",), "acme", clock.now_us + day_us)
    await market.remember_purchase(("phone",), "acme", clock.now_us + 1)
    await market.remember_purchase(("phone",), "best", clock.now_us + 1_000_000)
    clock.now_us += day_us - 1
    assert await market.bought_by(("phone",)) == {"acme"}
    assert 86_390_000 < await time_left_ms(link, "{person:phone}:buyers") <= 86_401_000


async def test_what_is_already_over_is_not_remembered(market, clock):
    """A time in the past leaves nothing behind."""
    await market.remember_purchase(("phone",), "acme", clock.now_us)
    assert await market.bought_by(("phone",)) == frozenset()
