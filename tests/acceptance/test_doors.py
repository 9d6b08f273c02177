"""Sellers who speak their own words: heard, sold, polled and refused in them, over HTTP."""

import asyncio
import base64
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.cables import cables
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
from tests.acceptance.test_validation import log_of

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


# Refused


def without(*names: str) -> dict:
    return {name: value for name, value in PERSON.items() if name not in names}


@each_sender
async def test_all_missing_and_wrong_fields_are_named_in_the_senders_words(house, sender):
    """At once, with our name beside; no value is in it, and the seller's log keeps the codes."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet)
        bad = {**without("first_name", "email"), "phone": "555-SECRET", "zip": "9"}
        answer = await house.call(**sender.selling(key, bad))
        assert answer.status == (422 if sender.statuses else 200)
        assert sender.hears(answer).word == sender.error
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        for ours in ("first_name", "email", "phone", "zip"):
            told = sender.names[ours]
            named = told if told == ours else f"{told} (lead.{ours})"
            assert named in text, (ours, text)
        assert "SECRET" not in text
        [line] = await log_of(house)
        assert line["campaign"] == "auto-us"
        assert {(error["field"], error["code"]) for error in line["errors"]} == {
            ("lead.first_name", "required"),
            ("lead.email", "required"),
            ("lead.phone", "invalid_phone"),
            ("lead.zip", "bad_value"),
        }
        ping = sender.hears(await house.call(**sender.asking(key, without("zip"))))
        assert ping.word == sender.ping_error
        assert len(await log_of(house)) == 2
        assert fleet.books["acme"].pings == 0


@each_sender
async def test_without_a_key_nobody_is_heard_and_it_is_said_where_one_belongs(house, sender):
    """None, a wrong one, a buyer's: nothing is stored; the key of a header is as good."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet)
        buyers = await house.key("buyer", "acme")
        before = await house.written()
        for wrong in ("", "no-such-key", buyers):
            for sent, word in (
                (sender.asking(wrong), sender.ping_error),
                (sender.selling(wrong), sender.error),
            ):
                answer = await house.call(**sent)
                text = str(answer.body)
                assert sender.hears(answer).word == word
                assert sender.key in text or wrong == buyers, text
                assert "no-such-key" not in text
                status = 403 if wrong == buyers else 401
                assert answer.status == (status if sender.statuses else 200)
        assert await house.written() == before
        sold = sender.hears(await house.call(**sender.selling(""), key=key))
        assert sold.word == sender.sold


@each_sender
async def test_a_quote_is_used_once_in_its_time_and_as_it_was_asked_for(house, clock, sender):
    """Contradicted it stays usable; used or expired it sells nothing; made up it is none."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet, lines="quote_ttl_s = 60")
        token = sender.hears(await house.call(**sender.asking(key))).token
        late = sender.hears(await house.call(**sender.asking(key))).token
        moved = await house.call(**sender.posting(key, token, {**PERSON, "zip": "10001"}))
        assert sender.hears(moved).word == sender.error
        assert sender.names["zip"] in str(moved.body)
        assert "10001" not in str(moved.body)
        assert moved.status == (422 if sender.statuses else 200)
        assert sender.hears(await house.call(**sender.posting(key, token))).word == sender.sold
        refusals = [(token, 409), ("made-up", 404)]
        for told, status in refusals:
            again = await house.call(**sender.posting(key, told))
            assert again.status == (status if sender.statuses else 200)
            assert sender.hears(again).word in {sender.error, "5"}, again.body
        clock.set(datetime.now(UTC) + timedelta(seconds=61))
        gone = await house.call(**sender.posting(key, late))
        assert sender.hears(gone).word == sender.error
        assert gone.status == (410 if sender.statuses else 200)
        assert fleet.books["acme"].posts == 1


@each_sender
async def test_a_duplicate_is_told_in_each_dialect(house, sender):
    """Ping and post: the second is no sale, and nobody is asked for it."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet, lines="duplicates = { window_hours = 1 }")
        first = await house.post(PERSON)
        assert first.body["status"] == "sold"
        second = await house.call(**sender.selling(key))
        said = sender.hears(second)
        assert (second.status, said.word, said.price) == (200, sender.duplicate, None)
        assert said.lead_id
        assert (await house.admin(said.lead_id))["status"] == "duplicate"
        assert "duplicat" in str(second.body).lower()
        assert fleet.books["acme"].pings == 1


