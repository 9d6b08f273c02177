"""Whatever comes back: nothing raises, nothing is taken for a yes, nothing takes long."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.answer_cost import NASTY, greedy, mappings, readers, took
from exchange.dialect.compiling import ping_dialect, post_dialect
from exchange.domain.dialect import Declined, Heard, Offered, PostSaid, PostWord, Unclear
from exchange.domain.money import AMOUNT_MAX
from tests.making_dialect import heard, mapping_of, setting
from tests.making_presets import answer, heard_of, is_yes, presets

PLACE = Path(__file__).parents[1] / "corpus/answers"
CORPUS = {path.name: path.read_bytes() for path in sorted(PLACE.iterdir())}
HALVES = [
    (f"{preset.name} {half}", preset.half(half))
    for preset in presets()
    for half in ("ping", "post")
    if getattr(preset.mapping, half) is not None
]
each_half = pytest.mark.parametrize("dialect", [half for _, half in HALVES], ids=dict(HALVES))
VALID = [
    heard_of(case.heard).body
    for preset in presets()
    for kind in ("exemplary", "supplemental")
    for _, case in preset.sheets(kind)
]

EVERY_PING = """
[ping]
body = { json = {} }
yes = [
    { path = "ok", equals = [true, "success"] },
    { path = "r.ok", contains = "success" },
    { path = "a[1].b", above = 3, and = { path = "a[0]", present = true } },
    { regex = 'ok=(\\w+)', equals = ["success"] },
    { header = "X-Ok", equals = ["success"] },
    { text = true, equals = ["success"] },
    { status = true, equals = [299] },
]
no = [
    { path = "ok", equals = [false], reason = { path = "why" } },
    { path = "r.@ok", equals = [0], reason = { text = true } },
    { text = true, contains = "refused", reason = { regex = "refused (.*)" } },
]
price = { path = "price" }
token = { path = "token" }
bid_id = { path = "r.id" }
currency = { path = "currency" }
ttl_s = { path = "ttl" }
buyer_name = { path = "buyer", map = { a = "Acme", "*" = 7 } }
consent_text = { text = true }
"""
EVERY_POST = """
[post]
body = { json = {} }
html = true
accepted = [{ path = "ok", equals = [true, "success"] }, { regex = '(success)', present = true }]
refused = { path = "ok", equals = [false], reason = { path = "why" } }
duplicate = { text = true, contains = "duplicate" }
pending = { path = "ok", equals = ["later"] }
reference = { path = "ref" }
redirect = { path = "url" }
price = { path = "price", decimal = ",", unit = "cent" }
"""
PING = ping_dialect(mapping_of(EVERY_PING), setting())
POST = post_dialect(mapping_of(EVERY_POST), setting())
EVERY = [("every ping", PING), ("every post", POST), *HALVES]


def is_success(said):
    return isinstance(said, Offered) or getattr(said, "word", None) is PostWord.ACCEPTED


def check_sound(said):
    """What was understood is one of few values, and nothing in it is larger or odder than that."""
    if isinstance(said, PostSaid):
        texts = {said.detail: 200, said.reference: 500, said.redirect_url: 2000}
    elif isinstance(said, Offered):
        texts = {said.token: 500, said.bid_id: 500, said.buyer_name: 200, said.consent_text: 800}
        assert said.currency is None or (len(said.currency) == 3 and said.currency.isalpha())
        assert said.ttl_s is None or 1 <= said.ttl_s <= 86_400
    else:
        assert isinstance(said, Declined | Unclear), said
        texts = {said.reason if isinstance(said, Declined) else said.detail: 200}
    for text, longest in texts.items():
        assert text is None or (0 < len(text) <= longest and text.isprintable())
    price = getattr(said, "price", None)
    assert price is None or (type(price) is int and 0 <= price <= AMOUNT_MAX)
    redirect = getattr(said, "redirect_url", None)
    assert redirect is None or redirect.split(":")[0].lower() in {"http", "https"}


# The corpus


@pytest.mark.parametrize("name", CORPUS)
def test_no_preset_takes_an_accident_for_a_yes(name):
    """Pages, bombs, cut and doubled documents that hold every word of success: no success."""
    for kind, dialect in HALVES:
        said = dialect.read(answer(CORPUS[name]))
        check_sound(said)
        assert not is_success(said), kind


@pytest.mark.parametrize(
    "name", ["laughs", "quadratic", "external", "external_subset", "parameter_entity"]
)
def test_a_document_type_says_nothing(name):
    """Bombs and external entities are no XML at all, whatever stands beside them."""
    body = CORPUS[f"{name}.xml"].replace(b"</response>", b"<ok>success</ok></response>")
    assert isinstance(PING.read(heard(body)), Unclear)
    assert PING.read(heard("<r><ok>success</ok><price>9</price></r>")).price == 9_000_000


# Whatever the bytes

PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b'"', b":", b",", b'{"ok":', b"true", b"null", b"1e999", b"NaN"),
        *(b"$1,234.50", b"1.234,50", b"-1", b"\\u0000", b"\\ud800", b"\\", b"'", b"ok=", b"&"),
        *(b"<r>", b"</r>", b"<ok>", b"</ok>", b"<!DOCTYPE r [", b"<!ENTITY a 'b'>", b"&a;", b"]>"),
        *(b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml encoding='utf-16'?>", b"<html>", b"<"),
        *(b"%", b"%41", b"+", b"=", b"\r\n", b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"),
        *(b"\xe9", b"\xed\xa0\x80", "\u202e".encode(), b"success", b"price", b"duplicate", b" "),
    ]
)
GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES, max_size=40).map(b"".join),
    st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")),
)


@st.composite
def mutations(draw):
    """Return an answer of the corpus, or of a preset's cases, with some bytes otherwise."""
    body = bytearray(draw(st.sampled_from([*CORPUS.values(), *VALID])))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 8)))
        body[start:end] = draw(
            st.one_of(PIECES, st.binary(max_size=4), st.just(bytes(body[start:end]) * 2))
        )
    return bytes(body)


