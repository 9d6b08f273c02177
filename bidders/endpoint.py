"""A buyer's endpoint: two functions in, an aiohttp application out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec
from aiohttp import web

from bidders.answers import Accepted, Bid, NoBid, Pending, Refused
from bidders.calling import Threads
from bidders.memory import Memory
from bidders.signature import Signatures
from exchange.contract.buyer import (
    BidAnswer,
    Ping,
    Post,
    PostAnswer,
    UnreadableError,
    encode,
    read_ping,
    read_post,
)

BidFunction = Callable[[Ping], Bid | NoBid | Awaitable[Bid | NoBid | None] | None]
TakeFunction = Callable[
    [Post], Accepted | Refused | Pending | Awaitable[Accepted | Refused | Pending]
]

BODY_MAX_BYTES = 1 << 20
ANSWERING_SHARE = 0.1
ANSWERING_MAX_MS = 5.0
"""What of `tmax_ms` is kept for writing the answer: a tenth, at most this."""

logger = logging.getLogger("bidders")


def app(
    bid: BidFunction,
    take: TakeFunction,
    *,
    secret: str | Iterable[str] = (),
    prefix: str = "",
    remember: int = 10_000,
    threads: int = 16,
) -> web.Application:
    """Return an application that answers `{prefix}/ping` by `bid` and `{prefix}/post` by `take`.

    Both may be plain functions, which run in up to `threads` threads, or async ones. With one
    `secret` or several, what is not signed by one of them is answered 401. A bid that is not
    there by the ping's `tmax_ms` is 204, no bid. The last `remember` sales are kept, so that a
    repeated post hears the same answer and `take` is asked once; `{prefix}/status/{sale_id}` says
    what it was.
    """
    secrets = (secret,) if isinstance(secret, str) else tuple(secret)
    endpoint = Endpoint(bid, take, Signatures(secrets), Memory(remember), Threads(threads))
    application = web.Application(client_max_size=BODY_MAX_BYTES)
    application.router.add_post(f"{prefix}/ping", endpoint.ping)
    application.router.add_post(f"{prefix}/post", endpoint.post)
    application.router.add_get(f"{prefix}/status/{{sale}}", endpoint.status, allow_head=False)
    application.cleanup_ctx.append(endpoint.running)
    return application


class Endpoint:
    """Reads, checks and answers pings and posts; what to answer, the buyer's functions know."""

    def __init__(
        self,
        bid: BidFunction,
        take: TakeFunction,
        signatures: Signatures,
        memory: Memory,
        threads: Threads,
    ) -> None:
        self.bid = bid
        self.take = take
        self.signatures = signatures
        self.memory = memory
        self.threads = threads

    async def running(self, application: web.Application) -> AsyncIterator[None]:
        """Finish the sales under way when the application stops."""
        del application
        yield
        await self.memory.close()
        self.threads.close()

    async def ping(self, request: web.Request) -> web.Response:
        """Answer a ping within its `tmax_ms`."""
        arrived_s = asyncio.get_running_loop().time()
        body = await request.read()
        if not self.signatures.accept(request.headers, body):
            return problem(401, "the signature is missing, wrong or old")
        try:
            ping = read_ping(body)
        except UnreadableError as error:
            return problem(400, str(error))
        limit = asyncio.timeout_at(arrived_s + thinking_ms(ping.auction.tmax_ms) / 1000)
        try:
            async with limit:
                return bid_response(await self.threads.call(self.bid, ping))
        except Exception:
            if limit.expired():
                logger.warning("bid() took longer than tmax_ms (ping_id %s)", ping.ping_id)
                return web.Response(status=204)
            logger.exception("bid() failed (ping_id %s)", ping.ping_id)
            return problem(500, "bid() failed")

    async def post(self, request: web.Request) -> web.Response:
        """Answer a post, its repetitions like the first."""
        body = await request.read()
        if not self.signatures.accept(request.headers, body):
            return problem(401, "the signature is missing, wrong or old")
        try:
            post = read_post(body)
        except UnreadableError as error:
            return problem(400, str(error))
        key = request.headers.get("Idempotency-Key", post.sale_id)
        try:
            answer = await self.memory.answer(key, lambda: self.decide(post))
        except Exception:
            logger.exception("take() failed (sale_id %s)", post.sale_id)
            return problem(500, "take() failed")
        return answer_response(answer)

    async def status(self, request: web.Request) -> web.Response:
        """Answer what became of a sale; 404, which decides nothing, where its post never came."""
        if not self.signatures.accept(request.headers, b""):
            return problem(401, "the signature is missing, wrong or old")
        try:
            answer = await self.memory.known(request.match_info["sale"])
        except Exception:
            logger.exception("take() failed (sale_id %s)", request.match_info["sale"])
            return problem(500, "take() failed")
        return problem(404, "there is no such sale") if answer is None else answer_response(answer)

    async def decide(self, post: Post) -> PostAnswer:
        """Ask the buyer's function once; raises TypeError where it answers anything unknown."""
        decision: object = await self.threads.call(self.take, post)
        if not isinstance(decision, Accepted | Refused | Pending):
            raise TypeError(f"take() answers Accepted, Refused or Pending, not {type(decision)}")
        return decision.answer()


def answer_response(answer: PostAnswer) -> web.Response:
    """Return the HTTP answer that says what the buyer decided."""
    return web.Response(
        status=202 if answer.accepted is None else 200,
        body=encode(answer),
        content_type="application/json",
    )


def thinking_ms(tmax_ms: float) -> float:
    """Return what of `tmax_ms` the buyer's function may use."""
    return tmax_ms - min(ANSWERING_MAX_MS, tmax_ms * ANSWERING_SHARE)


def bid_response(bid: object) -> web.Response:
    """Return the HTTP answer to a ping; raises TypeError where `bid` answers anything unknown."""
    answer: BidAnswer | None
    match bid:
        case Bid() | NoBid():
            answer = bid.answer()
        case None:
            answer = None
        case _:
            raise TypeError(f"bid() answers Bid, NoBid or None, not {type(bid)}")
    if answer is None:
        return web.Response(status=204)
    return web.Response(body=encode(answer), content_type="application/json")


def problem(status: int, detail: str) -> web.Response:
    """Return a refusal that a person can read."""
    body = msgspec.json.encode({"status": status, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")
