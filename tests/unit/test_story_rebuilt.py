"""Market state is lost while a lead is being sold: its hold, its claim and its key are not."""

import asyncio

from exchange.delivery.answer import Accepted
from exchange.domain.caps import HoldRefused
from exchange.domain.moment import MomentKind
from exchange.domain.reason import Reason
from exchange.domain.states import SaleState
from tests.making_story import Done, Fault, Scene


class Losing(Scene):
    """A market that is built anew while the first award is being written."""

    refuses = False

    async def commit(self, moment):
        written = await super().commit(moment)
        if moment.kind is MomentKind.AWARD and self.epoch == "":
            self.epoch = "2"
            self.refuses_holds = self.refuses
        return written

    async def hold(self, hold):
        if not self.refuses_holds:
            return await super().hold(hold)
        self.refuses_holds = False  # the next buyer has room
        self.journal.append(Done("hold", hold.sale_id))
        return HoldRefused(hold.lines[0].counter, Reason.CAP_AT_AWARD)


def of_sale(scene, sale_id):
    return [done.what for done in scene.journal if done.sale_id == sale_id]


async def test_an_award_whose_hold_may_be_lost_is_held_again_before_its_post():
    """The same sale id: where it is held still, nothing counts twice."""
    scene = Losing(Accepted())
    heard = await scene.sell()
    await scene.end()
    assert heard.status == "sold"
    (sale_id,) = {done.sale_id for done in scene.journal if done.what == "award"}
    assert of_sale(scene, sale_id)[:4] == ["hold", "award", "hold", "post"]


async def test_an_award_that_finds_no_room_any_more_is_void_and_never_posted():
    """Its slot went to another sale meanwhile; the next buyer gets the lead."""
    scene = Losing(Accepted())
    scene.refuses = True
    heard = await scene.sell()
    await scene.end()
    assert heard.status == "sold"
    first, second = [done.sale_id for done in scene.journal if done.what == "award"]
    assert "post" not in of_sale(scene, first)
    assert of_sale(scene, second)[:3] == ["hold", "award", "post"]
    ends = [m.sale_end for m in scene.moments.values() if m.sale_end is not None]
    assert [(end.sale_id, end.state) for end in ends] == [
        (first, SaleState.VOID),
        (second, SaleState.ACCEPTED),
    ]


async def test_while_nothing_is_lost_nothing_is_held_twice():
    """One hold, one post."""
    scene = Scene(Accepted())
    await scene.sell()
    await scene.end()
    assert [done.what for done in scene.journal].count("hold") == 1


class Slow(Scene):
    """A ledger that takes its time over a lead's first moment."""

    def __init__(self, *answers, **more):
        super().__init__(*answers, **more)
        self.go_on = asyncio.Event()

    async def commit(self, moment):
        if moment.number == 1 and moment.kind is not MomentKind.VOID:
            await self.go_on.wait()
        return await super().commit(moment)


async def test_whoever_reads_the_books_anew_waits_for_a_lead_that_has_begun():
    """It has its claim and its key by what was lost, and is on no book yet."""
    scene = Slow(Accepted())
    selling = asyncio.create_task(scene.sell())
    await asyncio.sleep(0)
    assert scene.story.under_way
    written = asyncio.create_task(scene.story.written())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not written.done()
    scene.go_on.set()
    await written
    assert scene.moments[1].lead is not None
    assert (await selling).status == "sold"
    await scene.end()


async def test_a_lead_whose_first_write_is_not_known_is_settled_before():
    """It might still come to be, after the books were read: that is made impossible."""
    scene = Scene(Accepted(), faults={"lead": Fault.DOWN})
    await scene.sell()
    await scene.end()
    assert scene.story.left_open
    await scene.story.written()
    assert [moment.kind for moment in scene.moments.values()] == [MomentKind.VOID]


async def test_a_request_that_has_its_key_and_no_story_yet_is_waited_for():
    """Between the two it stands on nothing but what was lost."""
    scene = Slow(Accepted())
    scene.story.asking["owner"] = scene.submission.lead.lead_id
    written = asyncio.create_task(scene.story.written())
    await asyncio.sleep(0.02)
    assert not written.done()
    selling = asyncio.create_task(scene.sell())
    await asyncio.sleep(0.02)
    assert not written.done()
    scene.go_on.set()
    await selling
    del scene.story.asking["owner"]
    await written
    assert scene.moments[1].lead is not None
    await scene.end()
