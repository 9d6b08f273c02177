"""Nobody's going stops a sale: not the seller's, at any stage, and not the worker's own.

A lead that was read whole is sold whether or not its seller stays. From a buyer's yes until that is
durable nothing can be cancelled; what the end of a worker breaks off before, another one finishes.
"""

import asyncio
import json
import socket
import struct
from urllib.parse import urlsplit

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from tests.acceptance.audit import audit, by_state, keys_of
from tests.acceptance.buyers import bidding
from tests.acceptance.cables import cables
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market

RESET = struct.pack("ii", 1, 0)
SOLD = 10.2
SOLD_WORD = b'"status":"sold"'
"""Of the lead's end, as it goes to the ledger."""
PATIENT = {"database_timeout_ms": 9000, "market_timeout_ms": 9000, "ledger_wait_target_ms": 9000}
CAP = "caps = [ { concurrent = 9 } ]"
ONCE = 'duplicates = { window_hours = 24, on = ["phone"] }'


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


async def a_request(house, path="/v1/leads", *, key=None, lead=None, part=1.0, base=0):
    """Send a request, or a part of its body, on a connection of its own; return the connection."""
    body = json.dumps({"campaign": "auto-us", "source": "search", "lead": lead or ANN}).encode()
    at = urlsplit(house.bases[base])
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: exchange",
        f"Authorization: Bearer {await house.key('seller', 'fastquotes')}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Idempotency-Key: {key}"] if key else []),
    ]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body[: int(part * len(body))])
    await writer.drain()
    return reader, writer


async def hang_up(connection, how):
    """End a connection: said good-bye to in order, closed, or reset; nobody reads its answer."""
    _, writer = connection
    if how == "half_closed":
        writer.write_eof()
        return
    if how == "reset":
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        return
    writer.close()


