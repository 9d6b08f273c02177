"""Mappings in market files: what is wrong is told where it stands, each mistake once."""

from decimal import Decimal

import msgspec
import pytest

from exchange.configuration.difference import Present, conflicts, difference
from exchange.configuration.objects import Object, decode, encode, market_of, parts_of
from exchange.configuration.secrets import in_mapping, in_offer, users_of
from exchange.configuration.snapshots import Compiler, InvalidConfigurationError, Stored
from exchange.configuration.writing import write_market
from tests.market_files import assert_told_once, changed, read, refused

MARKET = """\
[[vertical]]
id = "auto"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }
insured = { type = "bool", privacy = "attribute" }

[[vertical]]
id = "solar"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }

[[mapping]]
id = "legacy"
params = { api_id = "", product = 2 }
maps = { cover = { "true" = "A", "*" = 1.50 } }
[mapping.value.segment]
cases = [ { when = "insured", then = "kept" } ]
else = "new"
[mapping.vertical.solar]
params = { product = 7 }
[mapping.ping]
headers = { X-Key = "{secret:legacy_key}" }
body.form = { api = "{param.api_id}", zip = "{lead.zip3}", cover = "{lead.insured|map(cover)}" }
yes = { path = "status", equals = ["yes", 1], and = { path = "price", above = 0.50 } }
no = [
    { path = "status", equals = ["no"], reason = { path = "why" } },
    { status = true, equals = [404] },
]
price = { path = "price" }
token = { path = "promise" }
[mapping.post]
auth = { hmac = { secret = "signing", header = "X-Sign" } }
accepted = { path = "ok", equals = [true] }
[mapping.post.body.json]
lead = { name = "{lead.first_name}", tags = ["a", 1, 2.50, true] }
promise = "{bid.token}"

[[buyer]]
id = "acme"
[[buyer.offer]]
id = "acme-tx"
vertical = "auto"
format = "legacy"
params = { api_id = "77" }
ping = { url = "https://acme.example/ping" }
post = { url = "https://acme.example/post", on_no_answer = "wait" }

[[buyer.offer]]
id = "acme-mixed"
vertical = "auto"
format = { ping = "legacy", post = "standard" }
params = { api_id = "78" }
ping = { url = "https://acme.example/ping" }
post = { url = "https://acme.example/standard" }
"""
SECRETS = frozenset({"legacy_key", "signing"})


def test_a_market_with_a_mapping_is_a_market():
    """Every construct of the language is taken, its numbers exact where they are free JSON."""
    reading = read(MARKET)
    [mapping] = reading.market.mapping
    assert mapping.post.body.json["lead"]["tags"] == ["a", 1, Decimal("2.50"), True]
    assert mapping.ping.yes.also.above == Decimal("0.50")
    assert mapping.value["segment"].otherwise == "new"
    assert reading.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # shape
        ('id = "legacy"', 'id = "legacy"\nidempotant = true', "[0].idempotant", "idempotent"),
        ("product = 2 }", "product = [2] }", "mapping[0].params.product", "is a list"),
        ("product = 2 }", "product = nan }", "mapping[0].params.product", "without end"),
        ("product = 2 }", "product = 2026-01-01 }", "params.product", "a date or time"),
        ("2.50, true]", "2.50, 2026-01-01]", ".post.body.json.lead.tags[3]", "JSON can hold"),
        ("2.50, true]", f"2.50, {'9' * 40}]", ".post.body.json.lead.tags[3]", "without end"),
        ("above = 0.50", 'above = "0.50"', "ping.yes.and.above", "must be a number"),
        ("equals = [404]", "equls = [404]", "ping.no[1].equls", 'did you mean "equals"?'),
        ("yes = {", "yse = {", "mapping[0].ping.yse", 'did you mean "yes"?'),
        ('format = "legacy"', "format = 7", "offer[0].format", "must be a text or a table"),
        ('{ ping = "legacy",', '{ pign = "legacy",', "format.pign", 'did you mean "ping"?'),
        # what the language says, wherever it is used
        ("|map(cover)", "|map(cove)", "mapping[0].ping.body.form.cover", "cover"),
        ("{param.api_id}", "{param.api}", "mapping[0].ping.body.form.api", "api_id"),
        ("|map(cover)", "|mpa(cover)", "mapping[0].ping.body.form.cover", "mpa"),
        ("vertical.solar]", "vertical.solr]", "mapping[0].vertical.solr", 'did you mean "solar"?'),
        ('id = "legacy"', 'id = "standard"', "mapping[0].id", "exchange's own format"),
        ('api_id = "", product', 'api_id = "k-{secret:a}", product', "params.api_id", "one secret"),
        # what only an offer brings to light
        ("{lead.zip3}", "{lead.zip}", "mapping[0].ping.body.form.zip", 'for offer "acme-tx"'),
        ("{lead.first_name}", "{lead.nick}", "json.lead.name", 'for offer "acme-tx"'),
        # what an offer says of it
        ('format = "legacy"', 'format = "legcy"', "offer[0].format", 'did you mean "legacy"?'),
        ('ping = "legacy",', 'ping = "legcy",', "format.ping", 'did you mean "legacy"?'),
        ('{ api_id = "77" }', '{ api_id = "7", prodct = 1 }', "[0].params.prodct", "product"),
        ('{ api_id = "77" }', '{ api_id = "k-{secret:a}" }', "params.api_id", "nothing else"),
        ('{ api_id = "77" }', "{ product = 1 }", "offer[0].params", 'without "api_id"'),
        (', on_no_answer = "wait"', "", "offer[0].post.on_no_answer", "not idempotent"),
    ],
)
def test_each_mistake_in_a_mapping_or_its_use_is_told_with_its_line_and_key(old, new, key, says):
    """A fault of the mapping stands at its own line, whoever uses it."""
    assert_told_once(MARKET, old, new, key, says)


