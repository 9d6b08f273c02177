"""The reference bidder: a price table in TOML, run as a program and spoken to over HTTP."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from bidders import Accepted, Bid, NoBid, Refused
from bidders.fleet import Fleet
from bidders.reference import ReferenceBidder
from bidders.table import TableError, load
from exchange.contract.buyer import Ping, PingAuction, read_post
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market

TABLE = """
price = 9.00
daily_cap = 2
time_zone = "America/Chicago"
ttl_s = 60

[[row]]
when = { state = "NY" }
no_bid = "not licensed in NY"

[[row]]
when = { vertical = "solar" }
no_bid = true

[[row]]
when = { state = ["TX", "OK"], zip_prefix = ["787", "733"], age_min = 25, age_max = 64 }
price = 14.50

[[row]]
when = { currently_insured = true, credit = ["good", "excellent"] }
price = 11.25
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def pinged(vertical="auto_insurance", **lead):
    return Ping("p-1", vertical, PingAuction(tmax_ms=250), lead)


def post_body(sale_id, price=9):
    return msgspec.json.encode(
        {"sale_id": sale_id, "price": price, "vertical": "auto_insurance", "lead": {"zip": "78701"}}
    )


TEXAN = {"state": "TX", "zip": "78701", "age_band": "35-39"}


@pytest.mark.parametrize(
    ("lead", "price"),
    [
        (TEXAN, "14.50"),
        ({"state": "TX", "zip3": "733", "age_band": "35-39"}, "14.50"),
        (TEXAN | {"zip": "75201"}, "9"),
        (TEXAN | {"zip": "78"}, "9"),
        (TEXAN | {"state": "AZ"}, "9"),
        (TEXAN | {"age_band": "25-29"}, "14.50"),
        (TEXAN | {"age_band": "20-29"}, "9"),
        (TEXAN | {"age_band": "60-64"}, "14.50"),
        (TEXAN | {"age_band": "60-69"}, "9"),
        (TEXAN | {"age_band": "85+"}, "9"),
        (TEXAN | {"age_band": "old"}, "9"),
        ({"state": "TX", "zip": "78701"}, "9"),
        ({"state": "OK", "zip": "73301", "age": 64}, "14.50"),
        ({"state": "OK", "zip": "73301", "age": 65}, "9"),
        ({"currently_insured": True, "credit": "good"}, "11.25"),
        ({"currently_insured": True, "credit": "poor"}, "9"),
        ({"currently_insured": True}, "9"),
        ({"state": "NY", "currently_insured": True, "credit": "good"}, None),
        ({}, "9"),
    ],
)
def test_the_first_row_that_holds_gives_the_price(write, lead, price):
    """By state, ZIP prefix, age band and any field; a field that is not shown holds for nothing."""
    answer = load(write(TABLE)).bid(pinged(**lead)).answer()
    assert answer is not None
    assert answer.bid == Decimal(price or 0)
    assert answer.reason == (None if price else "not licensed in NY")


def test_a_row_may_be_a_plain_no_bid(write):
    """`no_bid = true` is 204, and so is a lead that no row speaks of where there is no price."""
    assert load(write(TABLE)).bid(pinged("solar", **TEXAN)).answer() is None
    rows_only = load(write('[[row]]\nwhen = { state = "TX" }\nprice = 5'))
    assert rows_only.bid(pinged(state="AZ")).answer() is None
    assert rows_only.bid(pinged(state="TX")).answer().bid == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("price = 9.0000001", "exact number"),
        ("price = -1", "exact number"),
        ("prise = 9", "prise"),
        ("price = ", "Invalid value"),
        ("daily_cap = -1", "daily_cap"),
        ("daily_spend = -1", "daily_spend"),
        ("daily_spend = nan", "daily_spend"),
        ('time_zone = "Mars/Olympus"', "Mars"),
        ('secret = "whsec_"', "signing secret"),
        ("[[row]]\nwhen = {}", "either a price or no_bid"),
        ("[[row]]\nprice = 3\nno_bid = true", "either a price or no_bid"),
        ('[[row]]\nwhen = { age_min = "25" }\nprice = 3', "age_min"),
        ('[[row]]\nif = { state = "TX" }\nprice = 3', "if"),
    ],
)
def test_a_mistake_in_the_table_is_named(write, text, complaint):
    """At start, with the file's name, not at the first ping."""
    with pytest.raises(TableError, match=complaint) as caught:
        load(write(text))
    assert "table.toml" in str(caught.value)


