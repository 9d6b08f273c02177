"""What is wrong with a lead is said at once and in full, and before anyone is asked to pay for it.

Three ends differ: 422 for what cannot be a lead (kept in the seller's log), `rejected` for a lead
that its campaign does not want, and a flag where the campaign lets it pass.
"""

from datetime import UTC, datetime

from bidders.fleet import BuyerSpec, Fleet
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market

ACME = BuyerSpec(id="acme")

PLATES = """
[[vertical]]
id = "plates"
[vertical.fields]
plate = { type = "text", privacy = "attribute", pattern = "[A-Z]{3}-[0-9]{4}", ping = "required" }
credit = { type = "choice", privacy = "attribute", values = ["poor", "fair", "good"] }
vehicle_year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }
sold_on = { type = "date", privacy = "attribute" }
bill = { type = "decimal", privacy = "attribute", max = 1500 }
insured = { type = "bool", privacy = "attribute" }
"""


def born(years: int) -> str:
    """Return the birth date of somebody who was that old half a year ago."""
    today = datetime.now(UTC).date()
    half = 1 + (today.month + 5) % 12
    return f"{today.year - years - (half > today.month)}-{half:02d}-01"


def without(*names: str) -> dict:
    return {name: value for name, value in ANN.items() if name not in names}


def faults(answer) -> dict[str, str]:
    """Return the code of each bad field of a 422."""
    assert answer.status == 422, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    return {error["field"]: error["code"] for error in answer.body["errors"]}


async def log_of(house, seller: str = "fastquotes") -> list:
    key = await house.key("seller", seller)
    answer = await house.call("GET", "/v1/rejections", key=key)
    assert answer.status == 200
    return answer.body["rejections"]


async def rejected(house, lead, reason: str, **control) -> dict:
    """Post a lead that is rejected for this reason; return what operators see of it."""
    answer = await house.post(lead, **control)
    assert (answer.status, answer.body["status"], answer.body["price"]) == (200, "rejected", None)
    assert answer.body["reason"]["reason"] == reason, answer.body
    return await house.admin(answer.body["lead_id"])


async def test_an_impossible_phone_number_is_refused_before_any_ping_and_kept_in_the_log(house):
    """`+1 000` is 422 `invalid_phone`, asks nobody, and stands in its own seller's log."""
    async with Fleet([ACME], keep=9) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.key("seller", "other")
        await house.open()
        for wrong in ("+1 000", "555-0123", "512555012345", "call me", "+1 (999) 999-9999"):
            answer = await house.post({**ANN, "phone": wrong})
            assert faults(answer) == {"lead.phone": "invalid_phone"}, wrong
            assert wrong not in str(answer.body)
        assert fleet.books["acme"].pings == 0
        log = await log_of(house)
        assert len(log) == 5
        assert log[0]["campaign"] == "auto-us"
        assert log[0]["errors"] == [{"field": "lead.phone", "code": "invalid_phone"}]
        assert await log_of(house, "other") == []
        assert (await house.post({**ANN, "phone": "1.512.555.0123"})).body["status"] == "sold"
        assert b'"phone":"+15125550123"' in fleet.books["acme"].requests[-1].body


async def test_an_email_address_must_be_one_and_may_be_kept_to_lasting_ones(house):
    """`bad@@x` is 422; a throw-away domain is a flag, or a rejection where the campaign says so."""
    async with Fleet([ACME]) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url),
                campaign(),
                campaign("strict", lines="reject_disposable_email = true"),
            )
        )
        await house.open()
        for wrong in ("bad@@x", "ann.lee", "ann@", "ann@localhost", "ann lee@example.com"):
            answer = await house.post({**ANN, "email": wrong})
            assert faults(answer) == {"lead.email": "invalid_email"}, wrong
        disposable = {**ANN, "email": "ann@mailinator.com"}
        seen = await rejected(house, disposable, "invalid_field", campaign="strict")
        assert seen["reason"]["detail"] == "disposable_email"
        assert fleet.books["acme"].pings == 0
        taken = await house.post(disposable)
        assert taken.body["status"] == "sold"
        received = (await house.timeline(taken.body["lead_id"]))[0]
        assert (received["event"], received["detail"]) == ("received", "disposable_email")


