"""A posting spec says what intake takes, in every vertical, and nothing of anybody else."""

import ast
import json
import shlex
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.domain.campaign import (
    Against,
    DuplicateRule,
    DuplicateScope,
    Margin,
    MarginKind,
    MatchOn,
    ReturnsTo,
    SellerTerms,
)
from exchange.domain.condition import compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.money import Micros
from exchange.domain.quote import digests
from exchange.domain.schedule import Schedule
from exchange.domain.seller import DeclaredSource, Seller, UndeclaredSources
from exchange.domain.vertical import FieldType
from exchange.web.answers import encode
from exchange.web.pages.rendering import render
from exchange.web.requests import CONSENT, LEAD_REQUEST
from exchange.web.routing.sellers import POSTED, QUOTED
from exchange.web.specs import answers, links, notations, offer_terms, offering
from exchange.web.specs.campaigns import acceptance
from exchange.web.specs.examples import quoted
from exchange.web.specs.fields import Need, field_specs
from exchange.web.specs.posting import Asked, posting_schema, posting_spec
from exchange.web.specs.words import TYPES
from tests.making import DOLLAR, NOW_US, a_buyer, a_campaign, an_offer
from tests.making_doors import preset
from tests.making_intake import (
    LEAD_ID,
    PERSON,
    REST,
    SELLER,
    a_body,
    a_field,
    a_quote,
    a_snapshot,
    a_vertical,
    accepted,
    errors,
    intake,
)

FILES = sorted((Path(__file__).parents[2] / "config/verticals").glob("*.toml"))
BASE = "https://exchange.test"
NASTY = '<script>alert("x")</script> & \'$(rm -rf)\' `id` \\ "'


def shipped(path):
    """The vertical of a file of config/verticals."""
    [part] = read_sheets([sheet_of(path.name, path.read_text())]).market.vertical
    return vertical_of(part)


def asked_in(snapshot, campaign_id="auto-us", seller_id="fastquotes"):
    return Asked(
        campaign=snapshot.campaigns[campaign_id],
        seller=snapshot.sellers[seller_id],
        base_url=BASE,
    )


def the_spec(snapshot, **which):
    asked = asked_in(snapshot, **which)
    return posting_spec(snapshot, asked, acceptance(intake(), asked.seller.id, snapshot, NOW_US))


def the_schema(snapshot, **which):
    asked = asked_in(snapshot, **which)
    accept = acceptance(intake(), asked.seller.id, snapshot, NOW_US)
    return json.loads(posting_schema(snapshot, asked, accept))


def part(schema, name):
    """The schema of a ping, post, or post of a quote alone."""
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{name}"})


def plain(value):
    """A body as a program decodes it."""
    return json.loads(encode(value))


def a_market(vertical, **changes):
    campaign = a_campaign(vertical_id=vertical.id, **changes)
    return a_snapshot(verticals={vertical.id: vertical}, campaigns={"auto-us": campaign})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_examples_of_every_vertical_are_taken_and_satisfy_the_schema(path):
    """Ping, post and the post of the quote: intake takes them, and their schemas do, too."""
    snapshot = a_market(shipped(path))
    spec, schema = the_spec(snapshot), the_schema(snapshot)
    Draft202012Validator.check_schema(schema)
    raw = encode(spec.post)
    post = accepted(raw, snapshot)
    Draft202012Validator(schema).validate(plain(spec.post))
    part(schema, "post").validate(plain(spec.post))
    pinged = accepted(encode(spec.ping), snapshot, is_ping=True)
    part(schema, "ping").validate(plain(spec.ping))
    assert pinged.fingerprint.sha256 == post.fingerprint.sha256
    rest = {"lead": {n: v for n, v in spec.post["lead"].items() if n not in spec.ping["lead"]}}
    quote = a_quote(
        vertical_id=snapshot.campaigns["auto-us"].vertical_id,
        fields=pinged.lead.fields,
        digests=digests(LEAD_ID, pinged.fingerprint),
        test=True,
    )
    assert accepted(encode(rest), snapshot, quote=quote).lead.test
    part(schema, "post_of_quote").validate(plain(rest))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_intake_made_of_a_lead_satisfies_the_schema(path):
    """The schema knows every field in its plain spelling: what buyers get could be sent again."""
    snapshot = a_market(shipped(path))
    ready = {lead.id: lead for lead in the_spec(snapshot).ready}
    submission = accepted(encode(ready["whole"].body), snapshot)
    lead = {**submission.person.identity, **submission.lead.fields}
    Draft202012Validator(the_schema(snapshot)).validate(
        plain({"campaign": "auto-us", "lead": lead})
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_request_lacks_is_what_intake_says_is_required(path):
    """An empty lead: the schema and intake require the same fields of posts and pings."""
    vertical = shipped(path)
    snapshot = a_market(vertical)
    fields = field_specs(vertical)
    for is_ping, marked in (
        (False, {one.name for one in fields if one.post is Need.REQUIRED}),
        (
            True,
            {one.name for one in fields if one.ping in {Need.REQUIRED, Need.REQUIRED_DIGEST}},
        ),
    ):
        found = errors({"campaign": "auto-us", "lead": {}}, snapshot, is_ping=is_ping)
        lacking = {field.removeprefix("lead.") for field, _ in found}
        assert lacking == marked
        schema = the_schema(snapshot)["$defs"]["ping" if is_ping else "post"]
        assert set(schema["properties"]["lead"]["required"]) <= marked


def the_request(fields):
    from exchange.intake.request import Request

    return Request(fields)


def an_arrival(is_ping):
    from exchange.intake.arrival import Arrival

    return Arrival(seller_id="fastquotes", lead_id=LEAD_ID, received_at_us=NOW_US, is_ping=is_ping)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("credit", "superb"),
        ("zip", "7870"),
        ("birth_date", "4/2/1991"),
        ("vehicle_year", 1949),
        ("vehicle_make", "T0yota"),
        ("currently_insured", "yes"),
        ("email", 7),
    ],
)
def test_the_schema_knows_what_is_no_plain_value(field, value):
    """What is wrong, or spelled otherwise, is named by its place."""
    schema = the_schema(a_snapshot())
    body = a_body(lead={**PERSON, **REST})
    Draft202012Validator(schema).validate(body)
    with pytest.raises(ValidationError) as raised:
        Draft202012Validator(schema).validate({**body, "lead": {**body["lead"], field: value}})
    assert list(raised.value.absolute_path) == ["lead", field]


