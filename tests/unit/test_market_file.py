"""Reading market files: what is right becomes a market, what is wrong is told with its line."""

from decimal import Decimal

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_market
from tests.market_files import read, refused

GOOD = """\
[[vertical]]
id = "auto"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
birth_date = { type = "date", privacy = "quasi", show = "age_band" }
insured = { type = "bool", privacy = "attribute" }
credit = { type = "choice", privacy = "attribute", values = ["good", "poor"], aliases={ok="good"} }
year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }

[[seller]]
id = "fast"
source = [ { id = "fb-1", channel = "facebook", cost = 3.10 }, { id = "search", floor = 6 } ]

[[buyer]]
id = "acme"
time_zone = "America/Chicago"
billing = { mode = "prepaid", opening_balance = 5000.00 }
caps = [ { spend = 20000, per = "month" } ]
[[buyer.offer]]
id = "acme-tx"
vertical = "auto"
where = 'state in ["TX", "OK"] and age >= 25'
caps = [ { leads = 200, per = "day" }, { concurrent = 20 } ]
hours = { mon-fri = "09:00-17:00", sat = "10:00-14:00" }
price = 9.00
prices = [ { when = 'state == "FL"', price = 55.00 } ]
ping = { url = "https://bids.acme.example/ping", timeout_ms = 300, max_bid = 80.00 }
post = { url = "https://bids.acme.example/post" }

[[campaign]]
id = "auto-us"
vertical = "auto"
sellers = [ "fast" ]
margin = { percent = 15 }
qualify = 'age >= 18'
duplicates = { window_hours = 720, on = ["phone"] }
[[campaign.stage]]
method = "auction"
[[campaign.stage]]
method = "waterfall"
offers = ["acme-tx"]
"""

ADULTS = "qualify = 'age >= 18'"
DUPLICATES = 'duplicates = { window_hours = 720, on = ["phone"] }'
LEARN = "learn_floor = { explore = 0.1, "


def test_the_contracts_example_is_a_market():
    """All of the words used here are taken, money stays exact, defaults are filled."""
    reading = read(GOOD)
    offer = reading.market.buyer[0].offer[0]
    assert offer.ping.max_bid == Decimal("80.00")
    assert offer.post.timeout_ms == 10_000
    assert offer.post.in_doubt_max_s == 120
    assert reading.market.seller[0].source[0].cost == Decimal("3.10")
    assert reading.market.campaign[0].auction_deadline_ms == 1000
    assert reading.warnings == ()


