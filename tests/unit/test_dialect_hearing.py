"""What an answer to a ping or a post comes to, and what of it is kept: bounded and clean."""

import pytest

from exchange.dialect.compiling import ping_dialect
from exchange.domain.dialect import Declined, Offered, PostWord, Unclear
from tests.making_dialect import a_post, heard, mapping_of, setting

OK = '{ path = "ok", equals = [true] }'


def ping(lines, yes=OK):
    """A ping whose answers are read so."""
    return ping_dialect(mapping_of(f"[ping]\nbody.json = 1\nyes = {yes}\n{lines}"), setting())


# Pings

BOTH = (
    'no = { path = "no", equals = [true], reason = { path = "why" } }\nprice = { path = "price" }'
)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ('{"ok":true,"price":9}', 200, Offered(price=9_000_000)),
        ('{"ok":true,"price":9}', 299, Offered(price=9_000_000)),
        ('{"ok":true,"price":9}', 302, "meets neither the rule for yes nor for no, status 302"),
        ('{"ok":true,"price":9}', 500, "meets neither the rule for yes nor for no, status 500"),
        ('{"ok":true,"no":true,"price":9}', 200, "meets the rules for yes and for no"),
        ('{"no":true,"why":"  full \\n today\\u202e"}', 200, Declined("full today")),
        ('{"no":true}', 404, Declined(None)),
        ("", 204, Declined(None)),
        ('{"ok":true,"price":9}', 204, Declined(None)),
        ("{}", 200, "meets neither the rule for yes nor for no, status 200"),
        (
            "<!doctype html><h1>success</h1>",
            200,
            "meets neither the rule for yes nor for no, status 200, an HTML page",
        ),
        ('{"ok":true}', 200, "a yes without a price that can be read"),
        ('{"ok":true,"price":"soon"}', 200, "a yes without a price that can be read"),
        ('{"ok":true,"price":0}', 200, Declined(None)),
        ('{"ok":true,"price":-1}', 200, "a yes without a price that can be read"),
    ],
)
def test_a_pings_answer_is_a_bid_a_no_or_neither(body, status, said):
    """A yes needs a 2xx and a price where one is read; what is both, or neither, is invalid."""
    got = ping(BOTH).read(heard(body, status))
    assert got == (Unclear(said) if isinstance(said, str) else said)


ALONE = BOTH + '\nexclusive_price = { path = "alone", decimal = "," }'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '{"ok":true,"price":9,"alone":"$ 1.020,5"}',
            Offered(price=9_000_000, exclusive_price=1_020_500_000),
        ),
        ('{"ok":true,"price":9}', Offered(price=9_000_000)),
        ('{"ok":true,"price":9,"alone":null}', Offered(price=9_000_000)),
        ('{"ok":true,"price":9,"alone":""}', Offered(price=9_000_000)),
        ('{"ok":true,"price":9,"alone":0}', Offered(price=9_000_000)),
        ('{"ok":true,"price":0,"alone":20}', Offered(price=0, exclusive_price=20_000_000)),
        ('{"ok":true,"alone":20}', Offered(exclusive_price=20_000_000)),
        ('{"ok":true,"price":0,"alone":0}', Declined(None)),
        ('{"ok":true,"alone":0}', "a yes without a price that can be read"),
        ('{"ok":true,"price":"soon","alone":20}', "a yes without a price that can be read"),
        ('{"ok":true,"price":9,"alone":"much"}', "an exclusive price that cannot be read"),
        ('{"ok":true,"price":9,"alone":-1}', "an exclusive price that cannot be read"),
    ],
)
def test_a_bid_may_say_what_being_alone_is_worth(body, said):
    """Beside a price for sharing, or in its place; what is there and no amount is no bid."""
    got = ping(ALONE).read(heard(body))
    assert got == (Unclear(said) if isinstance(said, str) else said)


def test_a_yes_by_status_needs_no_other_look_at_it():
    dialect = ping("", "{ status = true, equals = [302] }")
    assert dialect.read(heard("", 302)) == Offered()
    assert isinstance(dialect.read(heard("", 200)), Unclear)


