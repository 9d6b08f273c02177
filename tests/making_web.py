"""A whole HTTP edge on a loopback port, with a scripted story behind it."""

import asyncio
import contextlib
import hashlib
import io
import json
import math
import os
import socket
import time
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp
import msgspec
from prometheus_client import CollectorRegistry

from bidders.rehearsal.memory import NothingCame, NothingLearned
from exchange.contract.denial import Denial
from exchange.contract.health import Check
from exchange.contract.seller import LeadAnswer, QuoteAnswer, SaleOut
from exchange.contract.standing import SaleStanding, Standing
from exchange.domain.events import Event, EventName
from exchange.domain.money import Micros
from exchange.domain.snapshot import Role
from exchange.domain.states import SaleState
from exchange.intake.tokens import Tokens
from exchange.telemetry.metrics import Metrics
from exchange.web.application import create_app
from exchange.web.doors import Doors
from exchange.web.limits import Limits
from exchange.web.server import HttpServer
from exchange.web.specs.links import Links
from exchange.web.under_way import UnderWay
from exchange.web.valve import Valve
from tests.making import DOLLAR, NOW_US, a_campaign, an_offer
from tests.making_intake import SELLER, STRANGER, a_body, a_snapshot, intake

SELLER_KEY = "seller-key"
KEYS = {
    SELLER_KEY: Role("seller", "fastquotes"),
    "stranger-key": Role("seller", "other"),
    "gone-key": Role("seller", "gone"),
    "soft-key": Role("seller", "soft"),
    "buyer-key": Role("buyer", "acme"),
    "operator-key": Role("operator", "ops"),
    "admin-key": Role("admin", "ops"),
}
SOFT = msgspec.structs.replace(STRANGER, id="soft", always_200=True)

LIMITS = Limits(
    body_max_bytes=1_048_576,
    request_timeout_s=5.0,
    loop_lag_max_ms=100.0,
    market_wait_max_ms=100.0,
    auction_overdue_max_ms=2000.0,
    leads_under_way_max=100,
    retry_after_s=1,
    shutdown_grace_s=5.0,
    feed_max_bytes=1_048_576,
    feed_rows_max=1000,
    feed_row_max_bytes=65_536,
    feeds_at_once_max=8,
    feed_rows_at_once_max=16,
    feed_rows_per_s_max=1000,
    feed_retry_s=2.0,
    feed_idle_s=5.0,
    feed_unread_max_bytes=1_048_576,
)


def a_market():
    return a_snapshot(
        sellers={"fastquotes": SELLER, "other": STRANGER, "soft": SOFT},
        offers={"acme-tx": an_offer()},
        campaigns={
            "auto-us": a_campaign(),
            "theirs": a_campaign(id="theirs", sellers={"other": None}),
        },
        keys={hashlib.sha256(key.encode()).digest(): role for key, role in KEYS.items()},
    )


def an_answer(lead_id, **changes):
    plain = {
        "lead_id": lead_id,
        "status": "sold",
        "price": Decimal("8.50"),
        "currency": "USD",
        "sales": (SaleOut("sale-1", Decimal("8.50")),),
        "reason": None,
        "score": 71,
        "duration_ms": 0.0,
    }
    return LeadAnswer(**{**plain, **changes})


def a_standing(lead_id, **changes):
    sale = SaleStanding(
        sale_id="sale-1",
        offer_id="acme-tx",
        buyer_id="acme",
        state=SaleState.ACCEPTED,
        price=Micros(10 * DOLLAR),
        payout=Micros(8_500_000),
        stage=1,
    )
    plain = {
        "answer": an_answer(lead_id),
        "seller_id": "fastquotes",
        "campaign_id": "auto-us",
        "source_id": "search",
        "channel": "search",
        "seller_ref": None,
        "test": False,
        "version": 7,
        "received_at_us": NOW_US,
        "owner": None,
        "sales": (sale,),
        "events": (
            Event(at_us=NOW_US, event=EventName.RECEIVED),
            Event(at_us=NOW_US + 1, event=EventName.PINGED, offer="acme-tx"),
        ),
    }
    return Standing(**{**plain, **changes})


