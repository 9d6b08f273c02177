"""A worker that is told to stop finishes its auctions, says what it knows, and leaves nothing."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import msgspec
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from exchange.app import worker
from exchange.commands.serve import bound
from exchange.worker.sockets import Sockets
from tests.acceptance.audit import audit, by_state, keys_of, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import MASTER_KEY, person, until
from tests.acceptance.market import buyer, campaign, market

SOON_S = 2.0


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


async def test_told_to_stop_a_worker_finishes_its_auctions_and_lets_go_of_doubts(house):
    """SIGTERM: the auction under way is sold and answered, a sale in doubt is `pending` at once.

    Exit status 0, the lease is given back, the next worker ends what was in doubt, nothing is
    held afterwards; a new request finds nobody listening.
    """
    mute = BuyerSpec(id="mute", price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0})
    async with Fleet([mute, *bidding({"slow": "9.00"})], keep=9) as fleet:
        fleet.change(
            bidding({"slow": "9.00"}, latency_ms=Fixed(700), post_latency_ms=Fixed(300))[0]
        )
        await house.apply(
            market(
                buyer("mute", fleet.base_url, post_ms=200, offer="caps = [ { concurrent = 3 } ]"),
                buyer("slow", fleet.base_url, ping_ms=3000),
                campaign(stages=['method = "auction"\noffers = ["mute"]']),
                campaign(
                    "slow",
                    lines="auction_deadline_ms = 4000",
                    stages=['method = "auction"\noffers = ["slow"]'],
                ),
            )
        )
        await house.key("seller", "fastquotes")
        process = await house.start()
        in_doubt = asyncio.create_task(house.post(person(1)))
        await fleet.received("mute", posts=1)
        await asyncio.sleep(0.3)  # its own time goes by: only now it is in doubt
        auction = asyncio.create_task(house.post(person(2), campaign="slow"))
        await fleet.received("slow", pings=1)
        loop = asyncio.get_running_loop()
        stopped_at = loop.time()
        stopping = asyncio.create_task(process.stop())

        told = await in_doubt
        assert (told.body["status"], told.body["reason"]["reason"]) == ("pending", "in_doubt")
        assert loop.time() - stopped_at < SOON_S
        sold = await auction
        assert (sold.body["status"], sold.body["price"]) == ("sold", 7.65)
        assert await stopping == 0
        with pytest.raises(aiohttp.ClientError):
            await house.post(person(3))
        assert set((await standing(house, "mute")).holds) == set(keys_of(fleet, "mute"))

        fleet.change(bidding({"mute": "12.00"})[0])
        fleet.books["mute"].sales.clear()
        await house.open()
        key = await house.key("seller", "fastquotes")
        path = f"/v1/leads/{told.body['lead_id']}?wait_s=15"
        end = (await house.call("GET", path, key=key, base=1)).body
        assert (end["status"], end["price"]) == ("sold", 10.2)
        assert set(keys_of(fleet, "mute")) == {end["sales"][0]["sale_id"]}
        assert by_state(await audit(house, fleet)) == {"accepted": 2}


async def test_a_worker_with_nothing_open_leaves_its_place_empty(house):
    """Traffic, then the end: no task, no connection, no lease, no hold stays behind."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        await house.key("seller", "fastquotes")
        before = asyncio.all_tasks()
        async with AsyncExitStack() as stack:
            await a_worker(house, stack)
            answers = await asyncio.gather(*(house.post(person(n)) for n in range(20)))
            assert {answer.body["status"] for answer in answers} == {"sold"}
            assert len(await house.fetch("SELECT FROM worker")) == 1
        await house.session.close()
        await nothing_but(before)
        assert not await house.fetch("SELECT FROM worker")

        async def gone():
            return not fleet.connections

        await until(gone)
        await audit(house, fleet)


async def test_a_worker_that_closes_in_mid_recovery_leaves_the_rest_to_the_next(house):
    """What it took over and could not end is found again: sold once, by whoever comes."""
    mute = BuyerSpec(id="mute", price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0})
    async with Fleet([mute], keep=20) as fleet:
        await house.apply(market(buyer("mute", fleet.base_url, post_ms=200), campaign()))
        await house.key("seller", "fastquotes")
        told = None
        for posts in (1, 2):
            before = asyncio.all_tasks()
            async with AsyncExitStack() as stack:
                base = await a_worker(house, stack)
                if told is None:
                    told = await house.post(timeout_ms=400, base=base)
                    assert told.body["status"] == "pending"
                await fleet.received("mute", posts=posts)
            await nothing_but(before)
        fleet.change(bidding({"mute": "12.00"})[0])
        fleet.books["mute"].sales.clear()
        await house.open()
        key = await house.key("seller", "fastquotes")
        path = f"/v1/leads/{told.body['lead_id']}?wait_s=15"
        end = (await house.call("GET", path, key=key, base=-1)).body
        assert end["status"] == "sold"
        assert len(set(keys_of(fleet, "mute"))) == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def a_worker(house, stack):
    """Run a worker until the stack closes; return the number of its base."""
    listening = bound("127.0.0.1", 0)
    house.bases.append(f"http://127.0.0.1:{listening.getsockname()[1]}")
    settings = msgspec.structs.replace(house.settings, shutdown_grace_s=5.0)
    await stack.enter_async_context(worker(settings, house.urls, MASTER_KEY, Sockets([listening])))
    return len(house.bases) - 1


async def nothing_but(before):
    """Let what is ending end, and fail for any task that stays."""

    async def gone():
        return not [task for task in asyncio.all_tasks() - before if not task.done()]

    own = asyncio.current_task()
    assert own in before
    await until(gone, 3.0)