def test_all_that_a_bid_may_bring():
    lines = "\n".join(
        f'{name} = {{ path = "{name}" }}'
        for name in ("price", "token", "bid_id", "currency", "ttl_s", "buyer_name", "consent_text")
    )
    body = (
        '{"ok":true,"price":"12.345678","token":" t-1 ","bid_id":77,"currency":"usd","ttl_s":"30",'
        '"buyer_name":" Acme \\u0007 Inc ","consent_text":"You\\nagree"}'
    )
    assert ping(lines).read(heard(body)) == Offered(
        price=12_345_678,
        currency="USD",
        bid_id="77",
        token="t-1",
        ttl_s=30,
        buyer_name="Acme Inc",
        consent_text="You agree",
    )


ODD = [
    ("token", '"' + "x" * 501 + '"'),
    ("token", '"a\\r\\nX-Evil: 1"'),
    ("token", '"a\\u0000"'),
    ("token", '"a\\u202eb"'),
    ("token", '{"a":1}'),
    ("bid_id", '["a"]'),
    ("currency", '"US dollars"'),
    ("currency", '"€"'),
    ("ttl_s", "0"),
    ("ttl_s", "86401"),
    ("ttl_s", '"soon"'),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_bid_whose_terms_cannot_be_kept_is_invalid(name, value):
    """A token is sent back whole or not at all; nothing of it is quoted in what is told."""
    said = ping(f'{name} = {{ path = "v" }}').read(heard(f'{{"ok":true,"v":{value}}}'))
    assert isinstance(said, Unclear)
    assert name in said.detail
    assert "Evil" not in said.detail


# Prices

PRICES = [
    ("", '"$1,234.50"', 1_234_500_000),
    ("", '"USD 1 234.50"', 1_234_500_000),
    ("", '"12.5 €"', 12_500_000),
    ("", '"1\'234\'567.891"', 1_234_567_891_000),
    ("", '" 9 "', 9_000_000),
    ("", '".5"', 500_000),
    ("", '"0.0000019"', 1),
    ("", "1e2", 100_000_000),
    ("", "12.10", 12_100_000),
    ("", '"1.234,50"', None),
    ("", '"1,23"', None),
    ("", '"1,2345"', None),
    ("", '"12.50-15.00"', None),
    ("", '"-12.50"', None),
    ("", '"(12.50)"', None),
    ("", '"12.50 per lead"', None),
    ("", '"1e5"', None),
    ("", '"$"', None),
    ("", '"."', None),
    ("", '""', None),
    ("", "1e999", None),
    ("", '"NaN"', None),
    ("", "true", None),
    ("", "[9]", None),
    ("", "9999999999999999", None),
    ("", '"١٢"', None),
    (', decimal = ","', '"1.234,50"', 1_234_500_000),
    (', decimal = ","', '"€ 12,5"', 12_500_000),
    (', decimal = ","', '"1,234.50"', None),
    (', decimal = ","', "12.5", 12_500_000),
    (', unit = "cent"', "1250", 12_500_000),
    (', unit = "cent"', '"1,250"', 12_500_000),
    (', unit = "cent"', '"1250.00"', 12_500_000),
    (', unit = "cent"', '"12.50"', None),
]  # fmt: skip


@pytest.mark.parametrize(("how", "value", "price"), PRICES)
def test_a_price(how, value, price):
    """Over signs, blanks and thousands; what could be two amounts is none."""
    body = f'{{"ok":true,"p":{value}}}'
    said = ping(f'price = {{ path = "p"{how} }}').read(heard(body))
    assert getattr(said, "price", None) == price
    assert isinstance(said, Unclear if price is None else Offered)
    posted = a_post(f'body.json = 1\nprice = {{ path = "p"{how} }}').read(heard(body))
    assert (posted.word, posted.price) == (PostWord.ACCEPTED, price)


# Posts

POST = a_post(
    """
    body.json = 1
    refused = [
        { path = "ok", equals = [false], reason = { path = "why" } },
        { status = true, equals = [400, 422] },
    ]
    duplicate = { path = "why", contains = "duplicate" }
    pending = { path = "ok", equals = ["later"] }
    reference = { path = "id" }
    redirect = { path = "url" }
    price = { path = "price" }
    """
)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ('{"ok":true}', 200, "accepted"),
        ('{"ok":"TRUE"}', 201, "accepted"),
        ('{"ok":true}', 500, "unclear"),
        ('{"ok":true}', 422, "refused"),
        ('{"ok":false}', 200, "refused"),
        ('{"ok":false}', 500, "refused"),
        ("", 400, "refused"),
        ('{"ok":false,"why":"duplicate of 7"}', 200, "duplicate"),
        ('{"ok":true,"why":"duplicate of 7"}', 200, "unclear"),
        ('{"ok":"later"}', 200, "pending"),
        ('{"ok":"later"}', 400, "unclear"),
        ("", 200, "unclear"),
        ("", 204, "unclear"),
        ("<html>true</html>", 200, "unclear"),
        ("{}", 503, "unclear"),
    ],
)
def test_a_posts_answer_is_named_by_one_rule_or_in_doubt(body, status, word):
    """A duplicate is a refusal, named more exactly; what excludes each other is in doubt."""
    assert POST.read(heard(body, status)).word == word


