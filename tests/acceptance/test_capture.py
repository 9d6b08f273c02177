"""Leads come in by every door and format, and their seller can look up what became of them."""

from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market

SOLAR = (Path(__file__).parents[2] / "config/verticals/solar.toml").read_text()
SUN = {
    "first_name": "Ann",
    "last_name": "Lee",
    "phone": "(512) 555-0123",
    "email": "ann.lee@example.com",
    "address": "1 Congress Ave",
    "zip": "78701",
    "homeowner": "yes",
    "roof_shade": "none",
    "electric_bill": 140.5,
}

ACME = BuyerSpec(id="acme", price=Fixed(Decimal("12.00")))
BRAVO = BuyerSpec(id="bravo", price=Fixed(Decimal("11.00")))

IDS = {"lead_id", "sale_id", "reference", "captures"}
TIMES = {"duration_ms", "at", "ms", "received_at"}


def without_ids_and_times(value):
    """Return an answer as far as two posts of the same lead must agree on it."""
    if isinstance(value, dict):
        left = value.keys() - IDS - TIMES
        return {name: without_ids_and_times(value[name]) for name in left}
    if isinstance(value, list):
        return [without_ids_and_times(item) for item in value]
    return value


async def test_a_lead_is_taken_with_a_valid_key_and_nothing_is_stored_without_one(house):
    """With a seller's key: 200, an id and an outcome; without one, or a made-up one: 401."""
    async with Fleet([ACME]) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        key = await house.key("seller", "fastquotes")
        await house.open()
        before = await house.written()
        for sent in ({}, {"Authorization": "Bearer no-such-key"}, {"X-API-Key": key[:-1]}):
            refused = await house.call("POST", "/v1/leads", headers=sent, json={"lead": ANN})
            assert (refused.status, refused.body["status"]) == (401, 401)
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert await house.written() == before
        assert fleet.books["acme"].pings == 0
        answer = await house.post()
        assert (answer.status, answer.body["status"]) == (200, "sold")
        assert len(answer.body["lead_id"]) == 36


@pytest.mark.parametrize("door", ["header", "body"])
async def test_a_form_has_the_outcome_and_the_timeline_of_the_json_post(house, door):
    """One lead as JSON, urlencoded and multipart: one outcome, one timeline, one record sold."""
    told = {"seller_ref": "A-1", "min_price": "4.00", "test": "false"}
    flat = {
        "campaign": "auto-us",
        "source": "search",
        **told,
        **ANN,
        "currently_insured": "on",
        "vehicle_year": "2019",
        "favourite_colour": "blue",
        "consent.tcpa": "1",
        "consent.url": "https://quotes.example/form",
        "tracking.utm_source": "mail",
    }
    async with Fleet([ACME, BRAVO], keep=20) as fleet:
        buyers = (buyer("acme", fleet.base_url), buyer("bravo", fleet.base_url))
        await house.apply(market(*buyers, campaign()))
        key = await house.key("seller", "fastquotes")
        await house.open()
        in_header, in_body = (key, {}) if door == "header" else (None, {"api_key": key})
        parts = aiohttp.MultipartWriter("form-data")
        for name, value in {**flat, **in_body}.items():
            parts.append(value).set_content_disposition("form-data", name=name)
        json = {
            "campaign": "auto-us",
            "source": "search",
            "seller_ref": "A-1",
            "min_price": 4.0,
            "test": False,
            "lead": {**ANN, "vehicle_year": 2019, "favourite_colour": "blue"},
            "consent": {"tcpa": True, "url": "https://quotes.example/form"},
            "tracking": {"utm_source": "mail"},
            **in_body,
        }
        answers = [
            await house.call("POST", "/v1/leads", key=in_header, **body)
            for body in ({"json": json}, {"data": {**flat, **in_body}}, {"data": parts})
        ]
        assert [answer.status for answer in answers] == [200, 200, 200], answers[-1].body
        ids = [answer.body["lead_id"] for answer in answers]
        first, *others = [without_ids_and_times(answer.body) for answer in answers]
        assert first["status"] == "sold"
        assert others == [first, first]
        first, *others = [without_ids_and_times(await house.admin(lead_id)) for lead_id in ids]
        assert [line["event"] for line in first["timeline"]][:2] == ["received", "validated"]
        assert others == [first, first]
        posts = [msgspec.json.decode(r.body) for r in fleet.books["acme"].requests][1::2]
        first, *others = [
            {name: post[name] for name in ("lead", "consent", "source")} for post in posts
        ]
        assert first["lead"]["phone"] == "+15125550123"
        assert others == [first, first]


async def test_a_lead_of_any_outcome_has_one_status_one_source_and_one_owner(house):
    """Sold, unsold, rejected and duplicate alike are read back; only a sold one has an owner."""
    async with Fleet([ACME]) as fleet:
        open_to_all = 'duplicates = { window_hours = 1 }\nqualify = { adult = "age >= 18" }'
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer="where = 'state == \"TX\"'"),
                campaign(lines=f"{open_to_all}\ndisclose_buyer = true"),
                campaign("quiet"),
            )
        )
        await house.open()
        key = await house.key("seller", "fastquotes")
        for wanted, lead, posted in (
            ("sold", person(1), {}),
            ("duplicate", person(1), {}),
            ("unsold", person(2, zip="10001"), {"source": "feed-7"}),
            ("rejected", person(3, birth_date="2020-02-02"), {"source": None}),
            ("sold", person(4), {"campaign": "quiet"}),
        ):
            posted_answer = await house.post(lead, **posted)
            assert posted_answer.body["status"] == wanted
            lead_id = posted_answer.body["lead_id"]
            seen = (await house.call("GET", f"/v1/leads/{lead_id}", key=key)).body
            answered = dict(posted_answer.body)
            answered["duration_ms"] = seen["duration_ms"]
            assert {name: seen[name] for name in answered} == answered
            assert seen["campaign"] == posted.get("campaign", "auto-us")
            assert seen["source"] == {"feed-7": "feed-7", None: "unnamed"}.get(
                posted.get("source", "search"), "search"
            )
            discloses = wanted == "sold" and not posted
            assert seen["owner"] == ("Acme" if discloses else None)
            assert seen["timeline"][0]["event"] == "received"


