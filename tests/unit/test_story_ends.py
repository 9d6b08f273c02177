"""How a lead ends where its buyers hesitate: one true reason, and no second buyer unasked for."""

import asyncio

import msgspec
import pytest

from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.domain.events import EventName
from exchange.domain.offer import Cap, CapKind, OnNoAnswer, Per
from exchange.domain.states import LeadStatus
from exchange.ledger.errors import LedgerUnavailable
from tests.making_story import BUYERS, IN_DOUBT_S, POST_MS, Scene
from tests.story_journal import lead_end

DOUBT, NO = InDoubt("status 500, not understood"), Refused("no")
LATE_S = POST_MS / 1000 + 0.01


def events(scene):
    return [event.event for moment in scene.moments.values() for event in moment.events]


def posted_to(scene):
    return {done.sale_id for done in scene.journal if done.what == "post"}


@pytest.mark.parametrize(
    ("answers", "on_no_answer", "code"),
    [
        ([NO, NO, NO], OnNoAnswer.WAIT, 509),
        ([DOUBT] * 99, OnNoAnswer.WAIT, 403),
        ([DOUBT] * 3, OnNoAnswer.ADVANCE, 403),
        ([NO, DOUBT, NO], OnNoAnswer.ADVANCE, 403),
    ],
)
async def test_a_lead_that_nobody_took_has_the_reason_that_tells_most(answers, on_no_answer, code):
    """Refused by all is not the same as given up in doubt: there a buyer may call the person."""
    scene = Scene(*answers, on_no_answer=on_no_answer)
    heard = await scene.sell()
    await scene.end()
    assert (heard.status, heard.reason.code) == ("unsold", code)


async def test_every_standing_bid_without_room_is_no_eligible_offer():
    """Caps that were full at the hold are told, and nobody is posted to."""
    scene = Scene()
    scene.refuses_holds = True
    heard = await scene.sell()
    assert (heard.status, heard.reason.code) == ("unsold", 507)
    assert not posted_to(scene)


async def test_a_refusal_after_the_seller_heard_pending_is_no_ground_to_sell_on():
    """The seller may have gone elsewhere by then: the second best buyer is not tried."""
    scene = a_patient_scene((0.03, NO), wait_s=0.01)
    heard = await scene.sell()
    assert heard.status == "pending"
    await scene.end()
    assert len(posted_to(scene)) == 1
    end = list(scene.moments.values())[-1].lead_end
    assert (end.status, end.reason) == ("unsold", 510)


async def test_without_another_bid_a_refusal_after_pending_is_all_refused():
    """Nothing was left to try, so that time is not to blame."""
    scene = a_patient_scene(NO, NO, (0.06, NO), wait_s=0.03)
    assert (await scene.sell()).status == "pending"
    await scene.end()
    assert list(scene.moments.values())[-1].lead_end.reason == 509


async def test_an_acceptance_after_the_sale_was_given_up_is_on_record_and_charges_nobody():
    """The next buyer has the lead; the late one's word is noted after the end, once."""
    scene = Scene((LATE_S, Accepted()), Accepted(), on_no_answer=OnNoAnswer.ADVANCE)
    heard = await scene.sell()
    await scene.end()
    assert heard.status == "sold"
    assert events(scene).count(EventName.LATE_ACCEPTANCE) == 1
    assert events(scene)[-1] is EventName.LATE_ACCEPTANCE
    charged = [t.sale_id for moment in scene.moments.values() for t in moment.transfers]
    assert set(charged) == {heard.sales[0].sale_id}


async def test_a_post_in_doubt_is_repeated_ever_more_slowly_and_given_up():
    """The pause doubles; after the last moment it is void and nobody waits for its calls."""
    scene = Scene(*[DOUBT] * 99)
    await scene.sell()
    await scene.end()
    repeated = events(scene).count(EventName.REPEATED)
    assert 1 <= repeated <= IN_DOUBT_S / 0.002
    assert len(asyncio.all_tasks()) == 1


async def test_the_loser_of_two_posts_of_one_lead_leaves_it_to_the_other():
    """A quote posted twice at once: the one that came first is still answered for to its end."""
    scene = Scene((0.05, Accepted()))
    first = asyncio.ensure_future(scene.sell())
    await scene.posted.wait()
    second = asyncio.ensure_future(scene.sell())
    await turns_until(lambda: scene.story.under_way == 2)
    await turns_until(lambda: scene.story.under_way == 1)
    assert scene.answering_for == {scene.submission.lead.lead_id}
    assert (await first).status == "sold"
    assert (await second).status == "sold"
    assert not scene.answering_for
    assert len(posted_to(scene)) == 1


