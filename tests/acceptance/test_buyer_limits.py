"""Limits of a buyer beyond plain caps: accounts under it, a pace, and persons it has already."""

import hashlib
from datetime import datetime

from bidders.fleet import Fleet, PostFault
from bidders.fleet.fleet import Desk
from bidders.fleet.reply import STATUS_LINES, Reply
from tests.acceptance.audit import audit, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_caps import PATIENT, UNHURRIED, caps, patient, sell
from tests.acceptance.test_reconcile import compared, look_ahead
from tests.acceptance.timelines import of, reasons

BRANCHES = f"""
{caps('leads = 5, per = "day"')}
[[buyer.account]]
id = "dallas"
{caps('leads = 3, per = "day"')}
[[buyer.account]]
id = "austin"
"""


def offers(*lines: str) -> str:
    """Return offers of one buyer that pay less and less; the first is the buyer's own."""
    told = [f"price = {9 - number}.00\n{line}" for number, line in enumerate(lines)]
    heads = [
        f'[[buyer.offer]]\nid = "acme-{number}"\nvertical = "auto_insurance"\n'
        for number in range(1, len(lines))
    ]
    return (
        told[0] + "\n" + "\n".join(head + text for head, text in zip(heads, told[1:], strict=True))
    )


async def test_a_cap_of_an_account_holds_beside_its_offers_and_its_buyers(house):
    """Row 63: two offers share a branch's 3, the third has what the buyer's 5 leave."""
    lines = offers(
        'account = "dallas"\n' + caps('leads = 2, per = "day"'), 'account = "dallas"', ""
    )
    await house.apply(market(buyer("acme", own=BRANCHES, offer=lines), campaign()))
    await house.open()
    told = [(await sell(house, 1, first=number))[0] for number in range(6)]
    prices = [body["price"] and float(body["price"]) for body in told]
    assert prices == [7.65, 7.65, 6.8, 5.95, 5.95, None]
    counts = (await standing(house, "acme")).settled
    assert {name.split("|")[0]: count for name, count in counts.items()} == {
        "offer/acme": 2,
        "account/acme:dallas": 3,
        "buyer/acme": 5,
    }
    timeline = await house.timeline(told[3]["lead_id"])
    lines = {line["offer"]: line for line in of(timeline, "offer_left_out")}
    assert reasons(timeline, "offer_left_out") == {"acme": "cap", "acme-1": "cap"}
    assert lines["acme-1"]["detail"].startswith("account/acme:dallas|leads|day|")
    assert (await compared(house))["differences"] == []


async def test_an_offer_that_moves_to_another_account_takes_its_sales_with_it(house):
    """Three in Dallas, then the offer is Austin's, whose cap is four: one more, and no second."""
    accounts = BRANCHES.replace('caps = [ { leads = 3, per = "day" } ]', "") + caps(
        'leads = 4, per = "day"'
    )
    accounts = accounts.replace("leads = 5", "leads = 50")
    one = buyer("acme", own=accounts, offer='price = 9.00\naccount = "dallas"')
    await house.apply(market(one, campaign()))
    await house.open()
    await sell(house, 3)
    await house.apply(market(one.replace('account = "dallas"', 'account = "austin"'), campaign()))

    async def moved():
        return 3 in [
            count
            for name, count in (await standing(house, "acme")).settled.items()
            if name.startswith("account/acme:austin|")
        ]

    await until(moved)
    told = [(await sell(house, 1, first=10 + number))[0]["status"] for number in range(2)]
    assert told == ["sold", "unsold"]
    assert (await compared(house))["differences"] == []


