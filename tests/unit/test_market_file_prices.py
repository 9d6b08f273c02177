"""Margins, price rules and floors in a market file: what is right is compiled, the rest is told."""

from decimal import Decimal

import pytest

from exchange.configuration.difference import field_changes
from exchange.configuration.problem import MarketFileError
from exchange.configuration.snapshots import Compiler, Stored
from exchange.configuration.writing import write_market
from exchange.domain.campaign import Margin, MarginKind, PriceRuleKind
from exchange.domain.money import Micros
from exchange.domain.pricing import split
from tests.making import DOLLAR
from tests.market_files import read

GOOD = """\
[[vertical]]
id = "auto"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
zip = { type = "us_zip", privacy = "quasi", ping = "required" }
device = { type = "choice", privacy = "attribute", values = ["desktop", "mobile"] }
[[vertical]]
id = "solar"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi" }
[[seller]]
id = "fast"
[[seller]]
id = "slow"
[[buyer]]
id = "acme"
[[buyer.offer]]
id = "acme-tx"
vertical = "auto"
price = 9.00
margin = { fixed = 3.00 }
[[buyer.offer]]
id = "acme-ok"
vertical = "auto"
price = 9.00
margin = { fixed = 3.00 }
[[buyer.offer]]
id = "acme-sun"
vertical = "solar"
price = 9.00
[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = [
    "fast",
    { id = "slow", margin = { percent = 10 }, offer_margins = { acme-tx = { percent = 5 } } },
]
floor = 4
margin = { bands = [
    { upto = 10, percent = 30, relax_to = 20 },
    { upto = 50, percent = 20 },
    { fixed = 10 },
] }
[campaign.floors]
fields = ["state", "device", "hour"]
[campaign.floors.values]
"TX|mobile|*" = 9.00
"TX|*|*" = 7.00
"*|*|22-23" = 2.00
[[campaign.stage]]
method = "auction"
price_rule = "second_price"
[[campaign.stage]]
method = "waterfall"
offers = ["acme-tx"]
floor = 2
"""


def campaign():
    stored = Stored(1, read(GOOD).market, {}, {}, {})
    return Compiler(lambda _: b"k" * 32).snapshot(stored).campaigns["auto-us"]


def test_margins_hold_by_what_was_agreed_most_specifically():
    """Seller and offer, seller, offer, campaign; offers that are alike share one margin."""
    fast, slow = campaign().sellers["fast"], campaign().sellers["slow"]
    three = Margin(MarginKind.FIXED, Decimal(0), Micros(3 * DOLLAR))
    assert [fast.margin_of(name) for name in ("acme-tx", "acme-ok")] == [three, three]
    assert fast.others == (three,)
    assert fast.margin_of("another").kind is MarginKind.BANDS
    assert slow.margin_of("acme-tx").percent == 5
    assert slow.margin_of("acme-ok").percent == slow.margin_of("another").percent == 10


