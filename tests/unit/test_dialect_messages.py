"""What a mapping sends: bodies of every kind, headers and proofs, from views of one lead."""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange.contract.mapping import MappingPart
from exchange.dialect.compiling import faults_of, post_dialect, secrets_named
from tests.making_dialect import PING, POST, a_ping, a_post, setting

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text()


def test_the_page_s_own_mapping_is_one():
    """The example that opens the reference compiles, and names the secret that it says."""
    text = PAGE.split("```toml\n")[1].split("```")[0]
    mapping = msgspec.convert(
        tomllib.loads(text, parse_float=Decimal)["mapping"][0], type=MappingPart
    )
    assert faults_of(mapping) == []
    assert secrets_named(mapping) == [(("ping", "headers", "X-Api-Key"), "legacy_key")]
    post = post_dialect(mapping, setting(params={"api_id": "77"}))
    assert (
        post.render(POST).body
        == b"promise=token-1&firstName=Zo%C3%AB+%26+S%C3%B8n&phone=15125550123"
    )


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{ json = { zip = "{lead.zip}", age = { band = "{lead.age_band}" }, n = 1 } }',
         b'{"zip":"78701","age":{"band":"35-39"},"n":1}'),
        ('{ json = { year = "{lead.vehicle_year}", bill = "{lead.bill}", y = "{lead.insured}" } }',
         b'{"year":2019,"bill":142.50,"y":true}'),
        ('{ json = ["{lead.zip}", "{consent.jornaya_id}", "{auction.floor}"] }',
         b'["78701",5.00]'),
        ('{ form = { a = 1, zip = "{lead.zip}", t = "{consent.jornaya_id}", b = true } }',
         b"a=1&zip=78701&b=true"),
        ('{ form = { data = { json = { zip = "{lead.zip}" } } } }',
         b"data=%7B%22zip%22%3A%2278701%22%7D"),
        ('{ text = "zip {lead.zip}, {consent.jornaya_id}floor {auction.floor|money}" }',
         b"zip 78701, floor 5.00"),
        ('{ xml = "<a><b c=\'{lead.zip}\'>{lead.age_band}</b><t>{consent.jornaya_id}</t></a>" }',
         b"<a><b c='78701'>35-39</b></a>"),
    ],
)  # fmt: skip
def test_a_ping_is_filled_in(body, sent):
    """Values keep their type in JSON, are escaped elsewhere, and are left away where not known."""
    assert a_ping(f"body = {body}").render(PING).body == sent


def test_a_query_stands_behind_the_address():
    """A GET has its names and values there, escaped, and no body."""
    dialect = a_ping(
        'method = "GET"\nbody = { query = { z = "{lead.zip}", c = "{source.channel} x" } }'
    )
    message = dialect.render(PING)
    assert (dialect.method, message.query, message.body) == ("GET", b"z=78701&c=search%20x", b"")
    assert "Content-Type" not in dialect.headers


def test_a_post_speaks_of_the_whole_lead():
    """A winner is told who it is, what was agreed, and at which price."""
    body = (
        'body = { json = { who = "{lead.first_name}", born = "{lead.birth_date|date(MM/DD/YYYY)}",'
        ' price = "{sale.price}", at = "{now}", buyers = "{consent.named_buyers|text}" } }'
    )
    assert msgspec.json.decode(a_post(body).render(POST).body) == {
        "who": "Zoë & Søn",
        "born": "04/02/1991",
        "price": 12.5,
        "at": "2026-09-21T14:13:20Z",
        "buyers": "Acme, Other",
    }
