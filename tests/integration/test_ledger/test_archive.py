"""What was written is read back exactly, and what was erased by nobody."""

import asyncio

import msgspec
import pytest

from exchange.domain.events import EventName, Merged
from exchange.domain.ids import LeadId
from exchange.domain.moment import LeadEnd, MomentKind, SaleEnd
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger import archive
from exchange.ledger.errors import MasterKeyError, SealBrokenError
from exchange.ledger.ledger import Ledger
from exchange.ledger.stored import Erasure
from exchange.ledger.vault import Vault
from tests.integration.test_ledger.conftest import NOW_US

LOST_KEY = b"\xff" * 32


@pytest.fixture
async def sold(ledger, story):
    """A lead that was refused by one buyer and sold to another."""
    lead_id, first, second = (story.new_id() for _ in range(3))
    refused = SaleEnd(sale_id=first, state=SaleState.REFUSED, reason=Reason.REFUSED)
    repeated = msgspec.structs.replace(
        story.awarded(lead_id, second, number=3, buyer_id="best"), sale_end=refused
    )
    for moment in (
        story.received(lead_id),
        story.awarded(lead_id, first, buyer_id="acme", offer_id="acme-fl"),
        repeated,
        story.sold(lead_id, second, number=4),
    ):
        assert await ledger.commit(moment)
    return lead_id


async def test_a_lead_is_read_back_as_it_was_written(ledger, story, sold):
    """To the microsecond and the micro."""
    stored = await ledger.lead(sold)

    assert stored.row == story.lead
    assert stored.received_at_us == story.lead.received_at_us
    assert stored.last_number == 4
    assert stored.status is LeadStatus.SOLD
    assert stored.end == story.sold(sold, sold).lead_end
    assert stored.ended_at_us == story.sold(sold, sold, number=4).at_us
    refused, accepted = stored.sales
    assert refused.end.state is SaleState.REFUSED
    assert refused.end.reason is Reason.REFUSED
    assert accepted.award == msgspec.structs.replace(
        story.award, sale_id=accepted.award.sale_id, buyer_id="best", post=None
    )
    assert accepted.end.redirect_url == "https://acme.example/thanks"
    assert stored.accepted == (accepted,)


async def test_a_lead_nobody_wrote_is_none(ledger, story):
    """Not found is a value."""
    lead_id = story.new_id()
    assert await ledger.lead(lead_id) is None
    assert await ledger.open_lead(lead_id) is None
    assert await ledger.quote(lead_id) is None
    assert await ledger.record(lead_id) is None
    assert await ledger.captures(lead_id) == []
    assert await ledger.timeline(lead_id) == []


async def test_a_timeline_is_all_events_in_the_order_of_moments(ledger, story):
    """However the moments were flushed, and with everything an event can say."""
    lead_id = story.new_id()
    everything = story.event(
        EventName.OFFER_LEFT_OUT,
        left_out={201: ("a", "b"), 203: ("c",)},
        ms=12.345,
        price=1,
        detail="ünïcode",
        stage=2,
    )
    moments = [
        story.moment(
            lead_id,
            number,
            MomentKind.NOTE,
            events=(story.event(EventName.BID, stage=number), everything),
        )
        for number in range(1, 8)
    ]
    await asyncio.gather(*map(ledger.commit, reversed(moments)))

    timeline = await ledger.timeline(lead_id)

    assert timeline == [event for moment in moments for event in moment.events]


async def test_a_lead_is_open_then_pending_then_ended(ledger, story):
    """The status is what the latest durable moment says."""
    lead_id, sale_id = story.new_id(), story.new_id()
    heard = []
    for moment in (
        story.received(lead_id),
        story.awarded(lead_id, sale_id),
        story.moment(lead_id, 3, MomentKind.PENDING),
        story.sold(lead_id, sale_id, number=4),
    ):
        await ledger.commit(moment)
        heard.append((await ledger.lead(lead_id)).status)

    assert heard == [LeadStatus.OPEN, LeadStatus.OPEN, LeadStatus.PENDING, LeadStatus.SOLD]