async def test_a_worker_that_closes_lets_go_of_doubts_and_of_nothing_else():
    """`let_go` ends a wait for a buyer's decision, not a post that is under way."""
    scene = a_patient_scene((0.02, DOUBT), *[DOUBT] * 99)
    heard = asyncio.ensure_future(scene.sell())
    await scene.posted.wait()
    scene.story.let_go()
    await asyncio.sleep(0.01)
    assert not heard.done()
    while not heard.done():
        scene.story.let_go()
        await asyncio.sleep(0.005)
    assert (await heard).status == "pending"
    assert scene.answering_for == {scene.submission.lead.lead_id}


async def test_a_worker_whose_lease_is_lost_lets_go_of_every_story():
    """Another one has its leads: a seller hears `pending` now, not at the end of the post."""
    scene = a_patient_scene((60.0, DOUBT))
    heard = asyncio.ensure_future(scene.sell())
    await scene.posted.wait()
    scene.story.let_go(of_all=True)
    assert (await heard).status == "pending"
    await turns_until(lambda: len(asyncio.all_tasks()) == 1)


async def test_a_story_that_is_cut_off_before_its_lead_is_written_is_an_outage_and_not_pending():
    """Its award waited for the lead's own row, which never came: nobody would ever tell its end."""
    scene = a_patient_scene()
    commit, hangs = scene.commit, asyncio.Event()

    async def hanging(moment):
        if moment.number == 1:
            await hangs.wait()
            raise LedgerUnavailable
        return await commit(moment)

    scene.commit = hanging
    heard = asyncio.ensure_future(scene.sell())
    await turns_until(lambda: "hold" in scene.steps)
    await turns(50)
    scene.story.let_go(of_all=True)
    hangs.set()
    assert isinstance(await heard, LedgerUnavailable)
    assert not scene.moments
    assert not posted_to(scene)


async def turns(number):
    """Let everybody else go on for a while."""
    for _ in range(number):
        await asyncio.sleep(0)


def a_patient_scene(*answers, **more):
    """A scene where nobody gives up a post, or a sale in doubt, so soon."""
    return Scene(*answers, is_patient=True, **more)


async def turns_until(true):
    """Let everybody else go on until it is true."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


class Hanging(Scene):
    """Stores that hang as soon as an end is written, until they go on."""

    def __init__(self, *answers, wait_s):
        super().__init__(*answers, wait_s=wait_s)
        self.goes_on = asyncio.Event()

    async def market(self, what, sale_id=None, answer=None):
        if lead_end(self.journal):
            await self.goes_on.wait()
        return await super().market(what, sale_id, answer)

    async def lead(self, lead_id):
        if not self.goes_on.is_set():
            raise LedgerUnavailable
        return await super().lead(lead_id)


async def test_an_end_that_knows_nothing_of_pending_is_told_by_recovery():
    """It was written before its seller's time was up, and cannot be read when that is."""
    scene = Hanging(NO, NO, NO, wait_s=0.3)
    heard = await scene.sell()
    assert heard.status == "pending"
    assert lead_end(scene.journal).status is LeadStatus.UNSOLD
    scene.goes_on.set()
    await scene.end()
    lead_id = scene.submission.lead.lead_id
    assert scene.story.left_open == {lead_id}
    assert lead_id in scene.answering_for, "else nobody tells it where this worker is killed now"


@pytest.mark.parametrize("is_limited", [True, False])
async def test_who_is_limited_while_a_lead_is_sold_is_counted_anew_at_its_end(is_limited):
    """The sale holds nothing of what was not there when it began."""
    scene = Scene(Accepted())
    before = scene.snapshot
    selling = asyncio.create_task(scene.story.sell(scene.submission, before))
    await asyncio.sleep(0)
    offer = before.offers[BUYERS[0]]
    cap = Cap(f"offer/{offer.id}", CapKind.LEADS, 9, Per.HOUR)
    limited = msgspec.structs.replace(offer, caps=(*offer.caps, cap) if is_limited else offer.caps)
    scene.snapshot = msgspec.structs.replace(
        before, version=2, offers={**before.offers, offer.id: limited}
    )
    assert (await selling).status == "sold"
    await scene.end()
    doubted = {done.sale_id for done in scene.journal if done.what == "doubt"}
    assert doubted == ({offer.buyer.id} if is_limited else set())
