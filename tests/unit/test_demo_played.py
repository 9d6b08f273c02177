"""Any market can be played: what it does not say of its sellers and buyers is invented."""

import json
import re

import msgspec
import pytest

from bidders.fleet.spec import FleetSpec, load
from exchange.configuration.problem import MarketFileError
from exchange.demo.order import Mix
from exchange.demo.played import CONFIG, place_of, played, profile
from exchange.errors import CommandError

MARKETS = sorted(
    path.name
    for path in CONFIG.iterdir()
    if path.is_dir() and path.name not in {"doors", "mappings", "verticals"}
)

SMALL = """
[[vertical]]
id = "pets"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required" }
[[seller]]
id = "one"
[[seller]]
id = "two"
source = [ { id = "web" } ]
[[buyer]]
id = "vet"
[[buyer.offer]]
id = "vet-ping"
vertical = "pets"
floor = 30.00
ping = { url = "https://vet.example/ask", max_bid = 40.00 }
post = { url = "https://vet.example/take" }
[[buyer.offer]]
id = "vet-crm"
vertical = "pets"
price = 9.00
format = "pet-crm"
params = { key = "k" }
post = { url = "https://vet.example/crm", on_no_answer = "advance" }
[[buyer.offer]]
id = "vet-quiet"
vertical = "pets"
price = 3.00
[[mapping]]
id = "pet-crm"
[mapping.post]
accepted = { status = true, equals = [200] }
refused = { status = true, equals = [400] }
body = { form = { tel = "{lead.phone}", key = "{param.key}" } }
[mapping.params]
key = ""
[[campaign]]
id = "pets"
vertical = "pets"
sellers = ["one", { id = "two" }]
"""


@pytest.mark.parametrize("name", MARKETS)
def test_every_market_of_the_configuration_can_be_played(name):
    """Its offers are called at the fleet, each called one has a buyer, each campaign a feed."""
    show = played(name, seed=1)
    market = show.at("http://127.0.0.1:45678")
    said = msgspec.json.encode((market.buyer, market.seller)).decode()
    assert set(re.findall(r"https?://[^/\"]+", said)) == {"http://127.0.0.1:45678"}, (
        "nobody outside"
    )
    called = {o.id for b in market.buyer for o in b.offer if o.ping or o.post}
    assert called <= {spec.id for spec in show.buyers}
    feeds = show.traffic.feeds(market)
    assert {feed.campaign for feed in feeds} == {one.id for one in market.campaign if one.sellers}
    assert show.traffic.mix is not None


def test_a_single_file_is_a_market_too(tmp_path):
    """Nobody said what its sellers send or what its buyers are like."""
    path = tmp_path / "pets.toml"
    path.write_text(SMALL)
    show = played(str(path), seed=1)
    vet, crm = show.buyers
    assert (vet.id, vet.price.high, crm.id, crm.price.median) == ("vet-ping", 40.0, "vet-crm", 9.0)
    assert 30 < vet.price.median < 40
    assert [(f.seller, f.source, f.share) for f in show.traffic.feed] == [
        ("one", "demo", 0.5),
        ("two", "web", 0.5),
    ]
    assert show.traffic.mix == Mix()
    offers = {o.id: o for b in show.at("http://h:1").buyer for o in b.offer}
    assert offers["vet-ping"].ping.url == "http://h:1/vet-ping/ping"
    assert offers["vet-crm"].format == "standard"  # nobody here speaks its words
    assert offers["vet-quiet"].post is None


def test_a_folder_may_say_what_is_sent_and_who_buys(tmp_path):
    """Traffic and fleets beside the market, for all of it or for one part."""
    (tmp_path / "pets.toml").write_text(SMALL)
    (tmp_path / "pets.traffic.toml").write_text(
        '[mix]\nping = 0.5\n[[feed]]\nseller = "two"\nsource = "web"\ncampaign = "pets"\n'
        "also = { min_price = 2.5 }\n"
    )
    (tmp_path / "fleet.toml").write_text('[[buyer]]\nid = "vet-ping"\nbids = 0.25\n')
    show = played(str(tmp_path), seed=1)
    assert [(feed.seller, feed.also) for feed in show.traffic.feed] == [("two", {"min_price": 2.5})]
    assert show.traffic.mix.ping == 0.5
    assert {spec.id: spec.bids for spec in show.buyers} == {"vet-ping": 0.25, "vet-crm": 0.9}


def test_a_vertical_of_ones_own_comes_before_the_shipped_one(tmp_path):
    """A market that declares what ships has its own, not two of it."""
    path = tmp_path / "solar.toml"
    path.write_text(SMALL.replace('"pets"', '"solar"'))
    show = played(str(path), seed=1)
    [solar] = [one for one in show.market.vertical if one.id == "solar"]
    assert list(solar.fields) == ["phone"]


def test_a_fleet_goes_to_its_process_whole(tmp_path):
    """What is written is what it reads, also prices without a bound."""
    show = played("demo", seed=1)
    path = tmp_path / "fleet.json"
    path.write_bytes(profile(show.buyers))
    assert load(path).buyer == show.buyers
    assert msgspec.convert(json.loads(path.read_text()), FleetSpec).buyer == show.buyers


@pytest.mark.parametrize("name", ["nothing", "verticals", "./nowhere"])
def test_a_market_that_is_not_there_is_told_with_those_that_are(name):
    """Before anything is started."""
    with pytest.raises(CommandError, match="demo, everything"):
        place_of(name)


def test_a_market_with_mistakes_is_not_played(tmp_path):
    """They are told as `exchange plan` tells them."""
    path = tmp_path / "pets.toml"
    path.write_text(SMALL + "colour = 1\n")
    with pytest.raises(MarketFileError):
        played(str(path), seed=1)