async def test_an_open_lead_brings_all_that_is_needed_to_go_on(ledger, story, sold):
    """Where it stands, and the very body that a repetition of its post sends again."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))

    lead = await ledger.open_lead(lead_id)

    assert lead.row == story.lead
    assert lead.last_number == 2
    assert lead.awards == (msgspec.structs.replace(story.award, sale_id=sale_id),)
    assert not lead.pending
    assert await ledger.open_lead(sold) is None


async def test_the_latest_record_counts(ledger, story):
    """A ping's record is followed by the post's."""
    lead_id = story.new_id()
    await ledger.commit(story.moment(lead_id, 1, MomentKind.QUOTE, record=b"quasi"))
    assert await ledger.record(lead_id) == b"quasi"
    await ledger.commit(msgspec.structs.replace(story.received(lead_id), number=2))

    assert await ledger.record(lead_id) == b'{"phone": "+15125550100"}'


async def test_no_record_lies_in_clear(ledger, sold, database):
    """Neither the record, nor a post's body, nor a capture."""
    assert await ledger.record(sold)
    for column, table in (("sealed", "record"), ("post", "award"), ("sealed", "capture")):
        rows = await database.fetch(f"SELECT {column} AS bytes FROM {table}")
        assert rows
        assert not any(b"5125550100" in row["bytes"] or b"POST" in row["bytes"] for row in rows)
    urls = await database.fetch("SELECT redirect_url FROM sale_end WHERE redirect_url IS NOT NULL")
    assert urls
    assert not any(b"thanks" in row["redirect_url"] for row in urls)


async def test_a_capture_is_read_back_until_its_time_is_over(ledger, story, sold, database):
    """The janitor takes what is due, as much at a time as it is told."""
    [capture] = await ledger.captures(sold)
    assert (capture.number, capture.body) == (4, b"POST /post HTTP/1.1")
    for _ in range(4):
        await ledger.commit(story.moment(story.new_id(), 1, MomentKind.NOTE, capture=b"x"))
    due_us = capture.at_us + ledger.connections.limits.capture_keep_s * 1_000_000

    assert await ledger.expire_captures(due_us - 1_000_000) == 0
    assert await ledger.expire_captures(due_us + 1, limit=3) == 3
    assert await ledger.expire_captures(due_us + 1, limit=3) == 2
    assert await database.fetchval("SELECT count(*) FROM capture") == 0


async def test_what_was_erased_is_unreadable_and_the_chain_still_there(ledger, sold, database):
    """Erasing forgets the keys: the sealed bytes, and so every digest of them, stay."""
    before = await database.fetch("SELECT lead_id, number, sealed FROM record")
    timeline = await ledger.timeline(sold)

    first = await ledger.erase(sold, 5, "operator/ann")

    assert first == Erasure(at_us=5, by="operator/ann")
    assert await ledger.erase(sold, 9, "operator/bob") == first
    assert await ledger.record(sold) is None
    assert await database.fetchval("SELECT count(wrapped_key) FROM sale_end") == 0
    assert (await ledger.lead(sold)).sales[1].end.redirect_url is None
    assert await ledger.captures(sold) == []
    assert await database.fetchval("SELECT count(wrapped_key) FROM award") == 0
    assert await database.fetch("SELECT lead_id, number, sealed FROM record") == before
    assert await ledger.timeline(sold) == timeline
    assert (await ledger.lead(sold)).status is LeadStatus.SOLD


async def test_a_lead_that_is_being_sold_is_not_erased(ledger, story):
    """Its post may have to be repeated; it can be erased once it has ended."""
    lead_id = story.new_id()
    await ledger.commit(story.received(lead_id))

    assert await ledger.erase(lead_id, 1, "ann") is None
    assert await ledger.record(lead_id) is not None
    await ledger.commit(story.unsold(lead_id))
    assert await ledger.erase(lead_id, 1, "ann")
    assert await ledger.erase(story.new_id(), 1, "ann") is None


async def test_all_records_are_gone_through_page_by_page(ledger, story, sold, monkeypatch):
    """Every one that can be read still, once; not those that were erased."""
    monkeypatch.setattr(archive, "RECORDS_AT_ONCE", 2)
    others = [story.new_id() for _ in range(5)]
    for lead_id in others:
        await ledger.commit(story.received(lead_id))
        await ledger.commit(story.unsold(lead_id))
    assert await ledger.erase(others[2], 1, "ann")

    found = [lead_id async for lead_id, record in ledger.records_of_all() if record]

    assert sorted(found) == sorted({sold, *others} - {others[2]})


