"""Whatever fails, wherever, while several buyers share a lead: every promise holds."""

import asyncio
from functools import partial

import pytest

from exchange.contract.seller import LeadAnswer
from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.domain.moment import MomentKind
from exchange.domain.offer import OnNoAnswer
from exchange.domain.states import LeadStatus, SaleState
from tests.making_story import Fault, Scene
from tests.story_journal import (
    GIVES_BACK,
    each_step_meets,
    ended,
    every_hold_ended,
    has_its_reason,
    lead_end,
    may_be_sold,
    played,
    somebody_finishes_it,
)

MOST = 2
DOUBT, NO, YES = InDoubt("status 500, not understood"), Refused("no"), Accepted()
WAIT, ADVANCE = OnNoAnswer.WAIT, OnNoAnswer.ADVANCE
SCRIPTS = {
    "both accept": ([YES, YES], WAIT, 2),
    "the third comes in": ([NO, YES, YES], WAIT, 2),
    "the second refuses late": ([YES, (0.01, NO), YES], WAIT, 2),
    "all refuse": ([NO, NO, NO], WAIT, 0),
    "one accepts when asked again": ([DOUBT, YES, DOUBT, YES], WAIT, 2),
    "one is never decided": ([DOUBT, YES, *[DOUBT] * 99], WAIT, 1),
    "one is advanced": ([DOUBT, YES, YES], ADVANCE, 2),
}


def a_scene(script, faults=None, **more):
    answers, on_no_answer, _ = SCRIPTS[script]
    return Scene(*answers, faults=faults, on_no_answer=on_no_answer, most=MOST, **more)


@pytest.mark.parametrize("script", SCRIPTS)
async def test_without_a_fault_every_script_comes_to_its_end(script):
    """So many sales as the script says, each hold settled or given back."""
    scene = a_scene(script)
    heard = await played(scene, obeys)
    assert len(heard.sales) == SCRIPTS[script][2]
    assert heard.status == ("sold" if heard.sales else "unsold")
    assert not scene.answering_for
    assert every_hold_ended(scene)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_one_fault_at_any_step_breaks_no_law(script, fault):
    """Each step of each script in turn meets the fault."""
    await each_step_meets(fault, partial(a_scene, script), obeys)


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
@pytest.mark.parametrize("name", ["lead", "award", "outcome", "hold", "settle", "release", "claim"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_store_that_stays_away_breaks_no_law(script, name, fault):
    """Every call of that kind fails, not only the first."""
    await played(a_scene(script, {name: fault}), obeys)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("wait_s", [0.0, 0.001, 0.004, 0.012])
async def test_a_seller_in_a_hurry_hears_nothing_false(script, wait_s):
    """Its deadline falls anywhere: sold with who accepted by then, or `pending`."""
    heard = await played(a_scene(script, wait_s=wait_s), obeys)
    assert isinstance(heard, LeadAnswer)


async def test_several_who_refuse_at_once_have_their_holds_back_while_another_is_posted():
    """Each moment ends one sale; nobody's hold is kept for as long as somebody else thinks."""
    scene = Meeting(3, NO, NO, (0.3, YES), most=3, is_patient=True)
    assert len((await scene.sell()).sales) == 1
    await scene.end()
    what = [done.what for done in scene.journal]
    assert what.index("settle") > max(n for n, one in enumerate(what) if one == "release")
    assert every_hold_ended(scene)


async def test_a_set_is_held_at_once_and_posted_at_once():
    """No hold waits for another one, and no post for another one's answer."""
    scene = Meeting(3, YES, YES, YES, most=3)
    heard = await scene.sell()
    await scene.end()
    assert len(heard.sales) == 3
    assert scene.met == {"hold", "post"}


async def test_a_set_of_which_one_hold_was_not_answered_is_given_back_whole():
    """Market state did it, and its answer was lost: nobody waits for a lease to run out."""
    scene = a_scene("both accept")
    await scene.sell()
    second = [n for n, step in enumerate(scene.steps) if step == "hold"][1]
    scene = a_scene("both accept", {second: Fault.LOST})
    await played(scene, obeys)
    assert [done.what for done in scene.journal].count("hold") == 2
    assert every_hold_ended(scene)


class Meeting(Scene):
    """Nobody has its hold, or its answer to a post, before all others have asked for theirs."""

    def __init__(self, all_of_them, *answers, **more):
        super().__init__(*answers, **more)
        self.met = set()
        self._all = all_of_them
        self._waiting = {"hold": asyncio.Barrier(all_of_them), "post": asyncio.Barrier(all_of_them)}

    async def _meets(self, what):
        async with asyncio.timeout(5):
            await self._waiting[what].wait()
        self.met.add(what)

    async def hold(self, hold):
        await self._meets("hold")
        return await super().hold(hold)

    async def post(self, parcel, *, repeated):
        await self._meets("post")
        return await super().post(parcel, repeated=repeated)


# The laws


def obeys(scene, heard):
    """Assert all that must hold of what was done and what the seller heard."""
    open_or_sold = set()
    most = {}
    for number, done in enumerate(scene.journal):
        if done.what == MomentKind.AWARD:
            open_or_sold.add(done.sale_id)
            most[done.sale_id] = done.moment.award.buyers_max
        if done.moment is not None and done.moment.sale_end is not None:
            end = done.moment.sale_end
            assert end.sale_id in most, "only what was awarded ends"
            if end.state in GIVES_BACK:
                open_or_sold.discard(end.sale_id)
        assert len(open_or_sold) <= min((most[one] for one in open_or_sold), default=MOST)
        has_its_reason(scene, number)
    buyers = [d.moment.award.buyer_id for d in scene.journal if d.what == MomentKind.AWARD]
    assert len(set(buyers)) == len(buyers), "one buyer has one post"
    told_the_truth(scene, heard)
    assert somebody_finishes_it(scene)


def told_the_truth(scene, heard):
    """Sold is said of durable sales, and nothing else is said where somebody bought it."""
    if not isinstance(heard, LeadAnswer):
        assert not may_be_sold(scene.journal), "an outage is told only where nobody has it"
        return
    accepted = [sale for sale, state in ended(scene.journal).items() if state is SaleState.ACCEPTED]
    assert {sale.sale_id for sale in heard.sales} <= set(accepted)
    end = lead_end(scene.journal)
    if end is not None and end.status is LeadStatus.SOLD:
        payouts = {
            d.sale_id: d.moment.award.payout
            for d in scene.journal
            if d.what == MomentKind.AWARD and d.sale_id in accepted
        }
        assert end.price == sum(payouts.values())
    if heard.status == "sold":
        assert heard.sales
    elif heard.status == "unsold" and not scene.is_anothers:
        assert end is not None
        assert not accepted
