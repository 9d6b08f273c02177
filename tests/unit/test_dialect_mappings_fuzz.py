"""Whatever is written for a mapping: it compiles, or it is told what is wrong; it never raises."""

import re
import tomllib
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.contract.mapping import MappingPart
from exchange.dialect.compiling import (
    DialectError,
    faults_of,
    ping_dialect,
    post_dialect,
    secrets_named,
)
from exchange.dialect.document import parse_path
from exchange.dialect.faults import TemplateError
from exchange.dialect.filters import FILTERS
from exchange.dialect.scopes import post_scope
from exchange.dialect.template import compile_template
from exchange.domain.dialect import Message
from tests.making_dialect import AT_US, PING, POST, heard, mapping_of, setting
from tests.making_presets import SHELF

ROOT = Path(__file__).parents[1] / "corpus/mappings"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(SHELF.glob("*.toml"))]
ODD = {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*.toml"))}
TREES = [tomllib.loads(text, parse_float=Decimal)["mapping"][0] for text in [*TEXTS, *ODD.values()]]
URL = "https://buyer.example/x?a=1"
NAMES = [
    *("lead.zip", "lead.age_band", "lead.first_name", "lead.bill", "consent.text", "bid.token"),
    *("now", "test", "vertical", "source.channel", "auction.floor", "sale.price", "param.a"),
    *("value.v", "secret:key", "secret:none", "lead.", "lead.zipp", "", "body", "timestamp"),
]
ARGUMENTS = st.sampled_from(
    ["", "3", "-1", "99999", "MM/DD/YYYY", "QQ", "m", "A,B", ",", "title", r"\,\)\|\}", "é", "(("]
)
CALLS = st.one_of(
    st.sampled_from([*FILTERS, "digit", "Upper", ""]),
    st.builds("{}({})".format, st.sampled_from([*FILTERS, "none"]), ARGUMENTS),
)
HOLES = st.builds(
    lambda name, calls: "{" + "|".join([name, *calls]) + "}",
    st.sampled_from(NAMES),
    st.lists(CALLS, max_size=3),
)
TEMPLATES = st.lists(
    st.one_of(
        HOLES,
        st.text(max_size=8),
        st.sampled_from(
            ["{", "}", "{{", "}}", "|", "<a>", "</a>", '<a b="', '">', "<![CDATA[", "]]>", "<!--"]
        ),
    ),
    max_size=6,
).map("".join)


def attempt(error, work, *arguments):
    """What this gives, and None; or None, and what it raised of this kind."""
    try:
        return work(*arguments), None
    except error as wrong:
        return None, wrong


# Templates and paths


def check_sent(message):
    """What goes out has a form: one line a header, a query that a URL can hold."""
    assert isinstance(message, Message)
    check_lines(message.headers)
    assert re.fullmatch(rb"[A-Za-z0-9%&=._~+*'();:@/?!$,\[\]-]*", message.query), message.query
    message.body.decode()


def check_lines(lines):
    assert not lines or lines.endswith(b"\r\n")
    for line in lines.split(b"\r\n")[:-1]:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x1f\x7f]*", line), line


@given(TEMPLATES)
@example("{lead.zip|map()}")
@example("{" * 2000)
@example("{lead.zip" + "|upper" * 13 + "}")
@example("{now|date(YYYY,Nowhere/City)}{now|date(A,../../etc/passwd)}{now|date(A,\0)}")
def test_a_template_is_filled_in_or_told_what_is_wrong_with_it(text):
    """In one sentence without an end of line; filling in gives a text, whatever the view holds."""
    template, wrong = attempt(TemplateError, compile_template, text, setting_scope())
    if wrong is not None:
        assert str(wrong)
        return
    for view in (POST, msgspec.structs.replace(POST, lead={}, consent={}, token=None)):
        made = template.text(view)
        assert made is None or isinstance(made, str)
        template.value(view)


def setting_scope():
    mapping = mapping_of(
        'params = { a = "{secret:key}" }\nmaps = { m = { "78701" = "A", "*" = 2 } }\n'
        '[value.v]\ncases = [ { when = "insured", then = "{lead.zip}" } ]'
    )
    return post_scope(mapping, setting())


@given(st.one_of(st.text(max_size=30), st.text('ab."[]@ 0123', max_size=30)))
@example("a" * 501)
@example("[999999][0]")
def test_a_path_is_one_or_told_not_to_be(text):
    try:
        path = parse_path(text)
    except TemplateError:
        return
    assert path.steps
    for body in ('{"a":[{"b":1}]}', "[[1]]", "<a><b c='1'/></a>", "a=1&b=2", "text"):
        heard_at(text, body)


def heard_at(path, body):
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    text = f"[ping]\nyes = {{ path = {quoted_toml(quoted)}, present = true }}\nbody.json = 1"
    assert ping_dialect(mapping_of(text), setting()).read(heard(body)) is not None


def quoted_toml(text):
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text) + '"'


# Whole mappings

