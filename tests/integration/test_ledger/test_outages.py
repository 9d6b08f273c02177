"""Whatever becomes of connections: nothing is lost, nothing is doubled, nobody waits for long."""

import asyncio
import time

import asyncpg
import pytest

from exchange.ledger.connections import Limits
from exchange.ledger.errors import LedgerUnavailable

ONE_LANE = Limits(lanes=1, timeout_s=5.0)
QUICK = Limits(timeout_s=0.3, retry_s=0.005, retry_max_s=0.02)


async def take_number(database, lead_id) -> None:
    """Make flushes with this lead's first moment wait for the end of our transaction."""
    await database.execute(
        "INSERT INTO moment (lead_id, number, at, kind, worker, write, events)"
        " VALUES ($1, 1, now(), 'void', $1, 1, $2)",
        lead_id,
        b"[]",
    )


async def until_up(ledger) -> None:
    async with asyncio.timeout(10):
        await ledger.until_up()


async def test_a_server_process_killed_in_mid_flush_loses_and_doubles_nothing(
    make_ledger, story, database, watcher, blocked
):
    """The flush was rolled back, so it is sent again, on another connection."""
    ledger = await make_ledger(limits=ONE_LANE)
    moments = [story.received(story.new_id()) for _ in range(50)]
    transaction = database.transaction()
    await transaction.start()
    await take_number(database, moments[25].lead_id)
    commits = asyncio.gather(*map(ledger.commit, moments))
    for pid in await blocked(watcher):
        await watcher.execute("SELECT pg_terminate_backend($1)", pid)
    while ledger.flushes < 2:
        await blocked(watcher)
    await transaction.rollback()

    assert all(await commits)
    assert await database.fetchval("SELECT count(*) FROM moment") == 50
    assert await database.fetchval("SELECT count(*) FROM record") == 50


async def test_a_flush_whose_answer_was_lost_is_recognized(make_ledger, wire, story, database):
    """Written, but nobody heard: sent again, its rows are found to be our own."""
    ledger = await make_ledger(wire.dsn, ONE_LANE)
    taken = story.received(story.new_id())
    await ledger.commit(taken)
    moments = [story.received(story.new_id()) for _ in range(20)]
    wire.swallows = True

    commits = asyncio.gather(*map(ledger.commit, [*moments, taken]))
    await wire.swallowed.wait()
    wire.swallows = False
    wire.cut()

    assert await commits == [True] * 20 + [False], "an old number is not taken for our own"
    assert await database.fetchval("SELECT count(*) FROM moment") == 21
    assert ledger.flushes == 3


async def test_idle_connections_that_break_are_replaced_unnoticed(make_ledger, wire, story):
    """A restart of whatever stands between costs no lead."""
    ledger = await make_ledger(wire.dsn)
    wire.cut()
    await asyncio.sleep(0)

    assert await ledger.commit(story.received(story.new_id()))
    assert await ledger.counts()


async def test_a_server_that_is_gone_fails_calls_in_time_and_then_at_once(make_ledger, wire, story):
    """The first calls wait for their limit, later ones for nothing."""
    ledger = await make_ledger(wire.dsn, QUICK)
    await wire.close()

    start = time.monotonic()
    outcomes = await asyncio.gather(
        *(ledger.commit(story.received(story.new_id())) for _ in range(20)),
        return_exceptions=True,
    )
    assert time.monotonic() - start < 2 * QUICK.timeout_s
    assert all(isinstance(outcome, LedgerUnavailable) for outcome in outcomes)
    assert not ledger.is_up

    start = time.monotonic()
    for _ in range(100):
        with pytest.raises(LedgerUnavailable):
            await ledger.commit(story.received(story.new_id()))
    assert time.monotonic() - start < QUICK.timeout_s

    with pytest.raises(LedgerUnavailable):
        await ledger.ping()

    await wire.open()
    await until_up(ledger)
    assert await ledger.commit(story.received(story.new_id()))
    await ledger.ping()


async def test_a_silent_server_fails_calls_in_time_and_is_found_again(make_ledger, wire, story):
    """A server that takes everything and answers nothing is as good as gone."""
    ledger = await make_ledger(wire.dsn, QUICK)
    await ledger.ping()
    wire.silence()

    start = time.monotonic()
    outcomes = await asyncio.gather(
        *(ledger.commit(story.received(story.new_id())) for _ in range(20)),
        ledger.ping(),
        ledger.lead(story.new_id()),
        return_exceptions=True,
    )
    assert time.monotonic() - start < 3 * QUICK.timeout_s
    assert all(isinstance(outcome, LedgerUnavailable) for outcome in outcomes)

    wire.speak()
    await until_up(ledger)
    assert await ledger.commit(story.received(story.new_id()))


async def test_a_moment_of_unknown_fate_may_be_committed_again(make_ledger, wire, story, database):
    """After the outage the same value is recognized if it had been written, or written now."""
    ledger = await make_ledger(wire.dsn, QUICK)
    written, waiting = story.received(story.new_id()), story.received(story.new_id())
    wire.swallows = True
    commit = asyncio.ensure_future(ledger.commit(written))
    await wire.swallowed.wait()
    with pytest.raises(LedgerUnavailable):
        await commit
    with pytest.raises(LedgerUnavailable):
        await ledger.commit(waiting)

    wire.swallows = False
    wire.cut()
    await until_up(ledger)

    assert await ledger.commit(written)
    assert await ledger.commit(waiting)
    assert not await ledger.commit(written), "only the doubt is cleared, nothing is written twice"
    assert await database.fetchval("SELECT count(*) FROM moment") == 2


async def test_a_moment_of_unknown_fate_is_fenced_where_another_took_its_number(
    make_ledger, wire, story
):
    """The fate may turn out to be somebody else's."""
    ledger, other = await make_ledger(wire.dsn, QUICK), await make_ledger()
    moment = story.received(story.new_id())
    wire.silence()
    with pytest.raises(LedgerUnavailable):
        await ledger.commit(moment)
    wire.cut()
    assert await other.commit(story.received(moment.lead_id))

    wire.speak()
    await until_up(ledger)

    assert not await ledger.commit(moment)


async def test_an_outage_while_closing_ends_in_time(make_ledger, wire, story):
    """A stop does not wait for a server that is gone."""
    ledger = await make_ledger(wire.dsn, QUICK)
    wire.silence()
    commit = asyncio.ensure_future(ledger.commit(story.received(story.new_id())))
    await asyncio.sleep(0)

    start = time.monotonic()
    await ledger.close()

    assert time.monotonic() - start < 5 * QUICK.timeout_s
    with pytest.raises(LedgerUnavailable):
        await commit


async def test_a_database_without_the_tables_is_not_taken_for_an_outage(make_ledger, database):
    """Whoever forgot to migrate hears which table is missing, at once."""
    await database.execute("DROP TABLE record")

    with pytest.raises(asyncpg.UndefinedTableError, match="record"):
        await make_ledger()


async def test_a_ledger_that_cannot_begin_says_so(make_ledger, wire):
    """A start without a server fails, and leaves nothing behind."""
    await wire.close()

    with pytest.raises(LedgerUnavailable):
        await make_ledger(wire.dsn, QUICK)
