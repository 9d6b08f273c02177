"""What the demo's sellers send is what real sellers send: intake takes it, and geography agrees."""

import json
from collections import Counter
from decimal import Decimal
from functools import cache
from itertools import islice
from random import Random
from statistics import mean
from urllib.parse import urlencode

import msgspec
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.configuration.snapshots import Compiler, Stored
from exchange.demo.arrivals import arrivals
from exchange.demo.foreign import NOT_SOLD, SOFTWARE, Said
from exchange.demo.market import secrets_of
from exchange.demo.order import Mix, Oddity, Order, Way
from exchange.demo.people import somebody
from exchange.demo.places import places, telephone
from exchange.demo.played import played
from exchange.demo.requests import (
    form_fields,
    is_for_ping,
    lead_body,
    ping_body,
    post_of_quote,
    spoiled,
    without_person,
)
from exchange.demo.seller import today_of
from exchange.domain.door import Outcome
from exchange.domain.submission import Submission
from exchange.domain.vertical import Privacy
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.intake import Intake
from exchange.intake.parsing import parse
from exchange.intake.request import Request
from tests.making import NOW_US
from tests.making_doors import preset, told, translated
from tests.making_intake import FORM, JSON, LEAD_ID, geography

SEEDS = st.integers(0, 2**32)


@cache
def everywhere():
    return places()


@cache
def market():
    return played("demo", seed=1).market


@cache
def snapshot():
    derive = {}.setdefault
    secrets = dict.fromkeys(secrets_of(market()), b"s3cret")
    stored = Stored(version=1, market=market(), keys={}, signing={}, credited={}, named=secrets)
    return Compiler(lambda name: derive(name, name.encode().ljust(32, b"."))).snapshot(stored)


FEEDS = played("demo", seed=1).traffic.feeds(market())
ONE_OF_EACH = tuple({feed.campaign: feed for feed in FEEDS}.values())


def an_order(**changes):
    plain = {
        "base_url": "http://127.0.0.1:1",
        "keys": {"fastquotes": "a", "leadharbor": "b"},
        "feeds": FEEDS,
        "rate": 20.0,
        "seconds": 100.0,
        "seed": 1,
    }
    return Order(**{**plain, **changes})


def a_body(feed, seed):
    chance = Random(seed)
    person = somebody(chance.choice(everywhere()), chance, today_of(NOW_US))
    return lead_body(feed, person, chance, 1, NOW_US)


@cache
def intake():
    return Intake(geography())


def taken(feed, raw, content_type=JSON, **changes):
    """What the real intake makes of a request."""
    arrival = Arrival(seller_id=feed.seller, lead_id=LEAD_ID, received_at_us=NOW_US, **changes)
    return intake().accept(parse(raw, content_type).request, arrival, snapshot())


def test_every_place_has_telephone_numbers_that_are_valid_and_belong_there():
    """One in twenty of them all, by phonenumbers and by the exchange's own table."""
    chance, table = Random(1), geography()
    assert len(everywhere()) > 25_000
    for place in islice(everywhere(), 0, None, 20):
        number = telephone(place, chance)
        assert phonenumbers.is_valid_number(phonenumbers.parse(number, "US")), place
        assert table.serves(number[:3], place.state), place
        assert table.place(place.zip).state == place.state


@pytest.mark.parametrize("feed", ONE_OF_EACH, ids=lambda feed: feed.campaign)
@given(seed=SEEDS)
def test_a_lead_is_taken_as_json_and_as_a_form_alike(feed, seed):
    """Every spelling that the forms use means the same; only the sender's own words may differ."""
    body = a_body(feed, seed)
    from_json = taken(feed, json.dumps(body).encode())
    assert isinstance(from_json, Submission), from_json
    assert from_json.flags == ()
    form = urlencode(form_fields(body, feed.fields, Random(seed))).encode()
    from_form = taken(feed, form, FORM)
    assert isinstance(from_form, Submission), from_form
    assert from_form.lead.fields == from_json.lead.fields
    assert from_form.person.identity == from_json.person.identity


