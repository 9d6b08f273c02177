"""Sellers who speak their own words: heard, sold, polled and refused in them, over HTTP."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.house import House, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.senders import (
    BOBERDOO,
    CONSENT,
    HOUSE,
    IN_A_PING,
    LEADPROSPER,
    LEADSPEDIA,
    PERSON,
    PHONEXA,
    PX,
    SENDERS,
    SHIPPED,
    Sender,
    crm,
    crm_body,
    crm_in_xml,
)
from tests.acceptance.test_capture import without_ids_and_times
from tests.acceptance.test_formats import TABLES, formats, timeless
from tests.acceptance.test_privacy import leaks

ACME = BuyerSpec(id="acme", price=Fixed(Decimal("12.00")))
NATIVE = {"campaign": "auto-us", "source": "search", "lead": PERSON, "consent": CONSENT}
each_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.door)


async def opened(house: House, fleet: Fleet, *parts: str, lines: str = "", doors: str = SHIPPED):
    """Make a market with all doors, open a worker, and return the seller's key."""
    told = buyer("acme", fleet.base_url)
    await house.apply(market(told, campaign(lines=lines), doors, HOUSE, *parts))
    key = await house.key("seller", "fastquotes")
    await house.key("operator", "tests")  # a new key is a new version of the market
    await house.open()
    return key


async def kept(house: House, fleet: Fleet, lead_id: str) -> dict:
    """Return all that is known of a lead, but for ids and times."""
    async with house.ledger() as ledger:
        record = msgspec.json.decode(await ledger.record(lead_id))
    (row,) = await house.fetch(TABLES, lead_id)
    post = msgspec.json.decode(fleet.books["acme"].requests[-1].body)
    return {
        "record": without_ids_and_times({**record, "lead": timeless(record["lead"])}),
        "row": json.loads(row[0]),
        "admin": without_ids_and_times(await house.admin(lead_id)),
        "post": {part: post[part] for part in ("lead", "consent", "source", "price")},
    }


# The same lead


def ways(key: str) -> dict[str, dict]:
    """Return one lead as it is sent through every door and in every format."""
    native = {name: {"key": key, **sent} for name, sent in formats(NATIVE, "/v1/leads").items()}
    as_form = {sender.door: sender.selling(key) for sender in SENDERS}
    return {
        **native,
        **as_form,
        "boberdoo by GET": other(BOBERDOO, "address").selling(key),
        "leadspedia as multipart": other(LEADSPEDIA, "multipart").selling(key),
        "leadspedia in JSON": other(LEADSPEDIA, "json").selling(key),
        "leadprosper as a form": other(LEADPROSPER, "form").selling(key),
        "phonexa in JSON": other(PHONEXA, "json").selling(key),
        "px in XML": other(PX, "xml").selling(key),
        "a CRM's own JSON": crm(key, crm_body()),
        "a CRM's own XML": crm_in_xml(key, crm_body()),
        "a CRM's own PUT": crm(key, crm_body(), method="PUT"),
    }


def other(sender: Sender, kind: str) -> Sender:
    """Return a sender that writes another format."""
    return replace(sender, kind=kind)


async def test_one_lead_is_the_same_in_the_ledger_through_every_door(house):
    """Native formats, compatibility doors, a door of one's own: record, row, timeline and post."""
    async with Fleet([ACME], keep=99) as fleet:
        key = await opened(house, fleet)
        seen = {}
        for name, sent in ways(key).items():
            sold = fleet.books["acme"].posts
            answer = await house.call(**{"method": "POST", **sent})
            assert answer.status == 200, (name, answer.body)
            assert fleet.books["acme"].posts == sold + 1, (name, answer.body)
            [lead_id] = [row[0] for row in await latest(house)]
            seen[name] = await kept(house, fleet, str(lead_id))
        assert seen["JSON"]["post"]["lead"]["phone"] == "+15125550123"
        assert seen["JSON"]["post"]["consent"]["jornaya_id"] == "ABCD-12"
        assert len(seen["JSON"]["post"]["lead"]) >= len(PERSON)
        for name, told in seen.items():
            for part, expected in seen["JSON"].items():
                assert told[part] == expected, (name, part)
        assert len(seen) == 20


async def latest(house: House):
    return await house.fetch("SELECT lead_id FROM lead ORDER BY lead_id DESC LIMIT 1")


@each_sender
async def test_a_dialect_pings_hears_a_price_and_posts_its_quote(house, sender):
    """The quote's token goes out and comes back in the dialect; the lead is the native one."""
    async with Fleet([ACME], keep=99) as fleet:
        key = await opened(house, fleet)
        shown = {name: PERSON[name] for name in IN_A_PING}
        quote = await house.post(shown, path="/v1/pings")
        native = await house.post(PERSON, ping_id=quote.body["ping_id"], consent=CONSENT)
        expected = await kept(house, fleet, native.body["lead_id"])
        offered = sender.hears(await house.call(**sender.asking(key)))
        assert (offered.word, offered.price) == (sender.quoted, "10.20")
        assert not leaks(fleet.books["acme"].requests[-1].body, ['ann"', "lee", "5550123"])
        sold = sender.hears(await house.call(**sender.posting(key, offered.token)))
        assert (sold.word, sold.price) == (sender.sold, "10.20")
        told = await kept(house, fleet, sold.lead_id)
        for part, value in expected.items():
            assert told[part] == value, part
        assert (fleet.books["acme"].pings, fleet.books["acme"].posts) == (2, 2)


