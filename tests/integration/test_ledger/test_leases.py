"""Whose lease ran out is succeeded by exactly one other, who answers for all its open leads."""

import asyncio
import uuid

import pytest

from exchange.domain.moment import MomentKind
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LeaseLost, LedgerUnavailable
from exchange.ledger.worker import Leases

OUT = 0.0
"""A lease that runs out as soon as it is made."""

LEASE_S = 60.0
NOW_US = 1_790_000_000_123_457


class Clock:
    """Goes on only where it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def timed(connections, vault, clock):
    """Leases that know the time from this clock alone; the database keeps its own."""
    worker_id = str(uuid.uuid4())
    return Leases(connections, worker_id, vault, lambda: NOW_US, lease_s=LEASE_S, monotonic=clock)


@pytest.fixture
async def dead(make_leases, make_ledger, story):
    """A worker whose lease ran out: one lead with an award, one without, one that had ended."""
    leases = await make_leases(lease_s=OUT)
    ledger = await make_ledger(leases=leases)
    awarded, bare, ended, sale_id = (story.new_id() for _ in range(4))
    for moment in (
        story.received(awarded),
        story.received(bare),
        story.received(ended),
        story.awarded(awarded, sale_id),
        story.unsold(ended),
    ):
        assert await ledger.commit(moment)
    return leases, ledger, awarded, bare


async def test_a_worker_registers_renews_and_leaves(make_leases):
    """What it said of itself is what the others read."""
    leases = await make_leases()
    [worker] = await leases.workers()

    assert worker.worker_id == leases.worker_id
    assert worker.addresses == ("127.0.0.1:8080",)
    assert worker.version == "1"
    assert not worker.is_dead
    assert await leases.renew()
    [renewed] = await leases.workers()
    assert renewed.lease_until_us > worker.lease_until_us
    await leases.deregister()
    assert await leases.workers() == []
    assert not await leases.renew()


async def test_open_since_follows_the_oldest_open_lead(make_leases, story):
    """It is what a rescuer searches from."""
    leases = await make_leases()
    idle_us = leases.open_since_us
    old, new = story.new_id(), story.new_id()
    leases.opened(old, 2_000_000_000)
    leases.opened(new, 3_000_000_000)

    await leases.renew()
    [worker] = await leases.workers()
    assert worker.open_since_us == leases.open_since_us < 2_000_000_000
    leases.closed(old)
    assert 2_000_000_000 < leases.open_since_us < 3_000_000_000
    leases.closed(new)
    leases.closed(new)
    assert leases.open_since_us == idle_us


async def test_a_dead_workers_leads_come_with_all_that_is_needed(make_leases, dead, story):
    """In doubt where an award was written, without one where not; what ended stays out."""
    lost, _, awarded, bare = dead
    rescuer = await make_leases()

    assert [worker.worker_id for worker in await rescuer.dead_workers()] == [lost.worker_id]
    leads = {lead.lead_id: lead for lead in await rescuer.take_over(lost.worker_id)}

    assert leads.keys() == {awarded, bare}
    assert leads[awarded].last_number == 2
    assert leads[awarded].awards[0].post == story.award.post
    assert leads[awarded].row == story.lead
    assert leads[bare].awards == ()
    assert await rescuer.dead_workers() == []


async def test_of_two_rescuers_at_once_exactly_one_succeeds(make_leases, dead):
    """However often it is tried, the leads come once."""
    lost, _, _, _ = dead
    rescuers = [await make_leases() for _ in range(6)]

    taken = await asyncio.gather(*(leases.take_over(lost.worker_id) for leases in rescuers))

    assert sorted(leads is None for leads in taken) == [False] + [True] * 5


async def test_a_rescuer_that_dies_is_rescued_in_turn(make_leases, make_ledger, dead, story):
    """It answers for the leads from the moment that it took them, though none was its own."""
    lost, _, awarded, bare = dead
    rescuer = await make_leases(lease_s=OUT)
    rescuer.opened(story.new_id(), story.lead.answer_by_us + 3_600_000_000)
    await rescuer.renew()  # what is its own is younger than what it takes over
    await rescuer.take_over(lost.worker_id)
    [worker] = await rescuer.workers()
    assert worker.open_since_us <= lost.open_since_us
    assert await rescuer.renew()

    last = await make_leases()
    leads = await last.take_over(rescuer.worker_id)

    assert {lead.lead_id for lead in leads} == {awarded, bare}
    ledger = await make_ledger(leases=last)
    assert await ledger.commit(story.unsold(bare))


async def test_a_live_worker_is_not_taken_over(make_leases, make_ledger, story):
    """A lease that holds protects its leads."""
    live, rescuer = await make_leases(), await make_leases()
    ledger = await make_ledger(leases=live)
    await ledger.commit(story.received(story.new_id()))

    assert await rescuer.take_over(live.worker_id) is None
    assert await rescuer.dead_workers() == []
    assert await rescuer.take_over(story.new_id()) is None


async def test_a_worker_that_was_taken_over_can_write_nothing_more(
    make_leases, dead, story, database
):
    """It wakes up, goes on where it stopped, and is told."""
    lost, ledger, _, bare = dead
    rescuer = await make_leases()
    await rescuer.take_over(lost.worker_id)

    assert not await lost.renew()
    await lost.keep()  # returns, for there is nothing to keep
    with pytest.raises(LeaseLost):
        await ledger.commit(story.awarded(bare, story.new_id()))
    with pytest.raises(LeaseLost):
        await ledger.commit(story.received(story.new_id()))
    assert await database.fetchval("SELECT count(*) FROM moment") == 5


async def test_a_flush_under_way_holds_a_take_over_off(
    make_leases, dead, story, database, watcher, blocked
):
    """What a worker is writing this moment is written before its leads change hands."""
    lost, ledger, _, _ = dead
    rescuer = await make_leases()
    arriving = story.received(story.new_id())
    transaction = database.transaction()
    await transaction.start()
    await database.execute(
        "INSERT INTO moment (lead_id, number, at, kind, worker, write, events)"
        " VALUES ($1, 1, now(), 'void', $1, 1, $2)",
        arriving.lead_id,
        b"[]",
    )
    commit = asyncio.ensure_future(ledger.commit(arriving))
    await blocked(watcher)

    assert await rescuer.take_over(lost.worker_id) is None
    await transaction.rollback()
    assert await commit
    leads = await rescuer.take_over(lost.worker_id)
    assert arriving.lead_id in {lead.lead_id for lead in leads}


async def test_a_rescuer_without_a_lease_takes_nothing(make_leases, dead):
    """Nobody would find the leads again if it died."""
    lost, _, _, _ = dead
    rescuer = await make_leases(register=False)

    with pytest.raises(LeaseLost):
        await rescuer.take_over(lost.worker_id)

    other = await make_leases()
    assert len(await other.take_over(lost.worker_id)) == 2


async def test_a_worker_that_leaves_open_leads_behind_is_dead_at_once(
    make_leases, make_ledger, story
):
    """A clean stop with a sale in doubt hands it over without a wait."""
    leaving, rescuer = await make_leases(), await make_leases()
    ledger = await make_ledger(leases=leaving)
    lead_id = story.new_id()
    leaving.opened(lead_id, story.lead.answer_by_us)
    await ledger.commit(story.received(lead_id))

    await leaving.deregister()

    assert [worker.worker_id for worker in await rescuer.dead_workers()] == [leaving.worker_id]
    assert len(await rescuer.take_over(leaving.worker_id)) == 1


async def test_a_lead_and_its_end_in_one_moment_is_nobodys_to_take(make_leases, make_ledger, story):
    """A void moment alone leaves nothing open either."""
    leases = await make_leases(lease_s=OUT)
    ledger = await make_ledger(leases=leases)
    await ledger.commit(story.moment(story.new_id(), 1, MomentKind.VOID))
    rescuer = await make_leases()

    assert await rescuer.take_over(leases.worker_id) == []


async def test_an_outage_longer_than_a_lease_ends_no_healthy_worker(
    make_connections, vault, wire, database
):
    """Whoever comes back first waits for as long as a lease lasts, so that all who live renew."""
    clock = Clock()
    connections = await make_connections(wire.dsn, Limits(timeout_s=0.5))
    first, second = timed(connections, vault, clock), timed(connections, vault, clock)
    for leases in (first, second):
        await leases.register("1", [])
    await wire.close()
    for leases in (first, second):
        with pytest.raises(LedgerUnavailable):
            await leases.renew()
    clock.now_s += 2 * LEASE_S
    await database.execute("UPDATE worker SET lease_until = now() - interval '1 second'")
    await wire.open()

    assert await first.dead_workers() == []  # before its own lease is renewed, and after
    assert await first.renew()
    assert [worker.is_dead for worker in await first.workers()].count(True) == 1
    assert await first.dead_workers() == []
    assert await second.renew()
    killed = str(uuid.uuid4())
    await database.execute(
        "INSERT INTO worker (id, lease_until, open_since, version, addresses)"
        " VALUES ($1, now() - interval '1 second', now(), '1', '{}')",
        killed,
    )
    for _ in range(4):
        assert await first.dead_workers() == []
        clock.now_s += LEASE_S / 4
        assert await first.renew()
        assert await second.renew()
    for leases in (first, second):
        assert [worker.worker_id for worker in await leases.dead_workers()] == [killed]


async def test_a_worker_that_slept_for_longer_than_its_lease_trusts_no_other_lease(
    make_connections, vault, make_leases
):
    """A machine that was stopped as a whole wakes up as a whole."""
    clock = Clock()
    woken = timed(await make_connections(), vault, clock)
    await woken.register("1", [])
    other = await make_leases(lease_s=OUT)
    assert [worker.worker_id for worker in await woken.dead_workers()] == [other.worker_id]
    clock.now_s += LEASE_S + 1
    assert await woken.dead_workers() == []
    assert await woken.renew()
    assert await woken.dead_workers() == []
