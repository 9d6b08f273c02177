"""What somebody says of a person is shown without the person."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.person import Consent, Person, masked
from exchange.story.record import read

PERSON = Person(
    identity={
        "first_name": "Ann",
        "phone": "+15125550123",
        "email": "ann.lee@example.com",
        "address": '7 "Long" Row \\ 9',
        "member": 7700123456,
        "income": Decimal("123456.70"),
        "initial": "L",
        "veteran": True,
    },
    consent=Consent(ip="203.0.113.9"),
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ANN is known", "*** is known"),
        ("ann.lee@example.com again", "*** again"),
        ("call (512) 555-0123 or 5125550123", "call (*** or ***"),
        ("from 203.0.113.9", "from ***"),
        ("member 7700123456 earns 123456.70", "member *** earns ***"),
        ('at 7 "Long" Row \\ 9', "at ***"),
        ("L True true", "L True true"),
        ("nothing of hers", "nothing of hers"),
        (None, None),
    ],
)
def test_each_value_is_taken_out_however_it_is_written(said, shown):
    """Telephones in any form, addresses as one value; what is short or a yes tells nothing."""
    assert masked(said, PERSON) == shown


texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=8)
numbers = st.integers(100_000_000, 2**60) | st.decimals(10**6, 10**9, places=2)


@given(st.dictionaries(st.sampled_from("abc"), texts | numbers))
def test_a_person_read_back_from_its_record_is_masked_in_the_post_that_it_stood_in(identity):
    """Whatever the values are, the body that was posted shows none of them."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    person = read(encode({"person": {"identity": identity}})).person
    post = masked(encode({"lead": identity}).decode(), person)
    for value in identity.values():
        written = encode(value).decode().strip('"')
        assert "***" in written or written.lower() not in post.lower()