async def test_a_cap_of_an_account_is_exact_under_two_workers_and_survives_a_rebuild(house):
    """60 sales at once on a branch's 20, from two workers; emptied market state counts it anew."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        limit = caps('leads = 20, per = "day"')
        own = f'[[buyer.account]]\nid = "dallas"\n{limit}'
        one = patient("acme", fleet, 'account = "dallas"').replace(
            "[[buyer.offer]]", f"{own}\n[[buyer.offer]]"
        )
        await house.apply(market(one, PATIENT))
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        told = await sell(house, 60, bases=2)
        assert sum(body["status"] == "sold" for body in told) == 20
        async with house.market() as client:
            await client.flushdb()
        for worker in house.workers:
            await worker._rebuilding.look()
        await look_ahead(house)
        assert (await compared(house))["differences"] == []
        counts = (await standing(house, "acme")).settled
        assert [count for name, count in counts.items() if "account/" in name] == [20]
        told = await sell(house, 4, first=100, bases=2)
        assert {body["status"] for body in told} == {"unsold"}
        await audit(house, fleet)


async def test_a_paced_cap_is_spread_over_the_open_hours(house, clock):
    """Eight leads from nine to five in Chicago: one at once, one more each hour, eight in all."""
    own = 'time_zone = "America/Chicago"'
    lines = (
        'price = 9.00\nhours = { mon-fri = "09:00-17:00" }\n'
        'caps = [ { leads = 8, per = "day", pace = true } ]'
    )
    await house.apply(market(buyer("acme", own=own, offer=lines), campaign()))
    clock.set(datetime.fromisoformat("2026-11-20T09:00:00-06:00"))
    await house.open()
    sold = []
    for hour in range(9, 17):
        clock.set(datetime.fromisoformat(f"2026-11-20T{hour:02}:00:05-06:00"))
        told = [(await sell(house, 1, first=10 * hour + turn))[0] for turn in range(2)]
        sold.append([body["status"] for body in told])
    assert sold == [["sold", "unsold"]] * 8
    timeline = await house.timeline(told[1]["lead_id"])
    (line,) = of(timeline, "offer_left_out")
    assert line["reason"]["reason"] == "cap"
    assert line["detail"].startswith("offer/acme|leads|day|")
    assert (await standing(house, "acme")).settled.popitem()[1] == 8


async def test_a_pace_is_kept_by_two_workers_at_once(house, clock):
    """Six hours into a day of 24, a quarter of a budget may be gone, and one lead more."""
    async with Fleet(bidding({"acme": "10.00"})) as fleet:
        lines = 'caps = [ { spend = 400, per = "day", pace = true } ]'
        await house.apply(market(patient("acme", fleet, lines), PATIENT))
        clock.set(datetime.fromisoformat("2026-11-20T06:00:00+00:00"))
        await house.open(**UNHURRIED)
        await house.open(**UNHURRIED)
        told = await sell(house, 30, bases=2)
        assert sum(body["status"] == "sold" for body in told) == 11
        timeline = await house.timeline(
            next(body["lead_id"] for body in await sell(house, 1, first=50))
        )
        (line,) = of(timeline, "offer_left_out")
        assert line["reason"]["reason"] == "budget"
        assert line["detail"].endswith("|paced")


# Persons that a buyer has already

KNOWS = "duplicates = { window_hours = 720 }"


async def refusing(house, reason="we have this one already", **changes):
    """Open with a buyer that refuses every post in these words, and one that takes the lead."""
    fleet = Fleet(bidding({"acme": "12.00", "bravo": "5.00"}))
    await house.stack.enter_async_context(fleet)
    body = f'{{"accepted": false, "reason": "{reason}"}}'.encode()
    reply = Reply(STATUS_LINES[200] + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    fleet.desks["/acme/post"] = Desk(fleet.books["acme"], lambda *_: reply)
    acme = buyer("acme", fleet.base_url, **changes)
    await house.apply(market(acme, buyer("bravo", fleet.base_url), campaign()))
    await house.open(**UNHURRIED)
    await house.open(**UNHURRIED)
    return fleet


async def test_a_buyer_that_has_a_person_is_not_pinged_for_it_again(house):
    """Refused as a duplicate once: left out as 205 from then on, by every worker, for good."""
    fleet = await refusing(house, "Duplicate lead", own=KNOWS)
    first = await house.post(person(1))
    assert first.body["price"] == 4.25
    (line,) = of(await house.timeline(first.body["lead_id"]), "refused")
    assert line["reason"]["reason"] == "duplicate_for_buyer"
    again = await house.post(person(1), base=1)
    assert again.body["price"] == 4.25
    left_out = reasons(await house.timeline(again.body["lead_id"]), "offer_left_out")
    assert left_out == {"acme": "duplicate_for_buyer"}
    assert fleet.books["acme"].pings == 1
    async with house.market() as client:
        await client.flushdb()
    for worker in house.workers:
        await worker._rebuilding.look()
    await house.post(person(1))
    assert fleet.books["acme"].pings == 1, "the books know it, too"
    await house.post(person(2))
    assert fleet.books["acme"].pings == 2
    held = " ".join(await house.market_keys())
    assert person(1)["phone"] not in held


async def test_a_buyer_is_pinged_for_a_person_again_once_its_window_is_over(house, clock):
    """An hour: by lead or by ping, in clear or as a digest, the person is known until then."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, own="duplicates = { window_hours = 1 }")
        await house.apply(market(acme, campaign()))
        clock.set(datetime.fromisoformat("2026-11-04T12:00:00-06:00"))
        await house.open(**UNHURRIED)
        assert (await house.post(person(1))).body["status"] == "sold"
        clock.set(datetime.fromisoformat("2026-11-04T12:59:00-06:00"))
        assert (await house.post(person(1))).body["status"] == "unsold"
        digest = hashlib.sha256(person(1)["phone"].encode()).hexdigest()
        of_nobody = {"zip": "78701", "currently_insured": True}
        for known in ({"email": person(1)["email"]}, {"phone_sha256": digest}):
            ping = await house.post({**of_nobody, **known}, path="/v1/pings")
            assert ping.body["reason"]["reason"] == "no_eligible_offer"
        assert fleet.books["acme"].pings == 1
        clock.set(datetime.fromisoformat("2026-11-04T13:01:00-06:00"))
        assert (await house.post(person(1))).body["status"] == "sold"
        assert fleet.books["acme"].pings == 2


