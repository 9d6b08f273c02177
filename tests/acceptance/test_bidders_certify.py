"""The conformance kit finds a planted fault of each kind, and none where there is none."""

import pytest

from bidders.certify.caller import calling
from bidders.certify.certificate import certify
from bidders.certify.check import Verdict
from bidders.certify.target import Wanted, target_of
from bidders.signature import decoded
from tests.acceptance.faulty import FAULTS
from tests.acceptance.honest import SECRET, Honest, served
from tests.making_intake import geography

PATIENT = {"tmax_ms": 1500, "post_timeout_ms": 1500}


async def certified(url, **wanted):
    target = target_of(Wanted(url=url, **{**PATIENT, "secret": decoded(SECRET), **wanted}))
    async with calling(target, geography=geography()) as caller:
        return await certify(caller)


def ids(found, verdict):
    return {result.id for result in found.results if result.verdict is verdict}


def explained(found):
    return [
        (r.id, r.verdict.value, r.said) for r in found.results if r.verdict is not Verdict.PASSED
    ]


async def test_an_honest_buyer_is_certified():
    """Every check that can be made passes."""
    async with served(Honest()) as url:
        found = await certified(url)
    assert (found.certified, found.warned, found.failed) == (True, 0, 0), explained(found)
    assert ids(found, Verdict.NOT_TRIED) == {"reach.certificate"}


@pytest.mark.parametrize("buyer", FAULTS, ids=lambda buyer: buyer.__name__)
async def test_a_planted_fault_is_found(buyer):
    """By exactly the checks that are meant, and by no other."""
    async with served(buyer()) as url:
        found = await certified(url, max_bid=1000)
    assert ids(found, Verdict.FAILED) == buyer.failed, explained(found)
    assert ids(found, Verdict.WARNED) == buyer.warned, explained(found)
    assert found.certified is not bool(buyer.failed)
