"""A worker that is killed or stopped in mid-sale costs nobody a lead, a cent or a second sale."""

import asyncio
import signal
from functools import partial

import aiohttp
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from tests.acceptance.audit import audit, by_state, keys_of, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market

LEASE_S = 1.0
"""How long a worker of these tests is believed to live."""

ONCE = 'duplicates = { window_hours = 24, on = ["phone"] }'
WITHIN_S = 15


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


def never(name="never"):
    """A buyer that takes its first post and never answers it; asked again it says so."""
    return BuyerSpec(id=name, price=Fixed(12.0), post_faults={PostFault.NEVER: 1.0})


async def ended(house, lead_id, base):
    """The lead as its seller sees it once it has an end."""
    key = await house.key("seller", "fastquotes")
    path = f"/v1/leads/{lead_id}?wait_s={WITHIN_S}"
    return (await house.call("GET", path, key=key, base=base)).body


async def the_lead(house, status=None):
    """The one lead there is, once it is written (and has this end)."""
    query = "SELECT lead_id::text FROM lead LEFT JOIN lead_end USING (lead_id)"
    where = "" if status is None else f" WHERE status = '{status}'"

    async def there():
        return len(await house.fetch(query + where)) == 1

    await until(there, WITHIN_S)
    return (await house.fetch(query + where))[0]["lead_id"]


async def test_what_a_killed_worker_had_under_way_is_ended_once_by_another(house):
    """Issue 2, row 88: killed in the post to the winner, and between lead and award of another.

    The first is asked again under its key and sold, once; the second is closed with a reason, and
    its person may come again. A seller that repeats its request with its key hears the outcome.
    """
    async with Fleet([never(), *bidding({"slow": "9.00"})], keep=9) as fleet:
        fleet.change(bidding({"slow": "9.00"}, latency_ms=Fixed(1500))[0])
        await house.apply(
            market(
                buyer("never", fleet.base_url, post_ms=5000),
                buyer("slow", fleet.base_url, ping_ms=2000, offer="caps = [ { concurrent = 1 } ]"),
                campaign(lines=ONCE, stages=['method = "auction"\noffers = ["never"]']),
                campaign(
                    "slow",
                    lines=f"{ONCE}\nauction_deadline_ms = 2500",
                    stages=['method = "auction"\noffers = ["slow"]'],
                ),
            )
        )
        await house.key("seller", "fastquotes")
        killed, _ = await asyncio.gather(house.start(worker_lease_s=LEASE_S), house.open())
        first = house.bases.index(killed.base)
        headers = {"Idempotency-Key": "a-1"}
        posts = [
            asyncio.create_task(
                house.post(person(1), base=first, headers=headers, timeout_ms=4000)
            ),
            asyncio.create_task(house.post(person(2), base=first, campaign="slow")),
        ]
        await fleet.received("never", posts=1)
        await fleet.received("slow", pings=1)
        await killed.kill()
        cut = await asyncio.gather(*posts, return_exceptions=True)
        assert all(isinstance(error, aiohttp.ClientError) for error in cut)

        other = 1 - first
        again = partial(house.post, person(1), base=other, headers=headers, timeout_ms=4000)
        while (repeated := await again()).status == 409:
            assert repeated.headers["Retry-After"], "until it is recovered"
        assert (repeated.body["status"], repeated.body["price"]) == ("sold", 10.2)
        assert set(keys_of(fleet, "never")) == {repeated.body["sales"][0]["sale_id"]}
        assert (await house.post(person(1), base=other)).body["status"] == "duplicate"

        closed = await ended(house, await the_lead(house, "unsold"), other)
        assert closed["reason"]["reason"] == "deadline"
        fleet.change(bidding({"slow": "9.00"})[0])
        anew = await house.post(person(2), base=other, campaign="slow")
        assert anew.body["status"] == "sold"
        assert by_state(await audit(house, fleet)) == {"accepted": 2}


async def test_a_worker_killed_during_the_post_and_started_again_ends_the_sale_once(house):
    """Issue 2: alone on its stores; the new process finds the sale by its lease and asks again."""
    async with Fleet([never()], keep=9) as fleet:
        lines = 'caps = [ { leads = 5, per = "day" } ]'
        await house.apply(market(buyer("never", fleet.base_url, offer=lines), campaign()))
        await house.key("seller", "fastquotes")
        killed = await house.start(worker_lease_s=LEASE_S)
        cut = asyncio.create_task(house.post())
        await fleet.received("never", posts=1)
        await killed.kill()
        await asyncio.gather(cut, return_exceptions=True)
        lead_id = await the_lead(house)

        await house.start(worker_lease_s=LEASE_S)
        end = await ended(house, lead_id, base=1)
        assert (end["status"], end["price"]) == ("sold", 10.2)
        assert set(keys_of(fleet, "never")) == {end["sales"][0]["sale_id"]}
        assert set((await standing(house, "never")).settled.values()) == {1}
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_worker_that_was_stopped_past_its_lease_writes_nothing_more_and_ends(house):
    """SIGSTOP, a take-over, SIGCONT: its seller hears nothing false, its process ends with 1."""
    async with Fleet([never()], keep=9) as fleet:
        await house.apply(market(buyer("never", fleet.base_url, post_ms=20_000), campaign()))
        await house.key("seller", "fastquotes")
        stopped, _ = await asyncio.gather(house.start(worker_lease_s=LEASE_S), house.open())
        first = house.bases.index(stopped.base)
        waiting = asyncio.create_task(house.post(base=first))
        await fleet.received("never", posts=1)
        stopped.process.send_signal(signal.SIGSTOP)
        end = await ended(house, await the_lead(house), base=1 - first)
        assert (end["status"], end["price"]) == ("sold", 10.2)
        stopped.process.send_signal(signal.SIGCONT)
        told = await waiting
        assert told.status == 200
        assert told.body["status"] in {"pending", "sold"}
        assert told.body["lead_id"] == end["lead_id"]
        assert await asyncio.wait_for(stopped.process.wait(), WITHIN_S) == 1
        rows = await house.fetch("SELECT worker::text FROM moment ORDER BY number")
        writers = [row["worker"] for row in rows]
        alive = house.workers[0].worker_id
        assert alive not in writers[:2], "the lead and its award"
        assert set(writers[2:]) == {alive}
        assert len(set(keys_of(fleet, "never"))) == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}
