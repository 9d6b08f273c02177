"""A person is erased in the very instant in which something of it is written: nothing is left."""

import asyncio
from itertools import count

import msgspec

from exchange.domain.moment import MomentKind, QuoteRow
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus
from exchange.ledger.decisions import STATEMENTS as WORDS
from exchange.ledger.decisions import Decision, Decisions
from exchange.ledger.entry import Doubtful, Entry, arguments
from exchange.ledger.keys import LeadKeys
from exchange.ledger.lanes import STATEMENTS
from exchange.ledger.rows import pack
from tests.integration.test_ledger.conftest import NOW_US

QUOTE = QuoteRow(
    seller_id="fastquotes",
    campaign_id="auto-us",
    source_id="fb-tx-01",
    vertical_id="auto_insurance",
    test=False,
    version=7,
    status=LeadStatus.QUOTED,
    reason=None,
    price=Micros(5),
    expires_at_us=NOW_US + 300_000_000,
)
WRITES = count(1_000_000)


async def flushed(connection, ledger, vault, moment):
    """Write a moment in this connection's transaction, as a flush of the ledger does."""
    write = next(WRITES)
    entry = Entry(write, moment, pack(moment, write, LeadKeys(vault), 60_000_000), Doubtful(1))
    row = await connection.fetchrow(
        STATEMENTS["commit"], ledger._group.worker_id, *arguments([entry])
    )
    assert row["written"] == [write]


async def after(work, blocked, watcher):
    """Return the task once it waits for a lock; one that waits for nobody is done."""
    task = asyncio.ensure_future(work)
    looking = asyncio.ensure_future(blocked(watcher))
    await asyncio.wait({task, looking}, return_when=asyncio.FIRST_COMPLETED)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return task


def numbered(moment, number):
    return msgspec.structs.replace(moment, number=number)


def late(story, lead_id, number):
    return story.moment(lead_id, number, MomentKind.NOTE, capture=b"POST with the person")


async def ended(ledger, story):
    lead_id = story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.unsold(lead_id))
    return lead_id


async def test_an_answer_that_is_being_written_while_its_person_is_erased_is_unreadable(
    ledger, story, vault, database, watcher, blocked
):
    """The erase does not see it yet: it waits until it does."""
    lead_id = await ended(ledger, story)
    async with database.transaction():
        await flushed(database, ledger, vault, late(story, lead_id, 3))
        erasing = await after(ledger.erase(lead_id, 1, "ann"), blocked, watcher)
    assert await erasing
    assert await ledger.captures(lead_id) == []
    assert await database.fetchval("SELECT count(wrapped_key) FROM capture") == 0


async def test_an_answer_that_comes_while_its_person_is_being_erased_is_unreadable(
    ledger, story, database, watcher, blocked
):
    """It does not see the erase yet: it waits until it does."""
    lead_id = await ended(ledger, story)
    async with database.transaction():
        assert await ledger.erase_in(database, lead_id, 1, "ann")
        writing = await after(ledger.commit(late(story, lead_id, 3)), blocked, watcher)
    assert await writing
    assert await ledger.captures(lead_id) == []
    assert await database.fetchval("SELECT count(wrapped_key) FROM capture") == 0


async def test_other_leads_do_not_wait_for_an_erase(ledger, story, database):
    """Nor does what this one writes without anything sealed beside it."""
    lead_id, other = await ended(ledger, story), await ended(ledger, story)
    async with database.transaction():
        assert await ledger.erase_in(database, lead_id, 1, "ann")
        assert await ledger.commit(late(story, other, 3))
        assert await ledger.commit(story.moment(lead_id, 3, MomentKind.NOTE))
    [capture] = await ledger.captures(other)
    assert capture.body == b"POST with the person"


async def test_a_quote_that_is_being_posted_while_its_person_is_erased_is_being_sold(
    ledger, story, vault, database, watcher, blocked
):
    """Whoever comes first has its second moment: the erase hears that it is too late."""
    lead_id = story.new_id()
    await ledger.commit(story.moment(lead_id, 1, MomentKind.QUOTE, quote=QUOTE, record=b"{}"))
    async with database.transaction():
        posted = story.received(lead_id)
        await flushed(database, ledger, vault, numbered(posted, 2))
        erasing = await after(ledger.erase(lead_id, 1, "ann"), blocked, watcher)
    assert await erasing is None
    assert await ledger.record(lead_id) is not None
    await ledger.commit(story.unsold(lead_id, 3))
    assert await ledger.erase(lead_id, 1, "ann")
    assert await ledger.records(lead_id) == [None, None]


