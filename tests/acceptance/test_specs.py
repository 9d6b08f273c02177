"""Posting specs over HTTP: their programs are run as shown, their test leads end as foretold."""

import asyncio
import json
import os
import shutil
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bidders.fleet import BuyerSpec, Fixed, Fleet
from tests.acceptance.house import ANN, clean_environment, environment
from tests.acceptance.market import buyer, campaign, market

DUPLICATES = (
    'duplicates = { window_hours = 24, on = ["phone", "email"], match = "any", against = "sold" }'
)
SPEC = "/v1/campaigns/auto-us/spec"
RUN_WITHIN_S = 60.0
INTERPRETERS = {"sh": "bash", "py": sys.executable, "php": "php", "mjs": "node"}


class Programs(HTMLParser):
    """The programs of a page, by id: the file's name and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}
        self.inside: tuple[str, str] | None = None
        self.code = ""
        self.in_code = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "details" and attributes.get("class") == "program":
            self.inside = attributes["id"], attributes["data-file"]
        if tag == "code" and self.inside:
            self.in_code, self.code = True, ""

    def handle_data(self, data):
        if self.in_code:
            self.code += data

    def handle_endtag(self, tag):
        if tag == "code" and self.inside and self.in_code:
            name, file = self.inside
            self.found[name] = file, self.code
            self.in_code, self.inside = False, None


PROGRAMS = (
    *("curl-post", "curl-ping", "curl-form", "curl-xml"),
    *("client-post", "client-ping", "python-post", "python-ping"),
    *("php-post", "php-ping", "javascript-post", "javascript-ping"),
)


async def run(folder: Path, file: str, code: str, key: str) -> str:
    """Run a program as its reader would, and return what it printed."""
    path = folder / file
    path.write_text(code)
    interpreter = INTERPRETERS[file.rpartition(".")[2]]
    process = await asyncio.create_subprocess_exec(
        interpreter,
        str(path),
        env={**os.environ, "KEY": key},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_WITHIN_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert not err, err.decode()
    return out.decode()


def a_test_market(fleet, **options):
    """A campaign in which a test buyer buys every test lead."""
    return market(buyer("acme", fleet.base_url, offer="test = true"), campaign(**options))


def a_fleet():
    return Fleet([BuyerSpec(id="acme", price=Fixed(Decimal("13.00")))])


@pytest.mark.parametrize("name", PROGRAMS)
async def test_each_program_of_the_page_sells_a_test_lead(house, tmp_path, name):
    """Copied from the page and run with nothing but a key, it ends in a sale, charged to nobody."""
    needed = {"php": "php", "javascript": "node", "curl": "curl"}.get(name.partition("-")[0])
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet))
        await house.open()
        key = await house.key("seller", "fastquotes")
        page = await house.call("GET", SPEC, key=key)
        assert page.status == 200
        programs = Programs(page.body).found
        assert set(programs) == set(PROGRAMS)
        said = await run(tmp_path, *programs[name], key)
        last = said.strip().splitlines()[-1]
        if name == "curl-xml":
            assert "<status>sold</status>" in last
            assert "<price>11.05</price>" in last
        elif name.startswith("client-"):
            assert last == "sold 11.05 None"
        else:
            answer = json.loads(last)
            assert (answer["status"], answer["price"]) == ("sold", 11.05)
        assert len(fleet.books["acme"].sales) == 1
        assert await house.fetch("SELECT * FROM transfer") == []


NASTY = """it's "5 < 6" & `id` $(id) ${KEY} $KEY \\\\ \\n </script> %s {x} end"""


@pytest.mark.parametrize("name", PROGRAMS)
async def test_whatever_a_value_is_each_program_sends_it_as_it_is(house, tmp_path, name):
    """Quotes, dollars, backslashes and markup of the market are no code in any language."""
    needed = {"php": "php", "javascript": "node", "curl": "curl"}.get(name.partition("-")[0])
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    async with Fleet([BuyerSpec(id="acme", price=Fixed(Decimal("13.00")))], keep=9) as fleet:
        odd = (
            "[vertical.fields]\nodd = { type = 'choice', privacy = 'attribute', ping = 'required',"
            f" values = [{json.dumps(NASTY)}, 'b'] }}\n"
        )
        text = a_test_market(fleet).replace("[vertical.fields]\n", odd)
        await house.apply(text)
        await house.open()
        key = await house.key("seller", "fastquotes")
        programs = Programs((await house.call("GET", SPEC, key=key)).body).found
        await run(tmp_path, *programs[name], key)
        received = {one.path: json.loads(one.body) for one in fleet.books["acme"].requests}
    assert received["/acme/ping"]["lead"]["odd"] == NASTY
    assert received["/acme/post"]["lead"]["odd"] == NASTY


