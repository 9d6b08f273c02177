"""Whoever comes first has the person: a repetition costs no buyer a ping and no seller a doubt."""

import asyncio
import hashlib
from collections import Counter
from decimal import Decimal

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.house import ANN, person, phone
from tests.acceptance.market import buyer, campaign, market

ACME = BuyerSpec(id="acme", price=Fixed(Decimal("12.00")))
HOUR_MS = 3_600_000


def rule(**changes: str) -> str:
    """Return the campaign's line; what is not said is the contract's default."""
    said = {"window_hours": "720", **changes}
    return f"duplicates = {{ {', '.join(f'{name} = {value}' for name, value in said.items())} }}"


async def opened(house, fleet, *campaigns: str, offer: str = "") -> None:
    """Make a market of one buyer and these campaigns, and open a worker."""
    await house.apply(market(buyer("acme", fleet.base_url, offer=offer), *campaigns))
    await house.open()


async def status_of(house, lead, **control) -> str:
    answer = await house.post(lead, **control)
    assert answer.status == 200, answer.body
    return answer.body["status"]


async def test_a_repetition_is_a_duplicate_without_a_ping_and_names_the_sellers_own_first(house):
    """The second post of a person: `duplicate`, 503, the first one's outcome, nobody asked."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule(), sellers='"fastquotes", "other"'))
        first = await house.post()
        second = await house.post()
        assert second.body["status"] == "duplicate"
        assert second.body["reason"] == {"code": 503, "reason": "duplicate"}
        assert second.body["original"] == {
            "lead_id": first.body["lead_id"],
            "status": "sold",
            "price": 10.2,
            "redirect_url": None,
        }
        assert second.body["lead_id"] != first.body["lead_id"]
        key = await house.key("seller", "fastquotes")
        seen = await house.call("GET", f"/v1/leads/{second.body['lead_id']}", key=key)
        assert seen.body["original"] == second.body["original"]
        others = await house.post(seller="other")
        assert (others.body["status"], "original" in others.body) == ("duplicate", False)
        assert first.body["lead_id"] not in str(others.body)
        assert fleet.books["acme"].pings == 1
        assert await status_of(house, person(2)) == "sold"


@pytest.mark.parametrize("workers", [1, 2])
async def test_two_simultaneous_posts_of_one_person_give_exactly_one_sale(house, workers):
    """However many post it at once, to however many workers: one is sold, the rest repeat it."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule()))
        if workers == 2:
            await house.open()
        for number in range(5):
            posts = (house.post(person(number), base=turn % workers) for turn in range(2))
            answers = await asyncio.gather(*posts)
            statuses = sorted(answer.body["status"] for answer in answers)
            assert statuses == ["duplicate", "sold"]
            sold, repeated = sorted(answers, key=lambda one: one.body["status"], reverse=True)
            assert repeated.body["original"]["lead_id"] == sold.body["lead_id"]
        assert fleet.books["acme"].pings == 5
        assert len(fleet.books["acme"].accepted()) == 5


async def test_known_duplicates_among_many_posts_at_once_are_flagged_exactly(house):
    """60 posts at once, 20 of them of a person that is there already: exactly 20 duplicates."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule()))
        leads = [person(number) for number in range(40)] + [person(n) for n in range(0, 40, 2)]
        answers = await asyncio.gather(*(house.post(lead) for lead in leads))
        statuses = Counter(answer.body["status"] for answer in answers)
        assert statuses == {"sold": 40, "duplicate": 20}
        assert fleet.books["acme"].pings == 40


async def test_one_person_is_recognized_in_every_spelling(house):
    """Another case of the address and another format of the number are the same person."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule()))
        assert await status_of(house, ANN) == "sold"
        other_email, other_phone = "somebody@example.com", phone(9999)
        for changes in (
            {"email": "Ann.LEE@Example.COM", "phone": other_phone},
            {"email": other_email, "phone": "+1 512.555.0123"},
            {"email": other_email, "phone": "1-512-555-0123"},
            {"email": other_email, "phone": 5125550123},
        ):
            assert await status_of(house, {**ANN, **changes}) == "duplicate", changes
        # Nobody learns more of a person than was claimed: a duplicate claims nothing.
        assert await status_of(house, person(9999, email=other_email)) == "sold"


MATCHES = {
    "either": ('["phone", "email"]', '"any"', "duplicate", "duplicate"),
    "both": ('["phone", "email"]', '"all"', "sold", "sold"),
    "phone": ('["phone"]', '"any"', "duplicate", "sold"),
    "email": ('["email"]', '"all"', "sold", "duplicate"),
}
"""By campaign: `on`, `match`, and what becomes of the same phone, and of the same e-mail, alone."""


