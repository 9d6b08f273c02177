"""A request at a door is tried: each field is told, nobody is named, and it is what a door does."""

import hashlib
import json

import msgspec
import pytest

from exchange.contract.trying_door import DoorTry, TriedDoor, Untried
from exchange.domain.door import Does, Outcome
from exchange.domain.snapshot import Role
from exchange.trying.door_trying import DoorTrying
from exchange.trying.sayings import NEVER, SAYINGS, outcomes_of
from exchange.web.problems import Kind
from exchange.web.voice import OUTCOMES
from tests.acceptance.senders import HOUSE, SENDERS, SHIPPED, crm_body
from tests.making import NOW_US, a_campaign
from tests.making_doors import FORM, VERTICALS, doors
from tests.making_intake import (
    CANARIES,
    CONSENT,
    JSON,
    PERSON,
    SELLER,
    STRANGER,
    XML,
    a_snapshot,
    intake,
    urlencoded,
    xml,
)

LEAD = {**PERSON, "zip": "78701", "currently_insured": True, "birth_date": "4/2/1991"}
BODY = {"campaign": "auto-us", "source": "search", "lead": LEAD, "consent": CONSENT}
HERS = """
[[door]]
id = "hers"
sellers = ["other"]
paused = true
[[door.call]]
path = "leads"
does = "post"
"""
KEYS = {
    hashlib.sha256(key.encode()).digest(): Role("seller", account)
    for key, account in (("sk_own", "fastquotes"), ("sk_other", "other"))
}


def a_market(lines=f"{SHIPPED}\n{HOUSE}\n{HERS}", **changes):
    plain = {
        "verticals": VERTICALS,
        "campaigns": {"auto-us": a_campaign(vertical_id="auto_insurance")},
        "doors": doors(lines),
        "keys": KEYS,
    }
    return a_snapshot(**{**plain, **changes})


MARKET = a_market()


def run(market=MARKET, outcomes=None, **asked):
    trying = DoorTrying(intake(), now_us=lambda: NOW_US, entropy=bytes)
    return trying.run(DoorTry(**{"seller": "fastquotes", **asked}), market, outcomes)


def tried(market=MARKET, outcomes=(), **asked):
    found = run(market, outcomes, **asked)
    assert isinstance(found, TriedDoor), found
    return found


def untried(**asked):
    found = run(**asked)
    assert isinstance(found, Untried)
    return found.why


def crm(**changes):
    return json.dumps(crm_body(**changes)).encode()


def told(found):
    return {field.field: (field.found, field.value, field.error) for field in found.fields}


def test_every_value_is_told_with_its_place_and_what_it_became():
    """By the seller's only door, in the sender's names and ours; identity is masked."""
    found = tried(body=crm(), headers={"x-crm-secret": "sk_own"})
    assert (found.door, found.call, found.does) == ("crm", "leads", "post")
    assert (found.campaign, found.vertical, found.key) == ("auto-us", "auto_insurance", "known")
    assert found.errors == ()
    fields = told(found)
    assert fields["lead.phone"] == (
        ("applicant.phone.area", "applicant.phone.number"),
        "***",
        None,
    )
    assert fields["lead.birth_date"] == (("applicant.born",), "1991-04-02", None)
    assert fields["lead.state"] == (("applicant.home.region",), "TX", None)
    assert fields["lead.vehicle_year"] == (("car",), 2019, None)
    assert fields["lead.credit"] == ((), "good", None)
    assert fields["source"] == ((), "search", None)
    assert fields["consent.ip"] == (("agreed.from",), "***", None)
    assert "sent_by" in found.passed_over


def test_what_nobody_reads_is_told_by_its_place_alone():
    found = tried(body=crm(colour="zyxcanary", more={"a": [1, {"b": "quuxcanary"}]}))
    assert found.extra == {"colour": "***", "more.a[0]": "***", "more.a[1].b": "***"}