@pytest.mark.parametrize("feed", ONE_OF_EACH, ids=lambda feed: feed.campaign)
@given(seed=SEEDS)
def test_a_ping_is_taken_and_names_nobody(feed, seed):
    """Ping and post together say everything, and no identity field is in the ping."""
    body = a_body(feed, seed)
    ping = ping_body(body, feed.fields)
    assert isinstance(taken(feed, json.dumps(ping).encode(), is_ping=True), Submission)
    shown = [name for name in ping["lead"] if name in feed.fields]
    assert all(feed.fields[name].privacy is not Privacy.IDENTITY for name in shown)
    # Somebody may be called what a shown field says: a Ford drives a Ford.
    said = [v for name, v in body["lead"].items() if is_for_ping(feed.fields[name])]
    secrets = [v for name, v in body["lead"].items() if not is_for_ping(feed.fields[name])]
    secrets = [value for value in secrets if value not in said]
    text = json.dumps(ping["lead"])
    assert not any(json.dumps(value) in text for value in secrets if isinstance(value, str))
    assert {**ping["lead"], **post_of_quote(body, feed.fields)["lead"]}.items() >= body[
        "lead"
    ].items()


def through_its_door(feed, sent, **changes):
    """What the door and the real intake make of what a platform's software sends."""
    _, name, path = sent.path.removeprefix("/").split("/", 2)
    what = {"form" if kind == "data" else kind: body for kind, body in sent.how.items()}
    campaign = snapshot().campaigns[feed.campaign]
    opening, read = translated(preset(name), path, what, campaign.id, campaign.vertical_id)
    arrival = Arrival(seller_id=feed.seller, lead_id=LEAD_ID, received_at_us=NOW_US, **changes)
    request = Request(read.fields, read.extra)
    return opening, intake().accept(request, arrival, snapshot())


FOREIGN = tuple({feed.door: feed for feed in FEEDS if feed.door is not None}.values())


@pytest.mark.parametrize("feed", FOREIGN, ids=lambda feed: feed.door)
@given(seed=SEEDS)
def test_a_lead_in_a_platforms_words_is_the_same_lead(feed, seed):
    """Every field, the consent, the source; its ping says who asks, and names nobody."""
    body, software = a_body(feed, seed), SOFTWARE[feed.door]()
    native = taken(feed, json.dumps(body).encode())
    opening, submission = through_its_door(feed, software.post("k-1", body))
    assert opening.key == "k-1"
    assert submission.lead.fields == native.lead.fields
    mine, its = native.person.identity, submission.person.identity
    assert {name: its[name] for name in mine} == mine
    assert submission.lead.source == native.lead.source
    ping = software.ping("k-1", without_person(body, feed.fields))
    opening, submission = through_its_door(feed, ping, is_ping=True)
    assert opening.key == "k-1"
    assert isinstance(submission, Submission), submission
    assert not submission.person.identity
    opening, _ = through_its_door(feed, software.post("k-1", body, "tok-1"))
    assert opening.ping_id == "tok-1"


@pytest.mark.parametrize("name", SOFTWARE)
def test_a_platforms_software_reads_every_answer_of_its_door(name):
    """Sold at a price, quoted, pending, or not sold; an id of a lead only where there is one."""
    door, software = preset(name), SOFTWARE[name]()
    ask, sell = door.paths[0], door.paths[1]
    at_all = {"does": "post", "status": 200, "price": "8.50"}
    quoted = door.call(ask).write(
        told(**at_all, outcome="quoted", ping_id="tok-1"), door.call(ask).format
    )
    assert software.read(quoted.body) == Said("quoted", Decimal("8.50"), "tok-1")
    for outcome in Outcome:
        lead_id = LEAD_ID if outcome in {"sold", "unsold", "pending", "duplicate"} else None
        price = "8.50" if outcome == "sold" else None
        what = told(**at_all | {"price": price}, outcome=outcome, lead_id=lead_id, message="why")
        if outcome == "quoted":
            continue
        said = software.read(door.call(sell).write(what, door.call(sell).format).body)
        assert said.status == (outcome if outcome in {"sold", "pending"} else NOT_SOLD)
        assert said.id == lead_id
        assert said.price == (Decimal("8.50") if price else None)
    assert software.read(b"<html>success</html") is None