BY_CODE = """
[[mapping]]
id = "by-code"
idempotent = false
[mapping.post]
body = { json = { phone = "{lead.phone}" } }
accepted = { path = "accepted", equals = [true] }
refused = { path = "accepted", equals = [false] }
duplicate = { path = "reason", equals = ["E17"] }
"""


async def left_out_next(house, number):
    """Why offers are left out of the next lead of a person."""
    again = await house.post(person(number))
    return reasons(await house.timeline(again.body["lead_id"]), "offer_left_out")


async def test_a_buyer_in_its_own_words_is_not_asked_again_either(house):
    """By its mapping's rule `duplicate`, which no word of a reason would have told."""
    fleet = Fleet(bidding({"acme": "12.00"}))
    await house.stack.enter_async_context(fleet)
    body = b'{"accepted": false, "reason": "E17"}'
    reply = Reply(STATUS_LINES[200] + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    fleet.desks["/acme/post"] = Desk(fleet.books["acme"], lambda *_: reply)
    post = f'post = {{ url = "{fleet.post_url("acme")}", on_no_answer = "wait" }}'
    offer = f'price = 12.00\nformat = "by-code"\n{post}'
    await house.apply(market(BY_CODE, buyer("acme", own=KNOWS, offer=offer), campaign()))
    await house.open(**UNHURRIED)
    first = await house.post(person(1))
    (line,) = of(await house.timeline(first.body["lead_id"]), "refused")
    assert line["reason"]["reason"] == "duplicate_for_buyer"
    assert await left_out_next(house, 1) == {"acme": "duplicate_for_buyer"}


async def test_a_sale_in_doubt_that_is_decided_as_a_duplicate_is_remembered(house):
    """Its buyer did not answer the post, and says later that it has the person already."""
    mute = {"post_faults": {PostFault.MUTE: 1.0}}
    async with Fleet(bidding({"acme": "12.00"}, **mute)) as fleet:
        acme = buyer("acme", fleet.base_url, own=KNOWS, post_ms=100)
        await house.apply(market(acme, campaign()))
        await house.open(**UNHURRIED)
        for number, why in ((1, "no agent free"), (2, "Duplicate lead")):
            told = await house.post(person(number), timeout_ms=300)
            assert told.body["status"] == "pending"
            [award] = await house.fetch(
                "SELECT sale_id FROM award WHERE lead_id = $1", told.body["lead_id"]
            )
            key = await house.key("buyer", "acme")
            word = {"accepted": False, "reason": why}
            path = f"/v1/sales/{award['sale_id']}/confirm"
            assert (await house.call("POST", path, key=key, json=word)).status == 200

        async def is_remembered():
            return bool(await house.market_keys("{person:*}:buyers"))

        await until(is_remembered)  # market state follows the books
        assert await left_out_next(house, 2) == {"acme": "duplicate_for_buyer"}
        fleet.change(bidding({"acme": "12.00"})[0])
        assert await left_out_next(house, 1) == {}


async def test_test_leads_are_never_remembered(house):
    """The same person is bought twice in a trial; of a real lead it is remembered."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, own=KNOWS)
        trial = acme.replace('id = "acme"', 'id = "trial"') + "test = true\n"
        await house.apply(market(acme, trial, campaign()))
        await house.open(**UNHURRIED)
        for test in (True, True, False):
            assert (await house.post(person(1), test=test)).body["status"] == "sold"
        left_out = await left_out_next(house, 1)
        assert left_out == {"acme": "duplicate_for_buyer", "trial": "filtered"}


async def test_a_refusal_for_another_reason_is_forgotten(house):
    """Its buyer is asked for the person again."""
    fleet = await refusing(house, "no agent free", own=KNOWS)
    for _ in range(2):
        assert (await house.post(person(1))).body["price"] == 4.25
    assert fleet.books["acme"].pings == 2


async def test_without_a_window_nobody_is_remembered(house):
    """Off by default: the same buyer is asked again, and refuses again."""
    fleet = await refusing(house)
    for _ in range(2):
        assert (await house.post(person(1))).body["price"] == 4.25
    assert fleet.books["acme"].pings == 2
