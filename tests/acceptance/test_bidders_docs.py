"""What docs/buyers.md shows is run as it stands there."""

import asyncio
import os
import re
import socket
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession, ClientTimeout
from standardwebhooks.webhooks import Webhook

from bidders import email_hash, phone_hash
from bidders.fleet import PingFault, PostFault
from bidders.fleet import load as load_fleet
from bidders.table import load as load_table
from exchange.contract.buyer import Ping, PingAuction

PAGE = (Path(__file__).parents[2] / "docs" / "buyers.md").read_text()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PING = {
    "ping_id": "p-1",
    "vertical": "auto_insurance",
    "auction": {"floor": 5.00, "currency": "USD", "tmax_ms": 5000},
    "lead": {"state": "TX"},
}
POST = {"sale_id": "s-1", "price": 12.50, "vertical": "auto_insurance", "lead": {"zip": "78701"}}


def shown(name):
    """The block of the page that begins with a comment of this name."""
    block = re.search(rf"```\w+\n# {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)
    assert block, f"docs/buyers.md shows no {name}"
    return block[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running(name, tmp_path):
    """The page's program on a port of its own, once that port is open."""
    port = free_port()
    (tmp_path / name).write_text(shown(name).replace("9000", str(port)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, tmp_path / name, env=os.environ | {"BUYER_SECRET": SECRET},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(opened(port, process), 20)
        async with ClientSession(f"http://127.0.0.1:{port}", timeout=ClientTimeout(10)) as session:
            yield session
    finally:
        process.kill()
        await process.wait()


async def opened(port, process):
    while True:
        assert process.returncode is None, "the program ended"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)  # another process opens it, without an event for us
        else:
            writer.close()
            await writer.wait_closed()
            return


def signed(value):
    body = b"" if value is None else msgspec.json.encode(value)
    now = datetime.now(UTC)
    return body, {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m-1", now, body.decode()),
        "Idempotency-Key": "s-1",
    }


async def test_the_ten_lines_bid_and_take(tmp_path):
    """The page's first program answers as its curl examples say."""
    async with running("bidder.py", tmp_path) as exchange:
        async with exchange.post("/ping", json=PING) as answer:
            assert (answer.status, await answer.json()) == (200, {"bid": 12.5})
        async with exchange.post("/ping", json=PING | {"lead": {"state": "NY"}}) as answer:
            assert answer.status == 204
        for _ in range(2):
            async with exchange.post("/post", json=POST) as answer:
                assert await answer.json() == {"accepted": True, "reference": "crm-s-1"}


async def test_the_program_by_hand_checks_signatures_and_remembers_keys(tmp_path):
    """It accepts what the library signs, refuses the rest, and answers one key alike."""
    async with running("by_hand.py", tmp_path) as exchange:
        body, headers = signed(PING)
        async with exchange.post("/ping", data=body, headers=headers) as answer:
            assert await answer.json(content_type=None) == {"bid": 12.5}
        async with exchange.post("/ping", data=body + b" ", headers=headers) as answer:
            assert answer.status == 401
        async with exchange.post("/ping", data=body) as answer:
            assert answer.status == 401
        body, headers = signed(POST)
        for _ in range(2):
            async with exchange.post("/post", data=body, headers=headers) as answer:
                accepted = await answer.json(content_type=None)
                assert accepted == {"accepted": True, "reference": "s-1"}
        _, headers = signed(None)
        for sale, status in (("s-1", 200), ("s-2", 404)):
            async with exchange.get(f"/status/{sale}", headers=headers) as answer:
                assert answer.status == status
                assert (await answer.json()).get("accepted") is (True if status == 200 else None)
        async with exchange.get("/status/s-1") as answer:
            assert answer.status == 401


def test_the_price_table_is_one(tmp_path):
    """The reference bidder takes the page's table, and its rows hold as the page says."""
    (tmp_path / "table.toml").write_text(shown("table.toml"))
    table = load_table(tmp_path / "table.toml")
    lead = {"state": "TX", "zip": "78701", "age_band": "35-39"}
    answer = table.bid(Ping("p", "auto_insurance", PingAuction(tmax_ms=1), lead)).answer()
    assert answer is not None
    assert answer.bid == Decimal("14.5")


def test_the_fleet_profile_is_one(tmp_path):
    """The fleet takes the page's profile."""
    (tmp_path / "fleet.toml").write_text(shown("fleet.toml"))
    assert load_fleet(tmp_path / "fleet.toml").buyer[0].ping_faults[PingFault.SLOW] == 0.05


@pytest.mark.parametrize("fault", [*PingFault, *PostFault])
def test_every_fault_is_explained(fault):
    """A fault that the fleet knows stands in one of the page's tables."""
    assert re.search(rf"^\|.*`{fault}`", PAGE, re.MULTILINE)


def test_hashes_are_what_the_page_says():
    """However a number or an address is written, the hash is the one of its plain form."""
    import base64
    import hashlib
    import hmac

    key = base64.b64decode(SECRET.removeprefix("whsec_"))

    def keyed(text):
        inner = hashlib.sha256(text.encode()).hexdigest()
        return hmac.new(key, inner.encode(), hashlib.sha256).hexdigest()

    for phone in ("(512) 555-0123", "+1 512 555 0123", "15125550123", "512.555.0123"):
        assert phone_hash(SECRET, phone) == keyed("5125550123")
    assert email_hash(SECRET, " Ann@Example.COM ") == keyed("ann@example.com")
