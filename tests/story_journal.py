"""What a scene's journal tells, the laws of every story, and how each step meets a fault."""

from exchange.domain.moment import MomentKind
from exchange.domain.states import SaleState

GIVES_BACK = frozenset({SaleState.REFUSED, SaleState.VOID})


def awarded(journal):
    return {done.sale_id for done in journal if done.what == MomentKind.AWARD}


def ended(journal):
    ends = [done.moment.sale_end for done in journal if done.moment and done.moment.sale_end]
    return {end.sale_id: end.state for end in ends}


def may_be_sold(journal):
    """A buyer has the lead, or was posted it and may have it."""
    ends = ended(journal)
    return any(ends.get(sale) not in GIVES_BACK for sale in awarded(journal))


def lead_end(journal):
    found = [done.moment.lead_end for done in journal if done.moment and done.moment.lead_end]
    assert len(found) <= 1, "a lead has one end"
    return found[0] if found else None


def has_its_reason(scene, number):
    """Assert that what was done then was due: a post, a settling, a giving back."""
    before, done = scene.journal[:number], scene.journal[number]
    if done.what in {"post", "repeat"}:
        assert done.sale_id in awarded(before), "no post without a durable award"
    if done.what == "settle":
        assert ended(before).get(done.sale_id) is SaleState.ACCEPTED, "settled for no sale"
    if done.what == "release" and done.sale_id in awarded(scene.journal):
        assert ended(before).get(done.sale_id) in GIVES_BACK, "given back while it may count"
    if done.what == "unclaim":
        assert not may_be_sold(scene.journal), "another seller's lead of a sold person may pass"


def somebody_finishes_it(scene):
    """Tell whether a lead on the books without an end is one that this worker answers for."""
    is_open = any(d.moment.lead for d in scene.journal if d.moment) and not lead_end(scene.journal)
    return not is_open or scene.is_anothers or scene.submission.lead.lead_id in scene.answering_for


def every_hold_ended(scene):
    """Tell whether each hold was settled or given back."""
    left = {done.sale_id for done in scene.journal if done.what == "hold"}
    return left == {done.sale_id for done in scene.journal if done.what in {"settle", "release"}}


async def played(scene, obeys):
    """Sell and come to the end, by the laws; return what the seller heard."""
    heard = await scene.sell()
    await scene.end()
    obeys(scene, heard)
    return heard


async def each_step_meets(fault, a_scene, obeys):
    """Play it again for each of its steps, in which the fault happens."""
    plain = a_scene()
    await plain.sell()
    await plain.end()
    for number in range(len(plain.steps)):
        scene = a_scene({number: fault})
        try:
            await played(scene, obeys)
        except AssertionError as error:
            error.add_note(f"{fault} at step {number} of {scene.steps}")
            raise