class Script:
    """A story, ledger, readiness in one: says what a test tells it to, and notes what it hears."""

    def __init__(self):
        self.sold = []
        self.quoted = []
        self.posted = []
        self.rejected = []
        self.abandoned = []
        self.asking = {}
        self.standings = {}
        self.error = None
        self.written = True
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.begun = asyncio.Event()
        self.moved = asyncio.Event()
        self.awaited = asyncio.Event()
        """Set once somebody waits for a lead's end."""
        self.up = {"database": True, "market": True}

    async def answer(self, submission):
        lead_id = submission.lead.lead_id
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        if self.written:
            self.standings.setdefault(lead_id, a_standing(lead_id))
        return an_answer(lead_id)

    async def sell(self, submission, snapshot):
        self.sold.append((submission, snapshot))
        return await self.answer(submission)

    async def quote(self, submission, snapshot):
        self.quoted.append((submission, snapshot))
        await self.answer(submission)
        return QuoteAnswer(
            ping_id=f"token-{len(self.quoted)}",
            status="quoted",
            price=Decimal("8.50"),
            currency="USD",
            expires_at="2026-11-22T00:00:00.000000Z",
            legs=(),
            reason=None,
        )

    async def sell_quoted(self, quote, submission, _snapshot):
        if quote.lead_id in self.posted:
            return Denial(409, "this quote was used already")
        self.posted.append(quote.lead_id)
        return await self.answer(submission)

    async def standing(self, lead_id):
        return self.standings.get(lead_id)

    async def explained(self, standing):
        return standing

    async def without_person(self, _lead_id, *words):
        return words

    async def captures(self, _lead_id):
        return ()

    async def ended(self, _lead_id, timeout_s):
        self.awaited.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.moved.wait(), timeout_s)

    async def abandon(self, lead_id):
        self.abandoned.append(lead_id)
        return lead_id not in self.standings

    async def reject(self, rejection):
        if self.error is not None:
            raise self.error
        self.rejected.append(rejection)

    async def rejections(self, seller_id, limit):
        return [row for row in reversed(self.rejected) if row.seller_id == seller_id][:limit]

    def checks(self):
        return [Check(name, up, "2026-11-22T00:00:00Z") for name, up in self.up.items()]


class Edge:
    """A running edge: its parts, and a client for it."""

    def __init__(self, doors, script, port, session):
        self.doors = doors
        self.script = script
        self.port = port
        self.session = session

    def call(self, method, path, *, key=SELLER_KEY, headers=None, **options):
        sent = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.session.request(method, path, headers={**sent, **(headers or {})}, **options)

    async def post(self, path="/v1/leads", body=None, **options):
        """Post JSON (bytes as they are) and return status, headers, and the decoded answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body or a_body()).encode()
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        async with self.call(
            "POST", path, data=io.BytesIO(raw), headers=headers, **options
        ) as response:
            return response.status, response.headers, json.loads(await response.read())

    async def get(self, path, **options):
        async with self.call("GET", path, **options) as response:
            return response.status, response.headers, json.loads(await response.read())

    async def raw(self):
        """Open a connection on which a test says every byte itself."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def an_edge(
    *,
    once=None,
    limits=LIMITS,
    lag_ms=lambda: 0.0,
    market_wait_ms=lambda: 0.0,
    valve=None,
    worker_id="w1",
    market=None,
):
    script = Script()
    metrics = Metrics(CollectorRegistry())
    under_way = UnderWay(metrics.in_flight.set)
    snapshot = market or a_market()
    doors = Doors(
        market=lambda: snapshot,
        intake=intake(),
        tokens=Tokens([b"k" * 32], os.urandom),
        story=script,
        trying=script,
        once=once,
        ledger=script,
        decisions=script,
        learning=NothingLearned(),
        duplicates=NothingCame(),
        outbox=script,
        readiness=script,
        observer=metrics,
        under_way=under_way,
        loop_lag_ms=lag_ms,
        market_wait_ms=market_wait_ms,
        valve=valve or Valve(math.inf),
        limits=limits,
        digest_secret=b"s" * 32,
        spec_links=Links(b"l" * 32),
        public_url="",
        worker_id=worker_id,
        now_us=lambda: NOW_US,
        monotonic=time.monotonic,
        entropy=os.urandom,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = HttpServer(create_app(doors), limits, under_way)
    await server.start([listening])
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            edge = Edge(doors, script, port, session)
            edge.server = server
            yield edge
    finally:
        script.go_on.set()
        await server.stop()
