"""`exchange feed` against a whole exchange: whatever is killed, no row is sold twice, none lost."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bidders.fleet import Fixed, Fleet
from exchange import app
from tests.acceptance.audit import audit, by_state
from tests.acceptance.buyers import bidding
from tests.acceptance.house import House, clean_environment, person
from tests.acceptance.lines import line_to
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_feeds import feed, in_csv, leads_of, ndjson

LEASE_S = 1.0
ONCE_OPEN = 2
"""Rows under way when something is killed, at most."""


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


async def begun(house: House, file: Path, *options: str, base: str | None = None, key: str = ""):
    """Start `exchange feed`, as a seller would."""
    key = key or await house.key("seller", "fastquotes")
    fixed = ["--url", base or house.bases[0], "--campaign", "auto-us", "--source", "search"]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exchange.cli", "feed", str(file), *fixed, "--json", *options),
        env={**clean_environment(), "EXCHANGE_KEY": key},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def fed(house: House, file: Path, *options: str, **known: str) -> tuple[int, Any, str]:
    """Run `exchange feed` to its end; return exit status, totals and what it said."""
    process = await begun(house, file, *options, **known)
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out) if out else None, said.decode()


def results_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def opened(house: House, fleet: Fleet) -> None:
    await house.apply(market(buyer("acme", fleet.base_url, ping_ms=1000), campaign()))
    await house.open()


async def test_bad_rows_are_told_mended_and_sold_and_the_others_only_once(house, tmp_path):
    """Exit status 1, each bad row by line and field, never by value; after --resume 0."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await opened(house, fleet)
        rows = [{"lead": person(n), "seller_ref": f"A-{n}"} for n in range(6)]
        good = in_csv(*rows)
        rows[3]["lead"]["phone"] = "12345"
        bad = in_csv(*rows).replace(b"A-1\r", b"A-1,surplus\r")
        file, results = tmp_path / "leads.csv", tmp_path / "out.ndjson"
        file.write_bytes(b"\xef\xbb\xbf" + bad)
        options = ("--results", str(results), "--rows-per-s", "500")
        status, totals, said = await fed(house, file, *options)
        assert (status, totals["sold"], totals["failed"]) == (1, 4, 2)
        assert "row 2 (line 3): the row has 9 columns, the header has 8" in said
        assert "row 4 (line 5): lead.phone must be a possible and valid telephone number" in said
        assert "12345" not in said
        assert sorted(line["row"] for line in results_of(results)) == [1, 2, 3, 4, 5, 6]

        file.write_bytes(good)
        status, totals, _ = await fed(house, file, *options, "--resume")
        assert (status, totals["sold"], totals["skipped"]) == (0, 2, 4)
        assert (await house.written())["lead"] == 6
        assert by_state(await audit(house, fleet)) == {"accepted": 6}