async def test_every_missing_field_is_named_not_only_the_first(house):
    """What a post needs and what a ping needs, each in full; blanks and nulls are missing too."""
    await house.apply(market(campaign()))
    await house.open()
    needed = ("first_name", "phone", "email", "zip", "currently_insured")
    for empty in ({}, dict.fromkeys(needed), dict.fromkeys(needed, " ")):
        told = faults(await house.post(empty))
        assert told == {f"lead.{name}": "required" for name in needed}
    told = faults(await house.post({}, path="/v1/pings"))
    assert told == dict.fromkeys(("lead.zip", "lead.currently_insured"), "required")
    told = faults(await house.post({}, campaign=None))
    assert told["campaign"] == "required"


RULES = (
    ("plate", "ABC-1234", "ABC-123", "bad_value", "[A-Z]{3}-[0-9]{4}"),
    ("credit", "Fair", "superb", "bad_value", "poor, fair, good"),
    ("vehicle_year", "2030", 2031, "bad_value", "at most 2030"),
    ("vehicle_year", 1950, 1949, "bad_value", "at least 1950"),
    ("vehicle_year", "1999.0", 1999.5, "bad_value", "whole"),
    ("sold_on", "02/03/2024", "2024-02-30", "bad_value", "YYYY-MM-DD"),
    ("bill", "1,500.00", 1500.01, "bad_value", "at most 1500"),
    ("insured", "off", "perhaps", "bad_value", "yes or no"),
    ("insured", 1, ["yes"], "wrong_type", ""),
)
"""Field, a good and a wrong value, the wrong one's code, and what its message must say."""


async def test_a_broken_rule_is_told_with_the_rule(house):
    """Pattern, choices and range: the message says what would have been right."""
    await house.apply(market(PLATES, campaign(vertical="plates")))
    await house.open()
    lead = {"plate": "ABC-1234"}
    for field, good, wrong, code, rule in RULES:
        answer = await house.post({**lead, field: wrong})
        assert faults(answer) == {f"lead.{field}": code}
        assert rule in answer.body["errors"][0]["message"]
        assert (await house.post({**lead, field: good})).status == 200, (field, good)
    every = {field: wrong for field, _, wrong, _, _ in RULES}
    assert faults(await house.post(every)) == {
        f"lead.{field}": code for field, _, _, code, _ in RULES
    }


async def test_a_zip_code_in_another_state_is_rejected_or_flagged_as_the_campaign_says(house):
    """78701 is Austin, Texas, not New York: `location_mismatch`, or a warning in the timeline."""
    async with Fleet([ACME]) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url),
                campaign(),
                campaign("lenient", lines='location = "warn"'),
            )
        )
        await house.open()
        elsewhere = {**ANN, "state": "New York"}
        await rejected(house, elsewhere, "location_mismatch")
        assert fleet.books["acme"].pings == 0
        let_pass = await house.post(elsewhere, campaign="lenient")
        assert let_pass.body["status"] == "sold"
        received = (await house.timeline(let_pass.body["lead_id"]))[0]
        assert received["detail"] == "location_mismatch"
        assert (await house.post({**ANN, "state": "texas"})).body["status"] == "sold"
        assert faults(await house.post({**ANN, "zip": "00000"})) == {"lead.zip": "bad_value"}


async def test_a_lead_that_a_campaign_does_not_want_is_rejected_by_the_rules_id(house):
    """The first rule that does not hold ends it: no score, no ping, nothing to pay."""
    async with Fleet([ACME]) as fleet:
        rules = (
            "[campaign.qualify]\n"
            'adult = "age >= 18"\n'
            'insured = "currently_insured"\n'
            'local = \'state in ["TX", "OK"]\'\n'
        )
        await house.apply(market(buyer("acme", fleet.base_url), campaign() + rules))
        await house.open()
        minor = {"birth_date": born(17), "currently_insured": False}
        for changes, rule in (
            (minor, "adult"),
            ({"currently_insured": "no"}, "insured"),
            ({"zip": "10001"}, "local"),
            ({"birth_date": None}, "adult"),
        ):
            seen = await rejected(house, {**ANN, **changes}, "not_qualified")
            assert seen["reason"]["detail"] == rule
            assert [line["event"] for line in seen["timeline"]] == ["received", "rejected"]
            assert seen["sales"] == []
        assert fleet.books["acme"].pings == 0
        assert not await house.fetch("SELECT 1 FROM transfer")
        assert (await house.post()).body["status"] == "sold"


