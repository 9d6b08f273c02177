"""Every vertical that ships takes a whole lead, names all that is missing, and shows no words."""

import json
import tomllib
from pathlib import Path

import pytest

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.domain.anonymize import shown, shown_name
from exchange.domain.condition import compile_condition
from exchange.domain.condition_names import names_of
from exchange.domain.vertical import FieldType, Privacy
from exchange.intake.spellings import choices, plain
from tests.making import a_campaign
from tests.making_intake import a_body, a_snapshot, accepted, errors

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "config/verticals").glob("*.toml"))
EXAMPLES = ROOT / "config/verticals/examples"
FIELDS_PAGE = (ROOT / "docs/fields.md").read_text(encoding="utf-8")

PERSON = {
    "first_name": "Zyxcanary",
    "last_name": "Quuxcanary",
    "phone": "(512) 555-0123",
    "email": "canary@example.com",
    "address": "77 Canary Row",
    "ip": "203.0.113.77",
}
PLACE = {"city": "Canaryville", "zip": "78701", "state": "Texas"}
SAMPLES = {
    "auto_insurance": {
        "birth_date": "1991-04-02",
        "gender": "F",
        "marital_status": "Never married",
        "education": "Bachelor's degree",
        "occupation": "nurse",
        "credit": "Very good",
        "homeowner": "yes",
        "license_status": "Active",
        "years_licensed": "12",
        "military": "N",
        "accidents": 0,
        "violations": "1",
        "dui": "no",
        "sr22": False,
        "currently_insured": "Y",
        "current_insurer": "Acme Mutual",
        "continuous_coverage": "1 to 2 years",
        "coverage": "Minimum",
        "multi_policy": 1,
        "vehicle_year": "2019",
        "vehicle_make": "Toyota",
        "vehicle_model": "Camry",
        "vehicle_ownership": "Own",
        "vehicle_use": "Work",
        "vehicle_count": 2,
        "annual_miles": "12,000",
    },
    "solar": {
        "homeowner": "Yes",
        "property_type": "House",
        "roof_type": "Shingle",
        "roof_shade": "No shade",
        "roof_age": "10",
        "square_feet": "1,900",
        "has_pool": "off",
        "electric_bill": "$180.50",
        "utility_provider": "Oncor",
        "heating": "Natural gas",
        "credit": "Good",
        "purchase": "Finance",
        "timeline": "ASAP",
        "system": "Solar and battery",
        "best_call": "Any",
    },
    "mortgage": {
        "property_address": "9 Canary Lane",
        "birth_date": "4/2/1961",
        "co_borrower": "Ann Quuxcanary",
        "loan_purpose": "Cash-Out Refinance",
        "loan_type": "Conforming",
        "rate_type": "ARM",
        "loan_term": "30",
        "loan_amount": "$250,000",
        "cash_out": "20000",
        "cash_out_reason": "Pay off debt",
        "ltv": "62.5",
        "property_value": "$400,000",
        "down_payment": "0",
        "property_type": "Single Family Home",
        "property_use": "Primary residence",
        "property_found": "no",
        "has_agent": "no",
        "first_time": "0",
        "timeframe": "0-30 days",
        "mortgage_balance": "230000",
        "second_balance": 0,
        "mortgage_rate": "6.875",
        "monthly_payment": "1,800",
        "current_lender": "Canary Savings",
        "late_payments": "0",
        "credit": "Good",
        "bankruptcy": "No",
        "foreclosure": "N",
        "years_clear": 9,
        "military": "true",
        "employment": "Self-Employed",
        "annual_income": "$95,000",
        "monthly_debt": "650",
        "proof_of_income": "on",
        "best_call": "Evening",
        "notes": "Call Mrs Canary first",
    },
    "legal": {
        "birth_date": "1991-04-02",
        "county": "Canary County",
        "accident_state": "Oklahoma",
        "accident_place": "In front of Canary Row 3",
        "accident_date": "2026-10-30",
        "accident_ago": "Within 30 days",
        "accident_type": "18 wheeler",
        "role": "Driver",
        "at_fault": "Not at fault",
        "cited": "no",
        "police_report": "Yes",
        "vehicles": "2",
        "injured": "yes",
        "injury_type": "Broken bone",
        "treated": "Y",
        "hospitalized": "1",
        "treatment_ago": "Same day",
        "surgery": "no",
        "lost_wages": "yes",
        "medical_bills": "$14,200",
        "wrongful_death": "no",
        "has_attorney": "No",
        "had_attorney": "No",
        "settled": "No",
        "insured": "Yes",
        "other_insured": "Not sure",
        "other_insurer": "Canary Mutual",
        "claim_filed": "no",
        "language": "Español",
        "best_call": "morning",
        "description": "Mrs Canary hit me\nat the lights",
    },
    "home_services": {
        "service": "Heating and Cooling",
        "project": "New installation",
        "timeframe": "1-2 weeks",
        "budget": "$5,000-$10,000",
        "quantity": "4",
        "material": "Asphalt shingle",
        "system": "Mini split",
        "financing": "yes",
        "claim": "no",
        "description": "Ask for Mr Canary",
        "homeowner": "Yes",
        "authorized": "Yes",
        "property_type": "House",
        "year_built": "1987",
        "square_feet": "2,100",
        "stories": 2,
        "hoa": "no",
        "credit": "Excellent",
        "best_call": "anytime",
    },
}
MARKET = """
[[seller]]
id = "fastquotes"
[[buyer]]
id = "acme"
[[buyer.offer]]
id = "acme-one"
vertical = "{id}"
price = 9.00
post = {{ url = "https://bids.acme.example/post" }}
[[campaign]]
id = "auto-us"
vertical = "{id}"
sellers = ["fastquotes"]
"""


