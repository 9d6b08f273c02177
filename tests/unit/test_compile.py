"""From the market file's words to the domain's values."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from exchange.configuration.hours import HoursError, week_of
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.configuration.snapshots import Compiler, InvalidConfigurationError, Stored
from exchange.domain.campaign import Margin, MarginKind, Method, ReturnsTo
from exchange.domain.money import Micros
from exchange.domain.offer import BillingMode, Cap, CapKind, Per
from exchange.domain.snapshot import Role
from exchange.domain.vertical import Show

MARKET = """
[[vertical]]
id = "auto"
name = "Auto insurance"
[vertical.fields]
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
email = { type = "email", privacy = "identity" }
zip = { type = "us_zip", privacy = "quasi", ping = "required" }
insured = { type = "bool", privacy = "attribute" }
gender = { type = "choice", privacy = "attribute", values = ["f", "m"], aliases = { Woman = "f" } }

[[seller]]
id = "fast"
source = [ { id = "fb", channel = "facebook", cost = 3.10, floor = 6 } ]
[[seller]]
id = "slow"
always_200 = true
undeclared_sources = "refuse"

[[buyer]]
id = "acme"
time_zone = "America/Chicago"
billing = { mode = "prepaid", opening_balance = 5000.00 }
caps = [ { spend = 20000, per = "month" } ]
duplicates = { window_hours = 720 }
[[buyer.offer]]
id = "acme-tx"
vertical = "auto"
where = 'state == "TX"'
caps = [ { leads = 200, per = "day" }, { concurrent = 20 } ]
hours = { mon-fri = "09:00-17:00" }
price = 9.00
prices = [ { when = 'age > 60', price = 55 } ]
ping = { url = "https://bids.acme.example/ping" }
post = { url = "https://bids.acme.example/post" }
hide = ["insured"]
[[buyer.offer]]
id = "acme-rest"
vertical = "auto"
price = 1.00
[[buyer]]
id = "other"
billing = { mode = "credit", limit = 100 }

