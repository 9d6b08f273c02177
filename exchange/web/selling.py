"""The sellers' doors for leads and pings: each story runs in a task that no hang-up stops.

A request's own task is one: the server cancels none when a connection is lost. That of a feed's row
ends with its feed, so that its story gets a task apart.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from exchange.contract.denial import Denial
from exchange.contract.seller import FieldError, LeadAnswer, QuoteAnswer
from exchange.domain.quote import Quote
from exchange.domain.submission import Submission
from exchange.intake.tokens import Expired, Forged
from exchange.telemetry.metrics import ShedCause
from exchange.web.answers import encode, response_to
from exchange.web.doors import DOORS, Doors
from exchange.web.idempotency import Attempt, Repeats
from exchange.web.problems import OF_STATUS, DeniedError, Kind
from exchange.web.receiving import (
    Received,
    receive,
    refused,
    submission_of,
)

REPEATS = web.AppKey("repeats", Repeats)

US_PER_S = 1_000_000


async def post_lead(request: web.Request) -> web.Response:
    """Sell a lead: `POST /v1/leads`; with a `ping_id` the post of that quote."""
    received = await receive(request, request.app[DOORS])
    return response_to(request, await sell(request.app, received))


async def post_ping(request: web.Request) -> web.Response:
    """Answer with a binding quote: `POST /v1/pings`."""
    received = await receive(request, request.app[DOORS])
    return response_to(request, await quote(request.app, received))


async def post_quote(request: web.Request) -> web.Response:
    """Sell a lead at no less than was quoted: `POST /v1/pings/{ping_id}/post`."""
    received = await receive(request, request.app[DOORS])
    answer = await post_of(request.app, received, request.match_info["ping_id"])
    return response_to(request, answer)


async def post_of(app: web.Application, received: Received, token: str) -> bytes:
    """Sell what was received by the quote that its address names; return the encoded answer."""
    if received.request.ping_id not in {None, token}:
        message = "names another ping than the address does"
        fault = FieldError("ping_id", "contradicts_ping", message)
        raise await refused(received, app[DOORS], (fault,))
    return await sell_quoted(app, received, token)


async def quote(app: web.Application, received: Received) -> bytes:
    """Quote what was received; return the encoded answer."""
    doors = app[DOORS]
    submission = await submission_of(received, doors, is_ping=True)

    async def first() -> bytes:
        return told(await doors.story.quote(submission, received.caller.snapshot))

    return await run(app, received, submission, first, is_lead=False)


async def sell(app: web.Application, received: Received) -> bytes:
    """Sell what was received, by its quote where it names one; return the encoded answer."""
    token = received.request.ping_id
    if token is not None:
        return await sell_quoted(app, received, token)
    doors = app[DOORS]
    submission = await submission_of(received, doors)

    async def first() -> bytes:
        return told(await doors.story.sell(submission, received.caller.snapshot))

    return await run(app, received, submission, first)


async def sell_quoted(app: web.Application, received: Received, token: str) -> bytes:
    """Post the quote that a token stands for; return the encoded answer."""
    doors = app[DOORS]
    opened = doors.tokens.open(token, received.caller.seller.id, received.arrived_us)
    if isinstance(opened, Forged):
        raise DeniedError(Kind.NOT_FOUND, "there is no such ping of yours")
    quote = opened.quote if isinstance(opened, Expired) else opened
    if isinstance(opened, Expired) and received.key is None:
        raise expired()
    submission = await submission_of(received, doors, quote=quote)

    async def first() -> bytes:
        # Only here: whoever repeats a post that was in time hears its answer, however late.
        if isinstance(opened, Expired):
            raise expired()
        return told(await doors.story.sell_quoted(quote, submission, received.caller.snapshot))

    return await run(app, received, submission, first, quote=quote)


def told(answer: LeadAnswer | QuoteAnswer | Denial) -> bytes:
    """Return an encoded answer; raise a denial."""
    if isinstance(answer, Denial):
        kind, again_s = OF_STATUS[answer.status], answer.retry_after_s
        raise DeniedError(kind, answer.detail, answer.errors, retry_after_s=again_s)
    return encode(answer)


def expired() -> DeniedError:
    """Return the 410 of a quote that nobody promises any more."""
    return DeniedError(Kind.EXPIRED, "the quote has expired; ask for another one")


async def run(
    app: web.Application,
    received: Received,
    submission: Submission,
    first: Callable[[], Coroutine[Any, Any, bytes]],
    *,
    is_lead: bool = True,
    quote: Quote | None = None,
) -> bytes:
    """Run the story to its end whether or not its caller stays; return the encoded answer."""
    doors = app[DOORS]
    have_room(doors)
    within_s = max(0.0, (submission.lead.answer_by_us - doors.now_us()) / US_PER_S)
    if received.key is None:
        story = first()
    else:
        attempt = Attempt(
            key=received.key,
            body=received.body,
            owner=received.new_id,
            until_s=asyncio.get_running_loop().time() + within_s,
            is_lead=is_lead,
            quote_id=None if quote is None else quote.lead_id,
        )
        story = app[REPEATS].run(attempt, first)
    if received.apart:
        return await run_apart(doors, story, within_s)
    try:
        return await doors.under_way.see_through(story, within_s)
    except asyncio.CancelledError:
        raise cut_off(doors) from None


def have_room(doors: Doors) -> None:
    """Raise 503 where others that came in the same moment took the last places meanwhile.

    A request is let in on its head; while its body came in, so were others.
    """
    if doors.under_way.count < doors.limits.leads_under_way_max:
        return
    doors.observer.turned_away(ShedCause.LEADS_UNDER_WAY)
    raise DeniedError(Kind.OVERLOADED, retry_after_s=doors.limits.retry_after_s)


async def run_apart(doors: Doors, story: Coroutine[Any, Any, bytes], within_s: float) -> bytes:
    """Run the story in a task that outlives the caller's."""
    task = doors.under_way.sell(story, within_s)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
        raise cut_off(doors) from None


def cut_off(doors: Doors) -> DeniedError:
    """Return the 503 of a story that the end of its worker broke off; another worker ends it."""
    return DeniedError(Kind.CLOSING, retry_after_s=doors.limits.retry_after_s, close=True)