def test_a_key_that_a_message_needs_is_missed():
    """Without a yes nothing could ever be one."""
    missing = changed(MARKET, "yes = {", "name = {")
    assert [one.key for one in refused(missing)] == ["mapping[0].ping.name", "mapping[0].ping.yes"]


def test_a_fault_that_several_offers_show_is_told_once():
    """Two offers use the ping; the name that it may not show is one mistake."""
    assert len(refused(changed(MARKET, "{lead.zip3}", "{lead.zip}"))) == 1


def test_a_half_that_a_mapping_lacks_is_told_where_it_is_called():
    """An offer with a post whose mapping has none."""
    start = MARKET.index("[mapping.post]")
    without = MARKET[:start] + MARKET[MARKET.index("[[buyer]]") :]
    [finding] = refused(without)
    assert finding.key == "buyer[0].offer[0].post"
    assert "has no [mapping.post]" in finding.message


def test_an_idempotent_mapping_needs_no_word_about_silence():
    """Its posts may be repeated, as in the standard format."""
    text = changed(MARKET, ', on_no_answer = "wait"', "")
    read(text.replace('id = "legacy"', 'id = "legacy"\nidempotent = true'))


def present(market, secrets=SECRETS):
    parts = parts_of(market).items()
    objects = {key: Object(index, part) for index, (key, part) in enumerate(parts)}
    return Present(version=3, objects=objects, retired={}, secrets=secrets)


def test_a_secret_that_is_not_set_is_a_conflict_with_its_place():
    """Where it is named first, as a header's or a signature's."""
    market = read(MARKET).market
    assert list(conflicts(present(market), market)) == []
    found = list(conflicts(present(market, frozenset({"legacy_keys"})), market))
    assert {problem.path for problem in found} == {
        ("mapping", 0, "ping", "headers", "X-Key"),
        ("mapping", 0, "post", "auth", "hmac", "secret"),
    }
    [told] = [problem.message for problem in found if "legacy_key" in problem.message]
    assert 'did you mean "legacy_keys"?' in told
    assert "exchange secrets set legacy_key" in told


OWN = changed(MARKET, '{ api_id = "77" }', '{ api_id = "{secret:acme_key}" }')


def test_a_secret_that_an_offer_hands_to_its_mapping_must_be_set():
    """The conflict stands at the offer's own parameter."""
    market = read(OWN).market
    assert list(conflicts(present(market, SECRETS | {"acme_key"}), market)) == []
    [problem] = conflicts(present(market), market)
    assert problem.path == ("buyer", 0, "offer", 0, "params", "api_id")
    assert "exchange secrets set acme_key" in problem.message


def test_a_secret_knows_which_mappings_and_offers_use_it():
    """So that none is removed that somebody still needs."""
    objects = present(read(OWN).market).objects
    assert users_of(objects, in_mapping) == {"legacy_key": ("legacy",), "signing": ("legacy",)}
    assert users_of(objects, in_offer) == {"acme_key": ("acme-tx",)}


DOCUMENT = """'''
<lead>
  <n a="{lead.first_name}"/>
</lead>
'''"""


def test_what_is_written_reads_as_it_was():
    """Export and apply go round: nested bodies, documents of many lines, renamed keys."""
    with_xml = (
        f'\n[[mapping]]\nid = "xml"\n[mapping.post]\nbody = {{ xml = {DOCUMENT} }}\n'
        'accepted = { path = "ok", equals = ["1"] }\n'
    )
    market = read(MARKET + with_xml).market
    written = write_market(market)
    assert DOCUMENT in written
    again = read(written).market
    assert again == market
    assert [encode(part) for part in parts_of(again).values()] == [
        encode(part) for part in parts_of(market).values()
    ]


