"""What somebody wrote into a free text is in no ping where it repeats who the person is."""

import pytest

from exchange.domain.lead import ConsentMarks
from exchange.domain.repeating import marks_without, repeating
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
    ],
)
def test_a_text_that_repeats_the_person_is_kept_back(text):
    fields = {"occupation": text, "zip": "78701"}
    assert repeating(IDENTITY, fields, VERTICAL) == {"occupation"}


@pytest.mark.parametrize("text", ["baker", "Lee's Garage", "planner", "5125550", "Annleena"])
def test_one_name_alone_is_an_ordinary_word(text):
    assert repeating(IDENTITY, {"occupation": text}, VERTICAL) == set()


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
