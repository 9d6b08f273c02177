"""Moments are written together, once, or not at all."""

import asyncio

import msgspec
import pytest

from exchange.domain.events import EventName
from exchange.domain.moment import MomentKind, QuoteRow
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus
from exchange.ledger.connections import Limits
from exchange.ledger.errors import LeaseLost, LedgerUnavailable, MomentRefused, RejectionRefused
from exchange.ledger.rows import FieldFault, Rejection


async def test_two_hundred_waiting_moments_take_a_few_flushes(ledger, story, database):
    """Group commit: what gathers while one flush is written is the next flush."""
    moments = [story.received(story.new_id()) for _ in range(200)]

    assert all(await asyncio.gather(*map(ledger.commit, moments)))

    assert ledger.flushes <= 4
    assert await database.fetchval("SELECT count(*) FROM lead") == 200
    assert await database.fetchval("SELECT count(*) FROM record") == 200


async def test_batches_are_bounded(make_ledger, story):
    """No flush grows past its limit, however many wait."""
    ledger = await make_ledger(limits=Limits(batch_max=10, lanes=1))
    moments = [story.received(story.new_id()) for _ in range(100)]

    assert all(await asyncio.gather(*map(ledger.commit, moments)))

    assert ledger.flushes == 10


async def test_what_waits_is_bounded(make_ledger, story):
    """Above the limit a call fails at once instead of waiting without end."""
    ledger = await make_ledger(limits=Limits(waiting_max=5))
    moments = [story.received(story.new_id()) for _ in range(8)]

    outcomes = await asyncio.gather(*map(ledger.commit, moments), return_exceptions=True)

    assert outcomes[:5] == [True] * 5
    assert all(isinstance(outcome, LedgerUnavailable) for outcome in outcomes[5:])


async def test_of_two_workers_one_writes_a_number(make_ledger, story):
    """A number is taken once, by whoever comes first."""
    one, other = await make_ledger(), await make_ledger()
    lead_ids = [story.new_id() for _ in range(50)]

    ones = asyncio.gather(*(one.commit(story.received(lead_id)) for lead_id in lead_ids))
    others = asyncio.gather(*(other.commit(story.received(lead_id)) for lead_id in lead_ids))

    for first, second in zip(await ones, await others, strict=True):
        assert first is not second


async def test_a_fenced_moment_leaves_no_row(make_ledger, story, database):
    """All rows of a moment stand or fall with its number."""
    one, other = await make_ledger(), await make_ledger()
    lead_id, sale_id = story.new_id(), story.new_id()
    await one.commit(story.received(lead_id))
    assert await one.commit(story.moment(lead_id, 2, MomentKind.VOID))

    assert not await other.commit(story.awarded(lead_id, sale_id))

    assert await database.fetchval("SELECT count(*) FROM award") == 0


async def test_one_number_twice_in_one_flush_is_written_once(ledger, story):
    """Two posts for one quote may come to the same worker at the same time: one of them wins."""
    lead_id = story.new_id()
    posts = [story.received(lead_id, seller_ref=str(number)) for number in range(5)]

    outcomes = await asyncio.gather(*map(ledger.commit, posts))

    assert sorted(outcomes) == [False] * 4 + [True]
    stored = await ledger.lead(lead_id)
    assert stored.row.seller_ref == str(outcomes.index(True))


async def test_the_same_worker_cannot_write_a_number_again(ledger, story):
    """A quote that was used is used, for its own worker too."""
    lead_id = story.new_id()
    assert await ledger.commit(story.received(lead_id))

    assert not await ledger.commit(story.received(lead_id))


HALF_A_PAIR = "\ud83d"


@pytest.mark.parametrize(
    "changes",
    [
        {"seller_ref": HALF_A_PAIR},
        {"version": 2**70},
        {"score": 2**31},
        {"answer_by_us": 2**80},
        {"seller_id": None},
        {"source_declared": "perhaps"},
    ],
)
async def test_a_bad_row_does_not_fail_its_neighbours(ledger, story, changes):
    """Whoever brought what no database can hold hears of it alone."""
    good = [story.received(story.new_id()) for _ in range(40)]
    bad = [story.received(story.new_id(), **changes) for _ in range(2)]
    moments = [*good[:13], bad[0], *good[13:30], bad[1], *good[30:]]

    outcomes = await asyncio.gather(*map(ledger.commit, moments), return_exceptions=True)

    for moment, outcome in zip(moments, outcomes, strict=True):
        if moment in bad:
            assert isinstance(outcome, MomentRefused)
            assert await ledger.lead(moment.lead_id) is None
        else:
            assert outcome is True


async def test_a_refusal_quotes_no_value(ledger, story):
    """What was refused may name a person; its error does not."""
    bad = story.received(story.new_id(), seller_ref="Jane Roe" + HALF_A_PAIR)

    with pytest.raises(MomentRefused) as caught:
        await ledger.commit(bad)

    assert "Jane" not in str(caught.value)
    assert bad.lead_id in str(caught.value)


async def test_half_a_surrogate_pair_in_an_event_is_refused_before_any_flush(ledger, story):
    """What cannot be encoded never reaches the others' flush."""
    event = story.event(EventName.REFUSED, detail=HALF_A_PAIR)
    moment = story.moment(story.new_id(), 1, MomentKind.NOTE, events=(event,))

    with pytest.raises(MomentRefused):
        await ledger.commit(moment)

    assert ledger.flushes == 0