def test_all_that_is_wrong_is_told_in_both_words():
    """What is missing has no line among the values, what is wrong has its reason there, too."""
    found = tried(body=crm(applicant={"born": "31/31/1991", "name": "Ann Lee"}, car="old"))
    wrong = {(fault.field, fault.native, fault.code) for fault in found.errors}
    assert ("applicant.born", "lead.birth_date", "bad_value") in wrong
    assert ("applicant.home.zip", "lead.zip", "required") in wrong
    fields = told(found)
    assert fields["lead.birth_date"] == (
        ("applicant.born",),
        None,
        "must be a date as DD/MM/YYYY",
    )
    assert "lead.zip" not in fields


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.door)
def test_each_door_that_ships_is_tried(sender):
    """What its sellers really send is a lead, and nobody is named."""
    flat = sender.body({**PERSON, **LEAD, "email": "zyxcanary@example.com"}, {"ip": "203.0.113.77"})
    whole = {sender.key: "sk_own", **sender.always, **flat}
    found = tried(
        door=sender.door,
        body=urlencoded({name: value for name, value in whole.items() if "." not in name})
        if sender.kind == "form"
        else json.dumps(nested(whole)).encode(),
        call=sender.direct,
    )
    assert found.errors == ()
    assert (found.key, found.campaign) == ("known", "auto-us")
    assert told(found)["lead.phone"][1] == "***"
    said = msgspec.json.encode(found).decode().lower()
    assert not any(canary in said for canary in CANARIES)


def nested(flat):
    whole = {}
    for name, value in flat.items():
        *steps, last = name.split(".")
        table = whole
        for step in steps:
            table = table.setdefault(step, {})
        table[last] = value
    return whole


@pytest.mark.parametrize(
    ("kind", "write"),
    [(JSON, lambda body: json.dumps(body).encode()), (XML, xml), (FORM, urlencoded)],
)
def test_without_a_door_it_is_the_native_way(kind, write):
    """Of a seller with no door of its own, in every format."""
    market = a_market(SHIPPED)
    found = tried(market, body=write({**BODY, "colour": "blue"}), content_type=kind)
    assert (found.door, found.errors, found.answers) == (None, (), ())
    assert set(found.extra) == {"colour", "ip_address"}
    fields = told(found)
    assert fields["lead.phone"] == (("lead.phone",), "***", None)
    assert fields["lead.birth_date"][1] == "1991-04-02"
    assert fields["consent.at"][1] == "2026-11-18T11:00:00Z"
    assert tried(market, body=b"{}", content_type=JSON).errors[0].field == "campaign"
    ping = {"campaign": "auto-us", "lead": {"zip": "78701", "currently_insured": True}}
    asked = {"body": json.dumps(ping).encode(), "content_type": JSON}
    assert tried(market, call="pings", **asked).errors == ()
    assert {fault.native for fault in tried(market, **asked).errors} >= {"lead.phone"}


def test_a_key_is_looked_for_and_never_told():
    """The seller's own, another's, one that opens nothing, none at all."""
    for key, word in (("sk_own", "known"), ("sk_other", "another's"), ("sk_old", "unknown")):
        found = tried(body=crm(), headers={"x-crm-secret": key})
        assert found.key == word
        assert tried(body=crm(), headers={"authorization": f"Bearer {key}"}).key == word
        assert key not in msgspec.json.encode(found).decode()
    assert tried(body=crm()).key == "missing"


def test_a_source_that_the_door_does_not_take_is_a_mistake():
    market = a_market(HOUSE.replace("always_200", 'sources = ["social"]\nalways_200'))
    [fault] = tried(market, body=crm()).errors
    assert (fault.native, fault.code) == ("source", "bad_value")


def test_the_post_of_a_quote_is_told_to_be_more_than_it_shows():
    """Its ping's fields and campaign are not known here."""
    assert "quote" in tried(body=crm(offer="abc")).note
    assert tried(body=crm()).note is None


