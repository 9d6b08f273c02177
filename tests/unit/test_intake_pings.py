"""A ping leaves nothing of its person; its post takes over what it said and contradicts nothing."""

import json

import msgspec
import pytest

from exchange.domain.legs import QuotedLeg
from exchange.domain.money import Micros
from exchange.domain.person import Person
from exchange.domain.submission import Submission
from tests.making import DOLLAR
from tests.making_intake import (
    CANARIES,
    CONSENT,
    PERSON,
    REST,
    a_body,
    a_field,
    a_quote,
    a_snapshot,
    a_vertical,
    accept,
    accepted,
    errors,
)

NESTED = {"a": 1}


# Pings

DIGESTS = {
    "phone_sha256": "7b0e6ddd1f5ac3b0e9b0d9c6a8eb8d7ef97d3f5a6e0b8d6f3b9b4d6b0e1c2d3f",
    "email_sha256": "A" * 64,
}


def test_a_ping_needs_less_and_leaves_nothing_of_the_person():
    got = accepted(a_body(REST, consent=CONSENT, tracking={"sub1": "a"}, gclid="x"), is_ping=True)
    assert got.person == Person()
    assert got.lead.consent.jornaya_id == "ABCD-12"
    assert errors(a_body({"zip": "78701"}), is_ping=True) == {
        ("lead.currently_insured", "required")
    }


def test_identity_in_a_ping_is_used_to_recognize_the_person_and_then_dropped():
    ping, post = accepted(a_body(), is_ping=True), accepted(a_body())
    assert ping.fingerprint == post.fingerprint
    assert ping.person == Person()
    left = json.dumps(msgspec.to_builtins(ping.lead), default=str).lower() + repr(ping).lower()
    assert not [canary for canary in CANARIES if canary in left]


def test_digests_in_a_ping_are_its_fingerprint():
    got = accepted(a_body({**REST, **DIGESTS}), is_ping=True)
    assert got.fingerprint.sha256 == {"phone": DIGESTS["phone_sha256"], "email": "a" * 64}
    assert (got.fingerprint.md5, got.flags, got.person.extra) == ({}, (), {})


def test_an_md5_is_taken_with_a_warning():
    got = accepted(a_body({**REST, "phone_md5": "b" * 32}), is_ping=True)
    assert got.fingerprint.md5 == {"phone": "b" * 32}
    assert got.flags == ("md5_hash",)
    assert len(got.warnings) == 1


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("phone_sha256", "b" * 63, "bad_value"),
        ("phone_sha256", "g" * 64, "bad_value"),
        ("phone_sha256", 5, "wrong_type"),
        ("email_md5", "b" * 64, "bad_value"),
    ],
)
def test_a_digest_must_be_one(name, raw, expected):
    assert errors(a_body({**REST, name: raw}), is_ping=True) == {(f"lead.{name}", expected)}


def test_a_digest_beside_its_value_must_be_the_values_own():
    assert errors(a_body({**PERSON, **REST, **DIGESTS})) == {
        ("lead.phone_sha256", "bad_value"),
        ("lead.email_sha256", "bad_value"),
    }


def test_a_digest_stands_for_a_field_that_a_ping_needs_but_not_for_one_that_a_post_needs():
    needed = a_vertical(a_field("phone", "phone", "identity", required_in_ping=True))
    snapshot = a_snapshot(verticals={"auto": needed})
    lead = {"phone_sha256": DIGESTS["phone_sha256"]}
    assert isinstance(accept(a_body(lead), snapshot, is_ping=True), Submission)
    assert errors(a_body(lead), snapshot) == {("lead.phone", "required")}


# Posts of a quote


def post(lead, quote=None, **changes):
    changed = {name: value for name, value in changes.items() if value is not None}
    return accept({"lead": lead, **changed}, quote=quote or a_quote())


def test_a_post_may_leave_out_what_its_ping_said():
    got = post(PERSON)
    assert isinstance(got, Submission)
    assert got.lead.fields == {"zip": "78701", "state": "TX", "currently_insured": True}
    assert (got.lead.campaign_id, got.lead.source.id) == ("auto-us", "search")
    assert got.person.identity["first_name"] == "Zyxcanary"
    assert got.lead.derived["state"] == "TX"


def test_a_post_takes_over_price_and_consent_unless_it_says_otherwise():
    quote = a_quote(
        min_price=3 * DOLLAR,
        seller_ref="R1",
        consent=accepted(a_body(consent=CONSENT)).lead.consent,
    )
    got = post(PERSON, quote)
    assert isinstance(got, Submission)
    assert (got.lead.min_price, got.lead.seller_ref) == (quote.payout, "R1")
    assert got.lead.consent.jornaya_id == got.person.consent.jornaya_id == "ABCD-12"
    lower = post(PERSON, quote, min_price=1, consent={"tcpa": False})
    assert isinstance(lower, Submission)
    assert (lower.lead.min_price, lower.lead.consent.tcpa) == (DOLLAR, False)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"lead": {"zip": "10001"}}, "lead.zip"),
        ({"lead": {"state": "NY"}}, "lead.state"),
        ({"lead": {"currently_insured": "no"}}, "lead.currently_insured"),
        ({"campaign": "other"}, "campaign"),
        ({"source": "other"}, "source"),
        ({"test": True}, "test"),
    ],
)
def test_what_contradicts_the_ping_is_an_error(said, field):
    body = {**said, "lead": {**PERSON, **said.get("lead", {})}}
    assert errors(body, quote=a_quote()) == {(field, "contradicts_ping")}


def test_the_same_value_in_another_spelling_contradicts_nothing():
    got = post({**PERSON, "zip": "78701-0001", "state": "texas", "currently_insured": "Y"})
    assert isinstance(got, Submission)


def test_a_post_needs_what_neither_it_nor_its_ping_said():
    assert errors({"lead": {"zip": "78701"}}, quote=a_quote()) == {
        ("lead.first_name", "required"),
        ("lead.phone", "required"),
        ("lead.email", "required"),
    }


def test_a_leg_must_be_one_of_the_quotes():
    leg = QuotedLeg(leg_id="leg-1", offer_id="o", price=Micros(9), payout=Micros(8))
    quote = a_quote(legs=(leg,))
    assert isinstance(post(PERSON, quote, legs=["leg-1"]), Submission)
    for chosen in (["leg-2"], []):
        assert errors({"lead": PERSON, "legs": chosen}, quote=quote) == {("legs", "bad_value")}


def test_a_field_that_the_vertical_no_longer_has_is_not_taken_over():
    quote = a_quote(fields={**a_quote().fields, "gone": "x"})
    got = post(PERSON, quote)
    assert isinstance(got, Submission)
    assert "gone" not in got.lead.fields