LEAVES = st.one_of(
    TEMPLATES,
    st.sampled_from(
        [0, -1, 2**70, True, "", [], {}, Decimal("NaN"), Decimal("1e999"), Decimal("1.5"), None]
    ),
    st.sampled_from(
        [
            *({"json": {"a": "{lead.zip}"}}, {"path": "a"}, {"regex": "(a*)*$"}, {"regex": "("}),
            *({"text": True, "contains": "x"}, {"header": "X-Ok"}, {"header": "x\r\ny"}),
            *({"xml": "<a>{lead.zip}</a>"}, {"query": {"a": "{lead.zip}"}}, {"status": True}),
            *({"bearer": "{secret:key}"}, {"hmac": {"secret": "key", "header": "X"}}),
            *({"basic": {"user": "a:b"}}, [{"path": "a", "equals": [1]}] * 21, "x" * 9000),
        ]
    ),
)


def places(tree, path=()):
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    if isinstance(tree, dict | list):
        for key, item in items:
            yield from (
                places(item, (*path, key)) if isinstance(item, dict | list) else [(*path, key)]
            )


@st.composite
def mutated(draw):
    """Return a preset's tree with some leaves and branches otherwise, away, or moved."""
    tree = deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 4))):
        found = [path for path in places(tree) if path]
        if not found:
            break
        path = draw(st.sampled_from(found))
        parent = tree
        for step in path[:-1]:
            parent = parent[step]
        what = draw(st.sampled_from(["other", "away", "more", "moved"]))
        if what == "away":
            del parent[path[-1]]
        elif what == "more" and isinstance(parent, dict):
            key = draw(st.sampled_from(["json", "form", "X-A", "and", "body", "é", "a"]))
            parent[key] = deepcopy(draw(LEAVES))
        elif what == "moved":
            parent[path[-1]] = deepcopy(draw(st.sampled_from(list(leaf_values(tree)))))
        else:
            parent[path[-1]] = deepcopy(draw(LEAVES))
    return tree


def leaf_values(tree):
    yield tree
    if isinstance(tree, dict | list):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from leaf_values(item)


@given(mutated())
def test_a_mapping_compiles_or_is_told_what_is_wrong(tree):
    """Every fault has a place; what compiles speaks and hears without raising."""
    try:
        mapping = msgspec.convert(tree, MappingPart)
    except msgspec.ValidationError:
        return
    assert all(fault.message and isinstance(fault.path, tuple) for fault in faults_of(mapping))
    assert isinstance(secrets_named(mapping), list)
    params = {name: "p" for name, value in mapping.params.items() if value == ""}
    for make, half, view in (
        (ping_dialect, mapping.ping, PING),
        (post_dialect, mapping.post, POST),
    ):
        dialect, wrong = attempt(DialectError, make, mapping, setting(params=params))
        if wrong is not None:
            assert wrong.faults
        else:
            assert half is not None
            check_spoken(dialect, view)


def check_spoken(dialect, view):
    for lead in (view.lead, {}, dict.fromkeys(view.lead, "\r\nX-Evil: 1\0\ud800'\"<]]>&"), ODDLY):
        message = dialect.render(msgspec.structs.replace(view, lead=lead))
        check_sent(message)
        check_lines(dialect.proof(URL, message, AT_US))
        dialect.redacted(message.body)
    for name, value in dialect.headers.items():
        check_lines(f"{name}: {value}\r\n".encode("ascii"))
    dialect.read(heard('{"status":"success"}'))


ODDLY = {"zip": 10**30, "bill": Decimal("1e999"), "insured": "maybe", "age_band": ("a", ("b",))}


@pytest.mark.parametrize("name", ODD)
def test_what_is_wrong_is_told_with_its_line(name):
    """The corpus: a mistake of each kind, in the line that the comment above it speaks of."""
    lines = ODD[name].splitlines()
    [above] = [number for number, line in enumerate(lines) if line.startswith("# ")]
    with pytest.raises(MarketFileError) as raised:
        read_sheets([sheet_of(name, ODD[name])])
    told = [str(finding) for finding in raised.value.findings if finding.line == above + 2]
    assert any(lines[above].removeprefix("# ") in sentence for sentence in told), raised.value


@st.composite
def mangled(draw):
    """Return a preset's text with some characters otherwise."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 6)))
        piece = draw(
            st.one_of(
                st.text(max_size=3),
                TEMPLATES,
                st.sampled_from(["\n", '"', "[mapping.ping]\n", "'''", "}", "= {", "1e999", "nan"]),
            )
        )
        text = text[:start] + piece + text[end:]
    return text


@given(mangled())
def test_a_text_is_a_market_or_is_told_line_by_line(text):
    reading, wrong = attempt(MarketFileError, read_one, text)
    if wrong is None:
        assert reading.market is not None
    else:
        lines = text.count("\n") + 1
        assert wrong.findings
        assert all(1 <= finding.line <= lines for finding in wrong.findings)


def read_one(text):
    return read_sheets([sheet_of("market.toml", text)])