def lined(old, new):
    """The good file with one thing changed, and the line on which the change begins."""
    assert GOOD.count(old) == 1, f"{old!r} stands in the file once"
    line = GOOD[: GOOD.index(old)].count("\n") + 1
    return GOOD.replace(old, new), line


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # unknown keys, wrong types, missing keys
        ("price = 9.00", "prise = 9.00", "buyer[0].offer[0].prise", 'did you mean "price"?'),
        ('show = "hash"', 'shows = "hash"', "vertical[0].fields.phone.shows", "unknown key"),
        ("[[seller]]", "[[sellers]]", "sellers", 'unknown key; did you mean "seller"?'),
        ("timeout_ms = 300", 'timeout_ms = "300"', ".ping.timeout_ms", "must be a whole number"),
        ("timeout_ms = 300", "timeout_ms = 0", ".ping.timeout_ms", "must be at least 1"),
        ("timeout_ms = 300", "timeout_ms = true", ".ping.timeout_ms", "is true or false"),
        ("window_hours = 720", "window_hours = 99999", ".window_hours", "must be at most"),
        ("cost = 3.10", 'cost = "3.10"', "seller[0].source[0].cost", "must be a number"),
        ("cost = 3.10", "cost = 3.1000001", "source[0].cost", "at most six decimals"),
        ("cost = 3.10", "cost = nan", "source[0].cost", "at most six decimals"),
        ("cost = 3.10", "cost = 1e999", "source[0].cost", "at most six decimals"),
        ("cost = 3.10", "cost = -1", "source[0].cost", "must be at least 0"),
        ("price = 55.00", "price = 2000000000", "prices[0].price", "within a thousand million"),
        ("percent = 15", "percent = 101", "margin.percent", "must be at most 100"),
        ("year = {", "year = 3 #", "fields.year", "must be a table, is a whole number"),
        ('on = ["phone"]', 'on = "phone"', "duplicates.on", "must be a list"),
        ("'age >= 18'", "7", "campaign[0].qualify", "must be a text or a table"),
        ('id = "fb-1"', "id = 2026-01-01", "source[0].id", "is a date or time"),
        # words
        ('"auction"', '"auctoin"', "stage[0].method", 'did you mean "auction"?'),
        (
            "window_hours = 720",
            'action = "merged", window_hours = 1',
            ".action",
            'must be "reject" or "merge"; did you mean "merge"?',
        ),
        ('"auction"', '"auction"\nmax_buyers = 0', "max_buyers", "must be at least 1"),
        ("price = 9.00", 'price = 9.00\nnot_with = ["acne"]', "not_with[0]", 'no buyer "acne"'),
        ("price = 9.00", 'price = 9.00\nnot_with = ["acme"]', "not_with[0]", "its own buyer"),
        ("price = 9.00", "price = 9.00\nshare_with_max = -1", "share_with_max", "at least 0"),
        (
            '"waterfall"',
            '"waterfall"\nprice_rule = "second_price"',
            "stage[1].price_rule",
            'is for method = "auction"',
        ),
        (
            "price = 9.00",
            'format = "xml"',
            "offer[0].format",
            'there is no mapping "xml"; if another file has it, name that, too',
        ),
        ("price = 9.00", "params = { a = 1 }", "offer[0].params.a", "for an offer with a mapping"),
        # ids
        ('id = "fast"', 'id = "Fast Quotes"', "seller[0].id", "is malformed: lower-case"),
        ('id = "acme"', 'id = ""', "buyer[0].id", "is malformed"),
        ('id = "search"', 'id = "fb-1"', "seller[0].source[1].id", "another source"),
        (
            '[[seller]]\nid = "fast"',
            '[[seller]]\nid="fast"\n[[seller]]\nid = "fast"',
            "seller[1].id",
            'another seller "fast"',
        ),
        (
            "[[campaign]]",
            '[[buyer.offer]]\nid = "acme-tx"\nvertical = "auto"\nprice = 1\n[[campaign]]',
            "buyer[0].offer[1].id",
            'another offer "acme-tx"',
        ),
        # references
        (
            'vertical = "auto"\nwhere',
            'vertical = "auta"\nwhere',
            "offer[0].vertical",
            'there is no vertical "auta"; did you mean "auto"?',
        ),
        (
            'vertical = "auto"\nsellers',
            'vertical = "home"\nsellers',
            "campaign[0].vertical",
            'there is no vertical "home"; if another file has it, name that, too',
        ),
        ('[ "fast" ]', '[ "fasd" ]', "sellers[0]", 'did you mean "fast"?'),
        ('[ "fast" ]', '[ "fast", { id = "fast" } ]', "sellers[1].id", '"fast" stands twice'),
        ('[ "fast" ]', '[ { id = "fast", margin = { } } ]', "sellers[0].margin", "exactly one of"),
        ('["acme-tx"]', '["acme-tz"]', "stage[1].offers[0]", 'did you mean "acme-tx"?'),
        ('["acme-tx"]', '["acme-tx", "acme-tx"]', "offers[1]", "stands twice"),
        ('["acme-tx"]', '["*", "acme-tx"]', "offers", "it stands alone"),
        ('["acme-tx"]', "[]", "offers", "names no offer"),
        # conditions
        ("age >= 25'", "agee >= 25'", "offer[0].where", 'did you mean "age"?'),
        ("age >= 25'", "age >='", "offer[0].where", "cannot be read"),
        ("'state == \"FL\"'", "'state == \"Fl\"'", "prices[0].when", 'never "Fl"'),
        ("'age >= 18'", "'credit == \"god\"'", "qualify", 'did you mean "good"?'),
        ("'age >= 18'", "{ adult = 'age > old' }", "qualify.adult", '"old" is no field'),
        ("'age >= 18'", "{ qualify = 'age > 1' }", "qualify.qualify", "call it something else"),
        # verticals
        ("min = 1950, max = 2030", "min = 2031, max = 2030", "year.min", "is more than max"),
        ("min = 1950", "min = 1950.5", "year.min", "must be a whole number"),
        ('type = "bool"', 'type = "bool", min = 1', "insured.min", "only fields of type"),
        ('type = "bool"', 'type = "boolean"', "insured.type", 'did you mean "bool"?'),
        ('type = "bool"', 'type = "phone"', "insured.privacy", 'is "identity"'),
        ('type = "bool"', 'type = "bool", show = "hash"', "insured.show", "an attribute shows"),
        (
            'type = "bool"',
            'type = "bool", values = ["a"]',
            "insured.values",
            "only a field of type",
        ),
        (
            'type = "bool"',
            'type = "text", pattern = "("',
            "insured.pattern",
            "no regular expression",
        ),
        (
            '"required" }\nphone',
            '"required", show = "as_is" }\nphone',
            "first_name.show",
            "is hidden",
        ),
        ('show = "age_band"', 'show = "zip3"', "birth_date.show", 'for fields of type "us_zip"'),
        ('show = "age_band"', 'show = "hash"', "birth_date.show", "only identity"),
        ('values = ["good", "poor"]', 'values = ["good", "good"]', "credit.values[1]", "twice"),
        (
            'values = ["good", "poor"], aliases={ok="good"}',
            "length_max = 9",
            "credit.values",
            "a choice needs values",
        ),
        ('ok="good"', 'ok="god"', "credit.aliases.ok", 'did you mean "good"?'),
        ("insured =", "score =", "fields.score", "a word of the exchange"),
        ("insured =", "lambda =", "fields.lambda", "a word of the exchange"),
        ("insured =", "Insured =", "fields.Insured", "is malformed"),
        ("insured =", "phone_hash =", "fields.phone_hash", "hashes are called"),
        ("insured =", "age =", "fields.age.type", 'must be of type "int"'),
        # buyers
        ('"America/Chicago"', '"America/Chicgo"', "time_zone", 'did you mean "America/Chicago"?'),
        ('"America/Chicago"', '"/etc/passwd"', "time_zone", "there is no time zone"),
        ('id = "acme"', 'id = "acme"\ncurrency = "US"', "buyer[0].currency", "no currency of ISO"),
        ("opening_balance = 5000.00", "limit = 1", "billing.limit", 'for mode = "credit"'),
        ('"prepaid", opening_balance = 5000.00', '"credit"', "billing.limit", "is missing"),
        ('"prepaid", ', '"credit", limit = 5, ', "opening_balance", 'for mode = "prepaid"'),
        ("spend = 20000, ", "spend = 20000, leads = 3, ", "buyer[0].caps[0]", "exactly one of"),
        ("concurrent = 20", 'concurrent = 20, per = "day"', "caps[1].per", "in no window"),
        ('leads = 200, per = "day"', "leads = 200", "caps[0].per", "is missing"),
        ("concurrent = 20", 'leads = 3, per = "day"', "caps[1]", "leads per day is capped twice"),
        # hours
        ("sat =", "sun-tue =", "hours.sun-tue", "mon is named twice"),
        ("sat =", "saturday =", "hours.saturday", "must be a day"),
        ('"10:00-14:00"', '"10-14"', "hours.sat", "must be hours such as"),
        ('"10:00-14:00"', '"14:00-10:00"', "hours.sat", "over midnight"),
        ('"10:00-14:00"', '"10:00-24:01"', "hours.sat", "ends at 24:00"),
        ('"10:00-14:00"', '"10:00-14:00, 13:00-15:00"', "hours.sat", "overlap"),
        # prices and delivery
        ("https://bids.acme.example/ping", "bids.acme.example", "ping.url", "must be a URL"),
        ("https://bids.acme.example/ping", "ftp://x/", "ping.url", "must be a URL"),
        ("https://bids.acme.example/ping", "https://x:99999/", "ping.url", "must be a URL"),
        ("https://bids.acme.example/ping", "https://x/a b", "ping.url", "must be a URL"),
        ("https://bids.acme.example/ping", "https://me:pw@x/", "ping.url", "user or a password"),
        ("https://bids.acme.example/ping", "https://x/#a", "ping.url", "fragment"),
        ("price = 9.00", "floor = 99", "offer[0].floor", "no bid reaches it"),
        ("price = 9.00", 'hide = ["zap"]', "hide[0]", 'did you mean "zip"?'),
        # campaigns
        ("percent = 15", "percent = 15, fixed = 2", "campaign[0].margin", "exactly one of"),
        ('"waterfall"', '"waterfall"\nrank_by = "expected_value"', ".rank_by", "no bids to rank"),
        (
            '"auction"',
            '"auction"\nrank_by = "expected_value"\nprice_rule = "second_price"',
            "stage[0].price_rule",
            'needs rank_by = "price"',
        ),
        (
            f"{ADULTS}\n{DUPLICATES}\n[[campaign.stage]]\n",
            f"{LEARN}min = 1, max = 30 }}\n[[campaign.stage]]\nmax_buyers = 2\n",
            "stage[0].max_buyers",
            "auctions for one buyer",
        ),
        (ADULTS, f"{LEARN}min = 30, max = 30 }}", "learn_floor.max", "must be more than min"),
        (ADULTS, f"{LEARN}min = 0, max = 30 }}", "learn_floor.min", "must be from 0.01"),
        (ADULTS, f"{LEARN}min = 1, max = 30.005 }}", "learn_floor.max", "in cents"),
        (ADULTS, f"{LEARN}min = 1, max = 9, hours = 5 }}", "learn_floor.hours", "divide the day"),
        (ADULTS, f'{LEARN}min = 1, max = 9, time_zone = "Mars" }}', "time_zone", "no time zone"),
        (
            "'age >= 18'",
            "'age >= 18'\nanswer_deadline_ms = 900",
            "answer_deadline_ms",
            "before the",
        ),
        ('on = ["phone"]', 'on = ["phne"]', "duplicates.on[0]", 'did you mean "phone"?'),
        ('on = ["phone"]', 'on = ["zip"]', "duplicates.on[0]", "no field of type"),
        ('on = ["phone"]', "on = []", "duplicates.on", "names no field"),
    ],
)
def test_each_mistake_is_told_once_with_its_line_and_key(old, new, key, says):
    """One thing wrong is one finding: the file, the line of the change, the key, a sentence."""
    text, line = lined(old, new)
    findings = [finding for finding in refused(text) if finding.key.endswith(key)]
    assert len(findings) == 1, refused(text)
    assert says in findings[0].message
    offset = new[: new.rindex("\n") + 1].count("\n") if "\n" in new else 0
    assert line <= findings[0].line <= line + offset
    assert findings[0].file == "market.toml"
    assert str(findings[0]).startswith(f"market.toml:{findings[0].line}: ")