def test_the_status_of_a_lead_is_no_lead():
    found = tried(call="leads/state", query=b"ref=019a0000-0000-7000-8000-000000000001")
    assert (found.does, found.errors) == ("status", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"seller": "fastquote"}, 'there is no seller "fastquote" in the market; did you mean'),
        ({"door": "crn"}, 'there is no door "crn" in the market; did you mean "crm"?'),
        ({"call": "lead"}, 'the door "crm" has no call "lead"; did you mean "leads"?'),
        ({"door": "hers"}, 'the door "hers" is paused'),
        ({"seller": "other", "door": "crm"}, "is not open to"),
        ({"body": b"{"}, "the body is not JSON"),
        ({"body": b"<!DOCTYPE a><a/>"}, "a document type is not taken"),
    ],
)
def test_what_cannot_be_tried_is_told_in_a_sentence(asked, why):
    assert why in untried(**asked)


def test_of_several_doors_of_a_seller_one_must_be_named():
    market = a_market(HOUSE + HOUSE.replace('"crm"', '"crm2"'))
    assert "name one of them: crm, crm2" in run(market, body=crm()).why
    assert tried(market, body=crm(), door="crm2").door == "crm2"


# Answers


def test_every_answer_that_may_come_is_shown_in_the_senders_words():
    """Of a post all but a price; the mistakes are those of this very request."""
    found = tried(outcomes=None, body=crm(applicant={}))
    answers = {answer.outcome: answer for answer in found.answers}
    assert list(answers) == [outcome.value for outcome in outcomes_of(Does.POST)]
    assert {answer.status for answer in found.answers} == {200, 500, 503}
    assert json.loads(answers["sold"].body)["pays"] == "10.20"
    wrong = json.loads(answers["invalid"].body)["wrong"]
    assert {"field": "applicant.home.zip", "problem": "required"} in wrong
    assert len(wrong) == len(found.errors)


def test_one_answer_alone_and_in_the_format_that_the_request_wants():
    [answer] = tried(
        outcomes=(Outcome.QUOTED,),
        door="boberdoo",
        body=b"Mode=ping&Format=JSON&Zip=78701&currently_insured=1",
    ).answers
    assert (answer.outcome, answer.content_type) == ("quoted", "application/json")
    assert json.loads(answer.body)["lead_id"] == "THE-QUOTE"


def test_a_seller_that_takes_no_refusal_for_an_answer_gets_none():
    """Its account says so: 4xx become 200, 5xx stay."""
    sellers = {
        "fastquotes": msgspec.structs.replace(SELLER, always_200=True),
        "other": STRANGER,
    }
    market = a_market(HOUSE.replace("always_200 = true", ""), sellers=sellers)
    assert {answer.status for answer in tried(market, None, body=crm()).answers} == {200, 500, 503}
    plain = tried(a_market(HOUSE.replace("always_200 = true", "")), None, body=crm())
    assert {401, 422, 409, 410} < {answer.status for answer in plain.answers}


def test_the_statuses_and_sentences_are_those_of_the_doors():
    """Whatever ends a request at the edge is told here as there."""
    assert set(SAYINGS) == set(Outcome)
    for outcome in set(OUTCOMES.values()):
        kinds = [kind for kind, told in OUTCOMES.items() if told is outcome]
        saying = SAYINGS[outcome]
        assert saying.status in {kind.status for kind in kinds}
        first = kinds[0]
        if first.status == saying.status and "{" not in saying.message and first in TITLED:
            assert saying.message == first.title
    assert all(SAYINGS[outcome].status == 200 for outcome in set(Outcome) - set(OUTCOMES.values()))
    assert set(NEVER) == set(Does)


TITLED = {
    *(Kind.CONFLICT, Kind.EXPIRED, Kind.UNDER_WAY, Kind.KEY_REUSED, Kind.FIELDS),
    *(Kind.UNAVAILABLE, Kind.INTERNAL),
}
