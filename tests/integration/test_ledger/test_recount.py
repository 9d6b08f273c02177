"""What market state should be is read from the books as of one moment."""

import json
from collections import Counter

import msgspec
import pytest

from exchange.domain.events import EventName
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.recounting import Window, of_cap
from exchange.domain.volume import holder_of, holder_of_campaign
from exchange.ledger.recount import Recount, recounting
from tests.integration.test_ledger.conftest import NOW_US

HOLDER = holder_of("fastquotes")
TRIED = holder_of_campaign("auto-us")
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


OTHERS = """
INSERT INTO lead (lead_id, received_at, worker, seller, campaign, source, source_declared, vertical,
                  test, version, answer_by, in_moment)
SELECT gen_random_uuid(), now(), gen_random_uuid(), 'seller-' || n % 7, 'campaign-' || n % 5,
       'search', true, 'auto', false, 1, now(), 1
  FROM generate_series(1, 5000) AS n
"""
PARTS = """
INSERT INTO submission (lead_id, first, received_at, at, worker, seller, campaign, source,
                        source_declared, vertical, test, version, answer_by, in_moment)
SELECT lead_id, lead_id, received_at, received_at, worker, seller, campaign, source,
       source_declared, vertical, test, version, answer_by, 1
  FROM lead WHERE seller LIKE 'seller-%'
"""


class Explaining:
    """A connection that, in place of rows, keeps how many were read of each table."""

    def __init__(self, connection):
        self.connection = connection
        self.read = Counter()

    async def fetch(self, query, *arguments):
        [row] = await self.connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
        self._add(json.loads(row[0])[0]["Plan"])
        return []

    def _add(self, node):
        loops = node["Actual Loops"]
        removed = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        self.read[node.get("Relation Name")] += loops * sum(node.get(one, 0) for one in removed)
        for one in node.get("Plans", ()):
            self._add(one)


@pytest.mark.parametrize("of", ["a seller", "a campaign"])
async def test_a_total_is_counted_without_a_look_at_what_others_brought(
    ledger, story, database, vault, of
):
    """Whom it is counted anew of is closed meanwhile, however long the books are."""
    own = [story.received(story.new_id()) for _ in range(3)]
    for moment in own:
        assert await ledger.commit(moment)
    assert await ledger.commit(story.merged(story.new_id(), own[0].lead_id))
    scope, holder = ("seller/fastquotes", HOLDER) if of == "a seller" else ("auto-us", TRIED)
    until = Window(0, NOW_US // 1_000_000 + 1)
    total = of_cap(Cap(scope, CapKind.LEADS, 0, Per.TOTAL), holder, until, test=False)
    await database.execute(OTHERS)
    await database.execute(PARTS)
    await database.execute("VACUUM ANALYZE lead")
    await database.execute("VACUUM ANALYZE submission")
    assert await Recount(database, vault).volume([total]) == {(holder, total.name): 4}
    explaining = Explaining(database)
    await Recount(explaining, vault).volume([total])
    assert explaining.read["lead"] == 3
    assert explaining.read["submission"] == 1