def test_a_key_that_is_missing_is_told_where_its_table_begins():
    """There is no line for what is not there; the table's head is where it belongs."""
    text, line = lined('id = "fast"', "")
    [finding] = [finding for finding in refused(text) if finding.key == "seller[0].id"]
    assert (finding.message, finding.line) == ("is missing", line - 1)


def test_all_mistakes_are_told_at_once():
    """Mistakes of every kind, in several places, come together and each once."""
    text = GOOD
    for old, new in [
        ("price = 9.00", "prise = 9.00"),
        ('type = "bool"', 'type = "boolean"'),
        ("opening_balance = 5000.00", "limit = 1"),
        ('on = ["phone"]', 'on = ["phne"]'),
        ('"America/Chicago"', '"Mars"'),
    ]:
        text = text.replace(old, new)
    keys = [finding.key for finding in refused(text)]
    assert sorted(keys) == [
        "buyer[0].billing.limit",
        "buyer[0].offer[0].prise",
        "buyer[0].time_zone",
        "vertical[0].fields.insured.type",
    ]


def test_an_offer_with_nothing_to_offer_is_refused():
    """Without a ping and without a price it could never buy."""
    text = (
        GOOD.replace("price = 9.00\n", "").replace("ping = { url", "#").replace("prices = [", "#")
    )
    findings = refused(text)
    assert ["an offer without a ping needs a price" in f.message for f in findings] == [True]


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("price = 9.00", 'hash = "md5"', "hash", "telephone number from its md5"),
        (
            "https://bids.acme.example/ping",
            "http://127.0.0.1:9300/x",
            "ping.url",
            "not on the public",
        ),
        ("https://bids.acme.example/post", "http://localhost/x", "post.url", "not on the public"),
        ('post = { url = "https://bids.acme.example/post" }', "", "offer[0]", "has no post"),
        ('[ "fast" ]', "[]", "campaign[0]", "nobody can post"),
        ('id = "acme"', 'id = "acme"\ncurrency = "CAD"', "offers[0]", "pays in CAD"),
        ("price = 9.00", "price = 9.00\nfloor = 10", "price", "below the offer's own floor"),
        (
            "qualify = 'age >= 18'",
            "learn_floor = { explore = 0, min = 1.00, max = 9.00 }",
            "learn_floor.explore",
            "nothing is tried",
        ),
    ],
)
def test_what_is_odd_but_possible_is_a_warning(old, new, key, says):
    """A warning has its line too and keeps nobody from applying."""
    text, line = lined(old, new)
    [warning] = read(text).warnings
    assert warning.key.endswith(key)
    assert says in warning.message
    if key not in {"offer[0]", "campaign[0]", "offers[0]"}:
        assert warning.line == line