def test_a_ping_that_needs_the_phone_is_content_with_its_digest():
    """Of what names a person a ping should hold a digest, and nothing else."""
    vertical = a_vertical(
        a_field("phone", "phone", "identity", required_in_ping=True),
        a_field("first_name", "name", "identity", required_in_post=True),
        a_field("zip", "us_zip", required_in_ping=True),
        a_field("state", "us_state", required_in_ping=True),
    )
    spec = the_spec(a_market(vertical))
    assert {field.name: field.ping for field in spec.fields} == {
        "phone": Need.REQUIRED_DIGEST,
        "first_name": Need.OMIT,
        "zip": Need.REQUIRED,
        "state": Need.OPTIONAL,
    }
    assert set(spec.ping["lead"]) == {"phone_sha256", "zip", "state"}
    ping = part(the_schema(a_market(vertical)), "ping")
    assert ping.is_valid({"campaign": "auto-us", "lead": {"zip": "78701", "phone": "5125550123"}})
    assert not ping.is_valid({"campaign": "auto-us", "lead": {"zip": "78701"}})


def test_requests_have_the_names_of_the_openapi_document():
    """Controls and consent are those of the contract, in the page and in the schema."""
    spec, schema = the_spec(a_snapshot()), the_schema(a_snapshot())
    assert {one.name for one in spec.controls} == set(LEAD_REQUEST)
    assert {one.name for one in spec.consent} == {f"consent.{name}" for name in CONSENT}
    assert all(one.about for one in (*spec.controls, *spec.consent) if one.name != "consent.url")
    assert set(schema["$defs"]["post_of_quote"]["properties"]) == set(LEAD_REQUEST)
    assert set(LEAD_REQUEST) - set(schema["$defs"]["ping"]["properties"]) == {"ping_id", "legs"}


def test_every_type_and_error_has_its_words():
    """No type of field and no problem of a ping or post is left without a sentence."""
    assert set(TYPES) == set(FieldType)
    assert set(answers.DO) == {*POSTED, *QUOTED}