def test_all_that_a_post_may_bring():
    body = '{"ok":true,"id":7,"url":"https://b.example/t?a=1#x","price":"$11.00"}'
    said = POST.read(heard(body))
    assert (said.reference, said.redirect_url) == ("7", "https://b.example/t?a=1#x")
    assert said.price == 11_000_000
    assert POST.read(heard('{"ok":false,"why":["a","b"]}')).detail == '["a","b"]'
    long = POST.read(heard('{"ok":false,"why":"' + "long <b>&amp; \\u200b " * 50 + '"}')).detail
    assert len(long) <= 200
    assert long.startswith("long <b>&amp; ")


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "ftp://b.example/", "//b.example/", "/path"),
        *("https://", "https:///x", "http://user:pass@b.example/", "https://b.example:99999/"),
        *("https://b.example/\\r\\nX: 1", "https://b.example/ x", 'https://b.example/\\"x'),
        *("https://b\\u0430nk.example/", "https://b.example/" + "x" * 2000, "https://[::1/", ""),
    ],
)
def test_a_redirect_that_is_no_plain_address_is_none(url):
    """The sale stands, and nobody is sent there."""
    said = POST.read(heard(f'{{"ok":true,"id":"{"x" * 501}","url":"{url}"}}'))
    assert (said.word, said.redirect_url, said.reference) == (PostWord.ACCEPTED, None, None)


# What no rule is met by


def test_of_an_answer_that_meets_no_rule_each_place_is_told_with_what_it_held():
    """A rule with `and` tells the first place that failed; rules at one place are told together."""
    lines = """
yes = { path = "@status", equals = ["OK"], and = { path = "bid", above = 0 } }
no = [{ path = "@status", equals = ["NO", 0] }, { header = "x-why", present = true }]
price = { path = "bid" }
"""
    dialect = ping_dialect(mapping_of(f"[ping]\n{lines}"), setting())
    status, why = dialect.missed(heard('<a status="ACCEPTED"><bid>1</bid></a>'))
    assert (status.place, status.found) == ("`@status`", "ACCEPTED")
    assert status.wanted == ("`OK`", "`NO` or `0`")
    assert (why.place, why.found, why.wanted) == ("the header `x-why`", None, ("something",))
    bid, *_ = dialect.missed(heard('<a status="OK"><bid>-1</bid></a>'))
    assert (bid.place, bid.found, bid.wanted) == ("`bid`", "-1", ("more than 0",))
    assert dialect.missed(heard('<a status="NO"/>')) == dialect.missed(heard("", 204)) == ()
    assert "ACCEPTED" not in repr(status)


def test_a_posts_places_are_told_of_all_its_words():
    post = a_post('refused = { text = true, contains = "sorry" }')
    ok, text = post.missed(heard('{"ok": "maybe"}'))
    assert (ok.place, ok.found, ok.wanted) == ("`ok`", "maybe", ("`true`",))
    assert (text.place, text.wanted) == ("the whole text", ("a text with `sorry`",))
    assert post.missed(heard('{"ok": true}')) == post.missed(heard("sorry")) == ()
