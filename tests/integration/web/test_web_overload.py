"""Beyond what it can sell a worker turns leads away on their first bytes, and nothing else."""

import asyncio
import json
import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec
import pytest

from exchange.domain.throttle import Throttle
from exchange.web.valve import Valve
from tests.making_web import LIMITS, SELLER_KEY, a_body, an_edge

BODY = json.dumps(a_body()).encode()
HEAD = (
    f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SELLER_KEY}\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
).encode()
REQUEST = HEAD + b"\r\n" + BODY
DATE = re.compile(rb"\r\nDate: ([^\r]+)\r\n")


def shut():
    """A valve that lets in nobody, for an hour."""
    valve = Valve(math.inf, few=0)
    valve.throttle = Throttle(rate=1 / 3600)
    return valve


async def heard(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), head, await reader.readexactly(length)


@pytest.mark.parametrize("pieces", [[REQUEST], [HEAD + b"\r\n", BODY], [REQUEST[:-1], b"}"]])
async def test_a_lead_is_turned_away_and_its_connection_goes_on(pieces):
    """503 with Retry-After, however the body comes; when there is room again the next is sold."""
    valve = shut()
    async with an_edge(valve=valve) as edge:
        reader, writer = await edge.raw()
        for _turn in range(3):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)  # so that the pieces arrive apart
            status, head, body = await heard(reader)
            assert status == 503
            assert b"Retry-After: 1\r\n" in head
            assert parsedate_to_datetime(DATE.search(head)[1].decode()).tzinfo is UTC
            assert json.loads(body)["type"] == "/problems/overloaded"
        assert not edge.script.sold
        valve.throttle = Throttle()
        writer.write(REQUEST)
        assert (await heard(reader))[0] == 200
        assert len(edge.script.sold) == 1
        writer.close()


async def test_the_quick_answer_says_what_the_usual_one_says():
    """Whoever takes the usual way, such as for XML, is turned away with the same problem."""
    async with an_edge(valve=shut()) as edge:
        told = []
        for more in (b"", b"X-Note: xml is not meant\r\n", b"Connection: close\r\n"):
            reader, writer = await edge.raw()
            writer.write(HEAD + more + b"\r\n" + BODY)
            status, _, body = await heard(reader)
            told.append((status, json.loads(body)))
            writer.close()
        assert told == [told[0]] * 3
        edge.doors.observer.hand_over()
        page = edge.doors.observer.exposition().decode()
        assert 'exchange_shed_total{cause="loop_lag"} 3.0' in page
        assert 'exchange_requests_total{route="/v1/leads",status="503"} 3.0' in page


async def test_each_lead_is_decided_on_once():
    """One that its connection let in is not counted again by the guard."""
    valve = Valve(math.inf, few=0)
    valve.throttle = Throttle(rate=1 / 3600)
    valve.tokens = 3.5
    async with an_edge(valve=valve) as edge:
        statuses = []
        for _lead in range(5):
            reader, writer = await edge.raw()
            writer.write(REQUEST)
            statuses.append((await heard(reader))[0])
            writer.close()
        assert statuses == [200, 200, 200, 503, 503]
        assert valve.offered == 5


async def test_all_else_is_answered_as_ever():
    """Health, reads and what is no lead."""
    async with an_edge(valve=shut()) as edge:
        assert (await edge.get("/healthz", key=None))[0] == 200
        reader, writer = await edge.raw()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await heard(reader))[0] == 200
        writer.close()


async def test_a_worker_with_few_leads_under_way_turns_nobody_away():
    """Late for its own start it may be: one seller after the other is still heard."""
    valve = Valve(math.inf)
    valve.throttle = Throttle(rate=1 / 3600)
    async with an_edge(valve=valve) as edge:
        for _turn in range(20):
            status, _, _ = await edge.post()
            assert status == 200


@pytest.mark.parametrize("pieces", [[REQUEST], [HEAD + b"\r\n", BODY]])
async def test_no_more_leads_are_under_way_than_may_be_however_many_come_at_once(pieces):
    """Twelve heads are let in before the first body is there: three are sold, nine hear 503."""
    limits = msgspec.structs.replace(LIMITS, leads_under_way_max=3)
    async with an_edge(limits=limits) as edge:
        edge.script.go_on.clear()
        connections = [await edge.raw() for _ in range(12)]
        for piece in pieces:
            for _, writer in connections:
                writer.write(piece)
            await asyncio.gather(*(writer.drain() for _, writer in connections))
            await asyncio.sleep(0.05)  # so that all heads are there before the first body
        answers = [asyncio.create_task(heard(reader)) for reader, _ in connections]
        told = set()
        while len(told) < 9:
            more, _ = await asyncio.wait(set(answers) - told, return_when=asyncio.FIRST_COMPLETED)
            told |= more
        assert {one.result()[0] for one in told} == {503}
        assert len(edge.script.sold) == edge.doors.under_way.count == 3
        edge.script.go_on.set()
        statuses = sorted([status for status, _, _ in await asyncio.gather(*answers)])
        assert statuses == [200] * 3 + [503] * 9
        for _, writer in connections:
            writer.close()