async def test_nuls_are_stripped_from_every_text(ledger, story):
    """PostgreSQL holds no NUL; a buyer's or a seller's does not cost the lead."""
    lead_id = story.new_id()
    event = story.event(EventName.REFUSED, detail="no\0thing \\u0000 and \\\0 end")
    received = msgspec.structs.replace(
        story.received(lead_id, seller_ref="A\0B", channel="\0"), events=(event,)
    )

    assert await ledger.commit(received)

    stored = await ledger.lead(lead_id)
    assert stored.row.seller_ref == "AB"
    assert stored.row.channel == ""
    assert [e.detail for e in await ledger.timeline(lead_id)] == ["nothing \\u0000 and \\ end"]


async def test_two_ends_of_one_lead_are_refused(ledger, story, database):
    """A lead ends once, even if moments with free numbers say otherwise."""
    lead_id = story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.unsold(lead_id))

    with pytest.raises(MomentRefused, match="lead_end_pkey"):
        await ledger.commit(story.unsold(lead_id, number=3))

    assert await database.fetchval("SELECT max(number) FROM moment") == 2


async def test_an_entry_without_an_amount_is_refused(ledger, story):
    """A transfer moves more than nothing."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))

    with pytest.raises(MomentRefused, match="transfer_amount_check"):
        await ledger.commit(story.sold(lead_id, sale_id, transfers=story.transfers(sale_id, 0)))

    assert await ledger.balances() == []


async def test_a_cancelled_caller_does_not_stop_its_commit(
    ledger, story, database, watcher, blocked
):
    """What was begun is finished; recovery relies on it."""
    lead_id = story.new_id()
    async with database.transaction():
        await database.execute("LOCK TABLE record IN ACCESS EXCLUSIVE MODE")
        caller = asyncio.ensure_future(ledger.commit(story.received(lead_id)))
        await blocked(watcher)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    assert caller.cancelled()

    await ledger.close()

    assert await database.fetchval("SELECT count(*) FROM lead") == 1


async def test_close_writes_what_still_waits(make_ledger, story):
    """A clean stop loses nothing that was begun, and takes nothing more."""
    ledger = await make_ledger(limits=Limits(batch_max=3, lanes=1))
    commits = [ledger.commit(story.received(story.new_id())) for _ in range(9)]
    await asyncio.sleep(0)

    await ledger.close()

    assert all(await asyncio.gather(*commits))
    with pytest.raises(LedgerUnavailable):
        await ledger.commit(story.received(story.new_id()))


async def test_without_a_lease_nothing_is_written(make_ledger, make_leases, story, database):
    """A worker that was never registered, or was taken over, is told so."""
    ledger = await make_ledger(leases=await make_leases(register=False))
    rejection = Rejection(seller_id="fastquotes", campaign_id=None, at_us=1, errors=())

    with pytest.raises(LeaseLost):
        await ledger.commit(story.received(story.new_id()))
    with pytest.raises(LeaseLost):
        await ledger.reject(rejection)

    assert await database.fetchval("SELECT count(*) FROM moment") == 0


async def test_a_quote_is_read_back_and_its_post_is_its_second_moment(ledger, story):
    """A ping is moment 1 of the lead that may follow."""
    quote = QuoteRow(
        seller_id="fastquotes",
        campaign_id="auto-us",
        source_id="fb-tx-01",
        vertical_id="auto_insurance",
        test=False,
        version=7,
        status=LeadStatus.QUOTED,
        reason=None,
        price=Micros(10_620_000),
        expires_at_us=story.lead.answer_by_us,
    )
    lead_id = story.new_id()
    await ledger.commit(story.moment(lead_id, 1, MomentKind.QUOTE, quote=quote, record=b"quasi"))

    assert await ledger.quote(lead_id) == quote
    assert await ledger.lead(lead_id) is None
    post = msgspec.structs.replace(story.received(lead_id), number=2)
    assert [await ledger.commit(post), await ledger.commit(post)] == [True, False]


async def test_rejections_share_the_flushes_and_are_listed_newest_first(ledger, story):
    """What was not a lead is written as surely as what was, without any value."""
    faults = (FieldFault("lead.phone", "invalid_phone"), FieldFault("lead.zip", "required"))
    rejections = [
        Rejection(seller_id="fastquotes", campaign_id=None, at_us=at_us, errors=faults)
        for at_us in range(1_000_000, 1_000_050)
    ]
    await asyncio.gather(
        *map(ledger.reject, rejections), ledger.commit(story.received(story.new_id()))
    )

    assert ledger.flushes <= 3
    assert await ledger.rejections("fastquotes", 3) == rejections[:-4:-1]
    assert await ledger.rejections("other", 3) == []


async def test_a_rejection_that_cannot_be_held_fails_alone(ledger):
    """Half a surrogate pair in a field's name costs nobody else anything."""
    bad = Rejection(
        seller_id="s", campaign_id=None, at_us=1, errors=(FieldFault(HALF_A_PAIR, "required"),)
    )
    absurd = msgspec.structs.replace(bad, at_us=2**80, errors=())
    good = msgspec.structs.replace(bad, errors=())

    outcomes = await asyncio.gather(
        *map(ledger.reject, [bad, absurd, good]), return_exceptions=True
    )

    assert isinstance(outcomes[0], RejectionRefused)
    assert isinstance(outcomes[1], RejectionRefused)
    assert await ledger.rejections("s", 5) == [good]
