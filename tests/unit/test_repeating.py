"""What somebody wrote into a free text is in no ping where it repeats who the person is."""

from decimal import Decimal

import pytest

from exchange.domain.lead import ConsentMarks
from exchange.domain.repeating import marks_without, repeating, without_anybody
from exchange.domain.vertical import FieldType, Privacy, Show
from tests.making_intake import a_body, a_field, a_vertical, accepted

IDENTITY = {
    "first_name": "Ann",
    "last_name": "Lee",
    "phone": "+15125550123",
    "email": "ann.lee@example.com",
    "address": "1 Congress Ave",
}
KINDS = {"phone": FieldType.PHONE, "email": FieldType.EMAIL, "address": FieldType.ADDRESS}
VERTICAL = a_vertical(
    *(
        a_field(name, KINDS.get(name, FieldType.NAME), Privacy.IDENTITY, show=Show.HIDDEN)
        for name in IDENTITY
    ),
    a_field("occupation", FieldType.TEXT, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("miles", FieldType.INT, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("year", FieldType.INT, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("rich", FieldType.INT, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("debt", FieldType.DECIMAL, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("page", FieldType.URL, Privacy.ATTRIBUTE, show=Show.AS_IS),
    a_field("story", FieldType.TEXT, Privacy.QUASI, show=Show.HIDDEN),
)


@pytest.mark.parametrize(
    "text",
    [
        "512-555-0123",
        "call (512) 555 0123 after six",
        "Write to ANN.LEE@EXAMPLE.COM",
        "lives at 1 Congress Ave, above the shop",
        "Lee, Ann",
        "I am ann lee",
        "ann_lee",
        "AnnLee",
        "lee-ann",
        "Änn Lée",
        "\u0665\u0661\u0662 \u0665\u0665\u0665 \u0660\u0661\u0662\u0663",
        "\uff15\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
        "ann.lee&#64;example.com",
    ],
)
def test_a_text_that_repeats_the_person_is_kept_back(text):
    fields = {"occupation": text, "zip": "78701"}
    assert repeating(IDENTITY, fields, VERTICAL) == {"occupation"}


@pytest.mark.parametrize("text", ["baker", "Lee's Garage", "planner", "5125550", "Annleena"])
def test_one_name_alone_is_an_ordinary_word(text):
    assert repeating(IDENTITY, {"occupation": text}, VERTICAL) == set()


@pytest.mark.parametrize(
    "text",
    [
        "my wife is at 737-210-9876",
        "(737)210 9876",
        "+1 737.210.9876",
        "write to lee@family.example",
        "lee%40family.example",
    ],
)
@pytest.mark.parametrize("identity", [IDENTITY, {}])
def test_anybodys_telephone_number_or_address_is_in_no_ping(text, identity):
    """Of a ping only digests may be known; and people have a second number, and a husband."""
    assert repeating(identity, {"occupation": text}, VERTICAL) == {"occupation"}


@pytest.mark.parametrize(
    "text",
    ["case 1795795409", "part 123-4567", "@home", "a1234567890b", "VIN 5125550123456", "2019"],
)
def test_other_numbers_and_signs_are_shown(text):
    """What is no number to call, and no address, is what a buyer bids for."""
    assert repeating(IDENTITY, {"occupation": text}, VERTICAL) == (
        {"occupation"} if "5125550123" in text else set()
    )


def test_a_telephone_number_where_a_number_is_asked_for_is_in_no_ping():
    """Where a vertical sets no bound; years and dollars are shown, whatever they are."""
    numbers = {"miles": 5125550123, "debt": Decimal(15125550123)}
    fields = {**numbers, "year": 2019, "rich": 9876543210}
    assert repeating(IDENTITY, fields, VERTICAL) == {"miles", "debt"}


def test_an_address_with_a_tag_is_found_in_every_spelling():
    """A plus is a blank in an address bar, and itself when it is escaped."""
    tagged = {**IDENTITY, "email": "ann+cars@example.com"}
    for text in ("ann+cars@example.com", "ann%2Bcars%40example.com", "ann%2bcars@example.com"):
        fields = {"page": f"https://x.example/?m={text}"}
        assert repeating(tagged, fields, VERTICAL) == {"page"}, text
    other = {"page": "https://x.example/?to=somebody%40else.example&id=7372109876"}
    assert repeating(tagged, other, VERTICAL) == set(), "an address of the web holds many numbers"


def test_what_no_ping_shows_is_not_looked_at():
    assert repeating(IDENTITY, {"story": "Ann Lee"}, VERTICAL) == set()
    assert repeating({}, {"occupation": "Ann Lee"}, VERTICAL) == set()


def test_of_a_ping_nothing_is_left_that_repeats_its_person():
    """Its person is dropped; so is what says it again."""
    body = a_body()
    body["lead"]["vehicle_make"] = "Zyxcanary Quuxcanary"
    assert "vehicle_make" not in accepted(body, is_ping=True).lead.fields
    assert "vehicle_make" in accepted(body).lead.fields


def test_a_mark_of_consent_that_repeats_the_person_is_kept_back():
    """An id or an address is a text that somebody filled in."""
    good = ConsentMarks(True, "2F4A9C61-77D1", "https://ping.trustedform.com/0.ab12")
    assert marks_without(IDENTITY, good, VERTICAL) == good
    bad = ConsentMarks(True, "512-555-0123", "https://x.example/?mail=ann.lee%40example.com")
    assert marks_without(IDENTITY, bad, VERTICAL) == ConsentMarks(True)
    assert marks_without({}, bad, VERTICAL) == bad


def test_a_buyers_no_repeats_nobodys_number_or_address():
    """It knows a hash, and so perhaps whose it is; all other words stand."""
    assert without_anybody("(512) 555-0123, ann@x.example: ours") == "***, ***: ours"
    assert without_anybody("not licensed in TX 78701") == "not licensed in TX 78701"
    assert without_anybody(None) is None