[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = [ "fast", { id = "slow", margin = { fixed = 2 }, returns = "absorb", payout_rounding = "micro" } ]
floor = 5
margin = { percent = 12.5 }
qualify = { adult = 'age >= 18', home = 'state != "NY"' }
duplicates = { window_hours = 2, on = ["phone"] }
[[campaign.stage]]
method = "auction"
timeout_ms = 400
[[campaign.stage]]
method = "waterfall"
offers = ["acme-rest", "acme-tx"]
floor = 2
[[campaign]]
id = "bare"
vertical = "auto"
qualify = 'age >= 21'
"""  # noqa: E501 - a line as operators write them


def stored(text=MARKET, **more):
    market = read_sheets([sheet_of("market.toml", text)]).market
    values = {"version": 7, "keys": {}, "signing": {}, "credited": {}} | more
    return Stored(market=market, **values)


def derive(name):
    return f"derived {name}".encode()


@pytest.fixture
def snapshot():
    return Compiler(derive).snapshot(stored())


def test_a_field_without_show_is_hidden_unless_it_is_an_attribute(snapshot):
    """What a ping shows is decided once, here, on the safe side."""
    fields = snapshot.verticals["auto"].fields
    shows = {name: field.show for name, field in fields.items()}
    assert shows == {
        "phone": Show.HASH,
        "email": Show.HIDDEN,
        "zip": Show.HIDDEN,
        "insured": Show.AS_IS,
        "gender": Show.AS_IS,
    }
    assert fields["phone"].required_in_post
    assert not fields["phone"].required_in_ping
    assert fields["zip"].required_in_ping
    assert fields["gender"].aliases == {"woman": "f"}


def test_an_offer_carries_its_own_limits_then_its_buyers(snapshot):
    """Whose limit it is stands in the limit; spend is in micros."""
    offer = snapshot.offers["acme-tx"]
    assert offer.caps == (
        Cap("offer/acme-tx", CapKind.LEADS, 200, Per.DAY),
        Cap("offer/acme-tx", CapKind.CONCURRENT, 20, None),
        Cap("buyer/acme", CapKind.SPEND, 20_000_000_000, Per.MONTH),
    )
    assert offer.schedule is not None
    assert offer.schedule.zone == ZoneInfo("America/Chicago")
    assert offer.schedule.days == (((540, 1020),),) * 5 + ((), ())
    assert offer.hidden == {"insured"}
    assert offer.buyer.duplicate_window_s == 720 * 3600


def test_what_an_offer_hides_it_hides_under_every_name_that_a_ping_would_give_it():
    """Without a birth date there is no age band either, and without a zip no zip3."""
    shown = """
birth_date = { type = "date", privacy = "quasi", show = "age_band" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }"""
    silent = '\nzip = { type = "us_zip", privacy = "quasi", ping = "required" }'
    text = MARKET.replace(silent, shown).replace(
        'hide = ["insured"]', 'hide = ["birth_date", "zip"]'
    )
    offer = Compiler(derive).snapshot(stored(text)).offers["acme-tx"]
    assert offer.hidden == {"birth_date", "age_band", "zip", "zip3"}


def test_the_first_price_whose_condition_holds_counts_before_the_plain_one(snapshot):
    """Conditional prices come first, in their order."""
    offer = snapshot.offers["acme-tx"]
    assert offer.static_price({"age": 61}) == 55_000_000
    assert offer.static_price({"age": 60}) == 9_000_000
    assert offer.static_price({}) == 9_000_000


def test_what_an_offer_does_not_say_has_the_contracts_default(snapshot):
    """The stage decides the time of a ping; a post has ten seconds, doubt two minutes."""
    offer = snapshot.offers["acme-tx"]
    assert offer.ping.max_bid == 1_000_000_000
    assert offer.ping.timeout_ms == 120_000
    assert (offer.post.timeout_ms, offer.post.in_doubt_max_s) == (10_000, 120)
    rest = snapshot.offers["acme-rest"]
    assert rest.ping is None
    assert rest.post is None
    assert rest.schedule is None
    assert rest.priority == 100


def test_billing_is_open_only_where_nothing_was_declared(snapshot):
    """Prepaid and credit come as they stand."""
    assert snapshot.buyers["acme"].billing.mode is BillingMode.PREPAID
    assert snapshot.buyers["other"].billing.mode is BillingMode.CREDIT
    assert snapshot.buyers["other"].billing.credit_limit == 100_000_000
    open_market = MARKET.replace('billing = { mode = "credit", limit = 100 }', "")
    other = Compiler(derive).snapshot(stored(open_market)).buyers["other"]
    assert other.billing.mode is BillingMode.OPEN


def test_stages_are_resolved_and_their_silent_keys_filled(snapshot):
    """`*` is every offer of the vertical in the file's order; no stage at all is one auction."""
    one, two = snapshot.campaigns["auto-us"].stages
    assert (one.number, one.method, one.offer_ids) == (1, Method.AUCTION, ("acme-tx", "acme-rest"))
    assert (one.timeout_ms, one.floor) == (400, 5_000_000)
    assert (two.number, two.method, two.offer_ids) == (
        2,
        Method.WATERFALL,
        ("acme-rest", "acme-tx"),
    )
    assert (two.timeout_ms, two.floor) == (1000, 2_000_000)
    [bare] = snapshot.campaigns["bare"].stages
    assert (bare.method, bare.floor, bare.timeout_ms) == (Method.AUCTION, 0, 1000)
    assert bare.offer_ids == ("acme-tx", "acme-rest")


def test_a_sellers_own_terms_come_before_the_campaigns(snapshot):
    """Margin, returns and rounding, each by itself."""
    terms = snapshot.campaigns["auto-us"].sellers
    assert terms["fast"].margin == Margin(MarginKind.PERCENT, Decimal("12.5"))
    assert terms["fast"].returns is ReturnsTo.PASS
    assert terms["slow"].returns is ReturnsTo.ABSORB
    assert terms["slow"].margin == Margin(
        MarginKind.FIXED, Decimal(0), Micros(2_000_000), round_to_cent=False
    )
    assert snapshot.sellers["slow"].always_200
    assert snapshot.sellers["fast"].sources["fb"].cost == 3_100_000


def test_qualification_rules_keep_their_ids(snapshot):
    """A single rule is called `qualify`."""
    rules = [(name, rule.text) for name, rule in snapshot.campaigns["auto-us"].qualify]
    assert rules == [("adult", "age >= 18"), ("home", 'state != "NY"')]
    assert [name for name, _ in snapshot.campaigns["bare"].qualify] == ["qualify"]
    assert snapshot.campaigns["auto-us"].duplicates.window_s == 7200
    assert snapshot.campaigns["bare"].duplicates is None


def test_a_buyers_signing_secret_keys_its_hashes_or_one_is_derived_for_it():
    """Hashes are keyed per buyer in either case, and stay the same."""
    plain = Compiler(derive).snapshot(stored()).offers["acme-tx"]
    assert (plain.secret, plain.hash_key) == (None, b"derived hash/acme")
    signed = Compiler(derive).snapshot(stored(signing={"acme": b"s" * 32})).offers["acme-tx"]
    assert (signed.secret, signed.hash_key) == (b"s" * 32, b"s" * 32)


def test_a_key_of_an_account_that_is_not_in_the_market_opens_nothing():
    """A retired seller is out; operators are nobody's account in the market."""
    keys = {
        b"1": Role("seller", "fast"),
        b"2": Role("seller", "retired"),
        b"3": Role("buyer", "acme"),
        b"4": Role("buyer", "retired"),
        b"5": Role("admin", "eve"),
    }
    snapshot = Compiler(derive).snapshot(stored(keys=keys))
    assert snapshot.keys.keys() == {b"1", b"3", b"5"}


def test_conditions_are_compiled_again_only_where_something_changed():
    """A new key costs a large market nothing; another schema does."""
    compiler = Compiler(derive)
    first = compiler.snapshot(stored()).offers["acme-tx"]
    again = compiler.snapshot(stored()).offers["acme-tx"]
    assert again.where is first.where
    changed = MARKET.replace("zip = {", "zip2 = {")
    other = compiler.snapshot(stored(changed)).offers["acme-tx"]
    assert other.where is not first.where
    assert other.where.text == first.where.text


def test_what_was_stored_and_cannot_be_compiled_is_one_kind_of_error():
    """Whatever is wrong with it: the worker keeps what it has."""
    good = stored()
    offer = msgspec.structs.replace(good.market.buyer[0].offer[0], where="agee > 3")
    buyer = msgspec.structs.replace(good.market.buyer[0], offer=(offer,))
    bad = msgspec.structs.replace(good, market=msgspec.structs.replace(good.market, buyer=(buyer,)))
    with pytest.raises(InvalidConfigurationError, match="did you mean"):
        Compiler(derive).snapshot(bad)
    lost = msgspec.structs.replace(good, market=msgspec.structs.replace(good.market, vertical=()))
    with pytest.raises(InvalidConfigurationError, match="auto"):
        Compiler(derive).snapshot(lost)


@pytest.mark.parametrize(
    ("hours", "week"),
    [
        ({"mon": "00:00-24:00"}, {0: ((0, 1440),)}),
        ({"sat-mon": "10:00-11:30"}, {5: ((600, 690),), 6: ((600, 690),), 0: ((600, 690),)}),
        ({"tue": "13:00-17:00, 09:00-12:00"}, {1: ((540, 720), (780, 1020))}),
        ({"wed": "09:00-12:00,12:00-13:00"}, {2: ((540, 720), (720, 780))}),
        ({"sun-sun": "22:00-24:00"}, {6: ((1320, 1440),)}),
    ],
)
def test_hours_are_read_as_people_write_them(hours, week):
    """Days, ranges over the weekend, several spans a day; what is not named is closed."""
    assert week_of(hours) == tuple(week.get(day, ()) for day in range(7))


@pytest.mark.parametrize(
    "text", ["9:00-17:00", "09:00", "09:60-10:00", "", "09:00 to 17:00", "٠٩:00-10:00"]
)
def test_hours_that_cannot_be_read_are_refused_with_their_key(text):
    """The key is named, so that its line can be."""
    with pytest.raises(HoursError) as caught:
        week_of({"mon": text})
    assert caught.value.key == "mon"


SPEAKING = """
[[mapping]]
id = "theirs"
params = { key = "k" }
[mapping.ping]
price = { path = "bid" }
yes = { path = "bid", above = 0 }
[mapping.ping.body.form]
key = "{param.key}"
insured = "{lead.gender}"
"""


def speaking(name, lines=""):
    return f"""
[[buyer]]
id = "{name}"
[[buyer.offer]]
id = "{name}"
vertical = "auto"
price = 1.00
ping = {{ url = "https://{name}.example/ping" }}
format = {{ ping = "theirs" }}
{lines}
"""


def test_offers_that_speak_alike_share_what_that_takes():
    """A thousand offers behind one mapping cost as much as the few ways in which they differ."""
    others = (
        speaking("first"),
        speaking("second"),
        speaking("keyed", 'params = { key = "other" }'),
        speaking("shy", 'hide = ["insured"]'),
    )
    offers = Compiler(derive).snapshot(stored(MARKET + SPEAKING + "".join(others))).offers
    dialects = {name: offers[name].ping.dialect for name in ("first", "second", "keyed", "shy")}
    assert dialects["first"] is dialects["second"]
    assert len({id(dialect) for dialect in dialects.values()}) == 3
