"""A seller may write its lead in any format: the lead in the ledger is the same, value by value."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import aiohttp
import msgspec

from bidders.fleet import BuyerSpec, Fixed, Fleet
from tests.acceptance.house import ANN
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_capture import without_ids_and_times
from tests.making_intake import as_form, xml

BODY = {
    "campaign": "auto-us",
    "source": "search",
    "seller_ref": "A-1",
    "min_price": 4.25,
    "timeout_ms": 20_000,
    "test": False,
    "already_sold": 0,
    "exclude_buyers": ["bravo", "zed"],
    "lead": {
        **ANN,
        "first_name": "Zoë <Ann> & \N{OGHAM SPACE MARK}Co",
        "last_name": "O'Lee]]>",
        "currently_insured": True,
        "vehicle_year": 2019,
        "credit": "good",
        "favourite_colour": "blue & green",
    },
    "consent": {
        "tcpa": True,
        "text": "I agree to be called; 100 % sure = yes+no",
        "url": "https://quotes.example/form?a=1&b=2",
        "ip": "203.0.113.9",
        "at": "2026-11-18T11:00:00Z",
        "jornaya_id": "ABCD-12",
        "named_buyers": ["Acme, Inc.", "Best & Co"],
    },
    "tracking": {"utm_source": "mail", "sub1": "a b"},
}
TABLES = (
    "SELECT to_jsonb(t) - '{lead_id,at,worker,write,received_at,answer_by}'::text[] FROM lead t"
    " WHERE lead_id = $1"
)
FORM = "application/x-www-form-urlencoded"


def multipart(body: dict[str, Any]) -> aiohttp.MultipartWriter:
    parts = aiohttp.MultipartWriter("form-data")
    for name, value in as_form(body):
        parts.append(value).set_content_disposition("form-data", name=name)
    return parts


def formats(body: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """Return the same request in every native format: what is to be sent, by its name."""
    form = urlencode(as_form(body))
    in_xml = {"method": "POST", "path": path, "data": xml(body)}
    return {
        "JSON": {"path": path, "json": body},
        "form": {"path": path, "data": form, "headers": {"Content-Type": FORM}},
        "multipart": {"path": path, "data": multipart(body)},
        "XML": {**in_xml, "headers": {"Content-Type": "application/xml"}},
        "text/xml": {**in_xml, "headers": {"Content-Type": "text/xml; charset=utf-8"}},
        "query": {"path": f"{path}?{form}"},
    }


def timeless(lead: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in lead.items() if not name.endswith("_us")}


async def test_a_lead_is_the_same_in_the_ledger_whatever_format_it_came_in(house):
    """JSON, forms, XML and query: row, sealed record, timeline, post and answer agree."""
    async with Fleet([BuyerSpec(id="acme", price=Fixed(Decimal("12.00")))], keep=99) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        key = await house.key("seller", "fastquotes")
        await house.key("operator", "tests")  # a new key is a new version of the market
        await house.open()
        seen = {}
        for name, sent in formats(BODY, "/v1/leads").items():
            answer = await house.call(**{"method": "POST", "key": key, **sent})
            assert (answer.status, answer.body["status"]) == (200, "sold"), (name, answer.body)
            lead_id = answer.body["lead_id"]
            async with house.ledger() as ledger:
                record = msgspec.json.decode(await ledger.record(lead_id))
            (row,) = await house.fetch(TABLES, lead_id)
            post = msgspec.json.decode(fleet.books["acme"].requests[-1].body)
            seen[name] = {
                "answer": without_ids_and_times(answer.body),
                "record": without_ids_and_times({**record, "lead": timeless(record["lead"])}),
                "row": json.loads(row[0]),
                "admin": without_ids_and_times(await house.admin(lead_id)),
                "post": {part: post[part] for part in ("lead", "consent", "source", "price")},
            }
        assert seen["JSON"]["post"]["lead"]["first_name"] == "Zoë <Ann> & Co"
        assert "favourite_colour" in json.dumps(seen["JSON"]["record"])
        for name, told in seen.items():
            for part, expected in seen["JSON"].items():
                assert told[part] == expected, (name, part)


async def test_a_quote_is_asked_for_and_posted_in_every_format_and_answered_in_xml(house):
    """Ping and post, in each format, with `Accept: application/xml`: one price, one sale."""
    ping = {**BODY, "lead": {"zip": "78701", "currently_insured": True}}
    async with Fleet([BuyerSpec(id="acme", price=Fixed(Decimal("12.00")))]) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        key = await house.key("seller", "fastquotes")
        await house.open()
        for name, sent in formats(ping, "/v1/pings").items():
            quote = await asked(house, key, sent)
            assert (quote.findtext("status"), quote.findtext("price")) == ("quoted", "10.20"), name
            path = f"/v1/pings/{quote.findtext('ping_id')}/post"
            sale = await asked(house, key, formats(BODY, path)[name])
            assert (sale.findtext("status"), sale.findtext("price")) == ("sold", "10.20"), name
            lead = await asked(
                house, key, {"method": "GET", "path": f"/v1/leads/{sale.findtext('lead_id')}"}
            )
            assert lead.findtext("sales/sale_id") == sale.findtext("sales/sale_id")
            assert lead.find("reason") is None
        assert fleet.books["acme"].posts == len(formats(ping, ""))


async def asked(house, key, sent) -> ET.Element:
    """Send a request, and return its answer, which must be XML."""
    headers = {**sent.get("headers", {}), "Accept": "application/xml"}
    answer = await house.call(**{"method": "POST", "key": key, **sent, "headers": headers})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    root = ET.fromstring(answer.body)
    assert root.tag == "response"
    return root