def test_a_spec_tells_nothing_of_others():
    """No other seller, buyer, offer, filter, price, floor, cost, margin is in page or schema."""
    terms = SellerTerms("fastquotes", Margin(percent=Decimal("13.37")), ReturnsTo.PASS)
    strangers = SellerTerms("other", Margin(percent=Decimal("17.71")), ReturnsTo.PASS)
    vertical = a_snapshot().verticals["auto"]
    rule = compile_condition('seller != "other" and age >= 18', names_of(vertical))
    snapshot = a_snapshot(
        sellers={
            "fastquotes": msgspec.structs.replace(
                SELLER,
                sources={
                    "search": DeclaredSource(
                        "search", "web", Micros(7_770_001), Micros(6_660_001), paused=False
                    )
                },
            ),
            "other": Seller(id="other", name="Secret Stranger", sources={}),
        },
        offers={"acme-tx": an_offer(buyer=a_buyer(name="acme"), floor=Micros(5_550_001))},
        campaigns={
            "auto-us": a_campaign(
                sellers={"fastquotes": terms, "other": strangers},
                floor=Micros(4_440_001),
                qualify=(("adult", rule),),
            )
        },
    )
    page = render(the_spec(snapshot)).body.decode()
    schema = json.dumps(the_schema(snapshot))
    for text in (page, schema):
        for secret in (
            *("Stranger", "other&#34;", "acme", "Acme", "13.37", "17.71", "7.77", "6.66"),
            *("4.44", "5.55000", "127.0.0.1", '!= "other"', "seller !="),
        ):
            assert secret not in text, secret
    assert "asks for the seller or the source" in page
    assert "adult" in page


def test_buyers_are_named_only_where_the_campaign_discloses_them():
    """Their public names, not their ids; test buyers and paused ones are none."""
    offers = {
        "acme-tx": an_offer(),
        "trial-tx": an_offer("trial-tx", test=True),
        "idle-tx": an_offer("idle-tx", paused=True),
    }
    stages = a_campaign().stages
    stage = msgspec.structs.replace(stages[0], offer_ids=tuple(offers))
    for disclose in (True, False):
        campaign = a_campaign(disclose_buyer=disclose, stages=(stage,))
        spec = the_spec(a_snapshot(offers=offers, campaigns={"auto-us": campaign}))
        assert spec.buyers == (("Acme",) if disclose else ())
        assert spec.can_sell_tests


def test_markup_in_the_market_stays_text():
    """Names, values, aliases, channels and rules are escaped; a program's values stay values."""
    vertical = a_vertical(
        a_field("zip", "us_zip", required_in_ping=True),
        a_field(
            *("kind", "choice"),
            values=(NASTY, "other"),
            aliases={f"also {NASTY}": "other"},
            required_in_ping=True,
        ),
    )
    vertical = msgspec.structs.replace(vertical, name=NASTY)
    source = DeclaredSource("search", NASTY, Micros(0), Micros(0), paused=False)
    seller = Seller(id="fastquotes", name=NASTY, sources={"search": source})
    snapshot = msgspec.structs.replace(a_market(vertical), sellers={"fastquotes": seller})
    spec = the_spec(snapshot)
    page = render(spec).body.decode()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") > 10
    Draft202012Validator(the_schema(snapshot)).validate(plain(spec.post))
    for language in spec.programs:
        for program in language.programs:
            if program.id in {"python-post", "client-post"}:
                values = [
                    node.value
                    for node in ast.walk(ast.parse(program.code))
                    if isinstance(node, ast.Constant)
                ]
                assert NASTY in values
            if program.id == "curl-form":
                words = shlex.split(program.code)
                assert f"kind={NASTY}" in words


@pytest.mark.parametrize("text", [NASTY, "\u2028\n\t", "ü\U0001f600\u202e", "\x7f'\\'"])
def test_a_value_stays_itself_in_every_notation(text):
    """Python and JSON read back what was written; a shell sees one word."""
    value = {"a": [text, True, None, 7, Decimal("1.50")], text: {"b" * 90: text}}
    told = {"a": [text, True, None, 7, 1.5], text: {"b" * 90: text}}
    assert ast.literal_eval(notations.written(value, notations.PYTHON)) == told
    assert json.loads(notations.written(value, notations.JSON)) == told
    assert shlex.split(quoted(text)) == [text]


def test_terms_are_those_of_the_campaign_and_this_seller():
    """Deadlines, duplicates, sources, least score and a fixed payout are said in words."""
    rule = DuplicateRule(
        720 * 3600, ("phone", "email"), MatchOn.ANY, Against.SOLD, DuplicateScope.VERTICAL
    )
    payout = Margin(kind=MarginKind.PAYOUT, amount=Micros(6 * DOLLAR))
    campaign = a_campaign(
        duplicates=rule,
        min_score=40,
        sellers={"fastquotes": SellerTerms("fastquotes", payout, ReturnsTo.PASS)},
    )
    strict = msgspec.structs.replace(
        SELLER, undeclared_sources=UndeclaredSources.REFUSE, always_200=True
    )
    snapshot = a_snapshot(campaigns={"auto-us": campaign}, sellers={"fastquotes": strict})
    spec = the_spec(snapshot)
    text = " ".join(spec.terms)
    for said in (
        *("within 30 seconds", "30 days", "same `phone` or `email`", "any campaign"),
        *("`unknown_source`", "below 40 of 100", "You are paid 6", "HTTP status 200"),
    ):
        assert said in text
    words = {reason.word for reason in spec.reasons}
    assert {"duplicate", "unknown_source", "low_score"} <= words
    assert {"unknown_source", "duplicate"} <= {
        lead.expected.reason.word for lead in spec.ready if lead.expected.reason
    } | {"duplicate"}
    assert the_schema(snapshot)["$defs"]["post"]["properties"]["source"]["enum"] == ["search"]


