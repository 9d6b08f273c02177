"""Whatever fails, wherever: no post without its award, no hold or claim that outlives its reason,
no false word to the seller, no lead that nobody finishes.
"""

from functools import partial
from types import SimpleNamespace

import pytest

from exchange.contract.seller import LeadAnswer
from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.domain import exclusivity
from exchange.domain.exclusivity import packed
from exchange.domain.ids import LeadId
from exchange.domain.moment import MomentKind
from exchange.domain.offer import OnNoAnswer
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import StoredLead
from tests.making import NOW_US, a_submission
from tests.making_story import BUYERS, ENDED_BY_ANOTHER, Fault, Scene, a_market
from tests.story_journal import (
    each_step_meets,
    ended,
    every_hold_ended,
    has_its_reason,
    lead_end,
    may_be_sold,
    played,
    somebody_finishes_it,
)

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


def a_scene(script, faults=None, **more):
    answers, on_no_answer = SCRIPTS[script]
    return Scene(*answers, faults=faults, on_no_answer=on_no_answer, **more)


@pytest.mark.parametrize("script", SCRIPTS)
async def test_without_a_fault_every_script_comes_to_its_end(script):
    """The laws are not kept by doing nothing."""
    scene = a_scene(script)
    heard = await played(scene, obeys)
    assert heard.status == ENDS[script]
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
    """Its deadline falls anywhere: before the claim, in the post, while it is in doubt."""
    heard = await played(a_scene(script, wait_s=wait_s), obeys)
    assert isinstance(heard, LeadAnswer)


# The laws


def obeys(scene, heard):
    """Assert all that must hold of what was done and what the seller heard."""
    for number in range(len(scene.journal)):
        has_its_reason(scene, number)
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


CLAIM = exclusivity.claim(
    a_submission().fingerprint,
    a_market(OnNoAnswer.WAIT).campaigns["auto-us"],
    LeadId("another"),
    b"s",
    test=False,
)


class QuotingScene(Scene):
    """A story that is asked for a price."""

    comes_first = None

    async def look_up(self, claim):
        del claim
        return self.comes_first

    async def lead(self, lead_id):
        stored = StoredLead(
            lead_id=lead_id, received_at_us=NOW_US, row=SimpleNamespace(claim=packed(CLAIM)),
            last_number=1, pending=False, end=None, ended_at_us=NOW_US, sales=(),
        )  # fmt: skip
        return stored if lead_id == self.comes_first else None

    async def quoted(self, seller_id, digest):
        del seller_id, digest

    def seal(self, quote):
        return f"token of {quote.lead_id}"


@pytest.mark.parametrize("lead_came_first", [None, "another"])
async def test_a_ping_that_was_made_impossible_meanwhile_is_an_outage(lead_came_first):
    """Its worker stood still for longer than what it held: whoever found that took its number."""
    scene = QuotingScene(faults={"quote": Fault.FENCED})
    scene.comes_first = lead_came_first
    with pytest.raises(LedgerUnavailable):
        await scene.story.quote(scene.submission, scene.snapshot)
    assert scene.moments == {1: None}