@given(
    body=st.one_of(mutations(), GARBAGE),
    status=st.sampled_from([0, 100, 200, 201, 204, 299, 302, 400, 500, 999]),
    head=st.one_of(st.just(b""), st.binary(max_size=80), st.lists(PIECES).map(b"\r\nX-Ok:".join)),
)
@example(body=b"", status=200, head=b"")
def test_no_answer_raises_and_what_it_says_is_sound(body, status, head):
    for _, dialect in EVERY:
        check_sound(dialect.read(Heard(status, head, body)))


LETTERS = 'abcdfghijklmnopqrtvwxyz0123456789 <>/=&%+{}[]",:;.-_\r\n\0\u00e9\u0455\u202e\u200b'
"""Without `b`, `e`, `h`, `i`, `o`, `s`, `u`: no word or name of success is spelled with these."""


@given(st.text(LETTERS, max_size=200), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_what_is_not_named_is_not_success(text, encoding):
    """Garbage without one letter of the word is no yes, in any shape, to any preset."""
    for kind, dialect in EVERY:
        assert not is_success(dialect.read(answer(text.encode(encoding)))), kind


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 2),
        st.sampled_from(["success", "SUCCESS ", "true", "suc", "", "1", "False"]),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["ok", "r", "a", "b", "price"]), inner, max_size=4),
    ),
    max_leaves=12,
)
PATHED = """
[ping]
body = { json = {} }
yes = { path = "a[1].ok", equals = [true, "success"] }
"""


@given(VALUES)
@example({"a": [0, {"ok": True}]})
@example({"a": [0, {"ok": "Success"}]})
@example({"a": {"1": {"ok": True}}})
def test_a_path_of_json_is_met_just_where_the_value_is(tree):
    """Compared with Python's own reading of the same document."""
    dialect = ping_dialect(mapping_of(PATHED), setting())
    wanted = None
    if isinstance(tree, dict) and isinstance(tree.get("a"), list) and len(tree["a"]) > 1:
        second = tree["a"][1]
        wanted = second.get("ok") if isinstance(second, dict) else None
    is_met = wanted is True or (
        isinstance(wanted, str) and wanted.strip().lower() in {"true", "success"}
    )
    assert is_success(dialect.read(heard(json.dumps(tree)))) is is_met


@given(st.one_of(st.decimals(allow_nan=True, allow_infinity=True), st.floats()).map(str))
@example("1e999")
@example("-0.0")
@example("9" * 400)
@example("1_000")
@example("１２")  # noqa: RUF001 - digits that are not ours
def test_no_price_is_out_of_bounds_or_other_than_written(text):
    """As a JSON number and as a text: exactly what it says, or a bid that is invalid."""
    for body in (f'{{"ok":true,"price":{text}}}', f'{{"ok":true,"price":"{text}"}}'):
        said = PING.read(heard(body))
        if isinstance(said, Offered):
            assert said.price == int(Decimal(text) * 1_000_000) > 0
        elif isinstance(said, Declined):
            assert int(Decimal(text) * 1_000_000) == 0


# However nasty

ASKING = [(name, dialect.read) for name, dialect in EVERY] + [
    reader for text in greedy() for mapping in mappings(text) for reader in readers(mapping)
]


@pytest.mark.parametrize("read", [read for _, read in ASKING], ids=[name for name, _ in ASKING])
def test_64_kib_of_anything_are_read_in_milliseconds(read):
    """What takes 3 ms at worst (`python -m bench.answer_cost`) may take 25 where all is slow."""
    for name, body in NASTY.items():
        assert took(read, body, rounds=3) < 25, name
        check_sound(read(answer(body)))


def test_the_cases_hold_answers_that_are_read_for_a_yes():
    """So what is said above of accidents is not said of readers that know no yes at all."""
    for preset in presets():
        told = [
            preset.half(half).read(heard_of(case.heard))
            for half, case in preset.sheets("exemplary")
            if is_yes(case)
        ]
        assert told
        assert all(map(is_success, told))
