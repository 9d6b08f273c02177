"""Templates: what each name is, in a ping and in a post, and how constants and values mix."""

import json
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange.dialect.compiling import DialectError
from exchange.dialect.scope import Scope
from exchange.dialect.scopes import IN_PINGS, IN_POSTS
from exchange.dialect.template import compile_template
from tests.making_dialect import AUTO, PING, POST, SHOWN, a_ping, a_post

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text()
TABLE = PAGE.split("| name | in a ping | in a post |")[1].split("\n\n")[0]

PARAMS = 'params = { api = "A-1", n = 7, f = 2.5, b = true }\n'
PING_NAMES = {
    **{f"lead.{name}": value for name, value in SHOWN.items()},
    "consent.tcpa": True,
    "consent.jornaya_id": None,
    "consent.trustedform_ping_url": "https://ping.example/1",
    "source.id": "source-1",
    "source.channel": "search",
    "auction.floor": 5.0,
    "auction.type": "first_price",
    "auction.currency": "USD",
    "auction.tmax_ms": 280,
    "auction.max_buyers": 1,
    "ping.id": "ping-1",
    "vertical": "auto",
    "test": False,
    "now": "2026-09-21T14:13:20Z",
    "param.api": "A-1",
    "param.n": 7,
    "param.f": 2.5,
    "param.b": True,
    "secret:key": "s3cr&t/+",
}
CONSENT = {
    "tcpa": True,
    "text": "I agree",
    "url": "https://seller.example/form",
    "ip": "203.0.113.7",
    "at": "2026-09-21T14:00:00Z",
    "trustedform_url": "https://cert.example/1",
    "jornaya_id": "J-1",
}
POST_NAMES = {
    **{f"lead.{name}": value for name, value in POST.lead.items()},
    **{f"consent.{name}": value for name, value in CONSENT.items()},
    "consent.named_buyers": ["Acme", "Other"],
    "source.id": "source-1",
    "source.channel": None,
    "ping.id": "ping-1",
    "bid.id": "bid-1",
    "bid.token": "token-1",
    "sale.id": "sale-1",
    "sale.price": 12.5,
    "sale.currency": "USD",
    "sale.max_buyers": 1,
    "vertical": "auto",
    "test": False,
    "now": "2026-09-21T14:13:20Z",
    "param.api": "A-1",
    "secret:key": "s3cr&t/+",
}


def as_json(value):
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("name", PING_NAMES)
def test_each_name_of_a_ping_is_its_value_with_its_type(name):
    dialect = a_ping(f'body.json = {{ v = "{{{name}}}", t = "<{{{name}}}>" }}', PARAMS)
    check_named(json.loads(dialect.render(PING).body), PING_NAMES[name])


@pytest.mark.parametrize("name", POST_NAMES)
def test_each_name_of_a_post_is_its_value_with_its_type(name):
    view = msgspec.structs.replace(POST, consent={**CONSENT, "named_buyers": ("Acme", "Other")})
    dialect = a_post(f'body.json = {{ v = "{{{name}}}", t = "<{{{name}}}>" }}', PARAMS)
    check_named(json.loads(dialect.render(view).body), POST_NAMES[name])


def check_named(sent, value):
    assert sent.get("v") == as_json(value)
    if isinstance(value, str):
        assert sent["t"] == f"<{value}>"
    elif value is None:
        assert sent["t"] == "<>"


def test_the_reference_names_all_that_exists():
    """Each name of the code stands in its table, and each fixed name of the table in the code."""
    told = set(re.findall(r"`([a-z_.]+)`", TABLE.replace("consent.NAME", "")))
    rows = [row.split("|")[1:4] for row in TABLE.splitlines() if row.startswith("| `consent")]
    told |= {f"consent.{name}" for row in rows for name in re.findall(r"`([a-z_]+)`", row[2])}
    told |= {f"consent.{name}" for row in rows for name in re.findall(r"`([a-z_]+)`", row[1])}
    assert set(IN_PINGS) | set(IN_POSTS) <= told
    fixed = {name for name in told if "." in name and not name.startswith("lead.")}
    assert fixed <= set(IN_PINGS) | set(IN_POSTS)


@pytest.mark.parametrize("name", sorted(set(IN_POSTS) - set(IN_PINGS)))
def test_a_ping_names_nothing_that_only_a_winner_is_told(name):
    with pytest.raises(DialectError, match=re.escape(f'names "{name}", which is not known here')):
        a_ping(f'body.text = "{{{name}}}"')


@pytest.mark.parametrize("name", sorted(set(IN_PINGS) - set(IN_POSTS)))
def test_a_post_names_nothing_of_the_auction(name):
    with pytest.raises(DialectError, match=re.escape(f'names "{name}", which is not known here')):
        a_post(f'body.text = "{{{name}}}"')


