"""Two rounds of real crashes; `make chaos` runs thirty longer ones."""

import pytest

from tests.chaos.plan import KILLS, Fault, plan
from tests.chaos.round import run

LEADS = 60


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [0, 6])
async def test_a_round_of_crashes_breaks_no_promise(number):
    """A worker, then PostgreSQL, is killed while a buyer has the lead; other faults beside it.

    In the last of them leads are shared by up to three. In both duplicates are merged.

    What the seller was told, what the buyers received and what the ledger says agree; all of it
    has come to rest, and nothing is held.
    """
    outcome = await run(plan(1, number, LEADS))
    assert outcome.violations == []
    assert outcome.in_doubt == 0
    assert outcome.kills_after_post == 1
    assert outcome.leads == LEADS
    assert outcome.sold > 0


def test_thirty_rounds_see_every_fault_and_kill_often_between_post_and_outcome():
    """Every kind of kill comes at that moment, and the same seed gives the same rounds."""
    plans = [plan(1, number) for number in range(30)]
    assert plans == [plan(1, number) for number in range(30)]
    strikes = [strike for one in plans for strike in one.strikes]
    assert {strike.fault for strike in strikes} == set(Fault)
    after_post = [strike.fault for strike in strikes if strike.between_post_and_outcome]
    assert len(after_post) >= 10
    assert set(after_post) == set(KILLS)