async def test_a_row_is_the_same_by_command_and_by_api(house, tmp_path):
    """Sent both ways, in either format: the command hears what the API sold."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await opened(house, fleet)
        rows = [{"lead": person(n)} for n in range(4)]
        for name, body, kind in (
            ("leads.ndjson", ndjson(*rows), "application/x-ndjson"),
            ("leads.csv", in_csv(*({"lead": person(n)} for n in range(4, 8))), "text/csv"),
        ):
            by_api = leads_of(await feed(house, body, kind))
            file, results = tmp_path / name, tmp_path / f"{name}.ndjson"
            file.write_bytes(body)
            status, totals, _ = await fed(house, file, "--results", str(results))
            assert (status, totals["sold"]) == (0, 4)
            assert leads_of(results_of(results)) == by_api
        assert by_state(await audit(house, fleet)) == {"accepted": 8}


async def test_a_feed_outlives_the_exchange_that_it_began_with(house, tmp_path):
    """Killed in the middle; another worker takes over: every row ends once, the feed goes on."""
    async with Fleet(bidding({"acme": "12.00"}, latency_ms=Fixed(40))) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=1000), campaign()))
        await house.key("seller", "fastquotes")
        killed, _ = await asyncio.gather(house.start(worker_lease_s=LEASE_S), house.open())
        (other,) = (base for base in house.bases if base != killed.base)
        file, results = tmp_path / "leads.ndjson", tmp_path / "out.ndjson"
        file.write_bytes(ndjson(*({"lead": person(n)} for n in range(30))))
        async with line_to(killed.base) as line:
            running = asyncio.ensure_future(
                fed(house, file, "--results", str(results), "--at-once", "2", base=line.base)
            )
            await fleet.received("acme", posts=8)
            await killed.kill()
            parts = urlsplit(other)
            line.far = (str(parts.hostname), int(parts.port or 0))
            status, totals, said = await running
        assert (status, totals["rows"]) == (0, 30), said
        # What was cut off before its award is closed by recovery, and told so.
        assert totals["sold"] + totals["unsold"] == 30
        assert totals["unsold"] <= ONCE_OPEN
        assert len(set(leads_of(results_of(results)).values())) == 30
        assert by_state(await audit(house, fleet))["accepted"] == totals["sold"]


@pytest.mark.parametrize("ending", ["ndjson", "csv"])
async def test_a_feed_that_was_killed_goes_on_where_it_was(house, tmp_path, ending):
    """Its results torn in the last line: rows that ended are left out, the others sold once."""
    async with Fleet(bidding({"acme": "12.00"}, latency_ms=Fixed(40))) as fleet:
        await opened(house, fleet)
        file, results = tmp_path / "leads.ndjson", tmp_path / f"out.{ending}"
        file.write_bytes(ndjson(*({"lead": person(n)} for n in range(30))))
        options = ("--results", str(results), "--at-once", "2")
        process = await begun(house, file, *options)
        await fleet.received("acme", posts=10)
        process.kill()
        await process.communicate()
        torn = results.read_bytes()[:-7]
        results.write_bytes(torn)
        whole = torn.count(b"\n") - (ending == "csv")
        status, totals, said = await fed(house, file, *options, "--resume")
        assert (status, totals["skipped"], totals["sold"]) == (0, whole, 30 - whole), said
        assert results.read_bytes().count(b"sold") >= 30
        assert (await house.written())["lead"] == 30
        assert by_state(await audit(house, fleet)) == {"accepted": 30}


async def test_a_key_that_is_none_stops_the_feed_at_once(house, tmp_path):
    """No row is tried a second time, the exit status is 1, and the key is not repeated."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await opened(house, fleet)
        file, results = tmp_path / "leads.ndjson", tmp_path / "out.ndjson"
        file.write_bytes(ndjson(*({"lead": person(n)} for n in range(30))))
        status, totals, said = await fed(
            house, file, "--results", str(results), "--at-once", "1", key="wrong-key"
        )
        assert (status, totals["rows"], fleet.books["acme"].pings) == (1, 0, 0)
        assert "401" in said
        assert "wrong-key" not in said
        assert results.read_bytes() == b""


async def test_a_feed_without_an_exchange_stops_and_can_go_on(house, tmp_path, unused_tcp_port):
    """The row that found nobody is told and stays open; nothing behind it is begun."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await opened(house, fleet)
        file, results = tmp_path / "leads.csv", tmp_path / "out.csv"
        file.write_bytes(in_csv(*({"lead": person(n)} for n in range(5))))
        options = ("--results", str(results), "--at-once", "1", "--deadline-s", "0.5")
        nowhere = f"http://127.0.0.1:{unused_tcp_port}"
        status, totals, said = await fed(house, file, *options, base=nowhere)
        assert (status, totals["rows"], totals["failed"]) == (1, 1, 1)
        assert "nothing was sent" in said
        status, totals, said = await fed(house, file, *options, "--resume")
        assert (status, totals["sold"]) == (0, 5), said


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("leads.csv", b"first_name,first_name\nAnn,Lee\n", "column 2 of the header"),
        ("leads.csv", b"", "no header"),
        ("leads.txt", b"", "--format"),
        ("absent.csv", None, "No such file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_told_in_one_line(house, tmp_path, name, raw, says):
    """Before anything is sent; nobody sees a traceback."""
    file = tmp_path / name
    if raw is not None:
        file.write_bytes(raw)
    status, _, said = await fed(house, file, base="http://127.0.0.1:9", key="k")
    assert status == 1
    assert says in said
    assert "Traceback" not in said
