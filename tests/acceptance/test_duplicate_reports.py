"""How much of what each source brings had come before: over HTTP, and typed."""

from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from bidders import Accepted, Bid, Refused, app
from exchange.commands.report import report
from exchange.errors import CommandError
from exchange.ledger import duplicates
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.duplicates import DuplicateBooks
from exchange.ledger.errors import TooMuchToCount
from tests.acceptance.house import ANN, person
from tests.acceptance.market import buyer, campaign, market

PATH = "/v1/admin/reports/duplicates"
PING = {name: ANN[name] for name in ("zip", "currently_insured")}
KNOWN = {"first_name": "Known"}
"""Whom the buyer has already."""
NOTHING = {"all": 0, "duplicates": 0, "rate": None}


def of(all_of_them, repeated, rate):
    return {"all": all_of_them, "duplicates": repeated, "rate": rate}


async def take(post):
    """Take everybody but the known."""
    is_known = post.lead["first_name"] == KNOWN["first_name"]
    return Refused("duplicate") if is_known else Accepted(post.sale_id)


async def bid(_ping):
    return Bid(12)


@asynccontextmanager
async def a_market(house, action):
    """A buyer that has some already, and two sellers whose duplicates become this."""
    async with TestServer(app(bid, take)) as server:
        url = str(server.make_url("/")).rstrip("/")
        calls = (
            f'ping = {{ url = "{url}/ping", timeout_ms = 2000 }}\n'
            f'post = {{ url = "{url}/post", timeout_ms = 5000 }}'
        )
        rule = f'duplicates = {{ window_hours = 24, action = "{action}" }}'
        into = campaign(lines=rule, sellers='"fastquotes", "other"')
        rehearsal = buyer("rehearsal", offer=f"test = true\n{calls}")
        await house.apply(market(buyer("acme", offer=calls), rehearsal, into))
        await house.open()
        yield


async def asked(house, query="", role="operator"):
    key = await house.key(role, "tests" if role == "operator" else "fastquotes")
    return await house.call("GET", f"{PATH}{query}", key=key)


@pytest.mark.parametrize("action", ["reject", "merge"])
async def test_the_rates_of_each_source_are_as_counted_by_hand(house, printed, spoken, action):
    """Row 16: posts and pings by the campaign's check, sales by the buyers'; test leads apart."""
    async with a_market(house, action):
        for number, changes in ((1, {}), (2, {}), (3, KNOWN), (1, {}), (1, {}), (4, KNOWN)):
            await house.post(person(number, **changes))
        await house.post(person(2), seller="other", source="mail")
        await house.post(person(9), source="social")
        for number in (1, 8):
            lead = {**PING, "phone": person(number)["phone"]}
            await house.post(lead, path="/v1/pings", source="social")
        for _ in range(2):
            await house.post(person(1), test=True)

        found = (await asked(house)).body
        assert found["sources"] == [
            {
                "seller": "fastquotes",
                "source": "search",
                "submissions": of(6, 2, 0.333333),
                "pings": NOTHING,
                "sales": of(4, 2, 0.5),
            },
            {
                "seller": "fastquotes",
                "source": "social",
                "submissions": of(1, 0, 0),
                "pings": of(2, 1, 0.5),
                "sales": of(1, 0, 0),
            },
            {
                "seller": "other",
                "source": "mail",
                "submissions": of(1, 1, 1),
                "pings": NOTHING,
                "sales": NOTHING,
            },
        ]
        typed = await printed(report, "duplicates", days=7)
        assert typed["sources"] == found["sources"]
        out, _ = await spoken(report, "duplicates", days=7)
        assert "fastquotes, search" in out
        assert "2 of 6, 33.3%" in out


async def test_a_report_is_of_the_time_that_was_asked_for(house, printed, spoken):
    """By days or since a moment; what cannot be asked is 422, and sellers may not."""
    async with a_market(house, "merge"):
        assert (await asked(house)).body["sources"] == []
        _, told = await spoken(report, "duplicates")
        assert "Nothing came" in told
        assert (await house.post()).body["status"] == "sold"
        told = (await asked(house, "?since=2026-01-01T00:00:00Z")).body
        assert told["since"] == "2026-01-01T00:00:00.000000Z"
        assert [one["source"] for one in told["sources"]] == ["search"]
        for query in (
            "?days=0",
            "?since=yesterday",
            "?since=2026-01-01T00:00:00",
            "?since=2999-01-01T00:00:00Z",
            "?since=2026-01-01T00:00:00Z&days=3",
        ):
            answer = await asked(house, query)
            assert answer.status == 422, query
        assert (await asked(house, role="seller")).status == 403
        with pytest.raises(CommandError, match="--days"):
            await printed(report, "duplicates", days=0)


async def test_what_takes_too_long_is_told_to_be_asked_in_parts(house, monkeypatch):
    """The database ends it itself; the connection is as good as before."""
    slow = {**duplicates.STATEMENTS, "by_source": "SELECT pg_sleep(60), $1::uuid, $2::uuid"}
    monkeypatch.setattr(duplicates, "STATEMENTS", slow)
    connections = Connections(house.urls.database_url, Limits())
    await connections.open()
    try:
        books = DuplicateBooks(connections)
        with pytest.raises(TooMuchToCount, match="shorter"):
            await books.by_source(0, within_s=0.05)
        async with connections.use() as connection:
            assert await connection.fetchval("SHOW statement_timeout") == "0"
    finally:
        await connections.close()
