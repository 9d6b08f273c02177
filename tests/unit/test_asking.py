"""Where a buyer is asked about a sale: what its address may name, and what its answers mean."""

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.delivery.formats.standard import read_answer, read_status
from exchange.domain.asking import filled, named
from exchange.domain.dialect import StatusView
from exchange.domain.money import Micros
from tests.unit.test_market_file_mappings import MARKET

VIEW = StatusView(
    sale_id="018f-1",
    ping_id=None,
    bid_id="b/1 ü",
    reference=None,
    price=Micros(1),
    currency="USD",
    vertical_id="auto",
    test=False,
    at_us=0,
)


def test_what_is_filled_in_is_escaped_and_what_is_not_known_is_not_asked_with():
    """A slash in a buyer's own words ends no path; a question without its subject is none."""
    assert filled("https://a.example/{sale.id}/x", VIEW) == "https://a.example/018f-1/x"
    assert filled("https://a.example/?b={bid.id}", VIEW) == "https://a.example/?b=b%2F1%20%C3%BC"
    assert filled("https://a.example/{reference}", VIEW) is None
    assert named("https://a.example/{sale.id}?r={reference}") == ("sale.id", "reference")


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (200, b'{"accepted": true, "reference": 7}', Accepted(reference="7")),
        (200, b'{"accepted": false, "reason": "no"}', Refused("no")),
        (404, b'{"accepted": false, "reason": "never came"}', Refused("never came")),
        (404, b"", InDoubt("status 404 decides nothing")),
        (404, b'{"accepted": true}', InDoubt("status 404 decides nothing")),
        (429, b"", InDoubt("status 429 decides nothing")),
        (503, b"", InDoubt("status 503 decides nothing")),
        (200, b"ok", InDoubt("status 200 decides nothing")),
        (202, b"", InDoubt("the buyer will tell", told=True)),
        (200, b'{"accepted": null}', InDoubt("the buyer will tell", told=True)),
    ],
)
def test_only_an_explicit_answer_to_a_question_decides(status, body, means):
    """The post may still be under way to a buyer that does not know it."""
    assert read_status(status, body) == means


@pytest.mark.parametrize("status", [202, 200])
def test_a_buyer_that_will_tell_later_may_name_its_reference(status):
    """By it the sale can be asked about."""
    body = b'{"accepted": null, "reference": "W-1"}'
    doubt = InDoubt("the buyer will tell", told=True, reference="W-1")
    assert read_answer(status, body, repeated=False) == doubt


def faults(old, new):
    assert old in MARKET
    with pytest.raises(MarketFileError) as caught:
        read_sheets([sheet_of("market.toml", MARKET.replace(old, new))])
    return [finding.message for finding in caught.value.findings]


POST = 'post = { url = "https://acme.example/post", on_no_answer = "wait" }'
STANDARD = 'post = { url = "https://acme.example/standard" }'


def test_an_offer_that_cannot_be_asked_as_it_says_is_refused_at_its_key():
    """Each mistake with what was meant."""
    told = faults(
        STANDARD,
        'post = { url = "https://a.example/p", status = { url = "https://a.example/{sale.ids}" } }',
    )
    assert told == ['names "sale.ids", which is not known here; did you mean "sale.id"?']
    told = faults(
        STANDARD,
        'post = { url = "https://a.example/p", status = { url = "https://a.example/" } }',
    )
    assert told[0].startswith("names no sale")
    told = faults(
        STANDARD,
        'post = { url = "https://a.example/p", on_no_answer = "advance", '
        'status = { url = "https://a.example/{sale.id}" } }',
    )
    assert told == ['is asked while a sale waits; on_no_answer = "advance" goes on without it']


def test_a_mapped_offer_with_a_status_url_needs_neither_word_nor_repetitions():
    """Without one it must say whether to wait or to advance; its mapping must be able to ask."""
    asks = (
        'post = { url = "https://a.example/p", status = { url = "https://a.example/{sale.id}" } }'
    )
    assert faults(POST, asks) == ['mapping "legacy" has no [mapping.status]']
    [told] = faults(POST, 'post = { url = "https://a.example/p" }')
    assert told.startswith('is missing: "wait" or "advance"?')
    status = (
        '[mapping.status]\naccepted = { path = "ok", equals = [true] }\n\n[[buyer]]\nid = "acme"'
    )
    text = MARKET.replace(POST, asks).replace('[[buyer]]\nid = "acme"', status)
    reading = read_sheets([sheet_of("market.toml", text)])
    assert reading.market.buyer[0].offer[0].post.on_no_answer is None


def test_a_question_names_no_lead():
    """It goes out again and again, maybe to another server: who the lead is was told once."""
    status = (
        '[mapping.status]\nquery = { p = "{lead.phone}" }\n'
        'accepted = { path = "ok", equals = [true] }\n\n[[buyer]]\nid = "acme"'
    )
    [told] = faults('[[buyer]]\nid = "acme"', status)
    assert told.startswith('names "lead.phone", which is not known here')
