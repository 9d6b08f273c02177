"""Whose lease ran out is succeeded by exactly one other, who answers for all its open leads."""

import asyncio
import uuid

import pytest

from exchange.domain.ids import LeadId
from exchange.domain.message import MessageRow, Topic
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


async def test_who_is_taking_over_is_not_taken_over_meanwhile(make_leases, dead):
    """Its own lease ran out, too, but what it answers for by now nobody else can see yet."""
    lost, _, awarded, bare = dead
    taker, other = await make_leases(lease_s=OUT), await make_leases()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def held_up(*_):
        begun.set()
        await go_on.wait()

    taker._tell = held_up
    taking = asyncio.ensure_future(taker.take_over(lost.worker_id, lambda *_: None))
    await begun.wait()
    assert await other.take_over(taker.worker_id) is None
    assert await other.take_over(lost.worker_id) is None
    go_on.set()
    assert {lead.lead_id for lead in await taking} == {awarded, bare}
    assert {lead.lead_id for lead in await other.take_over(taker.worker_id)} == {awarded, bare}


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


class Sellers:
    """Asks for a message of every end, or for none; remembers of what it was asked."""

    def __init__(self, story, *, wants=True):
        self.asked = []
        self.wants = wants
        self._story = story

    def __call__(self, seller_id, end):
        self.asked.append((seller_id, end))
        if not self.wants:
            return None
        return MessageRow(self._story.new_id(), f"seller/{seller_id}", Topic.LEAD_RESOLVED)


async def ending(leases, ledger, story, *, known):
    """A lead that this worker ends; what it does not hear of it goes on answering for."""
    lead_id = LeadId(story.new_id())
    leases.opened(lead_id, story.lead.received_at_us)
    assert await ledger.commit(story.received(lead_id, seller_id=lead_id))
    assert await ledger.commit(story.unsold(lead_id))
    if known:
        leases.closed(lead_id)
    return lead_id


async def test_ends_that_a_dead_worker_may_not_have_heard_of_are_told(
    make_leases, make_ledger, story
):
    """Those in doubt, however many renewals ago, and all since the last one; no others."""
    lost, rescuer = await make_leases(lease_s=OUT), await make_leases()
    ledger = await make_ledger(leases=lost)
    await ending(lost, ledger, story, known=True)
    await lost.renew()
    doubtful = await ending(lost, ledger, story, known=False)
    for _ in range(2):
        await lost.renew()
    latest = await ending(lost, ledger, story, known=True)
    sellers = Sellers(story)

    assert await rescuer.take_over(lost.worker_id, sellers) == []
    assert {seller_id for seller_id, _ in sellers.asked} == {doubtful, latest}
    assert {end for _, end in sellers.asked} == {story.unsold(latest).lead_end}


async def test_a_worker_that_goes_in_order_leaves_its_doubts_to_be_told_and_nothing_else(
    make_leases, make_ledger, story
):
    """What it heard since its last renewal is settled."""
    leaving, rescuer = await make_leases(), await make_leases()
    ledger = await make_ledger(leases=leaving)
    await ending(leaving, ledger, story, known=True)
    doubtful = await ending(leaving, ledger, story, known=False)
    await leaving.deregister()
    sellers = Sellers(story)

    assert await rescuer.take_over(leaving.worker_id, sellers) == []
    assert [seller_id for seller_id, _ in sellers.asked] == [doubtful]


async def test_what_was_taken_over_and_ended_by_another_is_not_told_by_a_third(
    make_leases, make_ledger, story
):
    """Each end is of the worker that wrote it, by that one's own count."""
    lost, rescuer, third = [await make_leases(lease_s=OUT) for _ in range(3)]
    ledger, of_rescuer = await make_ledger(leases=lost), await make_ledger(leases=rescuer)
    lead_id = LeadId(story.new_id())
    await ledger.commit(story.received(lead_id))
    await rescuer.take_over(lost.worker_id)
    assert await of_rescuer.commit(story.unsold(lead_id))
    rescuer.closed(lead_id)
    await rescuer.renew()
    sellers = Sellers(story)

    assert await third.take_over(rescuer.worker_id, sellers) == []
    assert sellers.asked == []


@pytest.mark.parametrize("wants", [True, False])
async def test_an_end_is_told_once_to_whom_asks_for_it(
    make_leases, make_ledger, story, database, wants
):
    """Of all who would take over one does; what has its message is left alone."""
    lost = await make_leases(lease_s=OUT)
    ledger = await make_ledger(leases=lost)
    rescuers = [await make_leases() for _ in range(4)]
    untold = await ending(lost, ledger, story, known=False)
    told = await ending(lost, ledger, story, known=False)
    await ledger.owe(told, Sellers(story)(told, None))
    sellers = Sellers(story, wants=wants)

    await asyncio.gather(*(one.take_over(lost.worker_id, sellers) for one in rescuers))

    assert [seller_id for seller_id, _ in sellers.asked] == [untold]
    rows = await database.fetch("SELECT lead_id, recipient, topic, state FROM message")
    assert {tuple(map(str, row)) for row in rows} == {
        (lead_id, f"seller/{lead_id}", "lead.resolved", "waiting")
        for lead_id in ([told, untold] if wants else [told])
    }


async def test_a_worker_of_an_older_version_leaves_no_end_to_be_told(
    make_leases, make_ledger, story, database
):
    """It does not say what it heard of: nobody is told what may be hours old."""
    lost, rescuer = await make_leases(lease_s=OUT), await make_leases()
    await ending(lost, await make_ledger(leases=lost), story, known=False)
    await database.execute("UPDATE worker SET unheard_since = NULL WHERE id = $1", lost.worker_id)
    sellers = Sellers(story)

    assert await rescuer.take_over(lost.worker_id, sellers) == []
    assert sellers.asked == []


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