async def test_another_master_key_is_named_as_the_cause(ledger, sold):
    """Whoever starts with the wrong key hears so, and what to do."""
    other = Ledger(ledger.connections, sold, Vault(LOST_KEY))

    with pytest.raises(MasterKeyError, match="EXCHANGE_MASTER_KEY"):
        await other.record(sold)
    with pytest.raises(MasterKeyError):
        await other.captures(sold)


@pytest.mark.usefixtures("sold")
async def test_a_record_moved_to_another_lead_does_not_open(ledger, story, database):
    """What is sealed says where it belongs."""
    thief = story.new_id()
    await database.execute("UPDATE record SET lead_id = $1", thief)

    with pytest.raises(SealBrokenError):
        await ledger.record(LeadId(thief))


@pytest.mark.usefixtures("sold")
async def test_balances_follow_from_the_transfers_and_sum_to_zero(ledger, story, database):
    """A sale takes from the buyer what it gives seller and margin."""
    await database.execute(
        "INSERT INTO transfer (kind, debit, credit, amount, currency, at)"
        " VALUES ('credit', 'cash', 'buyer/acme', 100000000, 'USD', $1)",
        story.lead.answer_by_us,
    )

    assert await ledger.balance("buyer/acme") == {"USD": 87_500_000}
    assert await ledger.balance("buyer/none") == {}
    balances = {balance.account: balance.amount for balance in await ledger.balances()}
    assert balances == {
        "buyer/acme": 87_500_000,
        "cash": -100_000_000,
        "margin/auto-us": 1_880_000,
        "seller/fastquotes": 10_620_000,
    }
    assert [b.account for b in await ledger.balances("seller/")] == ["seller/fastquotes"]
    assert await ledger.sums() == {"USD": 0}


async def test_what_is_merged_is_part_of_its_lead_and_read_by_its_own_id(ledger, story, sold):
    """Once, as the duplicate that its seller heard of; it is no open lead and has no record."""
    parts = [story.new_id() for _ in range(2)]
    for number, part in enumerate(parts):
        moment = story.merged(part, sold, source_id=f"s-{number}", received_at_us=NOW_US + number)
        assert await ledger.commit(moment)
        assert not await ledger.commit(story.merged(part, sold, seller_id="other"))

    found = await ledger.lead(parts[1])
    assert (found.part_of, found.row, found.end) == (sold, moment.lead, moment.lead_end)
    assert (found.ended_at_us, found.last_number, found.sales) == (moment.at_us, 1, ())
    assert (await ledger.lead(sold)).part_of is None
    assert await ledger.open_lead(parts[1]) is None
    assert await ledger.record(parts[1]) is None
    assert await ledger.timeline(parts[1]) == list(moment.events)
    assert [(part.at_us, part.merged) for part in await ledger.merged(sold)] == [
        (
            NOW_US + number,
            Merged(
                lead_id=part, seller_id="fastquotes", source_id=f"s-{number}", channel="facebook"
            ),
        )
        for number, part in enumerate(parts)
    ]
    assert await ledger.merged(parts[0]) == ()


async def test_what_is_merged_is_no_lead_among_leads(ledger, story, sold):
    """Neither in the table nor in the counts."""
    assert await ledger.commit(story.merged(story.new_id(), sold))

    assert await ledger.counts() == {LeadStatus.SOLD: 1}


async def test_leads_are_counted_by_what_became_of_them(ledger, story, sold):
    """Test leads are counted apart."""
    for number in range(3):
        lead_id = story.new_id()
        await ledger.commit(story.received(lead_id))
        if number:
            await ledger.commit(story.unsold(lead_id))
    duplicate = msgspec.structs.replace(
        story.received(story.new_id()),
        lead_end=LeadEnd(
            status=LeadStatus.DUPLICATE, reason=Reason.DUPLICATE, detail="phone", original=sold
        ),
    )
    await ledger.commit(duplicate)
    await ledger.commit(story.received(story.new_id(), test=True))

    assert await ledger.counts() == {
        LeadStatus.SOLD: 1,
        LeadStatus.UNSOLD: 2,
        LeadStatus.DUPLICATE: 1,
        LeadStatus.OPEN: 1,
    }
    assert await ledger.counts(test=True) == {LeadStatus.OPEN: 1}
    assert await ledger.counts(duplicate.at_us + 1) == {}
    assert (await ledger.lead(duplicate.lead_id)).end == duplicate.lead_end
