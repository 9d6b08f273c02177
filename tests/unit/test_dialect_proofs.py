"""How a message says who sends it: headers, keys, basic, bearer, signatures; shown to nobody."""

import base64
import hashlib
import hmac
from html import unescape
from urllib.parse import unquote_plus

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.contract.mapping import Algorithm, Encoding
from exchange.dialect.compiling import DialectError
from exchange.domain.dialect import with_query
from tests.making_dialect import AT_US, PING, POST, SECRETS, a_ping, a_post

URL = "https://buyer.example/leads?v=2"
KEY = SECRETS["key"]
AT_S = AT_US // 1_000_000


def proof(lines, before="", **more):
    """The lines that a post with a form proves itself by, by name, and its message."""
    dialect = a_post(f'body.form = {{ z = "{{lead.zip}}" }}\n{lines}', before, **more)
    message = dialect.render(POST)
    raw = dialect.proof(URL, message, AT_US).decode()
    assert not raw or raw.endswith("\r\n")
    return dict(line.split(": ", 1) for line in raw.splitlines()), message


def test_basic():
    told, _ = proof('auth.basic = { user = "{param.user}", password = "{secret:key}" }',
                    'params = { user = "acme" }')  # fmt: skip
    wanted = base64.b64encode(b"acme:" + KEY).decode()
    assert told == {"Authorization": f"Basic {wanted}"}


def test_bearer():
    assert proof('auth = { bearer = "{secret:key}" }')[0] == {
        "Authorization": f"Bearer {KEY.decode()}"
    }


def test_a_key_in_a_header_a_form_or_a_query():
    """As a constant, as a secret, as part of a longer text."""
    told, _ = proof('headers = { X-Key = "{secret:key}", X-Long = "k={secret:key}", X-A = "1" }')
    assert told == {"X-Key": KEY.decode(), "X-Long": f"k={KEY.decode()}"}
    message = a_post('body.form = { key = "{secret:key}" }\nquery = { k = "{secret:key}" }')
    assert message.render(POST).body == b"key=s3cr%26t%2F%2B"
    assert message.render(POST).query == b"k=s3cr%26t%2F%2B"


def test_a_key_is_what_filters_make_of_a_secret():
    """Some buyers want the hash of a shared secret, or it in base64."""
    told, _ = proof('headers = { X-Key = "{secret:key|sha256|upper}" }')
    assert told == {"X-Key": hashlib.sha256(KEY).hexdigest().upper()}


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_signature_over_the_body(algorithm, encoding):
    told, message = proof(
        f'auth.hmac = {{ secret = "key", header = "X-Sign", algorithm = "{algorithm}",'
        f' encoding = "{encoding}" }}'
    )
    digest = hmac.digest(KEY, message.body, algorithm.value)
    wanted = digest.hex() if encoding is Encoding.HEX else base64.b64encode(digest).decode()
    assert told == {"X-Sign": wanted}


def test_a_signature_over_all_that_it_may_speak_of():
    """The address is the one that is called, its query and all; the time is told, too."""
    over = "{method}|{url}|{query}|{timestamp}|{body}|{param.id}"
    lines = (
        'query = { q = "{lead.zip}" }\nauth.hmac = { secret = "key", header = "X-Signature",'
        f' over = "{over}", prefix = "sha256=", timestamp_header = "X-Time" }}'
    )
    told, message = proof(lines, 'params = { id = "7" }')
    url = with_query(URL, message.query)
    assert url == "https://buyer.example/leads?v=2&q=78701"
    signed = f"POST|{url}|q=78701|{AT_S}|z=78701|7"
    digest = hmac.digest(KEY, signed.encode(), "sha256").hex()
    assert told == {"X-Signature": f"sha256={digest}", "X-Time": str(AT_S)}


def test_a_proof_of_the_mapping_is_for_both_unless_one_has_its_own():
    before = 'auth = { bearer = "{secret:key}" }'
    assert proof("", before)[0] == {"Authorization": "Bearer s3cr&t/+"}
    own = 'auth.basic = { user = "{secret:key}" }'
    assert proof(own, before)[0]["Authorization"].startswith("Basic ")
    ping = a_ping("", before)
    assert ping.proof(URL, ping.render(PING), AT_US) == b"Authorization: Bearer s3cr&t/+\r\n"


