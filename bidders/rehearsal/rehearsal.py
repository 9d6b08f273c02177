"""The exchange's doors on a port, with the scripted story behind them and the judge beside them."""

import hashlib
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from bidders.rehearsal.acts import Way
from bidders.rehearsal.delivery import GoneError, deliver
from bidders.rehearsal.judge import Judge, Note
from bidders.rehearsal.market import market_of, read_vertical
from bidders.rehearsal.memory import (
    WORKER,
    Keys,
    NoMessages,
    NoOffers,
    NoSales,
    NothingCame,
    NothingLearned,
    Rejections,
)
from bidders.rehearsal.page import page
from bidders.rehearsal.scenes import scene_of
from bidders.rehearsal.story import ScriptedStory
from bidders.rehearsal.visits import OK, VISIT, Door, Visit, digest_of
from exchange.domain.nearest import nearest
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.domain.vertical import Privacy, Vertical
from exchange.intake.arrival import Arrival, Refused
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.request import Parsed, Request, Unparsable
from exchange.intake.tokens import Tokens
from exchange.telemetry.metrics import Metrics
from exchange.web.application import create_app
from exchange.web.doors import Doors
from exchange.web.limits import Limits
from exchange.web.problems import DeniedError
from exchange.web.server import HttpServer
from exchange.web.specs.links import Links
from exchange.web.under_way import UnderWay

LIMITS = Limits(
    body_max_bytes=262_144,
    request_timeout_s=10.0,
    loop_lag_max_ms=10_000.0,
    market_wait_max_ms=10_000.0,
    auction_overdue_max_ms=600_000.0,
    leads_under_way_max=1000,
    retry_after_s=1,
    shutdown_grace_s=0.2,
    feed_max_bytes=16_777_216,
    feed_rows_max=10_000,
    feed_row_max_bytes=65_536,
    feeds_at_once_max=8,
    feed_rows_at_once_max=16,
    feed_rows_per_s_max=100,
    feed_retry_s=10.0,
    feed_idle_s=60.0,
    feed_unread_max_bytes=1_048_576,
)
SECRET_BYTES = 32
NAMES_MAX = 10
FORMATS = {
    "application/json": "JSON",
    "application/xml": "XML",
    "text/xml": "XML",
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
}