async def test_a_door_of_ones_own_pings_posts_and_tells_a_status(house):
    """What a request wants stands in a field; the answer has the words that were written for it."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet)
        body = crm_body()
        shown = {"product": 7, "cover": body["cover"], "applicant": {"home": {"zip": "78701"}}}
        offer = await house.call(**crm(key, {**shown, "step": "offer"}))
        assert (offer.status, offer.body["ok"], offer.body["pays"]) == (200, 1, "10.20")
        sale = await house.call(**crm(key, {**body, "step": "sale", "offer": offer.body["offer"]}))
        assert sale.body == {"ok": 1, "id": sale.body["id"], "pays": "10.20", "why": "sold"}
        asked = await state(house, key, sale.body["id"])
        assert (asked.status, asked.body) == (200, sale.body)
        path, hidden = "/doors/crm/leads/state", {"X-Crm-Secret": key}
        head = await house.call("HEAD", f"{path}?ref={sale.body['id']}", headers=hidden)
        assert (head.status, head.body) == (200, "")
        for unknown in ("", "x", "00000000-0000-7000-8000-000000000000"):
            gone = await state(house, key, unknown)
            assert (gone.status, gone.body["ok"]) == (200, 0)
            assert gone.body["why"] == "there is no such lead of yours"


async def state(house: House, key: str, lead_id: str, door: str = "crm"):
    path = f"/doors/{door}/leads/state?ref={lead_id}"
    return await house.call("GET", path, headers={"X-Crm-Secret": key})


# Polled


async def test_a_dialect_that_polls_hears_pending_and_later_the_outcome(house):
    """In progress as long as the buyer is silent, then sold; a stranger's lead is not found."""
    slow = BuyerSpec(id="acme", price=ACME.price, post_faults={PostFault.NEVER: 1.0})
    async with Fleet([slow]) as fleet:
        lines = "auction_deadline_ms = 300\nanswer_deadline_ms = 600"
        told = buyer("acme", fleet.base_url, post_ms=200)
        both = campaign(lines=lines, sellers='"fastquotes", "other"')
        await house.apply(market(told, both, SHIPPED, HOUSE))
        key = await house.key("seller", "fastquotes")
        stranger = await house.key("seller", "other")
        await house.open()
        answer = await house.call(**PHONEXA.selling(key))
        waiting = PHONEXA.hears(answer)
        assert waiting.word == PHONEXA.pending
        assert answer.body["status_text"] == "in progress"
        polled = {"apiPassword": key, "lead_id": waiting.lead_id}

        async def is_sold() -> bool:
            asked = await house.call("GET", "/doors/phonexa/status", params=polled)
            assert asked.body["lead_id"] == waiting.lead_id
            return PHONEXA.hears(asked).word == PHONEXA.sold

        await until(is_sold, within_s=30)
        asked = await house.call("POST", "/doors/phonexa/status", json=polled)
        assert PHONEXA.hears(asked).price == "10.20"
        own = await state(house, key, waiting.lead_id)
        assert (own.body["ok"], own.body["pays"]) == (1, "10.20")
        asking = {"apiPassword": stranger, "lead_id": waiting.lead_id}
        foreign = await house.call("POST", "/doors/phonexa/status", json=asking)
        assert foreign.body["status"] == 5
        assert "price" not in foreign.body
        assert len(fleet.books["acme"].accepted()) == 1


@each_sender
async def test_pending_is_said_in_each_dialect(house, sender):
    """A buyer that is silent has no price yet, and the seller may not think it refused."""
    mute = BuyerSpec(id="acme", price=ACME.price, post_faults={PostFault.MUTE: 1.0})
    async with Fleet([mute]) as fleet:
        lines = "auction_deadline_ms = 300\nanswer_deadline_ms = 600"
        told = buyer("acme", fleet.base_url, post_ms=200)
        await house.apply(market(told, campaign(lines=lines), SHIPPED))
        await house.open()
        key = await house.key("seller", "fastquotes")
        said = sender.hears(await house.call(**sender.selling(key)))
        assert (said.word, said.price) == (sender.pending, None)
        assert said.lead_id


# Recognized