async def test_a_lead_is_found_by_its_own_seller_only(house):
    """Another seller's id, an unknown one and no id at all are all 404; a buyer's key is 403."""
    async with Fleet([ACME]) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        own, other, buyers = [
            await house.key(role, account)
            for role, account in (("seller", "fastquotes"), ("seller", "other"), ("buyer", "acme"))
        ]
        await house.open()
        lead_id = (await house.post()).body["lead_id"]
        unknown = "00000000-0000-7000-8000-000000000000"
        for path, key, status in (
            (lead_id, own, 200),
            (lead_id.upper(), own, 200),
            (lead_id, other, 404),
            (unknown, own, 404),
            ("1", own, 404),
            (lead_id, buyers, 403),
            (lead_id, None, 401),
            (f"{lead_id}?wait_s=31", own, 422),
            (f"{lead_id}?wait_s=soon", own, 422),
        ):
            answer = await house.call("GET", f"/v1/leads/{path}", key=key)
            assert answer.status == status, path
        assert (await house.post(seller="other")).status == 422


async def test_whoever_waits_for_a_pending_lead_hears_its_end(house):
    """A post without an answer: `pending` at the answer deadline; `wait_s` brings the outcome."""
    silent = BuyerSpec(id="acme", price=Fixed(Decimal("12.00")), post_faults={PostFault.NEVER: 1.0})
    async with Fleet([silent]) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, post_ms=200), campaign()))
        await house.open()
        answer = await house.post(timeout_ms=400)
        assert (answer.body["status"], answer.body["reason"]["reason"]) == ("pending", "in_doubt")
        assert answer.seconds < 0.9
        path = f"/v1/leads/{answer.body['lead_id']}"
        key = await house.key("seller", "fastquotes")
        now = await house.call("GET", path, key=key)
        assert (now.body["status"], now.seconds < 0.5) == ("pending", True)
        later = await house.call("GET", f"{path}?wait_s=20", key=key)
        assert (later.body["status"], later.body["price"]) == ("sold", 10.2)
        assert later.seconds < 10
        events = [line["event"] for line in later.body["timeline"]]
        assert events.count("sold") == 1
        assert events.index("pending") < events.index("sold")


async def test_a_seller_that_cannot_read_4xx_hears_200_and_the_same_body(house):
    """`always_200`: the problem stays a problem, only the status line says 200."""
    blind = '[[seller]]\nid = "blind"\nalways_200 = true'
    await house.apply(market(blind, campaign(sellers='"blind", "fastquotes"')))
    await house.open()
    told = [await house.post({}, seller=name) for name in ("blind", "fastquotes")]
    assert [answer.status for answer in told] == [200, 422]
    assert told[0].body == told[1].body
    assert told[0].body["status"] == 422
    wrong_key = await house.call("POST", "/v1/leads", key="nobody", json={})
    assert wrong_key.status == 401


async def test_a_lead_reaches_offers_of_its_vertical_and_place_only(house):
    """A car in Texas is offered to who wants cars in Texas; the others hear nothing of it."""
    names = ("auto-tx", "auto-ny", "solar-tx")
    async with Fleet([BuyerSpec(id=name) for name in names]) as fleet:
        await house.apply(
            market(
                SOLAR,
                buyer("auto-tx", fleet.base_url, offer="where = 'state == \"TX\"'"),
                buyer("auto-ny", fleet.base_url, offer="where = 'state == \"NY\"'"),
                buyer("solar-tx", fleet.base_url, vertical="solar"),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
        assert answer.body["status"] == "sold"
        assert {name: fleet.books[name].pings for name in names} == {
            "auto-tx": 1,
            "auto-ny": 0,
            "solar-tx": 0,
        }
        lines = [
            (line["offer"], line["reason"]["reason"], line["detail"])
            for line in await house.timeline(answer.body["lead_id"])
            if line["event"] == "offer_left_out"
        ]
        assert lines == [("auto-ny", "filtered", 'state == "NY"')]


async def test_each_vertical_has_its_own_required_fields(house):
    """One body is a lead in one campaign and lacks fields in the other, and the other way round."""
    async with Fleet([BuyerSpec(id="acme"), BuyerSpec(id="sun")]) as fleet:
        await house.apply(
            market(
                SOLAR,
                buyer("acme", fleet.base_url),
                buyer("sun", fleet.base_url, vertical="solar"),
                campaign(),
                campaign("sun-us", vertical="solar"),
            )
        )
        await house.open()
        outcomes = {
            (name, into): await house.post(lead, campaign=into)
            for name, lead in (("ann", ANN), ("sun", SUN))
            for into in ("auto-us", "sun-us")
        }
        assert {key: answer.status for key, answer in outcomes.items()} == {
            ("ann", "auto-us"): 200,
            ("ann", "sun-us"): 422,
            ("sun", "auto-us"): 422,
            ("sun", "sun-us"): 200,
        }
        lacking = {
            key: {error["field"] for error in answer.body["errors"]}
            for key, answer in outcomes.items()
            if answer.status == 422
        }
        assert lacking == {
            ("ann", "sun-us"): {
                *("lead.address", "lead.homeowner", "lead.roof_shade", "lead.electric_bill"),
            },
            ("sun", "auto-us"): {"lead.currently_insured"},
        }
