"""`exchange report`: what the doors for operators tell, typed; as a table, or as JSON."""

import pytest

from bidders.fleet import Fleet
from exchange.commands.report import report
from exchange.errors import CommandError
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market

SOON = {"seal_every_s": 1.0, "learn_every_s": 0.1}
LINES = """
rank_by = "expected_value"
expected_value = { prior_posts = 2, returns_after_days = 0 }
learn_floor = { explore = 1, min = 1.00, max = 8.00, auctions = 3 }
"""
NAMES = ("expected-value", "learned-floors")


async def test_a_report_is_typed_as_it_is_asked_over_http(house, printed, spoken):
    """The same numbers, of as many days; as a table too. What cannot be is said."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "8.50"})) as fleet:
        buyers = (buyer(name, fleet.base_url, ping_ms=2000) for name in fleet.specs)
        lines = f"auction_deadline_ms = 5000{LINES}"
        await house.apply(market(*buyers, campaign(lines=lines)))
        await house.open(**SOON)
        for number in range(4):
            assert (await house.post(person(number))).body["status"] == "sold"
        key = await house.key("operator", "tests")

        async def told(name):
            path = f"/v1/admin/reports/{name}?days=7"
            return (await house.call("GET", path, key=key)).body

        async def learned():
            [ranked] = (await told("expected-value"))["campaigns"]
            return ranked["all"]["leads"] == sum(one["posts"] for one in ranked["offers"]) == 4

        await until(learned)
        for name in NAMES:
            typed, asked = await printed(report, name, days=7), await told(name)
            assert typed["campaigns"] == asked["campaigns"]
            assert typed["since"][:10] == asked["since"][:10]
        [row] = (await told("expected-value"))["campaigns"]
        assert row["offers"]
        out, _ = await spoken(report, "expected-value", days=7)
        assert "auto-us since" in out
        assert "otherwise than by price" in out
        assert "acme" in out
        out, _ = await spoken(report, "learned-floors", days=7)
        assert "explored" in out or "control" in out
        with pytest.raises(CommandError, match="--days"):
            await printed(report, "expected-value", days=0)


async def test_a_market_that_learns_nothing_is_told_how_it_would(house, printed, spoken):
    """No campaign, no table: what to write into the market file."""
    await house.apply(market(buyer("quiet", offer="price = 9.00"), campaign()))
    for name, key in zip(NAMES, ("rank_by", "learn_floor"), strict=True):
        assert (await printed(report, name))["campaigns"] == []
        _, told = await spoken(report, name)
        assert key in told