def test_several_files_are_one_market(tmp_path):
    """Parts may stand in files of their own; a mistake names the right one."""
    cut = GOOD.index("[[seller]]")
    one, two = tmp_path / "vertical.toml", tmp_path / "rest.toml"
    one.write_text(GOOD[:cut])
    two.write_text(GOOD[cut:])
    assert read_market([one, two]).market == read(GOOD).market
    two.write_text(GOOD[cut:].replace("age >= 25", "agee >= 25"))
    with pytest.raises(MarketFileError) as caught:
        read_market([one, two])
    [finding] = caught.value.findings
    assert finding.file == str(two)
    assert finding.line == GOOD[cut:][: GOOD[cut:].index("age >= 25")].count("\n") + 1


def test_an_id_that_two_files_have_is_told_with_both_places(tmp_path):
    """Whoever reads it need not look for the other one."""
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('\n[[buyer]]\nid = "acme"\n')
    other.write_text('[[seller]]\nid = "fast"\n[[buyer]]\nid = "acme"\n')
    with pytest.raises(MarketFileError) as caught:
        read_market([one, other])
    assert str(caught.value) == f'{other}:4: buyer[0].id: there is another buyer "acme" at {one}:3'


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"a = 1\nb = = 2\n", 2, "is no TOML"),
        (b"a = 1\na = 2\n", 2, "is no TOML"),
        (b"a = 'x\n", 1, "is no TOML"),
        (b"a = [", 1, "is no TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "is not UTF-8"),
        (b"a = " + b"9" * 5000, 1, "a number without end"),
        (b"a = " + b"[" * 100_000, 1, "is nested too deeply"),
        (b"vertical = 3\n", 1, "must be a list"),
        (b"[vertical]\nid = 'x'\n", 1, "must be a list"),
        (b"vertical = [1]\n", 1, "must be a table"),
    ],
)
def test_what_is_no_market_file_at_all_is_refused_with_a_line(tmp_path, content, line, says):
    """Broken TOML, broken UTF-8 and absurd values end in a finding, never in a traceback."""
    path = tmp_path / "market.toml"
    path.write_bytes(content)
    with pytest.raises(MarketFileError) as caught:
        read_market([path])
    [finding] = caught.value.findings
    assert says in finding.message
    assert (finding.file, finding.line) == (str(path), line)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """Every file that is missing is named, not only the first."""
    with pytest.raises(MarketFileError) as caught:
        read_market([tmp_path / "a.toml", tmp_path / "b.toml"])
    assert ["No such file" in finding.message for finding in caught.value.findings] == [True] * 2