async def test_a_door_that_is_paused_or_not_open_to_a_seller_sells_nothing(house):
    """Paused: nothing is there. Another's: said in its words. Another source's: a wrong field."""
    async with Fleet([ACME]) as fleet:
        closed = SHIPPED.replace('id = "phonexa"', 'id = "phonexa"\npaused = true')
        both = campaign("second", sellers='"other"')
        sources = HOUSE.replace('source = { const = "search" }', 'source = "feed"')
        narrow = sources.replace('id = "crm"', 'id = "narrow"\nsources = ["search"]')
        key = await opened(house, fleet, both, narrow, doors=closed)
        stranger = await house.key("seller", "other")
        before = await house.written()
        gone = await house.call(**PHONEXA.selling(key))
        assert (gone.status, gone.body["type"]) == (404, "/problems/not-found")
        foreign = await house.call(**crm(stranger, crm_body()))
        assert (foreign.status, foreign.body["ok"]) == (200, 0)
        assert foreign.body["why"] == "this door is not open to this seller"
        assert await house.written() == before
        wrong = crm(key, crm_body(feed="elsewhere"))
        refused = await house.call(**{**wrong, "path": "/doors/narrow/leads"})
        assert refused.body["wrong"] == [{"field": "feed", "problem": "bad_value"}]
        assert [line["errors"] for line in await log_of(house)] == [
            [{"field": "source", "code": "bad_value"}]
        ]
        assert fleet.books["acme"].pings == 0
        right = crm(key, crm_body(feed="search"))
        assert (await house.call(**{**right, "path": "/doors/narrow/leads"})).body["ok"] == 1


async def test_what_cannot_be_read_or_done_is_said_in_the_senders_words(house):
    """No JSON, no XML, a bomb, a file, another method, an unknown product: an answer each."""
    async with Fleet([ACME]) as fleet:
        key = await opened(house, fleet)
        before = await house.written()
        headers = {"X-Crm-Secret": key}
        bomb = b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'
        for raw in (b"{", b"<a><b></a>", bomb, b"[" * 99 + b"]" * 99, b'{"a":' + b"[[" * 40):
            answer = await house.call("POST", "/doors/crm/leads", headers=headers, data=raw)
            assert (answer.status, answer.body["ok"]) == (200, 0), raw
            assert answer.body["why"].startswith(("the body", "a document type")), answer.body
        large = await house.call(
            "POST", "/doors/crm/leads", headers=headers, data=io.BytesIO(b"x" * 2_000_000)
        )
        assert (large.status, large.body["ok"]) == (200, 0)
        wrong = await house.call("GET", "/doors/crm/leads", headers=headers)
        assert (wrong.status, wrong.headers["Allow"]) == (200, "POST, PUT, OPTIONS")
        options = await house.call("OPTIONS", "/doors/crm/leads")
        assert (options.status, options.headers["Allow"]) == (204, "POST, PUT, OPTIONS")
        for path in ("/doors/crm", "/doors/crm/", "/doors/crm/lead", "/doors/none/leads"):
            missing = await house.call("POST", path, headers=headers)
            assert (missing.status, missing.body["status"]) == (404, 404)
        assert await house.written() == before
        unknown = await house.call(**crm(key, crm_body(product=8)))
        assert unknown.body["wrong"] == [{"field": "product", "problem": "unknown_campaign"}]
        assert fleet.books["acme"].pings == 0


async def test_errors_with_status_200_are_the_sellers_choice_too(house):
    """A seller that cannot read 4xx gets none at a door that would send them."""
    text = market(campaign(), SHIPPED).replace(
        'id = "fastquotes"', 'id = "fastquotes"\nalways_200 = true'
    )
    await house.apply(text)
    key = await house.key("seller", "fastquotes")
    await house.open()
    answer = await house.call(**PX.selling(key, without("phone")))
    assert (answer.status, PX.hears(answer).word) == (200, PX.error)


@pytest.mark.parametrize("store", ["database", "market"])
async def test_an_outage_is_said_in_the_senders_words_and_never_with_status_200(house, store):
    """503 stays 503 behind `always_200`: who takes it for an answer would lose the lead."""
    async with Fleet([ACME]) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        await house.apply(market(buyer("acme", fleet.base_url), campaign(), SHIPPED, HOUSE))
        key = await house.key("seller", "fastquotes")
        await house.open(line.urls)
        await getattr(line, store).cut()
        for sender in SENDERS:
            for sent, word in (
                (sender.selling(key), sender.error),
                (sender.asking(key), sender.ping_error),
            ):
                sent["headers"] = {**sent.get("headers", {}), "Idempotency-Key": "once"}
                answer = await house.call(**sent)
                assert (answer.status, sender.hears(answer).word) == (503, word), sender.door
                assert int(answer.headers["Retry-After"]) >= 1
        own = await house.call(**crm(key, crm_body(nonce="n")))
        assert (own.status, own.body["ok"]) == (503, 0)
        assert "repeat with the same Idempotency-Key" in own.body["why"]
        assert fleet.books["acme"].posts == 0


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


