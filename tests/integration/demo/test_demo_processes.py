"""The demo's processes: an open loop that tells everything, and children that never stay behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from exchange.commands.serve import bound
from exchange.contract.seller import LeadAnswer, QuoteAnswer
from exchange.demo.children import Child, ChildError
from exchange.demo.folder import DemoFolder
from exchange.demo.order import Heard, Oddity, Order, Way
from exchange.demo.played import played
from exchange.demo.staging import Options, free_port, open_exchange, python
from exchange.demo.watching import DECODER, ENCODER
from exchange.settings import load_settings

SLOW_S = 0.3


class Doors:
    """An exchange's doors that answer late: what came, and how many at once."""

    def __init__(self) -> None:
        self.came: list[web.Request] = []
        self.waiting = 0
        self.waiting_max = 0

    async def post(self, request: web.Request) -> web.Response:
        await request.read()
        self.came.append(request)
        self.waiting += 1
        self.waiting_max = max(self.waiting_max, self.waiting)
        await asyncio.sleep(SLOW_S)
        self.waiting -= 1
        return web.Response(body=ANSWERS.get(request.path, LEAD))


LEAD = msgspec.json.encode(
    LeadAnswer(
        lead_id="019a0000-0000-7000-8000-000000000001",
        status="unsold",
        price=None,
        currency="USD",
        sales=(),
        reason=None,
        score=1,
        duration_ms=1.0,
    )
)
QUOTE = msgspec.json.encode(
    QuoteAnswer(
        ping_id="token",
        status="quoted",
        price=None,
        currency="USD",
        expires_at=None,
        legs=(),
        reason=None,
    )
)
ANSWERS = {
    "/v1/pings": QUOTE,
    "/doors/leadspedia/ping.do": b"<response><result>success</result><ping_id>token</ping_id>"
    b"<price>1.00</price><msg>yes</msg></response>",
    "/doors/leadspedia/post.do": b"<response><result>failed</result><lead_id>l-1</lead_id>"
    b"<msg>no</msg></response>",
    "/doors/px/api/lead/ping": b'{"TransactionId":"token","Success":true,"Payout":1.00}',
    "/doors/px/api/lead/post": b'{"TransactionId":"l-1","Success":false,"Sold":false}',
    "/doors/px/api/lead/directpost": b'{"TransactionId":"l-1","Success":false,"Sold":false}',
}
"""Whatever is at no other door is answered as a lead."""


@asynccontextmanager
async def serving(doors: Doors) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", doors.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def an_order(base_url: str, **changes) -> Order:
    show = played("demo", seed=3)
    plain = {
        "base_url": base_url,
        "keys": {
            "fastquotes": "key-1",
            "leadharbor": "key-2",
            "homequotes": "key-3",
            "pinepost": "key-4",
        },
        "feeds": show.traffic.feeds(show.market),
        "rate": 60.0,
        "seconds": 1.5,
        "seed": 3,
    }
    return Order(**{**plain, **changes})


async def told(seller: Child) -> list[Heard]:
    lines = []
    while (line := await seller.read_line()) is not None:
        lines.append(DECODER.decode(line))
    return lines


def a_seller(tmp_path: Path) -> Child:
    return Child("seller", python("exchange.demo.seller"), tmp_path / "seller.log", speaks=True)


async def test_leads_go_out_when_they_are_due_whatever_is_not_answered_yet(tmp_path):
    """With answers after 0.3 s one at a time would be five; all ways and all four sellers come."""
    doors = Doors()
    async with serving(doors) as base_url, a_seller(tmp_path) as seller:
        await seller.write_line(ENCODER.encode(an_order(base_url)))
        heard = await told(seller)
        assert await seller.running.wait() == 0
    assert 60 < len(doors.came) < 140
    assert len(heard) == len(doors.came)
    assert doors.waiting_max > 5
    assert min(one.ms for one in heard) >= SLOW_S * 1000
    assert {one.way for one in heard} == set(Way)
    shown = {request.headers.get("Authorization") for request in doors.came}
    # Foreign software has its key in the body, and no other header for it.
    assert shown == {"Bearer key-1", "Bearer key-2", None}
    assert {request.path for request in doors.came} >= ANSWERS.keys()
    # A quote is posted to its own address, and what was asked for the second time is counted so.
    assert any(request.path == "/v1/pings/token/post" for request in doors.came)
    assert all((one.lead_id is None) == (one.way is Way.PING) for one in heard)


