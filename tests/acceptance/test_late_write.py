"""A write that the database finishes after everybody gave it up still has its consequences."""

import asyncio
import os

from exchange.clock import now_us
from exchange.domain.ids import ENTROPY_BYTES, uuid7
from tests.acceptance.market import buyer, campaign, market

MOMENT = """
INSERT INTO moment (lead_id, number, at, kind, worker, write, events)
VALUES ($1, 1, now(), 'lead', $2, 1000000, '[]')
"""
LEAD = """
INSERT INTO lead (lead_id, received_at, worker, seller, campaign, source, source_declared,
                  vertical, test, version, answer_by)
VALUES ($1, now(), $2, 'fastquotes', 'auto-us', 'search', true,
        'auto_insurance', false, 1, now())
"""
LOOKED_BY_NOW_S = 3.0
"""By then recovery has looked for what the broken story left, and seen nothing."""

WAIT_S = 20


async def test_a_lead_written_after_its_story_broke_off_gets_its_end(house):
    """The disk held its commit back for longer than anybody waits; nobody saw it until then."""
    await house.apply(market(buyer("acme", offer="price = 9.00"), campaign()))
    worker = await house.open()
    lead_id = uuid7(now_us(), os.urandom(ENTROPY_BYTES))
    async with house.connection() as slow, slow.transaction():
        await slow.execute(MOMENT, lead_id, worker.worker_id)
        await slow.execute(LEAD, lead_id, worker.worker_id)
        worker._story.left_open.add(lead_id)
        await asyncio.sleep(LOOKED_BY_NOW_S)
    key = await house.key("seller", "fastquotes")
    answer = await house.call("GET", f"/v1/leads/{lead_id}?wait_s={WAIT_S}", key=key)
    assert answer.body["status"] == "unsold"