async def test_a_quote_that_was_erased_is_never_posted(ledger, story):
    """Its second moment is taken: a post that comes then is fenced."""
    lead_id = story.new_id()
    await ledger.commit(story.moment(lead_id, 1, MomentKind.QUOTE, quote=QUOTE, record=b"{}"))
    assert await ledger.erase(lead_id, 5, "ann")
    assert not await ledger.commit(numbered(story.received(lead_id), 2))
    assert await ledger.record(lead_id) is None
    again = await ledger.erase(lead_id, 9, "bob")
    assert (again.at_us, again.by) == (5, "ann")


async def test_a_word_on_a_sale_is_erased_with_all_that_it_says(ledger, story, vault, database):
    """Its note, too."""
    lead_id, sale_id = story.new_id(), story.new_id()
    decisions = Decisions(ledger.connections, vault)
    said = Decision(at_us=1, by="buyer/acme", accepted=False, reference="Ann", note="Ann Lee")
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))
    assert await decisions.decide(sale_id, said)
    await ledger.commit(story.sold(lead_id, sale_id))
    assert await ledger.erase(lead_id, 1, "ann")
    rows = await database.fetch("SELECT decision::text AS row FROM decision")
    assert len(rows) == 1
    assert "Ann" not in rows[0]["row"]


async def test_a_word_that_is_being_written_while_the_person_is_erased_is_erased_as_well(
    ledger, story, database, watcher, blocked
):
    """It began while the sale was open, and was slower than its end."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))
    async with database.transaction():
        words = (1, "buyer/acme", False, "Ann", b"url", b"key", "Ann Lee")
        assert await database.fetchval(WORDS["decide"], sale_id, *words)
        await ledger.commit(story.sold(lead_id, sale_id))
        erasing = await after(ledger.erase(lead_id, 1, "ann"), blocked, watcher)
    assert await erasing
    [row] = await database.fetch("SELECT decision::text AS row FROM decision")
    assert "Ann" not in row["row"]
    assert "6b6579" not in row["row"]


# What pings kept of whom was posted then, and merged


async def pinged(ledger, story):
    """A quote whose ping kept fields of the person, and a call to a buyer with them."""
    part = story.new_id()
    kept = {"record": b"{}", "capture": b"POST with the ZIP code"}
    await ledger.commit(story.moment(part, 1, MomentKind.QUOTE, quote=QUOTE, **kept))
    assert await ledger.record(part) is not None
    return part


async def keys_of(database, part):
    """How much of what a ping kept can be read."""
    return await database.fetchval(
        "SELECT (SELECT count(wrapped_key) FROM record WHERE lead_id = $1)"
        " + (SELECT count(wrapped_key) FROM capture WHERE lead_id = $1)",
        part,
    )


async def test_what_a_ping_kept_is_unreadable_where_its_post_is_being_merged_meanwhile(
    ledger, story, vault, database, watcher, blocked
):
    """The erase does not see that it is part of the lead: it waits until it does."""
    lead_id, part = await ended(ledger, story), await pinged(ledger, story)
    async with database.transaction():
        await flushed(database, ledger, vault, story.merged(part, lead_id, 2))
        erasing = await after(ledger.erase(lead_id, 1, "ann"), blocked, watcher)
    assert await erasing
    assert await keys_of(database, part) == 0


async def test_what_a_ping_kept_is_unreadable_where_its_post_comes_while_it_is_being_erased(
    ledger, story, database, watcher, blocked
):
    """It does not see the erase yet: it waits until it does."""
    lead_id, part = await ended(ledger, story), await pinged(ledger, story)
    async with database.transaction():
        assert await ledger.erase_in(database, lead_id, 1, "ann")
        merging = await after(ledger.commit(story.merged(part, lead_id, 2)), blocked, watcher)
    assert await merging
    assert await keys_of(database, part) == 0


async def test_what_a_ping_kept_is_unreadable_where_its_post_comes_after_the_erase(
    ledger, story, database
):
    """Its person is known still, by digests that name nobody. Other pings keep what they have."""
    lead_id, other_lead = await ended(ledger, story), await ended(ledger, story)
    part, other = await pinged(ledger, story), await pinged(ledger, story)
    assert await ledger.erase(lead_id, 1, "ann")
    assert await ledger.commit(story.merged(part, lead_id, 2))
    assert await ledger.commit(story.merged(other, other_lead, 2))
    assert await keys_of(database, part) == 0
    assert await keys_of(database, other) == 2
    assert await ledger.erase(other, 2, "bob")
    assert await keys_of(database, other) == 0


async def test_what_was_merged_without_a_ping_waits_for_no_erase(ledger, story, database):
    """It keeps nothing."""
    lead_id = await ended(ledger, story)
    async with database.transaction():
        assert await ledger.erase_in(database, lead_id, 1, "ann")
        assert await ledger.commit(story.merged(story.new_id(), lead_id))