async def posted(fleet, waiting, line):
    """Return once the buyer's yes waits at the clamped database; fail where the seller hears first.

    Whoever waits for a post alone waits for ever where the lead was not sold.
    """
    hears = asyncio.create_task(fleet.received("acme", posts=1))
    await asyncio.wait({hears, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not waiting.done(), waiting.result()
    line.database.clamp()
    await line.database.holds(SOLD_WORD)
    assert not waiting.done(), "nothing is told that is not durable"


async def the_end(house):
    """Return how the one lead ended, once it has."""

    async def has_ended():
        return bool(await house.fetch("SELECT FROM lead_end"))

    await until(has_ended)
    (row,) = await house.fetch("SELECT status, price FROM lead_end")
    return row["status"], row["price"] / 1e6 if row["price"] else None


# A seller that goes


@pytest.mark.parametrize("how", ["half_closed", "closed", "reset"])
@pytest.mark.parametrize("stage", ["ping", "hold", "award", "post", "doubt", "outcome"])
async def test_a_seller_that_hangs_up_at_any_stage_stops_nothing(house, stage, how):
    """While buyers bid, at the hold, the award, the post, in doubt, and at the outcome's commit."""
    doubtful = {"post_faults": {PostFault.NEVER: 1.0}} if stage == "doubt" else {}
    spec = BuyerSpec(
        id="acme",
        price=Fixed(12.0),
        latency_ms=Fixed(100),
        post_latency_ms=Fixed(100),
        **doubtful,
    )
    async with Fleet([spec]) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        acme = buyer("acme", fleet.base_url, ping_ms=3000, post_ms=500, offer=CAP)
        await house.apply(market(acme, campaign(lines=f"auction_deadline_ms = 4000\n{ONCE}")))
        await house.open(line.urls, **PATIENT)
        connection = await a_request(house)
        await fleet.received("acme", pings=1)
        clamped = {"hold": line.market, "award": line.database}.get(stage)
        if stage in {"post", "doubt", "outcome"}:
            await fleet.received("acme", posts=1)
        if stage == "outcome":
            clamped = line.database
        if clamped is not None:
            clamped.clamp()
            await asyncio.sleep(0.2)  # the buyer's own time: its answer is in, and goes no further
            assert not await house.fetch("SELECT FROM lead_end")
        if stage == "doubt":
            await asyncio.sleep(0.55)  # the post's time
        await hang_up(connection, how)
        await asyncio.sleep(0.05)  # it is seen at the other end
        if clamped is not None:
            await clamped.mend()
        assert await the_end(house) == ("sold", SOLD)
        assert fleet.books["acme"].posts == (2 if stage == "doubt" else 1)
        assert by_state(await audit(house, fleet)) == {"accepted": 1}
        if how == "half_closed":
            connection[1].close()


async def test_a_seller_that_hangs_up_before_its_lead_was_whole_has_sent_none(house):
    """Half a body: nobody is pinged, nothing is written, and the same key is free."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.open()
        connection = await a_request(house, key="half", part=0.5)
        await hang_up(connection, "closed")
        whole = await house.post(headers={"Idempotency-Key": "half"})
        assert (whole.body["status"], whole.body["price"]) == ("sold", SOLD)
        assert fleet.books["acme"].pings == 1
        assert len(await house.fetch("SELECT FROM lead")) == 1


async def test_a_ping_whose_seller_hung_up_is_quoted_and_told_with_its_key(house):
    """The quote is made once; who repeats the ping hears it, and can post it."""
    async with Fleet(bidding({"acme": "12.00"}, latency_ms=Fixed(200))) as fleet:
        acme = buyer("acme", fleet.base_url, ping_ms=3000)
        await house.apply(market(acme, campaign(lines="auction_deadline_ms = 4000")))
        await house.open()
        asked = {"zip": ANN["zip"], "currently_insured": True}
        connection = await a_request(house, "/v1/pings", key="p", lead=asked)
        await fleet.received("acme", pings=1)
        await hang_up(connection, "reset")
        again = await a_request(house, "/v1/pings", key="p", lead=asked)
        assert b" 200 " in await again[0].readline()
        head = (await again[0].readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split()[0])
        quote = json.loads(await again[0].readexactly(length))
        assert (quote["status"], quote["price"]) == ("quoted", SOLD)
        assert fleet.books["acme"].pings == 1
        who = {name: ANN[name] for name in ("first_name", "phone", "email")}
        sold = await house.post(who, path=f"/v1/pings/{quote['ping_id']}/post")
        assert (sold.body["status"], sold.body["price"]) == ("sold", SOLD)
        await hang_up(again, "closed")


async def test_many_sellers_that_all_hang_up_leave_no_task_and_no_hold(house):
    """Forty leads, each left at another moment: forty ends, one sale each, nothing behind."""
    async with Fleet(bidding({"acme": "12.00"}, post_latency_ms=Fixed(50))) as fleet:
        acme = buyer(
            "acme", fleet.base_url, ping_ms=3000, post_ms=3000, offer=CAP.replace("9", "99")
        )
        await house.apply(market(acme, campaign(lines="auction_deadline_ms = 4000")))
        worker = await house.open()

        async def comes_and_goes(number):
            connection = await a_request(house, lead=person(number))
            await asyncio.sleep(number * 0.003)
            await hang_up(connection, ("closed", "reset")[number % 2])

        await asyncio.gather(*(comes_and_goes(number) for number in range(40)))

        async def all_ended():
            return len(await house.fetch("SELECT FROM lead_end WHERE status = 'sold'")) == 40

        await until(all_ended)
        assert by_state(await audit(house, fleet)) == {"accepted": 40}
        assert worker._story.under_way == 0
        assert worker._under_way.count == 0


# A worker that goes


async def test_told_to_stop_between_a_buyers_yes_and_its_commit_a_worker_commits_and_tells(house):
    """SIGTERM while the outcome is on its way to a slow database: sold, and its seller hears so."""
    async with Fleet(bidding({"acme": "12.00"}, post_latency_ms=Fixed(50)), keep=9) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        acme = buyer("acme", fleet.base_url, ping_ms=3000, post_ms=9000, offer=CAP)
        await house.apply(market(acme, campaign(lines="auction_deadline_ms = 4000")))
        await house.key("seller", "fastquotes")
        process = await house.start(database_url=line.urls.database_url, **PATIENT)
        waiting = asyncio.create_task(house.post())
        await posted(fleet, waiting, line)
        stopping = asyncio.create_task(process.stop())
        await asyncio.sleep(0.2)
        assert not waiting.done(), "nothing is told that is not durable"
        assert not await house.fetch("SELECT FROM lead_end")
        await line.database.mend()
        told = await waiting
        assert (told.body["status"], told.body["price"]) == ("sold", SOLD)
        assert await stopping == 0
        assert await the_end(house) == ("sold", SOLD)
        assert fleet.books["acme"].posts == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_yes_that_was_handed_to_the_ledger_is_written_though_its_story_is_cut_off(house):
    """The grace is over before the database answers: the commit is not taken back.

    The seller hears of no outcome, asks again with its key, and hears the sale; nobody is asked
    again.
    """
    async with Fleet(bidding({"acme": "12.00"}, post_latency_ms=Fixed(50)), keep=9) as fleet:
        line = await house.stack.enter_async_context(cables(house.urls))
        acme = buyer("acme", fleet.base_url, ping_ms=3000, post_ms=9000, offer=CAP)
        await house.apply(market(acme, campaign(lines="auction_deadline_ms = 4000")))
        await house.key("seller", "fastquotes")
        process = await house.start(
            database_url=line.urls.database_url,
            **PATIENT,
            shutdown_grace_s=0.2,
            hold_lease_s=1,
        )
        headers = {"Idempotency-Key": "cut"}
        waiting = asyncio.create_task(house.post(headers=headers))
        await posted(fleet, waiting, line)
        stopping = asyncio.create_task(process.stop())
        told = await waiting
        assert told.status == 503
        await line.database.mend()
        assert await stopping == 0
        assert await the_end(house) == ("sold", SOLD)
        await house.open()
        again = await house.post(base=-1, headers=headers)
        assert (again.body["status"], again.body["price"]) == ("sold", SOLD)
        assert len(keys_of(fleet, "acme")) == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_seller_and_its_worker_that_both_go_leave_a_lead_that_the_next_one_ends(house):
    """Hung up, and SIGTERM without grace while the buyer thinks: in doubt, then sold once."""
    async with Fleet(bidding({"acme": "12.00"}, post_latency_ms=Fixed(800)), keep=9) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, offer=CAP), campaign()))
        await house.key("seller", "fastquotes")
        process = await house.start(shutdown_grace_s=0.1)
        connection = await a_request(house)
        await fleet.received("acme", posts=1)
        await hang_up(connection, "reset")
        assert await process.stop() == 0
        assert not await house.fetch("SELECT FROM lead_end")
        await house.open()
        assert await the_end(house) == ("sold", SOLD)
        assert len(set(keys_of(fleet, "acme"))) == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}
