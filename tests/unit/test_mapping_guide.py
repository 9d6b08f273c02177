"""What docs/mapping-guide.md says of faults is what is told; its preset passes its cases."""

import re

import pytest

from exchange.configuration.difference import Present, conflicts
from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.dialect.compiling import ping_dialect, post_dialect
from exchange.domain.dialect import PostWord
from tests.guide import AFTER, ROOT, cases, files
from tests.making_dialect import PING, POST, a_ping, a_post, heard, mapping_of, setting
from tests.making_presets import Preset, lacking, run

FILES = files()
MARKET = {name: text for name, text in FILES.items() if name.endswith(".toml")}


def symptoms(heading):
    """The sentences in the first cells of a table: in backticks, with a blank or more in them."""
    table = AFTER[AFTER.index(f"\n### {heading}") :].split("\n\n")[0]
    firsts = [line.split(" | ")[0] for line in table.splitlines()[3:]]
    return [last[-1] for first in firsts if (last := re.findall(r"`([^`]+ [^`]+)`", first))]


def read(file=None, old="", new=""):
    """The page's market, one thing in it changed."""
    text = dict(MARKET)
    if file is not None:
        assert old in text[file]
        text[file] = text[file].replace(old, new, 1)
    shipped = sorted((ROOT / "config/verticals").glob("*.toml"))
    sheets = [sheet_of(path.name, path.read_text(encoding="utf-8")) for path in shipped]
    return read_sheets([*sheets, *(sheet_of(name, lines) for name, lines in text.items())])


def secret_missing():
    market = read().market
    none = Present(version=1, objects={}, retired={}, secrets=frozenset())
    return "\n".join(problem.message for problem in conflicts(none, market))


BROKEN = {
    "mapping[0].post.body.accepted: unknown key": (
        "halden.toml", "body.xml = '''", "[mapping.post.body]\nxml = '''",
    ),
    r"is no TOML: Unescaped '\' in a string": ("northgate.toml", r"'^YES\|'", r'"^YES\|"'),
    "is no regular expression of RE2": ("northgate.toml", r"'^OK\|'", "'(?<=x)OK'"),
    'a ping of "auto_insurance" does not show it to this offer': (
        "northgate.toml", "{lead.zip}", "{lead.phone}",
    ),
    'which is not known here; did you mean "lead.zip"?': (
        "northgate.toml", "{lead.zip}", "{lead.zip_code}",
    ),
    'names the filter "dash", which does not exist': ("northgate.toml", "|dashes", "|dash"),
    "may have placeholders in texts and in the values of attributes only": (
        "halden.toml", "<h:Email>", "<{lead.email}/><h:Email>",
    ),
    "is not well-formed XML": ("halden.toml", "</h:Email>", "</h:Mail>"),
    "is one secret and nothing else": ("market.toml", '"{secret:', '"Key {secret:'),
    'is without "aff_key", which mapping "northgate" needs': (
        "market.toml", ', aff_key = "{secret:northgate_key}"', "",
    ),
    'is missing: "wait" or "advance"?': ("market.toml", ', on_no_answer = "wait"', ""),
}  # fmt: skip


def test_every_fault_of_the_first_table_is_one_that_is_tried():
    """No sentence stands there that nobody is told."""
    secret = 'there is no secret "northgate_key"'
    assert set(symptoms("What `plan` says")) == {*BROKEN, secret}
    assert secret in secret_missing()


@pytest.mark.parametrize("sentence", BROKEN)
def test_plan_says_what_the_page_says(sentence):
    """One change to the page's own files brings each fault."""
    with pytest.raises(MarketFileError) as caught:
        read(*BROKEN[sentence])
    assert sentence in str(caught.value)


def test_the_page_s_files_are_a_market():
    """Nothing is amiss but that the buyers are played on this machine."""
    assert {warning.key[-8:] for warning in read().warnings} == {"ping.url"}


def pinged(rules, body, status=200):
    return ping_dialect(mapping_of(f"[ping]\n{rules}"), setting()).read(heard(body, status))


def posted(rules, body, status=200):
    return post_dialect(mapping_of(f"[post]\n{rules}"), setting()).read(heard(body, status))


WORDS = 'yes = { text = true, contains = "accepted" }\nno = { text = true, contains = "not" }'
PRICED = 'yes = { path = "ok", equals = [1] }\nprice = { path = "price" }'
TAKEN = 'accepted = { path = "ok", equals = [1] }'
BOTH = f'{TAKEN}\nrefused = {{ path = "sold", equals = [false] }}'
MISREAD = {
    "meets neither the rule for yes nor for no": pinged(WORDS, "sure"),
    "meets the rules for yes and for no": pinged(WORDS, "not accepted"),
    "a yes without a price that can be read": pinged(PRICED, '{"ok": 1, "price": "9,50,1"}'),
    "meets no rule": posted(TAKEN, "<html>401</html>", 401),
    "meets the rules for accepted and refused": posted(BOTH, '{"ok": 1, "sold": false}'),
}


def test_every_sentence_of_the_second_table_is_one_that_is_read():
    """As the mapping's reader says it, or delivery of what is pending."""
    assert set(symptoms("What an answer is read as")) == {*MISREAD, "the buyer will tell"}
    assert "the buyer will tell" in (ROOT / "exchange/delivery/formats/foreign.py").read_text()
    for sentence, said in MISREAD.items():
        assert sentence in said.detail


def test_what_the_second_table_says_of_paths_pages_and_values_is_so():
    """Each cause is there, and what mends it does."""
    soap = '<s:E xmlns:s="urn:s"><s:Body><Result code="0"/></s:Body></s:E>'
    found = 'accepted = {{ path = "{}", equals = [0] }}'
    assert posted(found.format("Body.Result.code"), soap).word is PostWord.UNCLEAR
    assert posted(found.format("Body.Result.@code"), soap).word is PostWord.ACCEPTED
    page = "<html><body>success</body></html>"
    rule = 'accepted = { text = true, contains = "success" }'
    assert posted(rule, page).word is PostWord.UNCLEAR
    assert posted(f"{rule}\nhtml = true", page).word is PostWord.ACCEPTED
    body = 'body = { json = { a = "{consent.jornaya_id|default(0)}", b = "{consent.jornaya_id}" } }'
    assert a_ping(body).render(PING).body == b'{"a":"0"}'
    body = 'body = { json = { year = "{lead.vehicle_year}", text = "y {lead.vehicle_year}" } }'
    assert a_ping(body).render(PING).body == b'{"year":2019,"text":"y 2019"}'
    late = '[post.body.json]\nzip = "{lead.zip}"\nrefused = { path = "no", equals = [1] }'
    assert b"refused" in a_post(late).render(POST).body
    body = 'body = { json = { zip = "{lead.zip}", number = "{lead.zip|number}" } }'
    assert a_ping(body).render(PING).body == b'{"zip":"78701","number":78701}'


def test_the_preset_of_the_page_passes_its_cases(tmp_path):
    """Saved where the page says, the shelf lacks nothing, and every case holds."""
    (tmp_path / "northgate.toml").write_text(FILES["northgate.toml"], encoding="utf-8")
    folder = tmp_path / "cases/northgate"
    for name, text in cases().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    assert set(cases()) == set(re.findall(r"cases/northgate/(\S+)", AFTER))
    assert lacking(tmp_path) == []
    preset = Preset(tmp_path / "northgate.toml")
    for kind in ("exemplary", "supplemental"):
        for half, case in preset.sheets(kind):
            run(preset, half, case)
