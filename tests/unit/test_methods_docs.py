"""The pages of the methods are right: every piece of a market file on them is a market."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from exchange.configuration.checking import check_market
from exchange.configuration.reading import read_market
from exchange.configuration.snapshots import Compiler, Stored

ROOT = Path(__file__).parents[2]
METHODS = ROOT / "docs" / "methods"
PAGES = sorted(METHODS.glob("*.md"))
TOML = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINKED = re.compile(r"\]\(([a-z-]+\.md)")
PIECES = [
    pytest.param(text, id=f"{page.stem} {number}")
    for page in (*PAGES, ROOT / "docs" / "mappings.md")
    for number, text in enumerate(TOML.findall(page.read_text(encoding="utf-8")), 1)
]
EVERYTHING = sorted(
    path for path in (ROOT / "config/everything").glob("*.toml") if "." not in path.stem
)

FIELDS = """
first_name = { type = "name", privacy = "identity", post = "required" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
email = { type = "email", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
state = { type = "us_state", privacy = "attribute" }
service = { type = "choice", privacy = "attribute", values = ["roofing", "windows"] }
device = { type = "choice", privacy = "attribute", values = ["desktop", "mobile"] }
vehicle_year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }
"""
"""Whatever conditions on the pages speak of."""


def listed(value):
    """What stands once, `[buyer.offer.post]`, as what may stand several times."""
    return value if isinstance(value, list) else [value]


def whole(piece):
    """A market around a piece: what it does not say itself is there, and plain."""
    fields = {**tomllib.loads(FIELDS), **piece.get("vertical", [{}])[0].pop("fields", {})}
    vertical = {"id": "auto_insurance", **piece.get("vertical", [{}])[0], "fields": fields}
    campaigns = [
        {"id": "auto-us", "vertical": "auto_insurance", "sellers": ["fastquotes"], **one}
        for one in listed(piece.get("campaign", {}))
    ]
    source = [{"id": "fb-tx-01"}]
    sellers = [{"id": "fastquotes", "source": source, **one} for one in piece.get("seller", [{}])]
    buyers = [{"id": "acme", **one} for one in listed(piece.get("buyer", {}))]
    for buyer in buyers:
        offers = listed(buyer.get("offer", []))
        usual = {"id": "acme-tx", "vertical": "auto_insurance", "price": 9}
        buyer["offer"] = [{**usual, **one} for one in offers]
    known = {offer["id"] for buyer in buyers for offer in buyer["offer"]}
    stages = [stage for one in campaigns for stage in one.get("stage", [])]
    named = {name for stage in stages for name in stage.get("offers", [])} - known
    rivals = {
        name for buyer in buyers for one in buyer["offer"] for name in one.get("not_with", [])
    }
    others = [
        {
            "id": f"buyer-of-{name}",
            "offer": [{"id": name, "vertical": "auto_insurance", "price": 9}],
        }
        for name in sorted(named)
    ]
    return {
        **piece,
        "vertical": [vertical, {"id": "solar", "fields": fields}],
        "seller": sellers,
        "buyer": [*buyers, *others, *({"id": name} for name in sorted(rivals))],
        "campaign": campaigns,
    }


@pytest.mark.parametrize("text", PIECES)
def test_every_piece_of_a_market_file_on_the_pages_compiles(text):
    """A newcomer who copies it gets no error: no key is misspelt, no value refused."""
    checked = check_market(whole(tomllib.loads(text, parse_float=Decimal)))
    assert [one for one in checked.problems if not one.is_warning] == []
    compiled(checked.market)


@pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.stem)
def test_every_piece_of_the_market_of_everything_is_a_market(path):
    """Each stands by itself, and its first lines name the page that tells of it."""
    reading = read_market([path])
    assert {f.message for f in reading.warnings if "public internet" not in f.message} == set()
    compiled(reading.market)
    head = path.read_text(encoding="utf-8").partition("\n\n")[0]
    pages = re.findall(r"docs/methods/([a-zA-Z-]+\.md)", head)
    assert pages
    assert {METHODS / name for name in pages} <= set(PAGES)


def compiled(market):
    """The market as a worker sells under it."""
    stored = Stored(version=1, market=market, keys={}, signing={}, credited={})
    return Compiler(lambda name: name.encode().ljust(32)).snapshot(stored)


def test_every_page_is_found_from_the_first_one_and_from_the_list_of_all_pages():
    """No page stands alone, and none that is named is missing."""
    first = LINKED.findall((METHODS / "README.md").read_text(encoding="utf-8"))
    assert {METHODS / name for name in first} | {METHODS / "README.md"} >= set(PAGES)
    every = re.findall(r"\(methods/([a-z-]+\.md)", (ROOT / "docs/README.md").read_text("utf-8"))
    assert {METHODS / name for name in every} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_says_what_the_timeline_shows(page):
    """And links only to pages that are there."""
    text = page.read_text(encoding="utf-8")
    assert page.stem == "README" or re.search(r"(?m)^(\*\*|## |- \*\*|\| ).*[Tt]imeline", text)
    for link in re.findall(r"\]\(([^)#:]+)[)#]", text):
        assert (METHODS / link).exists(), link
