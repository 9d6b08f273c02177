"""What a ping may show is an allow-list; who the person is never stands in it."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.age import age_band, age_on
from exchange.domain.anonymize import (
    hashed_fields,
    person_hash,
    shown,
    shown_name,
    shown_names,
    source_alias,
)
from exchange.domain.lead import Fingerprint
from exchange.domain.offer import HashKind
from exchange.domain.vertical import FieldType, Privacy, Show
from tests.making import a_lead, an_offer
from tests.making_intake import (
    AUTO,
    CANARIES,
    CONSENT,
    PERSON,
    REST,
    a_body,
    a_field,
    a_snapshot,
    a_vertical,
    accepted,
)

NOTHING = frozenset()


def test_a_ping_shows_what_the_vertical_lists_as_coarsely_as_it_says():
    assert shown(accepted(a_body()).lead, AUTO, NOTHING) == {
        "zip": "78701",
        "age_band": "35-39",
        "state": "TX",
        "currently_insured": True,
        "credit": "very_good",
        "vehicle_year": 2019,
        "vehicle_make": "Toyota",
    }


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (a_field("zip", "us_zip", "quasi", show=Show.ZIP3), "78701", {"zip3": "787"}),
        (a_field("home_zip", "us_zip", "quasi", show=Show.ZIP3), "78701", {"home_zip3": "787"}),
        (a_field("birth_date", "date", "quasi", show=Show.AGE), "1991-04-02", {"age": 35}),
        (a_field("dob", "date", "quasi", show=Show.AGE_BAND), "1991-12-02", {"age_band": "30-34"}),
        (
            a_field("birth_date", "date", "quasi", show=Show.YEAR),
            "1991-04-02",
            {"birth_year": 1991},
        ),
        (a_field("expiry", "date", "quasi", show=Show.YEAR), "2027-04-02", {"expiry_year": 2027}),
        (a_field("loan", "int", "quasi"), 5, {}),
        (a_field("loan", "int", "quasi", show=Show.AS_IS), 5, {"loan": 5}),
        (a_field("name", "name", "identity", show=Show.AS_IS), "Canary", {}),
        (a_field("phone", "phone", "identity", show=Show.HASH), "+15125550123", {}),
    ],
)
def test_each_way_to_show_a_field(field, value, expected):
    lead = a_lead(fields={field.name: value}, derived={})
    assert shown(lead, a_vertical(field), NOTHING) == expected


def test_the_age_is_the_one_on_the_leads_own_calendar():
    field = a_field("birth_date", "date", "quasi", show=Show.AGE)
    lead = a_lead(
        fields={"birth_date": "1991-11-19"}, derived={}, received_at_us=1_795_050_000_000_000
    )
    assert shown(lead, a_vertical(field), NOTHING) == {"age": 35}
    there = a_lead(
        fields=lead.fields,
        derived={"time_zone": "Pacific/Honolulu"},
        received_at_us=lead.received_at_us,
    )
    assert shown(there, a_vertical(field), NOTHING) == {"age": 34}


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "0-4"),
        (17, "15-19"),
        (35, "35-39"),
        (39, "35-39"),
        (84, "80-84"),
        (85, "85+"),
        (110, "85+"),
    ],
)
def test_bands_are_five_years_wide_but_for_the_oldest(age, band):
    assert age_band(age) == band


@given(born=st.dates(), now=st.dates())
def test_an_age_grows_by_one_on_each_birthday_and_on_no_other_day(born, now):
    age = age_on(now, born.isoformat())
    assert age == now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def test_what_an_offer_is_denied_is_hidden_under_its_own_and_its_shown_name():
    lead = accepted(a_body()).lead
    assert "age_band" not in shown(lead, AUTO, frozenset({"birth_date"}))
    assert "age_band" not in shown(lead, AUTO, frozenset({"age_band"}))
    assert shown_names(AUTO, frozenset({"birth_date", "credit"})) == {
        "birth_date",
        "age_band",
        "credit",
    }


def test_the_score_is_shown_where_there_is_one():
    lead = a_lead(derived={"score": 71, "area_code": "512", "time_zone": "America/Chicago"})
    assert shown(lead, a_vertical(), NOTHING) == {"score": 71}
    assert shown(lead, a_vertical(), frozenset({"score"})) == {}


def test_derived_facts_stay_inside():
    assert not shown(accepted(a_body()).lead, AUTO, NOTHING).keys() & {
        "area_code",
        "seller",
        "source",
    }


SHOWS = st.sampled_from(Show)
PLAIN = {field.name: field for field in AUTO.fields.values()}


@given(
    shows=st.dictionaries(st.sampled_from(sorted(PLAIN)), SHOWS),
    hidden=st.sets(st.sampled_from(sorted(PLAIN))),
)
def test_no_identity_value_is_shown_whatever_a_vertical_says(shows, hidden):
    """Even a `show` that no market file may ask for."""
    allowed = {
        Show.ZIP3: {FieldType.US_ZIP},
        Show.AGE: {FieldType.DATE},
        Show.AGE_BAND: {FieldType.DATE},
        Show.YEAR: {FieldType.DATE},
    }
    fields = [
        a_field(
            field.name,
            field.type,
            field.privacy,
            show=show
            if field.privacy is Privacy.IDENTITY or field.type in allowed.get(show, {field.type})
            else field.show,
            values=field.values,
        )
        for field in PLAIN.values()
        for show in [shows.get(field.name, field.show)]
    ]
    vertical = a_vertical(*fields)
    got = accepted(
        a_body(consent=CONSENT, gclid="canary"), a_snapshot(verticals={"auto": vertical})
    )
    ping = shown(got.lead, vertical, frozenset(hidden))
    text = repr(ping).lower()
    assert not [canary for canary in CANARIES if canary in text]
    assert not ping.keys() & PERSON.keys()
    by_rule = {shown_name(field) for field in fields if field.name not in hidden}
    assert ping.keys() <= by_rule
    if vertical.fields["birth_date"].show is not Show.AS_IS:
        assert REST["birth_date"] not in text


DIGEST = hashlib.sha256(b"5125550123").hexdigest()
PRINT = Fingerprint({"phone": DIGEST}, {"phone": "b" * 32, "email": "c" * 32})


def test_a_keyed_hash_is_the_contracts_hmac_of_the_hex_digest():
    offer = an_offer(hash_key=b"secret")
    wanted = hmac.new(b"secret", DIGEST.encode(), hashlib.sha256).hexdigest()
    assert person_hash(PRINT, "phone", offer) == wanted
    assert person_hash(PRINT, "phone", an_offer(hash_key=b"other")) != wanted


def test_an_offer_that_cannot_key_gets_the_plain_digest():
    assert person_hash(PRINT, "phone", an_offer(hash_kind=HashKind.SHA256)) == DIGEST
    assert person_hash(PRINT, "phone", an_offer(hash_kind=HashKind.MD5)) == "b" * 32


def test_what_is_not_known_or_not_allowed_has_no_hash():
    assert person_hash(PRINT, "email", an_offer()) is None
    assert person_hash(PRINT, "phone", an_offer(hidden=frozenset({"phone"}))) is None
    assert person_hash(PRINT, "phone", an_offer(hash_key=b"")) is None


def test_only_telephone_and_email_are_ever_hashed_and_only_where_the_vertical_says_so():
    assert hashed_fields(AUTO) == ("phone", "email")
    named = a_field("first_name", "name", "identity", show=Show.HASH)
    assert hashed_fields(a_vertical(named, a_field("phone", "phone", "identity"))) == ()


@given(seller=st.text(max_size=9), source=st.text(max_size=9))
def test_a_sources_alias_is_stable_for_one_buyer_and_strange_to_the_next(seller, source):
    acme, best = an_offer(hash_key=b"acme"), an_offer("best-1", hash_key=b"best")
    alias = source_alias(seller, source, acme)
    assert alias == source_alias(seller, source, an_offer("acme-2", hash_key=b"acme"))
    assert alias != source_alias(seller, source, best)
    assert alias != source_alias(seller, source + "x", acme)
    assert len(alias) == 24