async def test_each_test_lead_ends_as_the_spec_foretells(house):
    """Whole, barest, lacking, wrong, twice, from elsewhere: status, reason and errors agree."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet, lines=DUPLICATES + "\nqualify = 'age >= 18'"))
        await house.open()
        key = await house.key("seller", "fastquotes")
        schema = (await house.call("GET", f"{SPEC}.json", key=key)).body
        leads = schema["x-exchange"]["test_leads"]
        assert {lead["id"] for lead in leads} >= {
            *("whole", "barest", "missing", "wrong", "duplicate", "elsewhere")
        }
        for lead in leads:
            for _ in range(1 + lead["twice"]):
                answer = await house.call("POST", "/v1/leads", key=key, json=lead["body"])
            expected = lead["expected"]
            assert answer.status == expected["http"], (lead["id"], answer.body)
            if expected["http"] == 422:
                assert answer.body["errors"] == expected["errors"]
                continue
            assert answer.body["status"] == expected["status"], (lead["id"], answer.body)
            reason = answer.body["reason"]
            assert (reason and reason["code"]) == expected["reason"]
        ends = {lead["id"]: lead["expected"]["status"] for lead in leads}
        assert (ends["whole"], ends["barest"]) == ("sold", "sold")
        assert (ends["duplicate"], ends["elsewhere"]) == ("duplicate", "rejected")


async def test_the_schema_takes_what_the_exchange_takes(house):
    """Leads that are sold here satisfy the schema; those that lack something do not."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet))
        await house.open()
        key = await house.key("seller", "fastquotes")
        answer = await house.call("GET", f"{SPEC}.json", key=key)
        assert answer.headers["Content-Type"] == "application/schema+json"
        Draft202012Validator.check_schema(answer.body)
        whole = {"campaign": "auto-us", "source": "search", "test": True, "lead": ANN}
        validator = Draft202012Validator(answer.body)
        validator.validate(whole)
        assert (await house.call("POST", "/v1/leads", key=key, json=whole)).status == 200
        lead = {name: value for name, value in ANN.items() if name != "zip"}
        lacking = {**whole, "lead": lead}
        assert not validator.is_valid(lacking)
        assert (await house.call("POST", "/v1/leads", key=key, json=lacking)).status == 422


async def test_a_spec_is_as_live_as_the_market(house):
    """What is applied shows in the next answer; the one before is not taken for it."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet))
        await house.open()
        key = await house.key("seller", "fastquotes")
        first = await house.call("GET", SPEC, key=key)
        tag = {"If-None-Match": first.headers["ETag"]}
        assert (await house.call("GET", SPEC, key=key, headers=tag)).status == 304
        await house.apply(a_test_market(fleet, lines="min_score = 40"))
        second = await house.call("GET", SPEC, key=key, headers=tag)
        assert second.status == 200
        assert "low_score" in second.body
        assert "low_score" not in first.body


async def test_who_may_read_a_spec(house):
    """The seller itself and operators; to another seller and to a buyer it is not there."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet))
        await house.open()
        assert (await house.call("GET", SPEC)).status == 401
        other = await house.key("seller", "other")
        assert (await house.call("GET", SPEC, key=other)).status == 404
        acme = await house.key("buyer", "acme")
        assert (await house.call("GET", SPEC, key=acme)).status == 403
        operator = await house.key("operator", "tests")
        assert (await house.call("GET", SPEC, key=operator)).status == 200
        query = f"{SPEC}?seller=other"
        assert (await house.call("GET", query, key=operator)).status == 422


async def exchange(house, *arguments):
    """Run `exchange …` on the stores of a house; return its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exchange.cli", *arguments),
        env={**clean_environment(), **environment(house)},
        cwd=house.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_WITHIN_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command_writes_a_page_that_stands_alone(house, tmp_path):
    """A file for an e-mail: nothing is loaded, nothing can be tried, its programs are the same."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet))
        await house.open()
        out = tmp_path / "spec.html"
        told = await exchange(
            house, "spec", "auto-us", "--out", str(out), "--base-url", house.bases[0]
        )
        assert told[:2] == (0, ""), told
        page = out.read_text()
        for loaded in ("src=", 'rel="stylesheet"', 'rel="icon"', "<form", "spec.json"):
            assert loaded not in page
        assert "<style>" in page
        key = await house.key("seller", "fastquotes")
        live = await house.call("GET", SPEC, key=key)
        assert Programs(page).found == Programs(live.body).found
        status, schema, _ = await exchange(house, "spec", "auto-us", "--json")
        assert status == 0
        Draft202012Validator.check_schema(json.loads(schema))
        status, page, _ = await exchange(house, "spec", "--offer", "acme")
        assert status == 0
        assert f"POST {fleet.base_url}/acme/ping" in page
        assert not fleet.books["acme"].pings


async def test_the_command_makes_links_that_every_worker_opens(house):
    """A link from the command line shows the page in a browser, to whoever has it."""
    async with a_fleet() as fleet:
        await house.apply(a_test_market(fleet, sellers='"fastquotes", "other"'))
        await house.open()
        base = ("--base-url", house.bases[0])
        told = await exchange(house, "spec", "auto-us", "--seller", "other", "--link", *base)
        assert told[0] == 0, told
        [url] = told[1].splitlines()
        path = url.removeprefix(house.bases[0])
        page = await house.call("GET", path)
        assert page.status == 200
        assert "Other Leads" in page.body
        assert "Fast Quotes" not in page.body
        told = await exchange(house, "spec", "--offer", "acme", "--link", *base)
        offer_path = told[1].strip().removeprefix(house.bases[0])
        assert (await house.call("GET", offer_path)).status == 200
        for arguments, said in (
            (("auto-us",), "one of fastquotes, other"),
            (("auto-usa",), "auto-us"),
            (("--offer", "acmee"), "acme"),
            ((), "name a campaign"),
            (("auto-us", "--seller", "otter"), "other"),
        ):
            status, out, err = await exchange(house, "spec", *arguments, *base)
            assert (status, out) == (1, "")
            assert said in err