async def test_known_duplicates_among_posts_through_all_doors_are_flagged_exactly(house):
    """Fifty at once, each person's repetition in another seller's words: one sale for each."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet, lines="duplicates = { window_hours = 1 }")
        numbers = [*range(40), *range(10)]
        senders = [SENDERS[(turn + turn // 40) % len(SENDERS)] for turn in range(len(numbers))]
        posts = (
            house.call(**sender.selling(key, person(number, state="TX")))
            for sender, number in zip(senders, numbers, strict=True)
        )
        answers = await asyncio.gather(*posts)
        words = [
            {sender.sold: "sold", sender.duplicate: "duplicate"}[sender.hears(answer).word]
            for sender, answer in zip(senders, answers, strict=True)
        ]
        assert Counter(words) == {"sold": 40, "duplicate": 10}
        for number in range(10):
            assert {words[number], words[40 + number]} == {"sold", "duplicate"}
        assert len(fleet.books["acme"].accepted()) == 40


async def test_each_vertical_behind_one_door_has_its_own_required_fields(house):
    """The same body is a lead of the one campaign, and lacks what the other's vertical needs."""
    door = """
[[vertical]]
id = "plates"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required" }
plate = { type = "text", privacy = "attribute", ping = "required" }

[[door]]
id = "two"
like = "px"
campaign = { path = "Vertical", map = { auto = "auto-us", plate = "plates-us" } }
[door.vertical.plates.fields]
plate = "Vehicle.Plate"
"""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet, door, campaign("plates-us", vertical="plates"))
        two = replace(PX, door="two")
        assert two.hears(await house.call(**two.selling(key))).word == two.sold
        lacking = await house.call(**two.selling(key, Vertical="plate"))
        assert lacking.status == 422
        assert lacking.body["Errors"] == ["Vehicle.Plate (lead.plate) is required"]
        whole = await house.call(**two.selling(key, **{"Vertical": "plate", "Vehicle.Plate": "A1"}))
        assert (whole.status, whole.body["Message"]) == (200, "no eligible offer")


# Repeated


async def test_a_repetition_under_one_key_is_one_lead_and_one_answer(house):
    """The key in a header, or in a field of the sender's; another body under it is refused."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet)
        header = {"Idempotency-Key": "order 66"}
        first, again = [await house.call(**crm(key, crm_body(nonce="n-1"))) for _ in range(2)]
        assert first.body["ok"] == 1
        assert again.body == first.body
        changed = await house.call(**crm(key, crm_body(nonce="n-1", car="2018")))
        assert (changed.status, changed.body["ok"]) == (200, 0)
        assert "pays" not in changed.body
        for sender in SENDERS:
            sent = sender.selling(key)
            sent["headers"] = {**sent.get("headers", {}), **header}
            posts = await asyncio.gather(*(house.call(**sent) for _ in range(3)))
            assert {sender.hears(one).word for one in posts} == {sender.sold}, sender.door
            assert len({sender.hears(one).lead_id for one in posts}) == 1
            ping = sender.asking(key)
            ping["headers"] = {**ping.get("headers", {}), **header}
            offers = [sender.hears(await house.call(**ping)) for _ in range(2)]
            assert offers[0] == offers[1]
            assert offers[0].word == sender.quoted
        assert (await house.written())["lead"] == 1 + len(SENDERS)
        assert fleet.books["acme"].posts == 1 + len(SENDERS)


# Changed while it runs


async def test_a_door_holds_on_every_live_worker_when_its_market_is_applied(house):
    """Added, changed, retired and back: the next request of every worker meets the new market."""
    async with Fleet([ACME]) as fleet:
        told = buyer("acme", fleet.base_url)
        bare = market(told, campaign())
        await house.apply(bare)
        key = await house.key("seller", "fastquotes")
        await house.open()
        await house.open()

        async def heard(body: dict) -> list:
            return [await house.call(**crm(key, body), base=base) for base in (0, 1)]

        assert [answer.status for answer in await heard(crm_body())] == [404, 404]
        await house.apply(market(told, campaign(), HOUSE))
        assert [answer.body["ok"] for answer in await heard(crm_body())] == [1, 1]
        renamed = HOUSE.replace('"applicant.home.zip"', '"applicant.home.postcode"')
        await house.apply(market(told, campaign(), renamed))
        for answer in await heard(crm_body()):
            assert answer.body["wrong"][0]["field"] == "applicant.home.postcode"
        await house.apply(bare)
        assert [answer.status for answer in await heard(crm_body())] == [404, 404]
        await house.apply(market(told, campaign(), HOUSE))
        assert [answer.body["ok"] for answer in await heard(crm_body())] == [1, 1]


async def test_a_copy_of_a_door_speaks_its_models_words_and_names_campaigns_its_own_way(house):
    """`like`: one seller's numbers for its campaigns beside the compatibility door."""
    async with Fleet([ACME]) as fleet:
        copy = """
[[door]]
id = "quick-lp"
like = "leadprosper"
sellers = ["fastquotes"]
campaign = { path = "lp_campaign_id", map = { 6309 = "second" } }
"""
        key = await opened(house, fleet, campaign("second"), copy)
        own = replace(LEADPROSPER, door="quick-lp")
        sold = own.hears(await house.call(**own.selling(key)))
        assert sold.word == own.sold
        assert (await house.admin(sold.lead_id))["campaign"] == "second"
        unknown = LEADPROSPER.hears(await house.call(**LEADPROSPER.selling(key)))
        assert unknown.word == LEADPROSPER.error
