"""A feed on a whole exchange: bad rows hold up no other, no row is sold twice, none is lost."""

import asyncio
import csv
import io
import json
from typing import Any

import aiohttp
import msgspec
import pytest

from bidders.fleet import Fixed, Fleet
from exchange import app
from tests.acceptance.audit import audit, by_state
from tests.acceptance.buyers import bidding
from tests.acceptance.house import House, person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_capture import without_ids_and_times
from tests.acceptance.test_formats import BODY, timeless
from tests.making_intake import as_form

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PATH = "/v1/feeds?campaign=auto-us&source=search"
LEASE_S = 1.0
LEAD_ROW = (
    "SELECT to_jsonb(t) - '{lead_id,at,worker,write,received_at,answer_by,idempotency_key}'::text[]"
    " FROM lead t WHERE lead_id = $1"
)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


def ndjson(*rows: Any) -> bytes:
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in rows)


def in_csv(*rows: dict[str, Any], delimiter: str = ",") -> bytes:
    """Return requests as CSV; a list has a column for each of its entries."""
    pairs = [as_form(row) for row in rows]
    told = io.StringIO()
    writer = csv.writer(told, delimiter=delimiter)
    writer.writerow([name for name, _ in pairs[0]])
    writer.writerows([value for _, value in row] for row in pairs)
    return told.getvalue().encode()


async def feed(
    house: House, body: Any, kind: str = NDJSON, path: str = PATH, base: int = 0, **headers: str
) -> list[dict[str, Any]]:
    """Send a feed as fastquotes; return the lines of its answer."""
    key = await house.key("seller", "fastquotes")
    told = {"Content-Type": kind, "Authorization": f"Bearer {key}", **headers}
    async with house.session.post(house.bases[base] + path, headers=told, data=body) as response:
        raw = await response.read()
        assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


def leads_of(lines: list[dict[str, Any]]) -> dict[int, str]:
    return {line["row"]: line["answer"]["lead_id"] for line in lines if "answer" in line}


async def test_a_feed_of_rows_has_as_many_outcomes_and_bad_rows_hold_up_no_good_one(house):
    """Row 7: errors are told by row; the slow sale of one row delays no answer but its own."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(
            market(buyer("acme", fleet.base_url), campaign(lines='qualify = "age >= 18"'))
        )
        await house.open()
        rows = [
            {"lead": person(1)},
            b'{"lead": {"phone": ',
            {"lead": person(2, phone="5")},
            {"lead": person(3, birth_date="2020-01-01")},
            {"lead": person(4), "min_price": 50},
            {"lead": person(5)},
        ]
        lines = await feed(house, ndjson(*rows))
        ends = {
            line["row"]: line["answer"]["status"] if "answer" in line else line["problem"]["status"]
            for line in lines[:-1]
        }
        assert ends == {1: "sold", 2: 400, 3: 422, 4: "rejected", 5: "unsold", 6: "sold"}
        assert lines[-1]["complete"]
        assert lines[-1]["totals"]["failed"] == 2
        (bad,) = [line["problem"]["errors"] for line in lines[:-1] if line["row"] == 3]
        assert [(error["field"], error["code"]) for error in bad] == [
            ("lead.phone", "invalid_phone")
        ]
        assert by_state(await audit(house, fleet)) == {"accepted": 2}


async def test_a_lead_is_the_same_in_the_ledger_whether_posted_or_fed(house):
    """As a post, as NDJSON, as CSV with commas or semicolons: value by value."""
    async with Fleet(bidding({"acme": "12.00"}), keep=9) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.key("operator", "tests")
        key = await house.key("seller", "fastquotes")
        await house.open()
        posted = await house.call("POST", "/v1/leads", key=key, json=BODY)
        told = {"post": posted.body}
        for name, kind, body in (
            ("ndjson", NDJSON, ndjson(BODY)),
            ("commas", CSV, in_csv(BODY)),
            ("semicolons", CSV, in_csv(BODY, delimiter=";")),
        ):
            lines = await feed(house, body, kind, "/v1/feeds", **{"Idempotency-Key": name})
            told[name] = lines[0]["answer"]
        seen = {}
        for (name, answer), post in zip(
            told.items(), [*fleet.books["acme"].requests][1::2], strict=True
        ):
            assert answer["status"] == "sold", (name, answer)
            lead_id = answer["lead_id"]
            async with house.ledger() as ledger:
                record = msgspec.json.decode(await ledger.record(lead_id))
            record.pop("idempotency_key", None)
            (row,) = await house.fetch(LEAD_ROW, lead_id)
            seen[name] = {
                "answer": without_ids_and_times(answer),
                "record": without_ids_and_times({**record, "lead": timeless(record["lead"])}),
                "row": json.loads(row[0]),
                "post": msgspec.json.decode(post.body)["lead"],
            }
        for name, parts in seen.items():
            for part, expected in seen["post"].items():
                assert parts[part] == expected, (name, part)


async def test_the_same_feed_again_sells_nothing_and_brings_its_answers_up_to_date(house):
    """Sent whole, mended in between: what was sold stays so, what failed is sold now."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.open()
        rows = [{"lead": person(n), "seller_ref": f"A-{n}"} for n in range(5)]
        rows[2]["lead"]["zip"] = "no zip"
        first = await feed(house, ndjson(*rows))
        assert first[-1]["totals"]["failed"] == 1
        rows[2]["lead"]["zip"] = "78701"
        again = await feed(house, ndjson(*reversed(rows)))
        assert again[-1]["totals"]["sold"] == 5
        before, after = leads_of(first), leads_of(again)
        assert {6 - row: lead for row, lead in before.items()}.items() <= after.items()
        assert (await house.written())["lead"] == 5
        assert by_state(await audit(house, fleet)) == {"accepted": 5}