class Clock:
    def __init__(self):
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


async def test_the_daily_cap_ends_bidding_and_buying_until_the_buyers_midnight(write):
    """Two leads a day by Chicago's clock; repetitions of what was bought are still accepted."""
    clock = Clock()
    bidder = ReferenceBidder(load(write(TABLE)), clock)
    ping = b'{"ping_id":"p","vertical":"auto_insurance","auction":{"tmax_ms":900},"lead":{}}'

    async with TestClient(TestServer(bidder.app())) as client:

        async def accepted(sale):
            answer = await client.post("/post", data=post_body(sale))
            return (await answer.json())["accepted"]

        assert (await client.post("/ping", data=ping)).status == 200
        assert [await accepted(sale) for sale in ("s-1", "s-2", "s-3")] == [True, True, False]
        capped = await client.post("/ping", data=ping)
        assert await capped.json() == {"bid": 0, "reason": "daily cap"}
        assert await accepted("s-1") is True
        clock.now += timedelta(hours=16, minutes=59)  # 23:59 in Chicago
        assert await accepted("s-4") is False
        clock.now += timedelta(minutes=1)
        assert (await client.post("/ping", data=ping)).status == 200
        assert await accepted("s-5") is True


async def test_the_daily_spend_ends_bids_that_the_rest_of_the_days_money_does_not_pay(write):
    """Of 20.00 a day 14.50 leave room for a lead at 5.50 and none at 5.51; then a day begins."""
    clock = Clock()
    table = load(
        write('daily_spend = 20.00\nprice = 5.50\n[[row]]\nwhen = { state = "TX" }\nprice = 14.50')
    )
    bidder = ReferenceBidder(table, clock)
    assert await bidder.bid(pinged(state="TX")) == Bid(Decimal("14.50"))
    assert bidder.take(read_post(post_body("s-1", 14.50))) == Accepted("s-1")
    assert await bidder.bid(pinged(state="TX")) == NoBid("daily spend")
    assert bidder.take(read_post(post_body("s-2", 5.51))) == Refused("daily spend")
    assert await bidder.bid(pinged(state="AZ")) == Bid(Decimal("5.50"))
    assert bidder.take(read_post(post_body("s-3", 5.50))) == Accepted("s-3")
    assert await bidder.bid(pinged(state="AZ")) == NoBid("daily spend")
    clock.now += timedelta(days=1)
    assert await bidder.bid(pinged(state="TX")) == Bid(Decimal("14.50"))


BUYING = """
daily_cap = 3
daily_spend = 30.00
price = 9.00

[[row]]
when = { state = "NY" }
no_bid = true

[[row]]
when = { age_max = 24 }
no_bid = "too young"

[[row]]
when = { state = "TX", zip_prefix = "787", age_min = 25 }
price = 14.50

[[row]]
when = { state = "AZ" }
price = 5.00
"""


