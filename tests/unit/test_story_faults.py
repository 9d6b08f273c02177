"""Whatever fails, wherever: no post without its award, no hold or claim that outlives its reason,
no false word to the seller, no lead that nobody finishes.
"""

import pytest

from exchange.contract.seller import LeadAnswer
from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.domain.moment import MomentKind
from exchange.domain.offer import OnNoAnswer
from exchange.domain.states import LeadStatus, SaleState
from tests.making_story import BUYERS, ENDED_BY_ANOTHER, Fault, Scene

DOUBT, NO, YES = InDoubt("status 500, not understood"), Refused("no"), Accepted()
SCRIPTS = {
    "accepted": ([YES], OnNoAnswer.WAIT),
    "second accepts": ([NO, YES], OnNoAnswer.WAIT),
    "all refuse": ([NO, NO, NO], OnNoAnswer.WAIT),
    "accepted when asked again": ([DOUBT, DOUBT, YES], OnNoAnswer.WAIT),
    "refused when asked again": ([DOUBT, NO], OnNoAnswer.WAIT),
    "never decided": ([DOUBT] * 99, OnNoAnswer.WAIT),
    "advanced": ([DOUBT, YES], OnNoAnswer.ADVANCE),
    "advanced, late": ([(0.05, YES), NO, YES], OnNoAnswer.ADVANCE),
}
ENDS = {
    "accepted": "sold",
    "second accepts": "sold",
    "all refuse": "unsold",
    "accepted when asked again": "sold",
    "refused when asked again": "sold",
    "never decided": "unsold",
    "advanced": "sold",
    "advanced, late": "sold",
}
GIVES_BACK = frozenset({SaleState.REFUSED, SaleState.VOID})


def a_scene(script, faults=None, **more):
    answers, on_no_answer = SCRIPTS[script]
    return Scene(*answers, faults=faults, on_no_answer=on_no_answer, **more)


@pytest.mark.parametrize("script", SCRIPTS)
async def test_without_a_fault_every_script_comes_to_its_end(script):
    """The laws are not kept by doing nothing."""
    scene = a_scene(script)
    heard = await scene.sell()
    await scene.end()
    assert heard.status == ENDS[script]
    obeys(scene, heard)
    assert not scene.answering_for
    left = {d.sale_id for d in scene.journal if d.what == "hold"}
    assert left == {d.sale_id for d in scene.journal if d.what in {"settle", "release"}}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_one_fault_at_any_step_breaks_no_law(script, fault):
    """Each step of each script in turn meets the fault."""
    plain = a_scene(script)
    await plain.sell()
    await plain.end()
    for number in range(len(plain.steps)):
        scene = a_scene(script, {number: fault})
        heard = await scene.sell()
        await scene.end()
        try:
            obeys(scene, heard)
        except AssertionError as error:
            error.add_note(f"{fault} at step {number} of {scene.steps}; heard {heard}")
            raise


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
@pytest.mark.parametrize("name", ["lead", "award", "outcome", "hold", "settle", "release", "claim"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_store_that_stays_away_breaks_no_law(script, name, fault):
    """Every call of that kind fails, not only the first."""
    scene = a_scene(script, {name: fault})
    heard = await scene.sell()
    await scene.end()
    obeys(scene, heard)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("wait_s", [0.0, 0.001, 0.004, 0.012])
async def test_a_seller_in_a_hurry_hears_nothing_false(script, wait_s):
    """Its deadline falls anywhere: before the claim, in the post, while it is in doubt."""
    scene = a_scene(script, wait_s=wait_s)
    heard = await scene.sell()
    await scene.end()
    assert isinstance(heard, LeadAnswer)
    obeys(scene, heard)


# The laws


def obeys(scene, heard):
    """Assert all that must hold of what was done and what the seller heard."""
    for number, done in enumerate(scene.journal):
        before = scene.journal[:number]
        if done.what in {"post", "repeat"}:
            assert done.sale_id in awarded(before), "no post without a durable award"
        if done.what == "settle":
            assert ended(before).get(done.sale_id) is SaleState.ACCEPTED, "settled for no sale"
        if done.what == "release" and done.sale_id in awarded(scene.journal):
            assert ended(before).get(done.sale_id) in GIVES_BACK, "given back while it may count"
        if done.what == "unclaim":
            assert not may_be_sold(scene.journal), "another seller's lead of a sold person may pass"
    assert one_sale(scene)
    assert told_the_truth(scene, heard)
    assert somebody_finishes_it(scene)


def one_sale(scene):
    """One sale a lead, one post (with its repetitions) a buyer, one after the other."""
    awards = [d.moment.award for d in scene.journal if d.what == MomentKind.AWARD]
    assert len({award.buyer_id for award in awards}) == len(awards) <= len(BUYERS)
    assert list(ended(scene.journal).values()).count(SaleState.ACCEPTED) <= 1
    assert len({d.sale_id for d in scene.journal if d.what in {"post", "repeat"}}) <= len(awards)
    return True


def told_the_truth(scene, heard):
    """A seller hears an end only once it is durable, and an outage only where nobody has it."""
    if not isinstance(heard, LeadAnswer):
        return not may_be_sold(scene.journal)
    end = lead_end(scene.journal) or (ENDED_BY_ANOTHER if scene.is_anothers else None)
    if heard.status == LeadStatus.PENDING:
        return any(d.moment.lead for d in scene.journal if d.moment)
    return end is not None and heard.status == end.status


def somebody_finishes_it(scene):
    """A lead that is on the books without an end is one that this worker answers for."""
    is_open = any(d.moment.lead for d in scene.journal if d.moment) and not lead_end(scene.journal)
    return not is_open or scene.is_anothers or scene.submission.lead.lead_id in scene.answering_for


def awarded(journal):
    return {d.sale_id for d in journal if d.what == MomentKind.AWARD}


def ended(journal):
    ends = [d.moment.sale_end for d in journal if d.moment and d.moment.sale_end]
    return {end.sale_id: end.state for end in ends}


def may_be_sold(journal):
    """A buyer has the lead, or was posted it and may have it."""
    ends = ended(journal)
    return any(ends.get(sale) not in GIVES_BACK for sale in awarded(journal))


def lead_end(journal):
    return next((d.moment.lead_end for d in journal if d.moment and d.moment.lead_end), None)