TEXTS = [
    ("a {{b}} {lead.zip}", "a {b} 78701"),
    ("{{{lead.zip}}}", "{78701}"),
    ("{ lead.zip | first( 3 ) }", "787"),
    ("{lead.zip|replace(7,seven)|upper}", "SEVEN8SEVEN01"),
    (r"{lead.zip|replace(78701,a\,b\)c\|d\}e)}", "a,b)c|d}e"),
    ("{lead.email|default(none)}!", "none!"),
    ("{lead.email|default()}!", "!"),
    ("{lead.insured} {lead.bill} {lead.vehicle_year}", "true 142.50 2019"),
    ("", ""),
    ("no hole at all", "no hole at all"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "text"), TEXTS)
def test_a_text_is_filled_in(template, text):
    view = msgspec.structs.replace(POST, lead=SHOWN)
    assert a_post(f"body.text = '''{template}'''").render(view).body.decode() == text


# Parameters, maps and values


def test_a_parameter_is_the_offers_else_the_verticals_else_the_mappings():
    before = 'params = { p = "mapping", q = "mapping" }\n[vertical.auto]\nparams.p = "vertical"\n'
    lines = 'body.json = { p = "{param.p}", q = "{param.q}" }'

    def sent(own):
        return json.loads(a_post(lines, before, params=own).render(POST).body)

    assert sent({}) == {"p": "vertical", "q": "mapping"}
    assert sent({"p": "offer", "q": 3}) == {"p": "offer", "q": 3}
    other = msgspec.structs.replace(AUTO, id="solar")
    dialect = a_post(lines, before, vertical=other)
    assert json.loads(dialect.render(POST).body) == {"p": "mapping", "q": "mapping"}


def test_a_parameter_that_each_offer_must_name_is_missed():
    with pytest.raises(DialectError, match='needs the parameter "api_id"'):
        a_post('body.text = "{param.api_id}"', 'params = { api_id = "" }')
    with pytest.raises(DialectError, match='no such parameter; did you mean "api_id"'):
        a_post('body.text = "x"', 'params = { api_id = "1" }', params={"apiid": "2"})


def test_a_map_says_one_word_for_another_whatever_their_capitals():
    """Its words keep their type; what it does not name is not known, or the rest."""
    before = """
    [maps.tiers]
    EXCELLENT = "A"
    "2019" = 4
    "true" = true
    [maps.all]
    "*" = "C"
    """
    lines = (
        'body.json = { a = "{lead.credit|map(tiers)}", b = "{lead.vehicle_year|map(tiers)}",'
        ' c = "{lead.insured|map(tiers)}", d = "{lead.zip|map(tiers)}",'
        ' e = "{lead.zip|map(all)}", f = "{lead.email|map(all)}" }'
    )
    view = msgspec.structs.replace(POST, lead=SHOWN)
    sent = json.loads(a_post(lines, before).render(view).body)
    assert sent == {"a": "A", "b": 4, "c": True, "e": "C"}


CASES = """
[value.segment]
cases = [
    { when = 'credit == "poor" or score < 20', then = "subprime" },
    { when = 'insured and state in ["TX", "OK"]', then = "{lead.zip|first(3)}x" },
    { when = 'source == "source-1" and test', then = 7 },
]
else = "standard"
[value.bare]
cases = [ { when = 'channel == "search"', then = true } ]
"""


@pytest.mark.parametrize(
    ("lead", "more", "sent"),
    [
        ({}, {}, {"s": "787x", "b": True}),
        ({"credit": "poor"}, {}, {"s": "subprime", "b": True}),
        ({"score": 1}, {}, {"s": "subprime", "b": True}),
        ({"insured": False}, {"test": True}, {"s": 7, "b": True}),
        ({"state": "CA"}, {"channel": None}, {"s": "standard"}),
    ],
)
def test_a_value_is_worked_out_by_the_first_case_that_holds(lead, more, sent):
    """Of the condition language's expressions, over what the message may show, and no more."""
    dialect = a_ping('body.json = { s = "{value.segment}", b = "{value.bare}" }', CASES)
    view = msgspec.structs.replace(PING, lead={**SHOWN, **lead}, **more)
    assert json.loads(dialect.render(view).body) == sent


def test_a_ping_asks_of_nothing_that_it_may_not_show():
    """A condition over the birth date would tell it; a post may ask of everything."""
    before = "[value.v]\ncases = [ { when = 'birth_date < \"1960-01-01\"', then = 1 } ]"
    with pytest.raises(DialectError, match="birth_date"):
        a_ping('body.json.v = "{value.v}"', before)
    view = msgspec.structs.replace(POST, lead={**POST.lead, "birth_date": "1950-01-01"})
    assert a_post('body.json.v = "{value.v}"', before).render(view).body == b'{"v":1}'


@pytest.mark.parametrize("digits", ["5124611000", "5124610000"])
def test_of_a_masked_value_not_even_shows_what_a_filter_makes_nothing_of(digits):
    """`0000` is no number, `1000` is: both are shown as the same."""
    scope = Scope(names={"lead.phone": lambda view: view}, masked=frozenset({"lead.phone"}))
    template = compile_template("{lead.phone|last(4)|money}", scope)
    assert (template.value(digits), template.value(None)) == ("***", None)