@pytest.mark.parametrize("feed", ONE_OF_EACH, ids=lambda feed: feed.campaign)
@given(seed=SEEDS)
def test_a_spoiled_lead_is_never_taken(feed, seed):
    """Whatever is wrong with it, intake finds exactly one thing."""
    raw = json.dumps(spoiled(a_body(feed, seed), feed.fields, Random(seed))).encode()
    refused = taken(feed, raw)
    assert isinstance(refused, Refused)
    assert len(refused.errors) == 1


def test_leads_arrive_at_random_times_at_the_rate_that_was_asked_for():
    """Gaps of a Poisson process: as long as their spread, on average one over the rate."""
    came = [arrival.after_s for arrival in arrivals(an_order(seconds=500.0))]
    gaps = [after - before for before, after in zip([0.0, *came], came, strict=False)]
    assert mean(gaps) == pytest.approx(1 / 20, rel=0.05)
    spread = mean((gap - 1 / 20) ** 2 for gap in gaps) ** 0.5
    assert spread == pytest.approx(1 / 20, rel=0.1)
    assert max(came) < 500


def test_ways_and_oddities_come_in_the_shares_of_the_mix():
    """Within a percentage point of ten thousand arrivals, and no share is forgotten."""
    mix = Mix()
    came = list(islice(arrivals(an_order(seconds=None)), 10_000))
    ways, oddities = Counter(a.way for a in came), Counter(a.oddity for a in came)
    wanted = {
        Way.FORM: mix.form,
        Way.MULTIPART: mix.multipart,
        Way.PING: mix.ping,
        Way.JSON: 1 - mix.form - mix.multipart - mix.ping,
    }
    assert {way: ways[way] / 10_000 for way in wanted} == pytest.approx(wanted, abs=0.01)
    odd = {
        Oddity.DUPLICATE: mix.duplicate,
        Oddity.INVALID: mix.invalid,
        Oddity.TEST: mix.test,
    }
    assert {kind: oddities[kind] / 10_000 for kind in odd} == pytest.approx(odd, abs=0.01)
    assert {a.feed.source for a in came} == {feed.source for feed in FEEDS}


def test_a_seller_that_asks_first_pings_every_lead():
    """And it changes nothing of when leads arrive, or of the others' ways."""
    first, *others = FEEDS
    asking = msgspec.structs.replace(first, asks_first=True)
    came = list(arrivals(an_order(seconds=60.0, feeds=(asking, *others))))
    assert {one.way for one in came if one.feed is asking} == {Way.PING}
    usual = list(arrivals(an_order(seconds=60.0, feeds=(first, *others))))
    assert [one.after_s for one in came] == [one.after_s for one in usual]
    assert [one.way for one in came if one.feed is not asking] == [
        one.way for one in usual if one.feed is not first
    ]


def test_a_seed_brings_the_same_arrivals_again_and_another_one_others():
    """Runs can be repeated."""
    assert list(arrivals(an_order())) == list(arrivals(an_order()))
    assert list(arrivals(an_order())) != list(arrivals(an_order(seed=2)))


def test_feeds_are_those_of_the_market():
    """Every source is declared by its seller, who may post into the campaign."""
    sellers = {seller.id: {source.id for source in seller.source} for seller in market().seller}
    campaigns = snapshot().campaigns
    for feed in FEEDS:
        assert feed.source in sellers[feed.seller]
        assert feed.seller in campaigns[feed.campaign].sellers
    assert {feed.campaign for feed in FEEDS} == campaigns.keys()


def test_an_order_goes_over_a_pipe_whole():
    """The seller process reads back what the demo wrote."""
    order = an_order()
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