def test_bands_are_compiled_with_their_limits():
    """30 % may shrink to 20 in the first band, nothing in the others."""
    margin = campaign().sellers["fast"].margin
    wanted = Micros(8 * DOLLAR)
    paid = [split(Micros(n * DOLLAR), margin, wanted).payout // DOLLAR for n in (9, 10, 11, 60)]
    assert paid == [7, 8, 8, 50]


def test_floors_and_price_rules_reach_their_stages():
    """A stage with a floor of its own has no table, the others have."""
    auction, waterfall = campaign().stages
    assert (auction.by_rules, auction.price_rule) == (True, PriceRuleKind.SECOND_PRICE)
    assert (waterfall.by_rules, waterfall.floor) == (False, 2 * DOLLAR)
    floors = campaign().floors
    found = floors.find({"state": "TX", "device": "mobile", "hour": 22})
    assert (found.amount, found.rule) == (9 * DOLLAR, "TX|mobile|*")
    assert floors.find({"hour": 23}).rule == "*|*|22-23"
    assert floors.find({}).amount == 4 * DOLLAR


def test_a_market_with_all_of_that_is_the_same_when_written_back():
    """Rules of floors have a line each, however many there are."""
    market = read(GOOD).market
    text = write_market(market)
    assert read(text).market == market
    assert '\n"TX|mobile|*" = 9.00\n' in text


def test_a_changed_rule_is_one_line_of_a_plan():
    """By its key; the others are not repeated."""
    old = read(GOOD).market.campaign[0]
    new = read(GOOD.replace('"TX|*|*" = 7.00', '"TX|*|*" = 7.50\n"OK|*|*" = 1.00')).market
    changes = [(one.key, one.old, one.new) for one in field_changes(old, new.campaign[0], "")]
    assert changes == [
        ("floors.values.TX|*|*", "7.00", "7.50"),
        ("floors.values.OK|*|*", "none", "1.00"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("fixed = 10 }", "fixed = 10, percent = 5 }", "bands[2]", "exactly one of"),
        ("fixed = 10 }", "fixed = 60 }", "margin.bands", "for a price above 50.00"),
        ("upto = 50, percent = 20", "upto = 50, percent = 40", "margin.bands", "above 10.00"),
        ("relax_to = 20", "relax_to = 10", "margin.bands", "above 10.00"),
        ("relax_to = 20", "relax_to = 31", "bands[0].relax_to", "more than the margin itself"),
        ("upto = 50, ", "", "bands[1].upto", "only the last band has no end"),
        ("fixed = 10 }", "upto = 90, fixed = 10 }", "bands[2].upto", "has no end"),
        ("upto = 50", "upto = 10", "bands[1].upto", "not above the band before it"),
        ("percent = 20 }", "percent = 120 }", "bands[1].percent", "at most 100"),
        ("margin = { percent = 10 }", "margin = { bands = [] }", "margin.bands", "no band"),
        (
            "margin = { percent = 10 }",
            "margin = { payout = 6, relax_to = 5 }",
            "margin.relax_to",
            "for percent and fixed",
        ),
        ("{ acme-tx = { percent = 5", "{ acme-tx = { percent = 101", "percent", "at most 100"),
        ("acme-tx = { percent", "acme-tz = { percent", "acme-tz", 'did you mean "acme-tx"?'),
        ("acme-tx = { percent", "acme-sun = { percent", "acme-sun", 'an offer for "solar"'),
        (
            'margin = { fixed = 3.00 }\n[[buyer.offer]]\nid = "acme-ok"',
            'margin = { }\n[[buyer.offer]]\nid = "acme-ok"',
            "offer[0].margin",
            "exactly one of",
        ),
        ('"device", "hour"]', '"devise", "hour"]', "fields[1]", 'did you mean "device"?'),
        ('"device", "hour"]', '"first_name", "hour"]', "fields[1]", "says who somebody is"),
        ('"device", "hour"]', '"state", "hour"]', "fields[1]", "stands twice"),
        ('"TX|*|*"', '"TX|*"', "values.TX|*", "has 2 parts for 3 fields"),
        ('"TX|*|*"', '"TX|tv|*"', "values.TX|tv|*", '"tv" is none of its values'),
        ('"TX|*|*"', '"*|*|23"', "values.*|*|22-23", '"*|*|23" stands already'),
        ('"TX|*|*" = 7.00', '"TX|*|*" = -1', "values.TX|*|*", "at least 0"),
        ('"hour"]', '"hour"]\ndefault = 3', "floors.default", "says once more"),
        (
            'id = "acme-ok"',
            'id = "acme-ok"\non_lower_price = "dispute"\ntake_down_to = 80',
            "offer[1].take_down_to",
            'is for on_lower_price = "take"',
        ),
    ],
)
def test_each_mistake_is_told_once_with_its_line_and_key(old, new, key, says):
    """One finding, at its line, with the sentence that helps."""
    assert GOOD.count(old) == 1, old
    text = GOOD.replace(old, new)
    with pytest.raises(MarketFileError) as caught:
        read(text)
    (finding,) = caught.value.findings
    assert finding.key.endswith(key), finding
    assert says in finding.message


def test_second_price_without_a_floor_is_worth_a_word():
    """Whoever bids alone would pay nothing."""
    start = GOOD.index("[campaign.floors]")
    bare = GOOD[:start] + GOOD[GOOD.index("[[campaign.stage]]") :]
    (warning,) = read(bare.replace("floor = 4\n", "")).warnings
    assert warning.key == "campaign[0].stage[0].price_rule"
    assert "pays nothing" in warning.message
    assert not read(bare).warnings


def test_a_rule_for_an_origin_that_nobody_declares_is_worth_a_word():
    """A source may come undeclared; a misspelt one would cost money in silence."""
    text = GOOD.replace('"hour"]', '"hour", "source", "seller", "vertical"]').replace(
        'id = "fast"\n', 'id = "fast"\nsource = [ { id = "fb-tx", channel = "facebook" } ]\n', 1
    )
    for key in ("TX|mobile|*", "TX|*|*", "*|*|22-23"):
        text = text.replace(f'"{key}"', f'"{key}|fb-tx|fast|auto"')
    assert not read(text).warnings
    wrong = text.replace("22-23|fb-tx|fast|auto", "22-23|fb-tz,fb-tx|medium|auro")
    told = [warning.message for warning in read(wrong).warnings]
    assert told == [
        'no source "fb-tz" is declared for this campaign; did you mean "fb-tx"?',
        'no seller "medium" is declared for this campaign',
        'no vertical "auro" is declared for this campaign; did you mean "auto"?',
    ]
