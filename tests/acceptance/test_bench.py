"""Every benchmark runs, tells all that it promises, and makes a page that needs nothing else."""

import asyncio
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.__main__ import NAMES
from bidders.fleet import BuyerSpec, Fleet
from tests.acceptance.market import buyer, campaign, market

ROOT = Path(__file__).parents[2]

PROMISED = {
    "fanout": {
        *("ping_cpu_us", "c_cpu_us", "ratio", "aiohttp_cpu_us"),
        *("tls_ping_cpu_us", "tls_c_cpu_us", "tls_ratio"),
    },
    "auction": {
        "rate",
        "saturation_per_s",
        "overhead_p50_ms",
        "overhead_p99_ms",
        "p999_ms",
        "errors",
    },
    "saturation": {"auctions_per_s", "cpu_us_per_auction", "buyers", "durable", "sold"},
    "deadline": {"deadline_ms", "late_p999_ms", "healthy_share", "healthy_share_alone"},
    "scale": {"buyers", "offers", "workers", "cpu_us_per_ping", "growth_per_worker"},
    "overload": {"peak", "goodput", "shed_p99_ms", "levels"},
    "soak": {"slope_mib_per_hour", "memory_mib_most", "tasks_after", "by_minute", "samples"},
    "eligibility": {"leads", "sizes"},
    "choice": {"rounds", "costs"},
    "early_close": {"rounds", "costs"},
    "calibration": {
        "error",
        "bare_error",
        "expected",
        "realized",
        "by_price",
        "offers",
        "bins",
        "bin_error",
    },
    "lead_cost": {"leads", "buyers", "rounds", "candidates"},
    "features": {"leads", "buyers", "rounds", "features"},
}
ALWAYS = {"benchmark", "measured_at", "machine", "commit"}
LINKS = {"src", "href", "data", "action", "srcset", "poster"}


class Links(HTMLParser):
    """Gathers what a page would load, and its scripts."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.pictures = 0

    def handle_starttag(self, tag, attributes):
        self.pictures += tag == "svg"
        self.found += [tag] if tag in {"script", "link", "iframe", "img", "object"} else []
        self.found += [value for name, value in attributes if name in LINKS]


async def bench(*words, status=0):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *words, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == status, err.decode()
    return out.decode(), err.decode()


def test_every_benchmark_is_tried():
    """What is added to the list is added here."""
    assert {*PROMISED} == {*NAMES}


@pytest.mark.parametrize("name", PROMISED)
async def test_a_benchmark_works_and_says_all_that_it_promises(name, tmp_path):
    """Its last line is one object, its page loads nothing, its table is Markdown."""
    page, table = tmp_path / "page.html", tmp_path / "table.md"
    words = ["--quick", "--json", "--html", str(page), "--markdown", str(table)]
    if name == "fanout" and shutil.which("wrk") is None:
        _, err = await bench(name, *words, status=2)
        assert "apt-get install wrk" in err  # what all is compared with is not of this project
        return
    out, _ = await bench(name, *words)
    told = json.loads(out.splitlines()[-1])
    assert told["benchmark"] == name
    assert told.keys() >= PROMISED[name] | ALWAYS
    links = Links()
    text = page.read_text()
    links.feed(text)
    assert links.found == []
    assert "@import" not in text
    assert "url(" not in text
    assert links.pictures >= 1
    assert re.search(r"^\| --- \|", table.read_text(), re.MULTILINE)
    assert table.read_text().strip() in out


async def test_an_exchange_and_a_buyer_of_ones_own_are_measured(house, tmp_path):
    """The exchange gets tests, with a seller's key that no page shows; runs can be compared."""
    fleet = Fleet([BuyerSpec(id="acme")], 7, keep=1)
    async with fleet:
        offer = buyer("acme", fleet.base_url, offer="test = true")
        await house.apply(market(offer, campaign()))
        await house.open()
        key = await house.key("seller", "fastquotes")
        words = ("auction", "--quick", "--target", house.bases[0], "--key", key)
        out, _ = await bench(*words, "--campaign", "auto-us", "--json")
        told = json.loads(out.splitlines()[-1])
        assert told["errors"] == 0
        assert told["sold"] == told["sent"] > 0
        assert told["cpu_us_per_auction"] is None
        assert {row["test"] for row in await house.fetch("SELECT test FROM lead")} == {True}
        old, page = tmp_path / "old.json", tmp_path / "page.html"
        old.write_text(out)
        out, _ = await bench(
            *words, "--campaign", "auto-us", "--compare", str(old), "--html", str(page)
        )
        assert "| p50_ms |" in out
        assert key not in page.read_text()
        endpoint = f"{fleet.base_url}/acme"
        assert not signed(fleet)
        words = ("auction", "--quick", "--buyers", "1", "--endpoint", endpoint, "--signed")
        out, _ = await bench(*words, "--json")
        told = json.loads(out.splitlines()[-1])
        assert told["sold"] == told["sent"] > 0
        assert told["signed"] is True
        assert signed(fleet)


def signed(fleet):
    """Whether the last call of all carried a signature."""
    return "webhook-signature" in dict(fleet.books["acme"].requests[-1].headers)


async def test_what_cannot_be_is_told_in_a_line(tmp_path):
    """An unknown name with what there is; a target without a key; a comparison with nothing."""
    out, _ = await bench("nothing", status=2)
    assert "saturation" in out
    _, err = await bench("auction", "--target", "http://127.0.0.1:1", status=2)
    assert "--key" in err
    empty = tmp_path / "old.json"
    empty.write_text("")
    _, err = await bench("auction", "--quick", "--compare", str(empty), status=2)
    assert "no result of --json" in err
    out, _ = await bench("auction", "--help")
    assert "your own" in out
