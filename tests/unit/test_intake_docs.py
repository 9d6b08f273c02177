"""The requests in the sellers' pages are taken as they stand there, by a vertical that ships."""

import re
import shlex
from pathlib import Path
from urllib.parse import urlencode

import pytest

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.reading import read_market
from exchange.domain.vertical import FieldType
from tests.making import a_campaign
from tests.making_intake import FORM, JSON, XML, a_quote, a_snapshot, accepted

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sellers.md").read_text()
FIELDS_PAGE = (ROOT / "docs/fields.md").read_text()


@pytest.fixture(scope="module")
def snapshot():
    reading = read_market([ROOT / "config/verticals/auto_insurance.toml"])
    vertical = vertical_of(reading.market.vertical[0])
    campaign = a_campaign(vertical_id=vertical.id)
    return a_snapshot(verticals={vertical.id: vertical}, campaigns={campaign.id: campaign})


def body_after(call):
    """The JSON that a curl call of the page sends."""
    sent = re.search(re.escape(call) + r".*?-d '(\{.*?\})'\n", PAGE, re.DOTALL)
    assert sent, call
    return re.sub(r"'\$(\w+)'", "a" * 64, sent[1]).encode()


def test_the_first_lead_is_taken_as_it_stands(snapshot):
    got = accepted(body_after("https://EXCHANGE/v1/leads"), snapshot, content_type=JSON)
    assert got.lead.test
    assert got.lead.derived["state"] == "TX"


def test_the_form_is_the_same_lead(snapshot):
    call = re.search(r"curl (https://EXCHANGE/v1/leads -H \"X-API-Key.*?)\n```", PAGE, re.DOTALL)
    words = shlex.split(call[1].replace("\\\n", " "))
    pairs = [
        words[i + 1].partition("=")
        for i, word in enumerate(words)
        if word in {"-d", "--data-urlencode"}
    ]
    form = urlencode([(name, value) for name, _, value in pairs]).encode()
    got = accepted(form, snapshot, content_type=FORM)
    first = accepted(body_after("https://EXCHANGE/v1/leads"), snapshot)
    assert got.lead.fields == first.lead.fields
    assert got.person.identity == first.person.identity


def test_the_xml_is_the_same_lead(snapshot):
    document = re.search(r"-d '(<\?xml.*?</request>)'", PAGE, re.DOTALL)[1]
    got = accepted(document.encode(), snapshot, content_type=XML)
    first = accepted(body_after("https://EXCHANGE/v1/leads"), snapshot)
    assert got.lead.fields == first.lead.fields
    assert got.person.identity == first.person.identity
    assert got.person.consent.named_buyers == ("Acme, Inc.", "Best Co")


def test_the_ping_and_its_post_are_taken(snapshot):
    ping = accepted(body_after("https://EXCHANGE/v1/pings"), snapshot, is_ping=True)
    assert ping.fingerprint.sha256.keys() == {"phone", "email"}
    quote = a_quote(fields=ping.lead.fields, vertical_id=ping.lead.vertical_id)
    got = accepted(body_after("https://EXCHANGE/v1/pings/$PING_ID/post"), snapshot, quote=quote)
    assert got.lead.fields["zip"] == "78701"


def test_every_type_of_field_is_explained():
    for kind in FieldType:
        assert f"`{kind}`" in FIELDS_PAGE