async def test_acceptance_filters_hold_per_campaign_and_per_offer(house):
    """`age >= 25`: 24 is rejected by one campaign and left out for one offer in the other."""
    async with Fleet([ACME, BuyerSpec(id="bravo")]) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer='where = "age >= 25"'),
                buyer("bravo", fleet.base_url, offer='where = "age < 25"'),
                campaign("adults", lines='qualify = "age >= 25"'),
                campaign("everyone"),
            )
        )
        await house.open()
        young, old = person(1, birth_date=born(24)), person(2, birth_date=born(25))
        await rejected(house, young, "not_qualified", campaign="adults")
        assert fleet.books["acme"].pings + fleet.books["bravo"].pings == 0
        for lead, into, pinged in ((old, "adults", "acme"), (young, "everyone", "bravo")):
            before = {name: book.pings for name, book in fleet.books.items()}
            assert (await house.post(lead, campaign=into)).body["status"] == "sold"
            after = {name: book.pings - before[name] for name, book in fleet.books.items()}
            assert after == {"acme": 0, "bravo": 0, pinged: 1}


async def test_validation_comes_before_duplicates_before_the_score_before_any_ping(house):
    """The timeline's order is validated, claimed, scored, pinged; each end stops it there."""
    async with Fleet([ACME]) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url),
                campaign(
                    lines='qualify = "age >= 18"\nmin_score = 70\nduplicates = { window_hours = 1 }'
                ),
            )
        )
        await house.open()
        sold = await house.post()
        events = [line["event"] for line in await house.timeline(sold.body["lead_id"])]
        order = ["received", "validated", "claimed", "scored", "stage", "pinged", "bid", "ranked"]
        assert events[: len(order)] == order
        ends = {}
        for name, lead in (
            ("rejected", {**ANN, "birth_date": born(17)}),
            ("duplicate", ANN),
            ("low score", person(2, currently_insured=False, email="ann@mailinator.com")),
        ):
            answer = await house.post(lead)
            lines = await house.timeline(answer.body["lead_id"])
            ends[name] = [line["event"] for line in lines]
        assert ends["rejected"] == ["received", "rejected"]
        assert ends["duplicate"] == ["received", "validated", "duplicate"]
        assert ends["low score"] == ["received", "validated", "claimed", "scored", "rejected"]
        assert fleet.books["acme"].pings == 1
        before = await house.written()
        faults(await house.post({**ANN, "phone": "0"}))
        assert await house.written() == {**before, "rejection": before["rejection"] + 1}


async def test_undeclared_and_paused_sources_are_taken_flagged_or_refused(house):
    """An undeclared source is flagged, or 506 for a strict seller; a paused one is 513."""
    strict = (
        '[[seller]]\nid = "strict"\nundeclared_sources = "refuse"\n'
        'source = [ { id = "web" }, { id = "old", paused = true } ]\n'
    )
    async with Fleet([ACME]) as fleet:
        into = campaign(sellers='"fastquotes", "strict"')
        await house.apply(market(strict, buyer("acme", fleet.base_url), into))
        await house.open()
        taken = await house.post(source="feed-9")
        assert taken.body["status"] == "sold"
        received = (await house.timeline(taken.body["lead_id"]))[0]
        assert received["detail"] == "undeclared_source"
        for source, reason in (("feed-9", "unknown_source"), ("old", "paused_source")):
            await rejected(house, ANN, reason, seller="strict", source=source)
        assert (await house.post(seller="strict", source="web")).body["status"] == "sold"
        assert fleet.books["acme"].pings == 2
