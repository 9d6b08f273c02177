"""A word that a sender's own map does not have is answered with the words that it has."""

import pytest

from exchange.contract.seller import FieldError
from exchange.domain.door import Sent
from exchange.intake.doors.wording import WORDS_MAX, in_own_words
from exchange.intake.readers import A_BOOL
from exchange.web.voice import Voice
from tests.making_doors import doors
from tests.unit.test_trying_door import a_market, tried

LINES = """
[[door]]
id = "mapped"
maps.cover = { Y = true, N = false }
[door.fields]
currently_insured = { path = "cover", map = "cover" }
credit = { path = "tier", map = { A = "excellent", B = "good" } }
gender = { path = "sex", map = { m = "male", "*" = "female" } }
[[door.call]]
path = "leads"
does = "post"
"""
CREDIT = "must be one of excellent, good, fair, poor"


@pytest.mark.parametrize(
    ("native", "sent", "message", "told"),
    [
        ("lead.currently_insured", {"cover": "J"}, A_BOOL.message, "must be one of Y, N"),
        ("lead.credit", {"tier": "C"}, CREDIT, "must be one of A, B, fair, poor"),
        # what is wrong is something else, or no map reads it
        ("lead.credit", {"tier": "C"}, "is required", "is required"),
        ("lead.credit", {"tier": "a"}, CREDIT, CREDIT),
        ("lead.credit", {}, CREDIT, CREDIT),
        ("lead.gender", {"sex": "x"}, CREDIT, CREDIT),
        ("lead.zip", {"zip": "x"}, CREDIT, CREDIT),
        ("source", {}, CREDIT, CREDIT),
    ],
)
def test_the_words_of_the_map_are_told_to_who_sent_another(native, sent, message, told):
    """Those of ours that the map gives no word for are understood, and so stand behind them."""
    voice = Voice(doors(LINES)["mapped"].call("leads"))
    voice.sent = Sent(body=sent)
    fault = voice.fault(FieldError(native, "bad_value", message))
    assert (fault.native, fault.message) == (native, told)


def test_a_long_map_is_cut_off():
    """An answer is no dictionary."""
    told = in_own_words(CREDIT, {f"w{n}": "good" for n in range(99)}, "x")
    assert told.count(", ") == WORDS_MAX
    assert told.endswith("w29, …")


def test_a_try_tells_them_too():
    """Of the field, and among what is wrong."""
    found = tried(a_market(LINES), door="mapped", body=b'{"cover": "J"}')
    [wrong] = [one for one in found.errors if one.native == "lead.currently_insured"]
    assert wrong.message == "must be one of Y, N"
    [field] = [one for one in found.fields if one.field == "lead.currently_insured"]
    assert field.error == "must be one of Y, N"
