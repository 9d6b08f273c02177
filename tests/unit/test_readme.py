"""The README and the pages say what is there."""

import re
import tomllib
from pathlib import Path

import pytest

from exchange.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md"))]
METHODS = sorted(f"docs/methods/{page.name}" for page in ROOT.glob("docs/methods/*.md"))


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def test_the_demo_is_as_large_as_promised():
    """As many buyers and sellers as run, whom the README names beside the command."""
    [line] = re.findall(r"^make demo .*$", read("README.md"), re.MULTILINE)
    [buyers, sellers] = map(int, re.findall(r"(\d+) (?:buyers|sellers)", line))
    assert len(tomllib.loads(read("bidders/demo.toml"))["buyer"]) == buyers
    assert len(tomllib.loads(read("config/demo/market.toml"))["seller"]) == sellers


def test_as_many_presets_ship_as_are_promised():
    """A mapping for each kind of buyers' systems."""
    [kinds] = map(int, re.findall(r"presets for (\d+) kinds", read("README.md")))
    assert len([*(ROOT / "config/mappings").glob("*.toml")]) == kinds


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_type_exists(page):
    """Every `exchange …` and every `make …` of a page is a command, or a target."""
    text = read(page)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    code = "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])
    typed = set(re.findall(r"(?:^|[=(&] ?)exchange ([a-z][a-z-]*)", code, re.MULTILINE))
    assert typed <= COMMANDS.keys()
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", code, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Every link to a file of the project names one that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", read(page))
    missing = [name for name in targets if not ((ROOT / page).parent / name).exists()]
    assert missing == []


def headings(page):
    """What a link may name behind `#`: each heading in small letters, its spaces as dashes."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", read(page)), re.MULTILINE)
    shown = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in shown}


@pytest.mark.parametrize("page", [*PAGES, *METHODS, "bench/README.md"])
def test_links_into_a_page_lead_to_one_of_its_headings(page):
    """Of this page, and of others."""
    for name, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", read(page)):
        target = (ROOT / page).parent / name if name else ROOT / page
        assert heading in headings(target.resolve().relative_to(ROOT)), (name, heading)


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_no_page_shows_two_sides_of_a_merge(page):
    """What two people wrote at once was put together, and not left lying side by side."""
    assert not re.search(r"^(?:<{7}|>{7}|={7})(?: |$)", read(page), re.MULTILINE)


def test_every_page_is_in_the_index():
    """docs/README.md names all pages, and nothing that is none."""
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", read("docs/README.md"))) == pages


def test_the_image_installs_what_the_tests_ran_with():
    """The lock file of the image is a part of the one that the two commands use."""
    pin = re.compile(r"^([A-Za-z0-9_.-]+==\S+)", re.MULTILINE)
    all_pins = set(pin.findall(read("requirements.lock")))
    assert set(pin.findall(read("requirements-run.lock"))) < all_pins
    names = {one.partition("==")[0].lower() for one in pin.findall(read("requirements-run.lock"))}
    wanted = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    assert {re.split(r"[\[>=<]", one)[0].lower() for one in wanted} <= names
