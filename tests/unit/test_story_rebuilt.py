"""Market state is lost between a hold and its post: the sale is held again, or is none."""

from exchange.delivery.answer import Accepted
from exchange.domain.caps import HoldRefused
from exchange.domain.moment import MomentKind
from exchange.domain.reason import Reason
from exchange.domain.states import SaleState
from tests.making_story import Done, Scene


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