def test_what_a_campaign_never_says_is_not_listed():
    """Without rules there is no reason for them, and no test lead."""
    spec = the_spec(a_snapshot())
    words = {reason.word for reason in spec.reasons}
    assert not words & {"duplicate", "unknown_source", "low_score", "not_qualified"}
    assert "duplicate" not in {one.status for one in (*spec.posted, *spec.pinged)}
    assert {lead.id for lead in spec.ready} == {"whole", "barest", "missing", "wrong", "elsewhere"}
    assert {lead.expected.status for lead in spec.ready} == {"unsold", None, "rejected"}


def test_answers_are_as_the_contract_has_them():
    """Each example has the status that it is listed under, and the campaign's currency."""
    spec = the_spec(a_snapshot())
    for one in (*spec.posted, *spec.pinged):
        example = json.loads(one.example)
        assert (example["status"], example["currency"]) == (one.status, "USD")
        assert (example["reason"] is None) is (one.status in {"sold", "quoted"})


def test_a_link_opens_what_it_was_signed_for_and_nothing_else():
    """Another page, another account, a later end, another secret: nobody signed that."""
    signer = links.Links(b"s" * 32)
    token = signer.sign(links.Kind.CAMPAIGN, "auto-us", "fastquotes", 1000)
    opened = signer.open(token, links.Kind.CAMPAIGN, "auto-us", 999.9)
    assert opened == links.Opened("fastquotes", expired=False)
    late = signer.open(token, links.Kind.CAMPAIGN, "auto-us", 1000)
    assert late == links.Opened("fastquotes", expired=True)
    assert signer.open(token, links.Kind.CAMPAIGN, "auto-eu", 0) is None
    assert signer.open(token, links.Kind.OFFER, "auto-us", 0) is None
    assert links.Links(b"o" * 32).open(token, links.Kind.CAMPAIGN, "auto-us", 0) is None
    account, end, mac = token.split(".")
    for forged in (f"other.{end}.{mac}", f"{account}.2000.{mac}", f"{account}.{end}.", "", "a.b"):
        assert signer.open(forged, links.Kind.CAMPAIGN, "auto-us", 0) is None


def test_a_door_that_is_open_to_the_seller_is_named_with_its_addresses():
    """A seller that speaks another platform's words reads where to send them; a paused one not."""
    snapshot = a_snapshot(doors={"px": preset("px")})
    [door] = the_spec(snapshot).doors
    assert door.urls
    assert all(url.startswith(f"{BASE}/doors/{preset('px').id}/") for url in door.urls)


def test_markup_in_a_buyers_spec_stays_text():
    """Names, filters, choices and hidden fields are escaped."""
    vertical = a_vertical(
        a_field("kind", "choice", values=(NASTY, "b")),
        a_field("zip", "us_zip"),
        a_field("memo", "text"),
    )
    vertical = msgspec.structs.replace(vertical, name=NASTY)
    rule = compile_condition('memo == "<script>alert"', names_of(vertical))
    offer = an_offer(
        buyer=a_buyer(name=NASTY), where=rule, hidden=frozenset({"zip"}), floor=Micros(DOLLAR)
    )
    snapshot = a_snapshot(verticals={"auto": vertical}, offers={"acme-tx": offer})
    spec = offering.offer_spec(snapshot, offering.Asked(offer=offer, tried=None))
    page = render(spec).body.decode()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") >= 4
    assert {field.name for field in spec.pinged} == {"kind", "memo", "score"}


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (None, "Always open."),
        ((((540, 1020),),) * 5 + ((), ()), "Open Mon-Fri 09:00-17:00; Sat-Sun closed (UTC)."),
        (
            (((0, 1440),), *(((60, 120), (180, 240)),) * 6),
            "Open Mon 00:00-24:00; Tue-Sun 01:00-02:00, 03:00-04:00 (UTC).",
        ),
    ],
)
def test_hours_are_told_as_people_tell_them(days, said):
    """Days with equal hours stand together, in the buyer's own time zone."""
    schedule = None if days is None else Schedule(ZoneInfo("UTC"), days)
    assert said in tuple(offer_terms.told(an_offer(schedule=schedule)))
