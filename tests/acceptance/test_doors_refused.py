"""What ends at a door before it is a sale is said in its sender's words, and says nothing else."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from bidders.fleet import Fleet
from tests.acceptance.cables import cables
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.senders import HOUSE, PERSON, PHONEXA, PX, SENDERS, SHIPPED, crm, crm_body
from tests.acceptance.test_doors import ACME, each_sender, opened, other
from tests.acceptance.test_privacy import leaks
from tests.acceptance.test_validation import log_of

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
        for path in ("/doors/crm", "/doors/crm/", "/doors/none/leads"):
            missing = await house.call("POST", path, headers=headers)
            assert (missing.status, missing.body["status"]) == (404, 404)
        assert await house.written() == before
        unknown = await house.call(**crm(key, crm_body(product=8)))
        assert unknown.body["wrong"] == [{"field": "product", "problem": "unknown_campaign"}]
        assert fleet.books["acme"].pings == 0


async def test_a_call_that_a_door_does_not_have_is_told_in_its_words_with_the_one_that_is_meant(
    house,
):
    """In its format; whom the door is not open to hears no call's name, a paused door none."""
    async with Fleet([ACME]) as fleet:
        closed = SHIPPED.replace('id = "phonexa"', 'id = "phonexa"\npaused = true')
        key = await opened(house, fleet, doors=closed)
        wrong = await house.call("POST", "/doors/leadspedia/pst.do", data=b"")
        assert wrong.headers["Content-Type"].startswith("application/xml")
        assert "there is no such call; did you mean" in wrong.body
        assert "post.do" in wrong.body
        lead = {"method": "POST", "path": "/doors/crm/lead"}
        for headers, why in (
            ({"X-Crm-Secret": key}, 'there is no such call; did you mean "leads"?'),
            ({"X-Crm-Secret": "made-up"}, "there is no such call"),
            ({}, "there is no such call"),
        ):
            answer = await house.call(**lead, headers=headers)
            assert (answer.status, answer.body["ok"], answer.body["why"]) == (200, 0, why)
        paused = await house.call("POST", "/doors/phonexa/led")
        assert (paused.status, paused.body["type"]) == (404, "/problems/not-found")
        metrics = await house.call("GET", "/metrics")
        assert "pst.do" not in metrics.body
        assert "/doors/{door}/{path}" in metrics.body


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


def in_all_steps(token: str) -> list[bytes]:
    """Return what a token is in base64, wherever a sender's mark before it ends."""
    parts = [token[at:] for at in range(4)]
    return [base64.urlsafe_b64decode(part[: len(part) // 4 * 4]) for part in parts]


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
            assert not any(leaks(some, NEEDLES) for some in in_all_steps(offer.token))
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
