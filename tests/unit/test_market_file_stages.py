"""Stages and fits that cannot be: each is told with its key and its line."""

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.configuration.writing import write_market
from exchange.domain.campaign import Method

MARKET = """\
[[vertical]]
id = "auto"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required" }
state = { type = "us_state", privacy = "attribute" }
year = { type = "int", privacy = "attribute" }

[[seller]]
id = "fast"

[[buyer]]
id = "team"
own = true
[[buyer.offer]]
id = "team"
vertical = "auto"
price = 5.00
fit = [ { when = 'state == "TX"', points = 3 } ]

[[buyer]]
id = "acme"
[[buyer.offer]]
id = "acme"
vertical = "auto"
fit = "year - 2000"
ping = { url = "https://acme.example/ping", max_bid = 20 }
post = { url = "https://acme.example/post" }

[[campaign]]
id = "us"
vertical = "auto"
sellers = ["fast"]
[[campaign.stage]]
method = "METHOD"
MORE
"""


def read(method, more="", **changes):
    text = MARKET.replace("METHOD", method).replace("MORE", more)
    for old, new in changes.values():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return read_sheets([sheet_of("market.toml", text)])


GOOD = {
    "auction": "early_close = true",
    "first_accept": "buy_now = 9.00",
    "best_match": "",
    "waterfall": 'offers = ["team"]',
    "rule": 'offers = ["team"]\nwhen = \'state == "TX"\'',
    "own_team": "",
    "round_robin": 'offers = ["team"]',
    "weighted": 'offers = ["team"]\nweights = "acceptance"',
}


@pytest.mark.parametrize("method", Method)
def test_every_method_has_a_market(method):
    """No method is but a word, and none of these markets is warned of."""
    assert read(method, GOOD[method]).warnings == ()


@pytest.mark.parametrize("method", Method)
def test_a_market_of_every_method_is_written_as_it_was_read(method):
    """`exchange export`, and a change through the admin API, lose no key."""
    market = read(method, GOOD[method]).market
    again = read_sheets([sheet_of("again.toml", write_market(market))]).market
    assert again == market


@pytest.mark.parametrize(
    ("method", "more", "key", "says"),
    [
        ("rule", 'offers = ["team"]', "stage[0].when", "is missing: a rule is for"),
        ("auction", "when = 'sate == 1'", "stage[0].when", 'did you mean "state"?'),
        ("auction", 'weights = "acceptance"', "stage[0].weights", 'for method = "weighted"'),
        ("waterfall", "buy_now = 9", "stage[0].buy_now", 'for method = "first_accept"'),
        ("first_accept", "", "stage[0].buy_now", "is missing: neither the stage nor any"),
        ("round_robin", "early_close = true", "stage[0].early_close", "nobody is asked"),
        ("own_team", 'offers = ["team", "acme"]', "stage[0].offers[1]", "is no offer of the own"),
        (
            "auction",
            'early_close = true\nprice_rule = "second_price"',
            "early_close",
            "all have bid",
        ),
        ("best_match", "early_close = true\nmax_buyers = 2", "max_buyers", "that closes early"),
        ("weighted", "max_buyers = 2", "max_buyers", 'method = "weighted" sells to one'),
        ("weighted", 'weights = "aceptance"', "stage[0].weights", 'mean "acceptance"?'),
    ],
)
def test_what_does_not_go_with_a_method_is_told_with_its_line(method, more, key, says):
    """Before anything is applied."""
    with pytest.raises(MarketFileError) as caught:
        read(method, more)
    assert any(key in str(one) and says in str(one) for one in caught.value.findings)


@pytest.mark.parametrize(
    ("method", "more", "says"),
    [
        ("waterfall", 'offers = ["acme"]', '"acme" has no price of its own'),
        ("round_robin", 'offers = ["acme"]', "cannot buy in a round_robin stage"),
        ("auction", 'early_close = true\noffers = ["acme"]', "can decide nothing"),
    ],
)
def test_what_is_of_no_use_is_warned_of(method, more, says):
    """It can be applied; whoever wrote it may have meant something else."""
    assert says in str(read(method, more).warnings)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"year - 2000"', '"yaer - 2000"', 'did you mean "year"?'),
        ('"year - 2000"', '"state"', "is a text, not a number"),
        ('state == "TX"\', points', "state == 1', points", "never compare"),
        ("points = 3", "points = 0.5", "must be a whole number"),
    ],
)
def test_a_fit_that_cannot_be_computed_is_refused(old, new, says):
    """By the same rules as every condition."""
    with pytest.raises(MarketFileError, match=says.replace("?", r"\?")):
        read("best_match", change=(old, new))


def test_no_auction_ends_early_whose_floor_is_learned():
    """What the second best would have bid is what a floor is learned from."""
    learns = 'sellers = ["fast"]\nlearn_floor = { min = 1.00, max = 9.00, explore = 0.1 }'
    with pytest.raises(MarketFileError, match="a floor is learned from all bids"):
        read("auction", "early_close = true", change=('sellers = ["fast"]', learns))


def test_an_own_team_stage_without_a_team_is_refused():
    """Nobody could ever buy there."""
    with pytest.raises(MarketFileError, match="own = true"):
        read("own_team", change=("own = true", "own = false"))


def test_best_match_without_any_fit_is_an_auction_and_said_to_be():
    """A warning, for it sells all the same."""
    reading = read("best_match", 'offers = ["acme"]', change=('fit = "year - 2000"\n', ""))
    assert "none of its offers says what fits" in str(reading.warnings)
