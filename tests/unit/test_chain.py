"""A lead's moments are written in order, without gaps, and never past a fence."""

import asyncio

import pytest

from exchange.domain.events import EventName
from exchange.domain.ids import LeadId
from exchange.domain.moment import LeadEnd, MomentKind, SaleEnd
from exchange.domain.states import LeadStatus, SaleState
from exchange.story.chain import Broken, Chain, Fenced

LEAD = LeadId("019a0000-0000-7000-8000-000000000001")


class Written:
    """A ledger that answers by a script and remembers what it was asked to write."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.moments = []

    async def commit(self, moment):
        await asyncio.sleep(0)
        self.moments.append(moment)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


def a_chain(ledger, written=0):
    return Chain(ledger, LEAD, lambda: 7, written)


async def test_moments_are_numbered_and_take_the_events_noted_before_them():
    """Each event stands in exactly one moment, the next one written."""
    ledger = Written()
    chain = a_chain(ledger, written=1)
    chain.note(EventName.RECEIVED)
    chain.note(EventName.VALIDATED)
    await chain.write(MomentKind.LEAD)
    chain.note(EventName.UNSOLD)
    await chain.write(MomentKind.OUTCOME)
    assert [moment.number for moment in ledger.moments] == [2, 3]
    assert [len(moment.events) for moment in ledger.moments] == [2, 1]


async def test_writers_at_the_same_time_are_served_in_turn():
    """The pending answer and the outcome never take each other's number."""
    ledger = Written()
    chain = a_chain(ledger)
    await asyncio.gather(*(chain.write(MomentKind.NOTE) for _ in range(5)))
    assert [moment.number for moment in ledger.moments] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("answer", [False, OSError("away")])
async def test_after_a_moment_that_was_not_written_nothing_is(answer):
    """A chain with a hole in it would say that something was lost."""
    ledger = Written(answer)
    chain = a_chain(ledger)
    with pytest.raises(Fenced if answer is False else OSError):
        await chain.write(MomentKind.LEAD)
    with pytest.raises(Broken):
        await chain.write(MomentKind.AWARD)
    assert len(ledger.moments) == 1


async def test_the_end_of_a_sale_is_written_with_the_next_award():
    """A refusal is on record before another buyer can have the lead, or the hold is given back."""
    ledger, given_back = Written(), []
    chain = a_chain(ledger)
    end = SaleEnd(sale_id="s", state=SaleState.REFUSED)

    async def give_back():
        given_back.append(len(ledger.moments))

    chain.sale_ended(end, give_back)
    await chain.write(MomentKind.AWARD)
    await chain.write(MomentKind.OUTCOME)
    assert [moment.sale_end for moment in ledger.moments] == [end, None]
    assert given_back == [1]


async def test_all_ends_of_sales_are_written_before_another_buyer_can_have_the_lead():
    """Two that shared it refused at once: neither is open still once a third one is awarded it."""
    ledger = Written()
    chain = a_chain(ledger)
    ends = [SaleEnd(sale_id=name, state=SaleState.REFUSED) for name in ("s", "t", "u")]

    async def nothing():
        return

    for end in ends:
        chain.sale_ended(end, nothing)
    await chain.write(MomentKind.AWARD)
    kinds = [MomentKind.OUTCOME, MomentKind.OUTCOME, MomentKind.AWARD]
    assert [(one.kind, one.sale_end) for one in ledger.moments] == list(
        zip(kinds, ends, strict=True)
    )


@pytest.mark.parametrize("answer", [False, OSError("away")])
async def test_nothing_is_given_back_for_an_end_that_was_not_written(answer):
    """Another worker may find the sale open, and its buyer may accept: the hold stands."""
    given_back = []

    async def give_back():
        given_back.append("s")

    chain = a_chain(Written(answer))
    chain.sale_ended(SaleEnd(sale_id="s", state=SaleState.VOID), give_back)
    with pytest.raises(Fenced if answer is False else OSError):
        await chain.write(MomentKind.OUTCOME)
    assert not given_back


async def test_a_moment_that_the_end_overtook_is_not_written():
    """A seller's `pending` never follows the end of its lead, however close they come."""
    ledger = Written()
    chain = a_chain(ledger)
    end = chain.write(MomentKind.OUTCOME, lead_end=LeadEnd(status=LeadStatus.UNSOLD))
    pending = chain.write_unless_ended(MomentKind.PENDING, EventName.PENDING)
    await asyncio.gather(end, pending)
    assert [moment.kind for moment in ledger.moments] == [MomentKind.OUTCOME]
    await chain.write(MomentKind.NOTE)
    assert ledger.moments[-1].events == ()
