"""What market state should be is read from the books as of one moment."""

import msgspec
import pytest

from exchange.domain.events import EventName
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.recounting import Window, of_cap
from exchange.domain.volume import holder_of
from exchange.ledger.recount import recounting
from tests.integration.test_ledger.conftest import NOW_US

HOLDER = holder_of("fastquotes")
LEADS, PINGS = (
    of_cap(
        Cap("seller/fastquotes", kind, 0, Per.TOTAL),
        HOLDER,
        Window(0, NOW_US // 1_000_000 + 1),
        test=False,
    )
    for kind in (CapKind.LEADS, CapKind.PINGS)
)


@pytest.fixture
async def books(make_connections, vault):
    """What lends the books."""
    return recounting(await make_connections(), vault)


async def test_what_is_written_meanwhile_is_in_no_part_of_it(books, ledger, story):
    """What a counter does not have is not named as counted: its hold would go, and count nowhere.

    The next look has both.
    """
    pinged = story.event(EventName.PINGED, offers=("acme-tx", "bravo"))

    async def bring():
        moment = story.received(story.new_id())
        assert await ledger.commit(msgspec.structs.replace(moment, events=(pinged,)))
        return moment.lead_id, f"{moment.lead_id}/{NOW_US}"

    before = await bring()
    async with books() as recount, recount.as_of_one_moment():
        brought = await recount.volume([LEADS, PINGS])
        meanwhile = await bring()
        counted = await recount.counted([*before, *meanwhile])
    assert brought == {(HOLDER, LEADS.name): 1, (HOLDER, PINGS.name): 2}
    assert set(counted) == set(before)
    async with books() as recount, recount.as_of_one_moment():
        brought = await recount.volume([LEADS, PINGS])
        counted = await recount.counted([*before, *meanwhile])
    assert brought == {(HOLDER, LEADS.name): 2, (HOLDER, PINGS.name): 4}
    assert set(counted) == {*before, *meanwhile}
