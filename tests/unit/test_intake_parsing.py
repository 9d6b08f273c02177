"""Every body, whatever its bytes, becomes a request or a status with a sentence."""

import json
import time
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.json_text import VALUES_MAX
from exchange.intake.forms import unescaped
from exchange.intake.parsing import DEPTH_MAX, parse
from exchange.intake.request import ABSURD, Parsed, Unparsable
from tests.making_intake import BOUNDARY, FORM, JSON, MULTIPART


def read(body, content_type=JSON):
    parsed = parse(body, content_type)
    assert isinstance(parsed, Parsed), parsed
    return parsed.request.fields


def refused(body, content_type=JSON):
    parsed = parse(body, content_type)
    assert isinstance(parsed, Unparsable), parsed
    return parsed.status


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/html", "application/jsonp", "application/json; charset=latin-1"],
)
def test_a_content_type_that_is_not_taken_is_415(content_type):
    assert refused(b"{}", content_type) == 415


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=UTF-8", "Application/JSON"]
)
def test_json_is_taken_under_every_spelling_of_its_type(content_type):
    assert read(b'{"campaign": "auto-us"}', content_type) == {"campaign": "auto-us"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b"null",
        b'{"a": "\x00"}',
        b'{"a": "\xff"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\\ud800"}',
        b'{"a": 1} b',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_a_json_object_is_400(body):
    assert refused(body) == 400


def test_five_thousand_levels_are_refused_within_a_millisecond():
    body = b'{"lead": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    best = min(timed(body, JSON) for _ in range(5))
    assert refused(body) == 400
    assert best < 0.01


def timed(body, content_type):
    start = time.process_time()
    parse(body, content_type)
    return time.process_time() - start


def test_the_depth_limit_is_exact():
    nested = lambda levels: b'{"a": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"  # noqa: E731 - one line of the table below
    assert isinstance(parse(nested(DEPTH_MAX), JSON), Parsed)
    assert refused(nested(DEPTH_MAX + 1)) == 400


def test_brackets_inside_a_text_are_no_depth():
    assert read(b'{"a": "' + b"[" * 5000 + b'"}') == {"a": "[" * 5000}


@pytest.mark.parametrize("item", [b"1", b"[]", b"{}", b'"x"'])
def test_more_values_than_a_lead_could_need_are_refused(item):
    few, many = ([item] * count for count in (VALUES_MAX // 2 - 2, VALUES_MAX + 1))
    assert isinstance(parse(b'{"a": [' + b",".join(few) + b"]}", JSON), Parsed)
    assert refused(b'{"a": [' + b",".join(many) + b"]}") == 400


def test_commas_inside_a_text_are_no_values():
    text = '[,{"' * 5000
    assert read(json.dumps({"a": text}).encode()) == {"a": text}


@given(st.binary(max_size=80))
def test_escapes_are_undone_as_the_standard_library_undoes_them(plain):
    escaped = quote_from_bytes(plain, safe="=&").encode()
    assert unescaped(escaped) == unquote_to_bytes(escaped) == plain


def test_numbers_stay_exact_and_absurd_ones_are_never_computed():
    fields = read(b'{"a": 4.10, "b": 1E+999999, "c": 0.1000000000000000000000000000000000000001}')
    assert str(fields["a"]) == "4.10"
    assert fields["b"] is ABSURD
    assert fields["c"] is ABSURD


def test_escaped_nuls_are_stripped_from_texts_and_names_at_any_depth():
    body = rb'{"le\u0000ad": {"first\u0000_name": "J\u0000ane", "x": ["\u0000", {"y": "a\u0000"}]}}'
    assert read(body) == {"lead": {"first_name": "Jane", "x": ["", {"y": "a"}]}}


def test_of_a_key_that_comes_twice_the_last_counts():
    assert read(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"api_key": "sk_1", "campaign": "c"}', JSON),
        (b"api_key=sk_1&campaign=c", FORM),
    ],
)
def test_the_key_in_a_body_is_taken_out_and_shown_by_no_repr(body, content_type):
    parsed = parse(body, content_type)
    assert parsed.api_key == "sk_1"
    assert "api_key" not in parsed.request.fields
    assert "sk_1" not in repr(parsed)


def test_a_form_stands_flat_beside_campaign_and_source():
    body = (
        b"campaign=auto-us&source=s&zip=78701&first_name=J%C3%BCrgen+M&consent.url=https%3A%2F%2Fx.example"
        b"&tracking.utm_source=g&lead.city=Austin&consent.named_buyers=A%2C+Inc.&consent.named_buyers=B"
    )
    assert read(body, FORM) == {
        "campaign": "auto-us",
        "source": "s",
        "lead": {"zip": "78701", "first_name": "Jürgen M", "city": "Austin"},
        "consent": {"url": "https://x.example", "named_buyers": ["A, Inc.", "B"]},
        "tracking": {"utm_source": "g"},
    }


def test_control_fields_of_a_form_get_the_type_that_json_would_give_them():
    body = (
        b"min_price=4.50&timeout_ms=20000&test=true&already_sold=1"
        b"&exclude_buyers=acme,best&exclude_buyers[]=zed&seller_ref="
    )
    fields = read(body, FORM)
    assert str(fields["min_price"]) == "4.50"
    assert (fields["timeout_ms"], fields["test"], fields["already_sold"]) == (20000, True, 1)
    assert fields["exclude_buyers"] == ["acme", "best", "zed"]
    assert fields["seller_ref"] is None


def test_a_control_field_that_its_text_cannot_be_stays_a_text():
    fields = read(b"min_price=cheap&timeout_ms=1e3&test=perhaps", FORM)
    assert (fields["min_price"], fields["timeout_ms"], fields["test"]) == (
        "cheap",
        "1e3",
        "perhaps",
    )


def test_a_checkbox_behind_a_hidden_field_counts_once_and_last():
    assert read(b"insured=0&insured=1", FORM)["lead"] == {"insured": "1"}


@pytest.mark.parametrize(
    "body", [b"a=%zz", b"a=%", b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 1001)]
)
def test_a_form_that_cannot_be_read_is_400(body):
    assert refused(body, FORM) == 400