async def test_a_seller_that_is_told_to_end_waits_for_what_it_sent(tmp_path):
    """SIGTERM, and every request that went out is still told."""
    doors = Doors()
    async with serving(doors) as base_url, a_seller(tmp_path) as seller:
        await seller.write_line(ENCODER.encode(an_order(base_url, seconds=None)))
        first = await seller.read_line()
        assert first is not None
        seller.ask_to_end()
        heard = [DECODER.decode(first), *await told(seller)]
        assert await seller.running.wait() == 0
    assert len(heard) == len(doors.came)


async def test_what_cannot_be_reached_is_told_as_not_answered(tmp_path):
    """No answer is no crash: each has HTTP status 0 and says why."""
    base_url = f"http://127.0.0.1:{free_port(0)}"
    async with a_seller(tmp_path) as seller:
        await seller.write_line(ENCODER.encode(an_order(base_url, seconds=0.5)))
        heard = await told(seller)
        assert await seller.running.wait() == 0
    assert heard
    assert {(one.http, one.problem) for one in heard} == {(0, "ClientConnectorError")}
    assert all(one.oddity in set(Oddity) for one in heard)


def a_child(tmp_path: Path, code: str, **how) -> Child:
    return Child("child", (sys.executable, "-c", code), tmp_path / "child.log", speaks=True, **how)


async def test_a_child_that_does_not_listen_is_killed(tmp_path):
    """After its grace, so that the demo always ends."""
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('up', flush=True); time.sleep(60)"
    )
    async with a_child(tmp_path, deaf, grace_s=0.2) as child:
        assert await child.read_line() == b"up\n"
        pid = child.running.pid
    assert child.running.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_child_that_fails_says_where_its_log_is_and_how_it_ends(tmp_path):
    """The last lines are in the message."""
    async with a_child(tmp_path, "raise SystemExit('no such thing')") as child:
        assert await child.read_line() is None
        await child.running.wait()
        failure = child.failure()
    assert isinstance(failure, ChildError)
    assert str(child.log) in str(failure)
    assert "no such thing" in str(failure)


async def test_a_child_ends_with_a_demo_that_is_killed(tmp_path):
    """Nobody is left to end it, and still nothing stays behind."""
    if sys.platform != "linux":
        pytest.xfail("only Linux tells a child that its parent is gone")
    demo = f"""
import asyncio, os, pathlib, sys
from exchange.demo.children import Child
async def main():
    sleeping = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
    log = pathlib.Path({str(tmp_path)!r}) / "x.log"
    async with Child("child", sleeping, log, speaks=True) as child:
        await child.read_line()
        print(child.running.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    async with a_child(tmp_path, demo) as parent:
        line = await parent.read_line()
        assert line is not None
        pid = int(line)
        parent.running.kill()
        await parent.running.wait()
        async with asyncio.timeout(10):
            while is_alive(pid):  # noqa: ASYNC110 - the kernel tells nobody of another's child
                await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and waits for init to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_each_run_has_a_folder_of_its_own_and_removes_it(tmp_path):
    """Two at once do not meet; one that is to be kept stays."""
    with DemoFolder(tmp_path, keep=False) as one, DemoFolder(tmp_path, keep=False) as other:
        assert one.path != other.path
        (one.path / "stores").mkdir()
        other.keep = True
    assert not one.path.exists()
    assert other.path.is_dir()
    with DemoFolder(tmp_path, keep=False) as third:
        assert third.path != other.path
    assert [folder.name for folder in (tmp_path / "demo").iterdir()] == [other.path.name]


async def test_an_exchange_whose_port_is_taken_serves_at_another(tmp_path):
    """Two demos that start at once: the later one hears it from its own child."""
    settings = load_settings(None, {})
    with DemoFolder(tmp_path, keep=False) as folder, bound("127.0.0.1", 0) as stranger:
        taken = stranger.getsockname()[1]
        options = Options(seconds=1, rate=1, seed=1, keep=False, config=None)
        async with AsyncExitStack() as stack:
            base_url, exchange = await open_exchange(folder, settings, options, stack, taken)
            assert base_url.startswith("http://127.0.0.1:")
            assert not base_url.endswith(f":{taken}")
            assert f"cannot listen on 127.0.0.1:{taken}" in exchange.log.read_text()
            assert await exchange.end() == 0