def test_a_parameter_that_is_a_secret_proves_as_one():
    """Each offer brings its own; it stands in no header that is shown."""
    before = 'params = { key = "" }\nauth = { bearer = "{param.key}" }'
    told, _ = proof("", before, params={"key": "{secret:key}"})
    assert told == {"Authorization": "Bearer s3cr&t/+"}
    dialect = a_post('headers = { X-Key = "{param.key}" }', before, params={"key": "{secret:key}"})
    assert "X-Key" not in dialect.headers
    assert "s3cr" not in repr(dialect) + repr(msgspec.structs.asdict(dialect)["headers"])


@pytest.mark.parametrize(
    "lines",
    [
        'auth = { bearer = "{secret:kez}" }',
        'headers = { X = "{secret:kez}" }',
        'auth.hmac = { secret = "kez", header = "X" }',
        'auth.basic = { user = "a", password = "{secret:kez}" }',
        'body.json.key = "{secret:kez}"',
    ],
)
def test_a_secret_that_is_not_kept_is_told_with_the_nearest(lines):
    with pytest.raises(DialectError, match='"kez", which is not kept; did you mean "key"'):
        a_post(lines)


SHOWN = [
    ('auth.basic = { user = "u", password = "{secret:key}" }', ""),
    ('auth = { bearer = "{secret:key}" }', ""),
    ('headers = { X = "{secret:key}", Y = "{secret:key|base64}", Z = "{secret:key|md5}" }', ""),
    ('query = { k = "{secret:key}", l = "{secret:key|url}" }', ""),
    ('body.json = { k = "{secret:key}", l = "{secret:key|replace(&,é)}" }', ""),
    ("body.xml = \"<a b='{secret:key}'>{secret:key}<![CDATA[{secret:key}]]></a>\"", ""),
    ('body.text = "k={secret:key|upper}"', ""),
    ('body.form.k = { json = { k = "{param.p}" } }', 'params = { p = "{secret:key}" }'),
    ("body.form.k = { xml = \"<a b='{secret:key}'>{secret:key}</a>\" }", ""),
    ('query.k = { json = ["{secret:key}"] }\nbody.form.k = { json = ["{secret:key}"] }', ""),
]


@pytest.mark.parametrize(("lines", "before"), SHOWN)
def test_where_people_look_no_spelling_of_a_secret_is(lines, before):
    """Neither itself nor what filters made of it; all else stays readable."""
    body = "" if "body" in lines or "query" in lines else '\nbody.form = { z = "{lead.zip}" }'
    dialect = a_post(lines + body, before)
    message = dialect.render(POST)
    raw = b"\r\n".join(
        (message.query, message.headers, dialect.proof(URL, message, AT_US), message.body)
    )
    shown = dialect.redacted(raw)
    assert b"***" in shown
    digest = hashlib.md5(KEY).hexdigest().encode()
    for spelling in (b"s3cr", b"S3CR", base64.b64encode(KEY), digest):
        assert spelling not in shown, spelling
    assert dialect.redacted(b"echo: " + KEY) == b"echo: ***"


KINDS = [
    'body.form = { k = "{secret:key}", j = { json = ["{secret:key}"] } }',
    "body.form.k = { xml = \"<a b='{secret:key}'><![CDATA[{secret:key}]]>{secret:key}</a>\" }",
    'body.json = { k = "x{secret:key}" }\nquery = { k = "{secret:key}" }',
    "body.xml = \"<a b='{secret:key}'><![CDATA[{secret:key}]]>{secret:key}</a>\"",
    'body.text = "{secret:key}"\nheaders = { X = "{secret:key}" }',
]


@given(st.text(st.characters(codec="utf-8"), min_size=6).filter(str.isprintable))
@example("a]]>b&'\"")
@example(" blanks around ")
@example("%41+/=é\\\\")
def test_no_key_is_shown_whatever_it_is_made_of(secret):
    """Unescaped as often as it was escaped, what is shown does not hold it."""
    for lines in KINDS:
        dialect = a_post(lines, secrets={"key": secret.encode()})
        message = dialect.render(POST)
        for raw in (message.query, message.headers, message.body):
            shown = dialect.redacted(raw).decode()
            text = unquote_plus(shown)
            for seen in (shown, text, unescape(text), unescape(shown)):
                assert secret not in seen.replace("]]]]><![CDATA[>", "]]>")
                assert msgspec.json.encode(secret)[1:-1].decode() not in seen