def test_nuls_in_forms_are_stripped():
    assert read(b"first%00_name=J%00ane", FORM)["lead"] == {"first_name": "Jane"}


def part(name, value, extra=""):
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'
    ).encode()


END = f"--{BOUNDARY}--\r\n".encode()


def test_a_multipart_form_is_the_same_request():
    body = (
        part("campaign", "auto-us") + part("first_name", "Jürgen") + part("consent.ip", "::1") + END
    )
    fields = read(body, MULTIPART)
    assert fields["campaign"] == "auto-us"
    assert fields["lead"] == {"first_name": "Jürgen"}
    assert fields["consent"] == {"ip": "::1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        part("a", "b"),
        part("a", "b", '; filename="x.txt"') + END,
        part("a", "b") + b"--wrong--",
        b"".join([part("a", "b")] * 1001) + END,
        b"--" + BOUNDARY.encode() + b"\r\n\r\nno header\r\n" + END,
    ],
)
def test_a_multipart_form_that_cannot_be_read_or_holds_files_is_400(body):
    assert refused(body, MULTIPART) == 400


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b'{"campaign": "auto-us"}', FORM, "application/json"),
        (b" \n<request/>", FORM, "application/xml"),
        (b'[{"campaign": "auto-us"}]', FORM, "application/json"),
        (b" \n", JSON, "the body is empty"),
        (part("a", "b", '; filename="x.txt"') + part("c", "d") + END, MULTIPART, "files"),
    ],
)
def test_what_senders_often_mistake_is_told_by_its_name(body, content_type, says):
    """A content type that was left to the program's default, nothing at all, a file."""
    parsed = parse(body, content_type)
    assert (parsed.status, says in parsed.detail) == (400, True)


def test_a_multipart_form_in_another_charset_is_400():
    body = part("a", "X").replace(b"X", b"\xff") + END
    assert refused(body, MULTIPART) == 400


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=\n"]
)
def test_a_multipart_form_without_a_boundary_is_400(content_type):
    assert refused(END, content_type) == 400


TYPES = st.sampled_from([JSON, FORM, MULTIPART, "multipart/form-data; boundary=b", "text/plain"])
PIECES = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b'"',
        b":",
        b",",
        b"a",
        b"=",
        b"&",
        b"%",
        b"\\u0000",
        b"\x00",
        b"\xff",
        b"1e9",
        b"--",
        BOUNDARY.encode(),
        b"\r\n",
        b"Content-Disposition: form-data; name=x",
        b"\xef\xbb\xbf",
    ]
)


@given(
    body=st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(b"".join)), kind=TYPES
)
@example(body=b"\xef\xbb\xbf{}", kind=JSON)
def test_no_body_of_any_bytes_raises(body, kind):
    assert isinstance(parse(body, kind), Parsed | Unparsable)


@given(st.text(max_size=60))
def test_no_content_type_raises(content_type):
    assert isinstance(parse(b"{}", content_type), Parsed | Unparsable)


KIB = 1024
HEAVY = {
    "brackets": (b'{"a": "' + b"[,\\\\" * 13_000 + b'"}', JSON),
    "quotes": (b'"' * 64 * KIB, JSON),
    "escaped quotes": (b'{"a": "' + rb"\",[" * 16_000, JSON),
    "escapes": (b'{"a": ",' + b"[" * 6_000 + b"\\" * 58_001, JSON),
    "open text": (b'{"a": "' + b"[," * 30_000, JSON),
    "nested": (b'{"a": [' + b"[]," * 21_000 + b"[]]}", JSON),
    "deep": (b"[" * 64 * KIB, JSON),
    "objects": (b'{"a": [' + b"{}," * 21_000 + b"{}]}", JSON),
    "numbers": (b'{"a": [' + b"1.1," * 16_000 + b"1]}", JSON),
    "keys": (b"{" + b",".join(b'"%d": 1' % i for i in range(6_000)) + b"}", JSON),
    "nuls": (b'{"a": [' + rb'"\u0000",' * 7_000 + b"1]}", JSON),
    "percents": (b"a=" + b"%41" * 21_000, FORM),
    "pluses": (b"a=" + b"+" * 64 * KIB, FORM),
    "fields": (b"&".join(b"f%d=1" % i for i in range(1000)), FORM),
    "ampersands": (b"&" * 64 * KIB, FORM),
    "dashes": (b"--" * 32 * KIB, MULTIPART),
    "boundaries": ((b"--" + BOUNDARY.encode() + b"\r\n") * 2_500, MULTIPART),
    "parts": (b"".join(part(f"f{i}", "1") for i in range(700)) + END, MULTIPART),
    "headers": (b"--" + BOUNDARY.encode() + b"\r\n" + b"A: b\r\n" * 10_000, MULTIPART),
}


@pytest.mark.parametrize("name", HEAVY)
def test_64_kib_of_anything_take_at_most_five_milliseconds(name):
    body, kind = HEAVY[name]
    assert min(timed(body[: 64 * KIB], kind) for _ in range(7)) < 0.025
