"""The outbox on a real PostgreSQL: each message is one worker's at a time, and none is lost."""

import asyncio
from collections import Counter

import pytest

from exchange.domain.ids import uuid7
from exchange.ledger.connections import Connections, Limits
from exchange.notify.keeping import keep
from exchange.notify.outbox import Keeping, Outbox, Try, Wanted, Written

AT_US = 1_795_000_000_000_000
TOPIC = "bid.notices"
LEASE_S = 30.0


@pytest.fixture
async def outbox(database_url):
    connections = Connections(database_url, Limits(timeout_s=5.0))
    await connections.open()
    yield Outbox(connections)
    await connections.close()


def written(number, recipient="offer/acme"):
    message_id = uuid7(AT_US, number.to_bytes(10, "big"))
    return Written(message_id, AT_US + number, recipient, b"{}")


def a_try(**what):
    return Try(at_us=AT_US, ms=1.5, **what)


async def test_of_two_workers_each_takes_what_the_other_has_not(outbox):
    """However they collide: every message once, of each recipient no more than it has room for."""
    messages = [written(n, f"offer/{'ab'[n % 2]}") for n in range(40)]
    assert len(await outbox.put(messages, TOPIC, 100)) == 40
    taken = []
    while True:
        rooms = {"offer/a": 3, "offer/b": 2, "offer/nobody": 9}
        both = await asyncio.gather(*(outbox.take(rooms, LEASE_S, 4) for _ in range(4)))
        for due in both:
            assert len(due) <= 4
            per = Counter(message.recipient for message in due)
            assert per["offer/a"] <= 3
            assert per["offer/b"] <= 2
        if not any(both):
            break
        taken += [message.id for due in both for message in due]
    assert sorted(taken) == sorted(message.id for message in messages)


async def test_a_message_goes_from_waiting_to_its_end_with_every_try_on_record(outbox):
    """Tried, tried again, delivered; replayed with all its tries; given up."""
    [message] = messages = [written(1)]
    await outbox.put(messages, TOPIC, 100)
    assert await outbox.waiting() == (1, message.at_us)
    [due] = await outbox.take({"offer/acme": 1}, LEASE_S, 9)
    assert (due.id, due.body, due.lead_id, due.tries) == (message.id, b"{}", None, 1)
    await outbox.again(due.id, a_try(status=503, detail="status 503"), 3600.0)
    assert await outbox.take({"offer/acme": 1}, LEASE_S, 9) == []
    await outbox.hasten("offer/acme")
    [again] = await outbox.take({"offer/acme": 1}, LEASE_S, 9)
    assert again.tries == 2
    await outbox.delivered(again.id, a_try(status=204))
    assert await outbox.waiting() == (0, None)
    kept = await outbox.message(message.id)
    assert (kept.state, [one.status for one in kept.log]) == ("delivered", [503, 204])
    assert await outbox.replay(message.id)
    [replayed] = await outbox.take({"offer/acme": 1}, LEASE_S, 9)
    assert replayed.tries == 1
    await outbox.failed(replayed.id, a_try(status=410, detail="status 410"))
    assert (await outbox.message(message.id)).state == "failed"
    assert not await outbox.replay(written(2).id)


async def test_one_that_nobody_says_anything_of_is_due_again_when_its_lease_is_over(outbox):
    """Its worker died; the next one has it as another try."""
    await outbox.put([written(1)], TOPIC, 100)
    assert len(await outbox.take({"offer/acme": 1}, 0.0, 9)) == 1
    [due] = await outbox.take({"offer/acme": 1}, LEASE_S, 9)
    assert due.tries == 2


async def test_a_recipient_that_is_too_far_behind_gets_no_more(outbox):
    """Others do; what was delivered makes room again."""
    assert len(await outbox.put([written(n) for n in range(3)], TOPIC, 3)) == 3
    more = [written(7), written(8, "offer/other")]
    assert await outbox.put(more, TOPIC, 3) == {more[1].id}
    [due] = await outbox.take({"offer/acme": 1}, LEASE_S, 9)
    await outbox.delivered(due.id, a_try(status=200))
    assert await outbox.put(more[:1], TOPIC, 3) == {more[0].id}


async def test_a_message_that_is_put_twice_is_there_once_and_was_taken_both_times(outbox):
    """Its writer did not hear that it was written, and may meet a full recipient meanwhile."""
    messages = [written(n) for n in range(3)]
    assert await outbox.put(messages[:2], TOPIC, 3) == {one.id for one in messages[:2]}
    assert await outbox.put(messages, TOPIC, 3) == {one.id for one in messages}
    assert await outbox.put([*messages, written(4)], TOPIC, 3) == {one.id for one in messages}
    assert (await outbox.waiting())[0] == 3


async def test_operators_page_through_messages_by_what_they_look_for(outbox):
    """Newest first; each page goes on where the last one ended."""
    messages = [written(n, f"offer/{'ab'[n % 2]}") for n in range(6)]
    await outbox.put(messages, TOPIC, 100)
    newest_first = [message.id for message in reversed(messages)]
    first = await outbox.messages(Wanted(limit=4))
    assert [one.id for one in first] == newest_first[:4]
    rest = await outbox.messages(Wanted(limit=4, before=first[-1].id))
    assert [one.id for one in rest] == newest_first[4:]
    of_b = await outbox.messages(Wanted(recipient="offer/b", state="waiting"))
    assert {one.recipient for one in of_b} == {"offer/b"}
    assert await outbox.messages(Wanted(state="failed")) == []
    assert await outbox.messages(Wanted(lead_id=messages[0].id)) == []


async def test_what_ended_is_deleted_after_its_time_and_what_nobody_takes_is_given_up(outbox):
    """Failed ones stay longer than delivered ones; what waits is never deleted."""
    messages = [written(n) for n in range(3)]
    await outbox.put(messages, TOPIC, 100)
    delivered, failed, _ = await outbox.take({"offer/acme": 3}, 0.0, 9)
    await outbox.delivered(delivered.id, a_try(status=200))
    await outbox.failed(failed.id, a_try(detail="timeout"))
    await outbox.tidy(Keeping(waiting_s=1e9, delivered_s=-1.0, failed_s=1e9))
    states = {one.id: one.state for one in await outbox.messages(Wanted())}
    assert sorted(states.values()) == ["failed", "waiting"]
    await outbox.tidy(Keeping(waiting_s=-1e9, delivered_s=1e9, failed_s=1e9))
    assert {one.state for one in await outbox.messages(Wanted())} == {"failed"}
    await outbox.tidy(Keeping(waiting_s=1e9, delivered_s=1e9, failed_s=-1.0))
    assert {one.state for one in await outbox.messages(Wanted())} <= {"failed"}


async def test_how_much_waits_is_shown(outbox):
    """How many, and for how long the oldest does."""
    await outbox.put([written(0), written(5)], TOPIC, 100)
    shown: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
    keeping = asyncio.ensure_future(
        keep(outbox, lambda *seen: shown.put_nowait(seen), lambda: AT_US + 3_000_000)
    )
    assert await asyncio.wait_for(shown.get(), 10) == (2, 3.0)
    keeping.cancel()