async def test_a_campaign_says_which_fields_make_a_duplicate(house):
    """`on` names the fields, `match` whether one of them is enough."""
    async with Fleet([ACME]) as fleet:
        rules = {name: rule(on=on, match=match) for name, (on, match, _, _) in MATCHES.items()}
        await opened(house, fleet, *(campaign(name, lines=line) for name, line in rules.items()))
        for into, (_, _, same_phone, same_email) in MATCHES.items():
            assert await status_of(house, person(1), campaign=into) == "sold"
            assert await status_of(house, person(1), campaign=into) == "duplicate"
            other_email, other_phone = (
                person(2, phone=phone(1)),
                person(3, email=person(1)["email"]),
            )
            assert await status_of(house, other_email, campaign=into) == same_phone, into
            assert await status_of(house, other_phone, campaign=into) == same_email, into


@pytest.mark.parametrize(("against", "again"), [("sold", "unsold"), ("all", "duplicate")])
async def test_an_unsold_lead_counts_only_against_all(house, against, again):
    """`sold` lets a person come back whom nobody bought; `all` does not. Rejected ones may always.

    A rejection comes before the claim.
    """
    async with Fleet([ACME]) as fleet:
        lines = 'qualify = "age >= 18"\n' + rule(against=f'"{against}"')
        await opened(house, fleet, campaign(lines=lines), offer="where = 'state == \"TX\"'")
        young = person(1, zip="10001", birth_date="2020-01-01")
        assert await status_of(house, young) == "rejected"
        nobody_wants = person(1, zip="10001")
        assert await status_of(house, nobody_wants) == "unsold"
        assert await status_of(house, nobody_wants) == again
        assert await house.market_keys("*claim*") == [] or against == "all"
        assert await status_of(house, person(2)) == "sold"
        assert await status_of(house, person(2)) == "duplicate"


async def test_a_lead_under_way_or_in_doubt_counts_as_sold(house):
    """While a buyer may have the person nobody else is asked, and the seller is told so."""
    silent = BuyerSpec(id="acme", post_faults={PostFault.MUTE: 1.0})
    async with Fleet([silent]) as fleet:
        await opened(house, fleet, campaign(lines=rule()))
        under_way = asyncio.ensure_future(house.post(timeout_ms=300))
        await fleet.received("acme", posts=1)
        assert await status_of(house, ANN) == "duplicate"
        assert (await under_way).body["status"] == "pending"
        repeated = await house.post()
        assert repeated.body["original"]["status"] == "pending"
        assert fleet.books["acme"].pings == 1


@pytest.mark.parametrize(("scope", "elsewhere"), [("campaign", "sold"), ("vertical", "duplicate")])
async def test_a_scope_says_how_far_a_person_is_remembered(house, scope, elsewhere):
    """In this campaign only, or in all campaigns of the vertical that look that far."""
    lines = rule(scope=f'"{scope}"')
    async with Fleet([ACME]) as fleet:
        await opened(
            house, fleet, campaign(lines=lines), campaign("second", lines=lines), campaign("free")
        )
        assert await status_of(house, ANN) == "sold"
        assert await status_of(house, ANN, campaign="second") == elsewhere
        assert await status_of(house, ANN, campaign="free") == "sold"
        assert await status_of(house, ANN) == "duplicate"


async def test_a_person_may_come_again_after_the_window(house):
    """A sold person is remembered for `window_hours` and not longer."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule(window_hours="2")))
        assert await status_of(house, ANN) == "sold"
        async with house.market() as market_state:
            claims = await house.market_keys("*claim*")
            assert len(claims) == 4  # by telephone and e-mail, as either digest
            for claim in claims:
                assert 1.99 * HOUR_MS < await market_state.pttl(claim) <= 2 * HOUR_MS
                await market_state.pexpireat(claim, 1)  # as two hours later
        assert await status_of(house, ANN) == "sold"
        assert await status_of(house, ANN) == "duplicate"


async def test_market_state_holds_nothing_by_which_a_person_is_found(house):
    """Neither number nor address, nor a digest that anyone could compute, stands in any key."""
    async with Fleet([ACME]) as fleet:
        await opened(house, fleet, campaign(lines=rule()))
        assert await status_of(house, ANN) == "sold"
        held = " ".join(await house.market_keys())
        assert "claim" in held
        for clear in ("5125550123", "+15125550123", "ann.lee@example.com"):
            assert clear not in held
            for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
                assert digest(clear.encode()).hexdigest()[:16] not in held


async def test_test_leads_have_duplicates_of_their_own(house):
    """A test lead is a duplicate of test leads alone, and takes nothing from a real one."""
    async with Fleet([ACME, BuyerSpec(id="rehearsal")]) as fleet:
        rehearsal = buyer("rehearsal", fleet.base_url, offer="test = true")
        real = buyer("acme", fleet.base_url)
        await house.apply(market(real, rehearsal, campaign(lines=rule())))
        await house.open()
        assert await status_of(house, ANN, test=True) == "sold"
        assert await status_of(house, ANN, test=True) == "duplicate"
        assert await status_of(house, ANN) == "sold"
        assert await status_of(house, ANN) == "duplicate"
        assert (fleet.books["acme"].pings, fleet.books["rehearsal"].pings) == (1, 1)