def test_what_is_stored_reads_as_it_was():
    """Numbers keep their digits and tables their order in the database, too."""
    market = read(MARKET).market
    for (kind, _), part in parts_of(market).items():
        body = encode(part)
        assert decode(kind, body) == part
        assert encode(decode(kind, body)) == body
    assert market_of(present(market).objects) == market


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ('"kept"', '"stays"', ["value.segment.cases.0.then"]),
        ('else = "new"', 'else = "else"', ["value.segment.else"]),
        ("above = 0.50", "above = 0.60", ["ping.yes.and.above"]),
        ("2.50, true", "2.5, true", ["post"]),
        (
            'api = "{param.api_id}", zip = "{lead.zip3}",',
            'zip = "{lead.zip3}", api = "{param.api_id}",',
            ["ping"],
        ),
    ],
)
def test_what_differs_in_a_mapping_is_told_key_by_key(old, new, keys):
    """The order of a form's fields, and how a number is written, are differences: they are sent."""
    market, other = read(MARKET).market, read(changed(MARKET, old, new)).market
    [only] = difference(present(market), other).changes
    assert (only.kind, only.id) == ("mapping", "legacy")
    assert [field.key for field in only.fields] == keys


def stored(text=MARKET, **secrets):
    named = {"legacy_key": b"k", "signing": b"s"} | secrets
    return Stored(
        version=7, market=read(text).market, keys={}, signing={}, credited={}, named=named
    )


def a_compiler():
    return Compiler(lambda name: name.encode().ljust(32))


def compiled(given, compiler=None):
    return (compiler or a_compiler()).snapshot(given).offers


def test_an_offers_dialects_are_part_of_the_snapshot():
    """Both halves where the mapping speaks, none where the standard does."""
    offers = compiled(stored())
    assert offers["acme-tx"].ping.dialect is not None
    assert offers["acme-tx"].post.dialect is not None
    assert not offers["acme-tx"].post.repeatable
    assert offers["acme-mixed"].ping.dialect is not offers["acme-tx"].ping.dialect
    assert offers["acme-mixed"].post.dialect is None
    assert offers["acme-mixed"].post.repeatable


def test_dialects_are_compiled_again_only_where_something_changed():
    """The same mapping keeps them; a secret, a param or another type of one makes new ones."""
    compiler = a_compiler()
    first = compiled(stored(), compiler)
    same = compiled(stored(), compiler)
    assert same["acme-tx"].ping.dialect is first["acme-tx"].ping.dialect
    param = compiled(stored(changed(MARKET, '"78"', '"79"')), compiler)
    assert param["acme-mixed"].ping.dialect is not same["acme-mixed"].ping.dialect
    assert param["acme-tx"].ping.dialect is same["acme-tx"].ping.dialect
    secret = compiled(stored(changed(MARKET, '"78"', '"79"'), signing=b"other"), compiler)
    assert secret["acme-tx"].post.dialect is not param["acme-tx"].post.dialect
    typed = compiled(stored(changed(MARKET, "product = 2 }", "product = true }")), compiler)
    again = compiled(stored(changed(MARKET, "product = 2 }", "product = 1 }")), compiler)
    assert typed["acme-tx"].ping.dialect is not again["acme-tx"].ping.dialect


def test_a_stored_market_without_its_secret_cannot_be_compiled():
    """The worker keeps what it has, and says which offer it is about."""
    given = msgspec.structs.replace(stored(), named={})
    with pytest.raises(InvalidConfigurationError, match="legacy_key") as caught:
        compiled(given)
    assert 'offer "acme-tx"' in str(caught.value)


def test_an_offers_own_secret_is_spoken_and_a_new_value_makes_a_new_dialect():
    """Each account has a key of its own, in one mapping for all."""
    compiler = a_compiler()
    first = compiled(stored(OWN, acme_key=b"k-1"), compiler)
    same = compiled(stored(OWN, acme_key=b"k-1"), compiler)
    assert same["acme-tx"].ping.dialect is first["acme-tx"].ping.dialect
    other = compiled(stored(OWN, acme_key=b"k-2"), compiler)
    assert other["acme-tx"].ping.dialect is not first["acme-tx"].ping.dialect
    assert other["acme-mixed"].ping.dialect is first["acme-mixed"].ping.dialect
    with pytest.raises(InvalidConfigurationError, match="acme_key"):
        compiled(stored(OWN))