async def test_leads_are_bought_through_the_bidders_own_filters_prices_and_caps(house, write):
    """Row 56: 204 where its table filters a lead; else its price, until its day is full.

    Whatever it does not want, the next buyer gets at once.
    """
    bidder = ReferenceBidder(load(write(BUYING)), Clock())
    async with Fleet(bidding({"rest": "1.00"})) as fleet, TestServer(bidder.app()) as server:
        url = str(server.make_url("/")).rstrip("/")
        calls = (
            f'ping = {{ url = "{url}/ping", timeout_ms = 2000 }}\n'
            f'post = {{ url = "{url}/post", timeout_ms = 5000 }}'
        )
        await house.apply(
            market(buyer("own", offer=calls), buyer("rest", fleet.base_url), campaign())
        )
        await house.open()

        async def sold(number, **changes):
            """Post one more person; return who bought it at what, and how `own` answered."""
            told = await house.post(person(number, **changes))
            assert told.body["status"] == "sold"
            whole = await house.admin(told.body["lead_id"])
            [sale] = whole["sales"]
            [answer] = [
                one["answer"]
                for one in whole["captures"]
                if (one["offer"], one["kind"]) == ("own", "ping")
            ]
            return sale["buyer"], sale["price"], msgspec.json.decode(answer) if answer else None

        young = {"birth_date": f"{datetime.now(UTC).year - 20}-01-01"}
        assert await sold(1, zip="10001") == ("rest", 1.0, None)  # 204 has no body
        assert await sold(2, **young) == ("rest", 1.0, {"bid": 0, "reason": "too young"})
        assert await sold(3) == ("own", 14.5, {"bid": 14.5})
        assert await sold(4, zip="75201") == ("own", 9.0, {"bid": 9.0})
        assert await sold(5) == ("rest", 1.0, {"bid": 0, "reason": "daily spend"})
        assert await sold(6, zip="75201") == ("rest", 1.0, {"bid": 0, "reason": "daily spend"})
        assert await sold(7, zip="85001") == ("own", 5.0, {"bid": 5.0})
        assert await sold(8, zip="85001") == ("rest", 1.0, {"bid": 0, "reason": "daily cap"})
        assert await sold(9, zip="10001") == ("rest", 1.0, None)
        assert fleet.books["rest"].pings == 9
        ping = {
            "ping_id": "p",
            "vertical": "v",
            "auction": {"tmax_ms": 900},
            "lead": {"state": "NY"},
        }
        async with ClientSession() as session, session.post(f"{url}/ping", json=ping) as answer:
            assert answer.status == 204


def test_the_sales_file_carries_cap_and_sales_over_a_restart(write, tmp_path):
    """After a restart, even one in the middle of a line, the cap is as full and no sale is new."""
    file = tmp_path / "sales.jsonl"
    table = load(write(f'sales_file = "{file}"\n{TABLE}'))
    clock = Clock()
    ReferenceBidder(table, clock).take(read_post(post_body("s-1")))
    with file.open("ab") as torn:
        torn.write(b'{"sale_id":"s-9","at"')
    after = ReferenceBidder(table, clock)
    answers = [after.take(read_post(post_body(sale))) for sale in ("s-1", "s-2", "s-3")]
    assert answers == [Accepted("s-1"), Accepted("s-2"), Refused("daily cap")]
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert [line["sale_id"] for line in lines] == ["s-1", "s-2"]
    assert b"78701" not in file.read_bytes()


def test_a_sales_file_that_is_something_else_is_left_alone(write, tmp_path):
    """A wrong path does not cost a file its last line."""
    file = tmp_path / "letter.txt"
    file.write_text("Dear customer,\nyours")
    with pytest.raises(TableError, match=r"letter\.txt"):
        ReferenceBidder(load(write(f'sales_file = "{file}"')), Clock())
    assert file.read_text() == "Dear customer,\nyours"


async def test_the_program_bids_by_its_table_until_it_is_ended(write):
    """`python -m bidders reference` says where it is, answers, and ends cleanly on SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", "reference", "--config", write(TABLE), "--port", "0",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), 10)).decode()
        url = line.removeprefix("bidding at ").split(",")[0]
        ping = {"ping_id": "p", "vertical": "v", "auction": {"tmax_ms": 900}, "lead": TEXAN}
        async with ClientSession() as session, session.post(url, json=ping) as answer:
            assert await answer.json() == {"bid": 14.5, "ttl_s": 60}
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    "arguments",
    [
        ["reference", "--config", "/nowhere/table.toml"],
        ["fleet", "--profile", "/nowhere/fleet.toml"],
        ["fleet", "--faults", "ping.sloow=1"],
        ["fleet", "--profile", "demo", "--count", "3"],
        ["fleet", "--faults", "each", "--count", "3"],
    ],
)
async def test_what_a_person_can_mend_is_one_line_and_status_2(arguments):
    """No traceback, nothing on stdout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bidders", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 2
    assert out == b""
    assert error.startswith(b"bidders: ")
    assert error.count(b"\n") == 1
