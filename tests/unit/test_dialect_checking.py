"""What a plan tells of a mapping: what does not exist, where, and what was meant."""

import pytest

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.dialect.compiling import faults_of
from tests.making_dialect import mapping_of

VERTICAL = """
[[vertical]]
id = "auto"
[vertical.fields]
phone = { type = "phone", privacy = "identity", show = "hash" }
zip = { type = "us_zip", privacy = "quasi" }
"""


def findings(text):
    """What is wrong, or worth a word: (line, sentence)."""
    reading = read_sheets([sheet_of("m.toml", text)])
    return [(one.line, one.message) for one in reading.warnings]


def test_a_field_that_no_vertical_has_is_told_before_any_offer_speaks_it():
    """A warning, as nothing is sent yet; with an offer it is an error (corpus/mappings)."""
    text = f"""{VERTICAL}
[[mapping]]
id = "a"
[mapping.post]
accepted = {{ path = "ok", equals = [true] }}
body.form = {{ z = "{{lead.zip}}", p = "{{lead.phone_hash}}", n = "{{lead.age}}" }}
headers = {{ X-Z = "{{lead.zipp}}" }}
"""
    [(line, message)] = findings(text)
    assert "lead.zipp" in text.splitlines()[line - 1]
    assert message == 'names "lead.zipp", which is not known here; did you mean "lead.zip"?'
    assert findings(text.replace("zipp", "zip")) == []
    assert findings(text.replace(VERTICAL, "")) == []


MANY = [
    ("body.json = " + "[" * 40 + "1" + "]" * 40, "nests deeper than 32 levels"),
    ("body.json = [" + "1," * 5001 + "]", "more than 5000 values"),
    (f'body.text = "{"{test}" * 501}"', "has more than 500 placeholders"),
    (f'body.text = "{{test{"|upper" * 13}}}"', "has more than 12 filters"),
    (f'body.text = "{{test|default({"x" * 201})}}"', "an argument of more than 200 characters"),
    (f"body.form = {{ {', '.join(f'a{i} = 1' for i in range(501))} }}", "more than 500 names"),
    ("headers = { " + ", ".join(f'a{i} = "1"' for i in range(51)) + " }", "more than 50 headers"),
    (f'headers = {{ a = "{"x" * 8193}" }}', "has more than 8192 characters"),
    (f'refused = {{ path = "{"a." * 20}a", present = true }}', "more than 20 steps"),
    (f'refused = {{ regex = "{"a" * 501}", present = true }}', "more than 500 characters"),
    (f'refused = {{ text = true, contains = "{"a" * 501}" }}', "a word of more than 500"),
    (f'refused = {{ text = true, equals = ["{"a" * 501}"] }}', "a word of more than 500"),
    (f"refused = {{ text = true, equals = [{'1, ' * 501}] }}", "has more than 500 words"),
    (f"refused = [{'{ text = true, present = true }, ' * 21}]", "has more than 20 rules"),
    (
        "".join(
            f"{word} = [{'{ status = true, equals = [1], reason = { text = true } }, ' * 20}]\n"
            for word in ("refused", "duplicate", "pending")
        ),
        "is one place too many: 100 are read in an answer at most",
    ),
    (
        f"refused = {'{ text = true, present = true, and = ' * 7}{{ status = true }}{' }' * 7}",
        "has more than 5 rules one inside the other",
    ),
]


@pytest.mark.parametrize(("line", "says"), MANY, ids=[says for _, says in MANY])
def test_there_is_a_limit_on_everything(line, says):
    """Each is told at its place, once or wherever it is passed."""
    mapping = mapping_of(f'[post]\naccepted = {{ path = "ok", equals = [true] }}\n{line}')
    assert any(says in fault.message for fault in faults_of(mapping))


def test_every_fault_of_a_mapping_is_told_at_once():
    text = f"""{VERTICAL}
[[mapping]]
id = "a"
maps.m = {{}}
[mapping.ping]
yes = {{ path = "ok" }}
body.form = {{ a = "{{lead.zip|uper}}", b = "{{param.x}}", c = "{{now|date}}" }}
[mapping.post]
accepted = {{ path = "[", present = true }}
headers = {{ Host = "x" }}
"""
    with pytest.raises(MarketFileError) as raised:
        read_sheets([sheet_of("m.toml", text)])
    keys = {finding.key for finding in raised.value.findings}
    assert keys == {
        *("mapping[0].maps.m", "mapping[0].ping.yes", "mapping[0].ping.body.form.a"),
        *("mapping[0].ping.body.form.b", "mapping[0].ping.body.form.c"),
        *("mapping[0].post.accepted.path", "mapping[0].post.headers.Host"),
    }