def read(path):
    """The file's vertical in a tiny market, and what a plan would warn of."""
    text = path.read_text(encoding="utf-8")
    tiny = MARKET.format(id=path.stem)
    return read_sheets([sheet_of(path.name, text), sheet_of("market.toml", tiny)])


VERTICALS = {path.stem: vertical_of(read(path).market.vertical[0]) for path in FILES}
each = pytest.mark.parametrize("vertical", VERTICALS.values(), ids=VERTICALS)


def a_market(vertical):
    campaign = a_campaign(vertical_id=vertical.id)
    return a_snapshot(verticals={vertical.id: vertical}, campaigns={campaign.id: campaign})


def sample(vertical):
    return {**PERSON, **PLACE, **SAMPLES[vertical.id]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_tiny_market_with_it_plans_without_warnings(path):
    """Its file is named as it is, and nothing about it is odd."""
    reading = read(path)
    assert reading.warnings == ()
    assert [vertical.id for vertical in reading.market.vertical] == [path.stem]


@each
def test_a_whole_lead_is_taken_as_forms_spell_it(vertical):
    """Every field that it declares is read; none falls among the unknown."""
    assert sample(vertical).keys() == vertical.fields.keys()
    got = accepted(a_body(sample(vertical)), a_market(vertical))
    assert got.flags == ()
    assert got.lead.fields.keys() | got.person.identity.keys() == vertical.fields.keys()


@each
def test_its_example_is_a_lead_as_a_seller_sends_it(vertical):
    """Every field is one of the vertical's, nothing is flagged, and most of them are there."""
    body = json.loads((EXAMPLES / f"{vertical.id}.json").read_text(encoding="utf-8"))
    assert body["test"]
    assert body["lead"].keys() <= vertical.fields.keys()
    got = accepted({**body, "campaign": "auto-us"}, a_market(vertical))
    assert got.flags == ()
    assert got.lead.fields.keys() | got.person.identity.keys() >= body["lead"].keys()
    assert len(body["lead"]) > 0.6 * len(vertical.fields)
    pinged = {n: v for n, v in body["lead"].items() if shown_name(vertical.fields[n])}
    assert accepted(a_body(pinged), a_market(vertical), is_ping=True).person.identity == {}


def test_every_vertical_has_an_example_and_every_example_a_vertical():
    assert {path.stem for path in EXAMPLES.iterdir()} == VERTICALS.keys()


@each
def test_all_that_is_missing_is_named(vertical):
    """A post without any field hears of each that it needs, a ping of each that pings need."""
    needed = {
        f"lead.{field.name}"
        for field in vertical.fields.values()
        if field.required_in_ping or field.required_in_post
    }
    pinged = {f"lead.{f.name}" for f in vertical.fields.values() if f.required_in_ping}
    market = a_market(vertical)
    assert errors(a_body({}), market) == {(name, "required") for name in needed}
    got = errors(a_body({}), market, is_ping=True)
    assert got == {(name, "required") for name in pinged}
    assert {"lead.phone", "lead.email", "lead.zip"} <= needed
    assert "lead.phone" not in pinged


@each
def test_a_ping_of_what_it_needs_is_taken(vertical):
    """The fields that a ping must have are enough, and none of them is a person's."""
    lead = {n: v for n, v in sample(vertical).items() if vertical.fields[n].required_in_ping}
    assert accepted(a_body(lead), a_market(vertical), is_ping=True).person.identity == {}


@each
def test_a_ping_shows_nothing_that_names_anybody(vertical):
    """No name, no street, no house, no words that somebody typed about somebody."""
    got = accepted(a_body(sample(vertical)), a_market(vertical))
    told = str(shown(got.lead, vertical, frozenset())).casefold()
    assert "canary" not in told
    for name in got.person.identity:
        assert vertical.fields[name].privacy is Privacy.IDENTITY
        assert shown_name(vertical.fields[name]) is None


@pytest.mark.parametrize("name", ["mortgage", "legal", "home_services"])
def test_free_text_is_never_shown(name):
    """What a person wrote may name anybody."""
    typed = {FieldType.TEXT, FieldType.CITY, FieldType.URL}
    for field in VERTICALS[name].fields.values():
        assert field.type not in typed or shown_name(field) is None, field.name


def test_an_accident_is_shown_too_coarsely_to_be_found():
    """Three digits and about when; not the day, the town, the place or a death."""
    vertical = VERTICALS["legal"]
    got = accepted(a_body(sample(vertical)), a_market(vertical))
    ping = shown(got.lead, vertical, frozenset())
    assert ping["zip3"] == "787"
    assert ping["accident_ago"] == "within_30_days"
    hidden = {"zip", "accident_date", "accident_place", "county", "city", "wrongful_death"}
    assert not hidden & ping.keys()
    condition = 'wrongful_death or injury_type == "head"'
    assert condition in (ROOT / "config/verticals/legal.toml").read_text(encoding="utf-8")
    assert compile_condition(condition, names_of(vertical)).text == condition


def test_a_borrowers_age_is_for_filters_alone():
    """Credit may not be priced by it, a reverse mortgage needs it."""
    vertical = VERTICALS["mortgage"]
    got = accepted(a_body(sample(vertical)), a_market(vertical))
    assert got.lead.derived["age"] == 65
    assert not {name for name in shown(got.lead, vertical, frozenset()) if "age" in name.split("_")}
    assert {"gender", "marital_status", "ssn"}.isdisjoint(vertical.fields)


@each
def test_every_other_spelling_means_what_it_says(vertical):
    """No alias is hidden behind a value, or behind another that is compared alike."""
    for field in vertical.fields.values():
        table = choices(field.values, field.aliases)
        for spelling, value in field.aliases.items():
            assert table[plain(spelling)] == value, (field.name, spelling)
            assert plain(spelling) != plain(value), (field.name, spelling, "says nothing new")


@each
def test_the_page_says_what_each_vertical_needs(vertical):
    """docs/fields.md has one row for each file, and it is true."""
    row = next(line for line in FIELDS_PAGE.splitlines() if line.startswith(f"| `{vertical.id}` |"))
    _, _, ping, post, _ = (cell.strip() for cell in row.strip("|").split("|"))
    fields = vertical.fields.values()
    assert ping == ", ".join(f"`{field.name}`" for field in fields if field.required_in_ping)
    also = [field for field in fields if field.required_in_post and not field.required_in_ping]
    assert post == ", ".join(f"`{field.name}`" for field in also)


def test_the_file_is_only_tables_and_comments():
    """One vertical each, so that a market takes just those it sells."""
    for path in FILES:
        assert tomllib.loads(path.read_text(encoding="utf-8")).keys() == {"vertical"}
