"""Limits in the market file: what can be said of them, and what is wrong with the rest."""

from pathlib import Path

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_market, read_sheets, sheet_of

EVERYTHING = Path(__file__).parents[2] / "config" / "everything"

MARKET = """
[[vertical]]
id = "auto"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }

[[seller]]
id = "fast"
SELLER

[[buyer]]
id = "acme"
BUYER
[[buyer.offer]]
id = "acme-tx"
vertical = "auto"
price = 9.00
OFFER

[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = ["fast"]
CAMPAIGN
"""


def read(*, seller="", buyer="", offer="", campaign=""):
    """The market with these lines in it."""
    text = MARKET.replace("SELLER", seller).replace("BUYER", buyer).replace("OFFER", offer)
    text = text.replace("CAMPAIGN", campaign)
    return read_sheets([sheet_of("market.toml", text)])


@pytest.mark.parametrize("name", ["limits", "sandbox", "pilot"])
def test_the_pieces_of_the_market_of_everything_are_markets(name):
    """Each stands by itself, without a warning."""
    assert read_market([EVERYTHING / f"{name}.toml"]).warnings == ()


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        (
            {"offer": 'account = "dalas"', "buyer": '[[buyer.account]]\nid = "dallas"'},
            "buyer[0].offer[0].account",
            'its buyer has no account "dalas"; did you mean "dallas"?',
        ),
        (
            {"buyer": '[[buyer.account]]\nid = "one"\n[[buyer.account]]\nid = "one"'},
            "buyer[0].account[1].id",
            'there is another account "one" of this buyer',
        ),
        (
            {"offer": 'caps = [ { leads = 9, per = "total", pace = true } ]'},
            "buyer[0].offer[0].caps[0].pace",
            "needs a window that ends: hour, day, week or month",
        ),
        (
            {"buyer": "caps = [ { concurrent = 9, pace = true } ]"},
            "buyer[0].caps[0].pace",
            "needs a window that ends: hour, day, week or month",
        ),
        ({"buyer": "pilot = {}"}, "buyer[0].pilot", "names leads, spend, or both"),
        ({"seller": "pilot = {}"}, "seller[0].pilot", "names leads, payout, or both"),
        ({"offer": "pilot = {}"}, "buyer[0].offer[0].pilot", "names leads, spend, or both"),
        ({"campaign": "pilot = {}"}, "campaign[0].pilot", "names leads, spend, or both"),
        (
            {
                "seller": "pilot = { payout = 10.00 }",
                "campaign": '[[campaign]]\nid = "auto-eu"\nvertical = "auto"\ncurrency = "EUR"\n'
                'sellers = ["fast"]',
            },
            "campaign[1].currency",
            'pays "fast" in EUR, "auto-us" in USD: the payout of a pilot is of one currency',
        ),
        ({"seller": 'time_zone = "Mars"'}, "seller[0].time_zone", 'there is no time zone "Mars"'),
        (
            {"seller": 'caps = [ { leads = 5, pings = 5, per = "day" } ]'},
            "seller[0].caps[0]",
            "names exactly one of leads, pings",
        ),
        (
            {"seller": 'source = [ { id = "a", caps = [ { pings = 5 } ] } ]'},
            "seller[0].source[0].caps[0].per",
            "is missing",
        ),
        (
            {
                "seller": 'caps = [ { leads = 5, per = "day" }, { leads = 6, per = "day" } ]',
            },
            "seller[0].caps[1]",
            "leads per day is limited twice",
        ),
        (
            {"offer": 'ping = { url = "https://a.example/p", rate = {} }'},
            "buyer[0].offer[0].ping.rate",
            "names exactly one of per_second, per_minute",
        ),
    ],
)
def test_what_cannot_be_is_named(lines, key, message):
    """With the key it stands under, and what was probably meant."""
    with pytest.raises(MarketFileError) as refused:
        read(**lines)
    told = [(finding.key, finding.message) for finding in refused.value.findings]
    assert told == [(key, message)]
