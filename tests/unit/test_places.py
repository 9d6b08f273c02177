"""The place of a quote's post in its seller's limits, where another worker wrote the lead."""

from types import SimpleNamespace

import msgspec
import pytest

from exchange.domain.caps import HoldRefused
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.reason import Reason
from exchange.domain.volume import holder_of
from exchange.market.errors import MarketStale
from exchange.story.volume import Volume
from tests.making import NOW_US, a_lead
from tests.making_intake import SELLER, a_snapshot

HOUR_US = 3_600_000_000
BEFORE_US = NOW_US // HOUR_US * HOUR_US - 1_000_000
"""A second before an hour begins."""
LIMITED = msgspec.structs.replace(
    SELLER, caps=(Cap("seller/fastquotes", CapKind.LEADS, 9, Per.HOUR),), is_limited=True
)
SNAPSHOT = a_snapshot(sellers={"fastquotes": LIMITED})


class Stores:
    """Market state that remembers what is asked of it; a lead that was written at a time."""

    def __init__(self, written_us):
        self.written_us = written_us
        self.settled, self.released, self.doubted = [], [], set()
        self.beside = []
        self.is_closed = False
        self.volume = Volume(SimpleNamespace(market=self, spawn=self.beside.append))

    async def written(self, lead_id):
        assert lead_id == a_lead().lead_id
        return None if self.written_us is None else SimpleNamespace(received_at_us=self.written_us)

    async def settle(self, holder, sale_id, amount):
        assert (sale_id, amount) == (a_lead().lead_id, None)
        if self.is_closed:
            raise MarketStale(address="here", problem="being put right")
        self.settled.append(holder)
        return True

    async def settle_again(self, holder, sale_id, amount):
        self.is_closed = False
        return await self.settle(holder, sale_id, amount)

    async def release(self, holder, sale_id):
        assert sale_id == a_lead().lead_id
        self.released.append(holder)

    def doubt(self, holder):
        self.doubted.add(holder)

    async def meets_another(self):
        """Post a quote in the last second of an hour, and find that its number is taken."""
        await self.volume.fenced(a_lead(received_at_us=BEFORE_US), SNAPSHOT, self.written)
        for work in self.beside:
            await work


@pytest.mark.parametrize(
    ("written_us", "is_doubted"),
    [(BEFORE_US, False), (BEFORE_US - 10_000_000, False), (BEFORE_US + 2_000_000, True)],
)
async def test_a_lead_that_was_written_in_another_hour_is_counted_anew(written_us, is_doubted):
    """Clocks of workers are apart: the place stands in the hour of whoever held first."""
    stores = Stores(written_us)
    await stores.meets_another()
    assert stores.settled == [holder_of("fastquotes")]
    assert stores.doubted == ({holder_of("fastquotes")} if is_doubted else set())
    assert not stores.released


async def test_a_lead_that_never_came_to_be_gives_its_place_back():
    """Nobody wrote it, and nobody can."""
    stores = Stores(None)
    await stores.meets_another()
    assert stores.released == [holder_of("fastquotes")]
    assert not stores.settled


async def test_who_is_closed_for_a_moment_has_lost_nothing():
    """It is being counted anew: to count it once more for that would never end under load."""
    stores = Stores(BEFORE_US)
    stores.is_closed = True
    await stores.meets_another()
    assert stores.settled == [holder_of("fastquotes")]
    assert not stores.doubted


async def test_a_place_that_was_given_back_before_it_was_held_is_refused_like_a_full_one():
    """The release overtook the hold: its post hears 429, and no error."""

    async def hold(_hold):
        return HoldRefused("", Reason.VOID)

    stores = Stores(None)
    stores.hold, stores.used = hold, lambda _holder: {}
    denied = await stores.volume.admit(a_lead(received_at_us=BEFORE_US), SNAPSHOT)
    assert denied.status == 429