# Nobody else hears of the person


CANARY = {
    **PERSON,
    "first_name": "Zyxcanary",
    "last_name": "Quuxcanary",
    "phone": "5125550147",
    "email": "canary.mail@example.com",
    "birth_date": "1947-03-09",
}
NEEDLES = ("zyx", "canary", "5550147", "1947-03-09", "203.0.113.9", "i agree to be called")


async def test_no_value_of_a_person_is_in_a_doors_error_log_or_metric(house):
    """Through every door, well and badly, the key in the address too; labels are the market's."""
    async with Fleet([ACME], keep=99) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign(), SHIPPED, HOUSE))
        process = await house.start(log_level="debug")
        key = await house.key("seller", "fastquotes")
        answers = [await house.call(**sent) for sent in badly(key)]
        for sender in SENDERS:
            sold = await house.call(**sender.selling(key, CANARY))
            assert sender.hears(sold).word == sender.sold
            answers.append(sold)
        metrics = (await house.call("GET", "/metrics")).body
        assert await process.stop() == 0
        log = process.log.read_text()
        pings = [one for one in fleet.books["acme"].requests if one.path.endswith("/ping")]
        assert pings
        assert not any(leaks(ping.body, NEEDLES) for ping in pings)
    assert "serving" in log
    for text in (log, metrics, *(f"{answer.headers}{answer.body}" for answer in answers)):
        assert not leaks(text, (*NEEDLES, key)), text
    routes = {
        line.partition('route="')[2].partition('"')[0]
        for line in metrics.splitlines()
        if line.startswith("exchange_requests_total")
    }
    assert {route for route in routes if route.startswith("/doors/")} == {
        "/doors/{door}/{path}",
        "/doors/crm/leads",
        "/doors/crm/leads/state",
        *(f"/doors/{sender.door}/{sender.direct}" for sender in SENDERS),
        *(f"/doors/{sender.door}/{sender.ping}" for sender in SENDERS),
        *(f"/doors/{sender.door}/{sender.post}" for sender in SENDERS),
    }


async def test_at_rest_nothing_of_a_person_who_came_through_a_door_is_in_clear(house):
    """Sold, quoted, refused: no table, no key of market state, no token holds a value."""
    async with Fleet([ACME]) as fleet:
        rules = "duplicates = { window_hours = 1 }"
        key = await opened(house, fleet, lines=rules)
        for number, sender in enumerate(SENDERS):
            other_person = {
                **CANARY,
                "phone": f"512555014{number}",
                "email": f"canary{number}@x.com",
            }
            offer = sender.hears(await house.call(**sender.asking(key, other_person)))
            assert not leaks(base64.urlsafe_b64decode(offer.token[2:] + "=="), NEEDLES)
            post = sender.posting(key, offer.token, other_person, canary_extra="canary")
            assert sender.hears(await house.call(**post)).word == sender.sold
            await house.call(**sender.selling(key, {**other_person, "zip": "canary"}))
        tables = await house.fetch(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        for (table,) in tables:
            for (row,) in await house.fetch(f'SELECT t::text FROM "{table}" t'):
                assert not leaks(row, ("canary", "zyx", "555014", "1947-03-09", "203.0.113.9"))
        keys = await house.market_keys()
        assert len(keys) > 3
        async with house.market() as client:
            for name in keys:
                assert not leaks(await client.dump(name), ("canary", "zyx", "555014"))


def badly(key: str):
    """Return requests with a person in every place where it could be echoed."""
    wrong = {name: f"canary {value}" for name, value in CANARY.items()}
    for sender in SENDERS:
        yield sender.selling(key, wrong)
        yield sender.asking(key, {**wrong, "zip": "canary"})
        yield sender.posting(key, "canary-token", CANARY)
        yield sender.selling("canary-key", CANARY)
        yield other(sender, "address").selling(key, CANARY, canary="canary")
    body = crm_body(applicant={"name": {"canary": "zyx"}, "born": "canary"}, cover=["canary"])
    yield crm(key, body)
    yield crm(key, crm_body(product="canary"))
    yield crm(key, crm_body(step="canary", offer="canary"))
    yield {
        "method": "GET",
        "path": "/doors/crm/leads/state?ref=canary",
        "headers": {"X-Crm-Secret": key},
    }
    for path in ("/doors/canary/canary", "/doors/crm/canary", "/doors/crm/leads/5125550147"):
        yield {"method": "POST", "path": path, "data": "canary"}
    raw = b'{"applicant": "canary" "'
    yield {
        "method": "POST",
        "path": "/doors/crm/leads",
        "data": raw,
        "headers": {"X-Crm-Secret": key},
    }