Tell = Callable[[Visit, list[Note]], None]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What is rehearsed: which vertical, into which campaign, with which key."""

    vertical: str
    campaign: str = "auto-us"
    key: str | None = None
    """None: any key is taken, but there must be one."""
    always_200: bool = False
    pace: float = 1.0
    """Multiplies whatever takes time here but Retry-After."""
    host: str = "127.0.0.1"
    port: int = 0


class Listening:
    """Reads requests as the exchange does, and notes for the judge what they are."""

    def __init__(self, intake: Intake, vertical: Vertical, zip_field: str) -> None:
        self.intake = intake
        self.vertical = vertical
        self.schema = intake.schema(vertical)
        self.zip_field = zip_field
        self.identity = {
            name for name, field in vertical.fields.items() if field.privacy is Privacy.IDENTITY
        }

    def parse(self, body: bytes, content_type: str) -> Parsed | Unparsable:
        """Return the request in a body."""
        visit = VISIT.get()
        media_type = content_type.partition(";")[0].strip().lower()
        visit.format = FORMATS.get(media_type, "unknown")
        visit.body = hashlib.sha256(b"%b\0%b" % (media_type.encode(), body)).digest()
        return self.intake.parse(body, content_type)

    def accept(
        self, request: Request, arrival: Arrival, snapshot: Snapshot
    ) -> Submission | Refused:
        """Return what was sent, or all that is wrong with it."""
        visit = VISIT.get()
        self.note_names(visit, request, is_ping=arrival.is_ping)
        accepted = self.intake.accept(request, arrival, snapshot)
        if isinstance(accepted, Submission):
            visit.scene = scene_of(accepted.lead.fields.get(self.zip_field))
            visit.person = digest_of(accepted.fingerprint)
            timeout_ms = request.fields.get("timeout_ms")
            visit.timeout_ms = timeout_ms if isinstance(timeout_ms, int) else None
        return accepted

    def note_names(self, visit: Visit, request: Request, *, is_ping: bool) -> None:
        """Note which fields have no place in the vertical, or in a ping; names, never values."""
        lead = request.fields.get("lead")
        names = [name for name in lead if isinstance(name, str)] if isinstance(lead, dict) else []
        unknown = [name for name in names if name not in self.schema.known]
        visit.unknown = tuple(self.meant(name) for name in unknown[:NAMES_MAX])
        if is_ping:
            visit.named = tuple(name for name in names if name in self.identity)

    def meant(self, name: str) -> str:
        """Return a name, and the one that was meant; a name that is none may be a value."""
        if not (name.isascii() and name.isidentifier() and len(name) <= 40):  # noqa: PLR2004
            return "(a name with strange characters)"
        found = nearest(name, self.vertical.fields)
        return f"{name} (meant {found}?)" if found else name


class Rehearsal:
    """A scripted exchange; `async with` opens and closes it."""

    def __init__(self, stage: Stage, tell: Tell = lambda _visit, _notes: None) -> None:
        self.stage = stage
        self.tell = tell
        self.judge = Judge()
        vertical = read_vertical(stage.vertical)
        intake = Intake(Geography.load())
        zip_field = intake.schema(vertical).zip
        assert zip_field is not None, "a vertical without a ZIP code is not read"
        self.story = ScriptedStory(
            zip_field, tokens := Tokens([os.urandom(SECRET_BYTES)], os.urandom),
            now_us, os.urandom, stage.pace,
        )  # fmt: skip
        self.under_way = UnderWay()
        market = market_of(vertical, stage.campaign, stage.key, always_200=stage.always_200)
        log = Rejections()
        doors = Doors(
            market=lambda: market,
            intake=Listening(intake, vertical, zip_field),
            tokens=tokens,
            story=self.story,
            trying=NoOffers(),
            once=Keys(),
            ledger=log,
            decisions=NoSales(),
            learning=NothingLearned(),
            duplicates=NothingCame(),
            outbox=NoMessages(),
            readiness=log,
            observer=Metrics(CollectorRegistry()),
            under_way=self.under_way,
            loop_lag_ms=lambda: 0.0,
            market_wait_ms=lambda: 0.0,
            limits=LIMITS,
            digest_secret=os.urandom(SECRET_BYTES),
            spec_links=Links(os.urandom(SECRET_BYTES)),
            public_url="",
            worker_id=WORKER,
            now_us=now_us,
            monotonic=time.monotonic,
            entropy=os.urandom,
        )
        app = create_app(doors, with_short_way=False)  # its witnesses stand on the other
        app.router.add_get("/", self.show)
        app.middlewares.insert(0, self.attend)
        app.middlewares.append(witness)
        self.server = HttpServer(app, LIMITS, self.under_way)
        self.page = page(stage.campaign, vertical.id)
        self.numbers = 0
        self.delivered: Counter[object] = Counter()
        self.base_url = ""

    async def __aenter__(self) -> Self:
        listening = socket.create_server((self.stage.host, self.stage.port))
        await self.server.start([listening])
        self.base_url = f"http://{self.stage.host}:{listening.getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.story.close()
        await self.server.stop()

    async def show(self, request: web.Request) -> web.Response:
        """Return the table as a page: `GET /`."""
        del request
        return web.Response(text=self.page, content_type="text/html")

    @web.middleware
    async def attend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the doors answer, send the answer as its scene says, and judge the request."""
        visit = visit_of(request, self.numbers + 1)
        VISIT.set(visit)
        if visit.door is Door.OTHER:
            return await handler(request)
        self.numbers += 1
        try:
            response = await handler(request)
            read_answer(visit, response)
            visit.way = self.way(visit)
            return await deliver(request, response, visit.way, self.stage.pace)
        except GoneError:
            visit.gone = True
            return response
        finally:
            visit.ended_s = time.monotonic()
            self.tell(visit, self.judge.hear(visit))

    def way(self, visit: Visit) -> Way:
        """Return how this answer is sent: what goes astray once is whole the next time."""
        if visit.scene is None or visit.http != OK or visit.door not in {Door.POST, Door.PING}:
            return Way.WHOLE
        delivery = visit.scene.delivery
        if delivery.times is not None:
            who = (visit.door, visit.key or visit.body)
            self.delivered[who] += 1
            if self.delivered[who] > delivery.times:
                return Way.WHOLE
        return delivery.way


def now_us() -> int:
    """Return the time."""
    return time.time_ns() // 1000


def visit_of(request: web.Request, number: int) -> Visit:
    """Return what the head of a request tells."""
    return Visit(
        number=number,
        at_s=time.monotonic(),
        door=door_of(request.method, request.path),
        method=request.method,
        key=request.headers.get("Idempotency-Key"),
        wait_s=request.query.get("wait_s"),
    )


def door_of(method: str, path: str) -> Door:
    """Return what is asked for."""
    if method == hdrs.METH_POST:
        if path == "/v1/pings":
            return Door.PING
        if path == "/v1/leads" or (path.startswith("/v1/pings/") and path.endswith("/post")):
            return Door.POST
    if method == hdrs.METH_GET and path.startswith("/v1/leads/"):
        return Door.LOOK
    return Door.OTHER


def read_answer(visit: Visit, response: web.StreamResponse) -> None:
    """Note what the doors answered, where no problem was noted before."""
    visit.http = visit.http or response.status
    retry_after = response.headers.get(hdrs.RETRY_AFTER)
    visit.retry_after_s = None if retry_after is None else float(retry_after)


@web.middleware
async def witness(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note the problem that a request ends with, whatever its answer's format and status are."""
    try:
        return await handler(request)
    except DeniedError as denied:
        visit, problem = VISIT.get(), denied.problem
        visit.http, visit.detail = problem.status, problem.detail
        visit.problem = problem.type.rpartition("/")[2]
        visit.faults = tuple((error.field, error.code) for error in problem.errors)
        raise
