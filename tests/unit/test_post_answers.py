"""The contract's table of answers to a post, row by row; whatever is not in it is in doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery.answer import Accepted, InDoubt, Refused, says_duplicate
from exchange.delivery.formats.foreign import outcome
from exchange.delivery.formats.standard import read_answer
from exchange.domain.dialect import PostSaid, PostWord


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"accepted": true}', Accepted),
        (200, b'{"accepted": false, "reason": "duplicate"}', Refused),
        (400, b"", Refused),
        (404, b"<html>", Refused),
        (422, b'{"accepted": false}', Refused),
        (429, b"", Refused),
        (503, b"", Refused),
        (202, b"", InDoubt),
        (200, b'{"accepted": null}', InDoubt),
        (408, b"", InDoubt),
        (500, b"", InDoubt),
        (502, b"success", InDoubt),
        (302, b"", InDoubt),
        (200, b"", InDoubt),
        (200, b"<html>success</html>", InDoubt),
        (200, b'{"accepted": "yes"}', InDoubt),
        (200, b"{}", InDoubt),
        (201, b'{"accepted": true}', InDoubt),
        (204, b"", InDoubt),
        (500, b'{"accepted": false}', InDoubt),
    ],
)
def test_each_row_of_the_table(status, body, kind):
    """Accepted, refused and in doubt, as the contract says."""
    assert isinstance(read_answer(status, body, repeated=False), kind)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"accepted": true}', Accepted),
        (200, b'{"accepted": false}', Refused),
        (409, b'{"accepted": false, "reason": "no"}', Refused),
        (409, b"", InDoubt),
        (404, b"", InDoubt),
        (503, b"", InDoubt),
        (500, b"", InDoubt),
    ],
)
def test_to_a_repetition_only_an_explicit_body_decides(status, body, kind):
    """A 409 to the second post may mean: I have it already."""
    assert isinstance(read_answer(status, body, repeated=True), kind)


def test_what_an_acceptance_brings_is_cleaned():
    """References are bounded text, addresses http(s) only, prices exact and not below zero."""
    body = b'{"accepted": true, "reference": 77, "redirect_url": "javascript:x", "price": -1}'
    answer = read_answer(200, body, repeated=False)
    assert answer == Accepted(reference="77", redirect_url=None, price=None)
    body = b'{"accepted": true, "redirect_url": "https://a.example/x", "price": 4.25}'
    answer = read_answer(200, body, repeated=False)
    assert answer == Accepted(redirect_url="https://a.example/x", price=4_250_000)


@pytest.mark.parametrize("said", [b'"true"', b"1", b"[]", b'""'])
def test_a_word_that_looks_like_a_yes_is_named_as_what_it_is(said):
    """A text is what JSON writers of some languages make of a boolean."""
    answer = read_answer(200, b'{"accepted": %b}' % said, repeated=False)
    assert answer == InDoubt("status 200, accepted is no boolean")
    for body in (b"{}", b"[]", b'{"accepted": tr'):
        assert read_answer(200, body, repeated=False) == InDoubt("status 200, not understood")


@given(st.integers(100, 599), st.binary(max_size=300), st.booleans())
def test_no_answer_raises(status, body, repeated):
    """Any bytes under any status are one of the three."""
    assert isinstance(read_answer(status, body, repeated=repeated), Accepted | Refused | InDoubt)


@pytest.mark.parametrize(
    ("reason", "is_duplicate"),
    [
        ("duplicate", True),
        ("Not a duplicate, but the number is dead", False),
        ("no duplicate: out of area", False),
        ("non-duplicate, bad email", False),
        ("cannot duplicate", True),
        ("DUPLICATE_LEAD", True),
        ("Lead is a dupe", True),
        ("dup", True),
        ("We already have this consumer", True),
        ("already in our system", True),
        ("already_exists", True),
        ("caller was already rude", False),
        ("duplex phone", False),
        ("daily cap", False),
        ("", False),
        (None, False),
    ],
)
def test_a_reason_says_whether_the_buyer_has_the_person(reason, is_duplicate):
    """The words by which buyers say so; nothing else is taken for it."""
    assert says_duplicate(reason) is is_duplicate


@pytest.mark.parametrize(
    ("word", "detail", "is_duplicate"),
    [
        (PostWord.DUPLICATE, None, True),
        (PostWord.DUPLICATE, "code 7", True),
        (PostWord.REFUSED, "Lead exists: duplicate", True),
        (PostWord.REFUSED, "no agent free", False),
    ],
)
def test_a_mapping_says_it_by_its_rule_or_by_the_words_of_a_refusal(word, detail, is_duplicate):
    """To a repetition its rule still means that the first post was taken."""
    said = PostSaid(word=word, detail=detail)
    answer = outcome(said, repeated=False)
    assert isinstance(answer, Refused)
    assert answer.duplicate is is_duplicate
    if word is PostWord.DUPLICATE:
        assert isinstance(outcome(said, repeated=True), Accepted)
