"""Buyers' specs over HTTP: what they say will come is what comes, in whatever words."""

import json
from decimal import Decimal

from jsonschema import Draft202012Validator

from bidders.fleet import BuyerSpec, Fixed, Fleet
from tests.acceptance.foreign import CRM, FORM, Says, foreign, offer
from tests.acceptance.house import ANN
from tests.acceptance.market import buyer, campaign, market

CONSENT = {"tcpa": True, "text": "I agree", "jornaya_id": "J-1", "named_buyers": ["Acme"]}


def spec_of(name):
    return f"/v1/buyer/offers/{name}/spec"


def part(schema, name):
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{name}"})


async def test_a_buyer_receives_what_its_spec_says(house):
    """The ping and the post of a real sale satisfy the schemas; a hidden field is in neither."""
    async with Fleet([BuyerSpec(id="acme", price=Fixed(Decimal("13.00")))], keep=9) as fleet:
        own = 'time_zone = "America/Chicago"\ncaps = [ { spend = 2000, per = "month" } ]'
        lines = (
            'hide = ["credit"]\nwhere = \'state == "TX"\'\n'
            'caps = [ { leads = 200, per = "day" }, { concurrent = 20 } ]\n'
            'hours = { mon-sun = "00:00-24:00" }\nprice = 9.00'
        )
        await house.apply(market(buyer("acme", fleet.base_url, own=own, offer=lines), campaign()))
        await house.open()
        await house.key("signing", "acme")
        key = await house.key("buyer", "acme")
        page = await house.call("GET", spec_of("acme"), key=key)
        answer = await house.call("GET", f"{spec_of('acme')}.json", key=key)
        assert (page.status, answer.status) == (200, 200)
        schema = answer.body
        Draft202012Validator.check_schema(schema)
        lead = {**ANN, "credit": "good", "vehicle_year": 2019}
        sold = await house.post(lead, consent=CONSENT)
        assert sold.body["status"] == "sold"
        received = {one.path: one.body for one in fleet.books["acme"].requests}
    ping, post = (json.loads(received[f"/acme/{name}"]) for name in ("ping", "post"))
    part(schema, "ping").validate(ping)
    part(schema, "post").validate(post)
    assert set(ping["lead"]) <= set(schema["$defs"]["ping_lead"]["properties"])
    assert set(post["lead"]) <= set(schema["$defs"]["post_lead"]["properties"])
    assert "credit" not in schema["$defs"]["ping_lead"]["properties"]
    assert {"age_band", "phone_hash", "score"} <= set(ping["lead"])
    assert not part(schema, "ping").is_valid({**ping, "lead": {**ping["lead"], "zip": "7870"}})
    part(schema, "ping_answer").validate({"bid": 13.0})
    terms = " ".join(schema["x-exchange"]["terms"])
    for said in (
        *("200 leads per day (America/Chicago)", "2000.00 USD per month", "20 leads posted"),
        *('state == "TX"', "You pay 9", "same `Idempotency-Key`"),
    ):
        assert said in terms, (said, terms)
    example = schema["x-exchange"]["ping"]["example"]
    assert example.startswith(f"POST {fleet.base_url}/acme/ping")
    part(schema, "ping").validate(json.loads(example.rpartition("\n\n")[2]))
    assert "webhook-signature: …" in example
    for shown in ("phone_hash", "webhook-signature: …", "America/Chicago"):
        assert shown in page.body


async def test_a_foreign_buyers_spec_shows_its_own_words_and_no_secret(house):
    """The form that a mapping makes, and the post of a CRM whose key and tenant are secrets."""
    key, tenant = "crm-s3cret/+=", "tenant-9-s3cret"
    async with foreign(form_ping=Says("{}"), crm_post=Says("{}")) as server:
        await house.secret("crm_key", key)
        await house.secret("tenant", tenant)
        text = market(
            *(FORM, offer(server, "form"), CRM),
            *(offer(server, "crm", ping=False, more="price = 8.00"), campaign()),
        )
        await house.apply(text)
        await house.open()
        operator = await house.key("operator", "tests")
        form = await house.call("GET", spec_of("form"), key=operator)
        crm = await house.call("GET", spec_of("crm"), key=operator)
        schema = (await house.call("GET", f"{spec_of('form')}.json", key=operator)).body
        assert not server.seen, "a spec sends nothing"
    assert "zip=78701" in form.body
    assert "what the mapping names a yes" in form.body
    assert set(schema["$defs"]) == {"ping_lead", "post_lead"}
    assert "PUT" in crm.body
    for secret in (key, tenant, "crm-s3cret"):
        assert secret not in crm.body
    assert "not asked" in crm.body


async def test_who_may_read_a_buyers_spec(house):
    """The offer's own buyer and operators, or whoever has a link of theirs."""
    async with Fleet([BuyerSpec(id="acme"), BuyerSpec(id="bravo")]) as fleet:
        await house.apply(
            market(*(buyer(name, fleet.base_url) for name in ("acme", "bravo")), campaign())
        )
        await house.open()
        acme, bravo = [await house.key("buyer", name) for name in ("acme", "bravo")]
        seller = await house.key("seller", "fastquotes")
        statuses = [
            (await house.call("GET", spec_of("acme"), key=key)).status
            for key in (acme, bravo, seller, None)
        ]
        assert statuses == [200, 404, 403, 401]
        made = await house.call("POST", f"{spec_of('acme')}-links", key=acme)
        path = made.body["url"].removeprefix(house.bases[0])
        assert (await house.call("GET", path)).status == 200
        token = path.partition("?")[2]
        assert (await house.call("GET", f"{spec_of('bravo')}?{token}")).status == 404
        again = await house.call("GET", path)
        tag = {"If-None-Match": again.headers["ETag"]}
        assert (await house.call("GET", path, headers=tag)).status == 304
        assert not fleet.books["acme"].pings