async def test_a_feed_whose_worker_is_killed_is_sent_again_and_sells_every_row_once(house):
    """Killed with rows sold, under way and not begun; another worker takes the feed whole."""
    async with Fleet(bidding({"acme": "12.00"}, latency_ms=Fixed(40))) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=1000), campaign()))
        await house.key("seller", "fastquotes")
        killed, _ = await asyncio.gather(house.start(worker_lease_s=LEASE_S), house.open())
        first = house.bases.index(killed.base)
        body = ndjson(*({"lead": person(n)} for n in range(40)))
        cut = asyncio.ensure_future(feed(house, body, path=f"{PATH}&at_once=4", base=first))
        await fleet.received("acme", posts=10)
        await killed.kill()
        with pytest.raises(aiohttp.ClientError):
            await cut
        begun = (await house.written())["lead"]
        assert 10 <= begun < 40
        lines = await feed(house, body, base=1 - first)
        assert lines[-1]["complete"]
        totals = lines[-1]["totals"]
        # What was cut off before its award is closed by recovery, and told so; nothing is lost.
        assert totals["sold"] + totals["unsold"] == 40
        assert totals["unsold"] <= 4
        assert len(set(leads_of(lines).values())) == 40
        sales = await audit(house, fleet)
        assert by_state(sales)["accepted"] == totals["sold"]
        assert len(fleet.books["acme"].accepted()) == totals["sold"]


async def test_a_feed_is_begun_at_the_pace_that_is_asked_for(house):
    """By the ledger: no second sees more rows than `rows_per_s`, whatever the machine can do."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.open()
        rows = ndjson(*({"lead": person(n)} for n in range(12)))
        lines = await feed(house, rows, path=f"{PATH}&rows_per_s=20")
        assert lines[-1]["totals"]["sold"] == 12
        received = [
            row[0]
            for row in await house.fetch(
                "SELECT extract(epoch FROM received_at)::float8 FROM lead ORDER BY 1"
            )
        ]
        # A row that waited for its turn may catch up a little on the one after it.
        assert received[-1] - received[0] >= 11 / 20 - 0.05
