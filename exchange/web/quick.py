"""The short way of a plain request for a lead, a ping or a quote's post: head, body, story, answer.

What the framework does for every request costs as much as the checks on a lead. Here nothing stands
between the bytes of a connection and the same functions that answer on the framework's way; both
ways say the same, byte for byte.
"""

from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from exchange.web.accept import JSON
from exchange.web.answers import SERVER, response_in
from exchange.web.body import Sent
from exchange.web.doors import DOORS
from exchange.web.edge import denial_of, denied_response
from exchange.web.guard import SELLER
from exchange.web.heads import PINGS, Heads, Plain
from exchange.web.receiving import Received, enter, understood
from exchange.web.selling import post_of, quote, sell

SOLD = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nCache-Control: no-store\r\nServer: {SERVER}\r\n"
    "Content-Length: %d\r\nDate: %s\r\n%s\r\n"
)
"""What nearly every answer begins with; `written` says the same."""
CLOSE = "Connection: close\r\n"


class Quick:
    """Answers whole requests in bytes."""

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self.doors = app[DOORS]
        self.heads = Heads()

    def takes(self, plain: Plain) -> bool:
        """Tell whether a body is short enough to be read; who sends more is told so elsewhere."""
        return plain.length <= self.doors.limits.body_max_bytes

    async def answer(self, plain: Plain, body: bytes, *, let_in: bool) -> tuple[bytes, bool]:
        """Return the answer as it goes over the wire, and whether the connection ends with it.

        `let_in`: as in the guard. Raises nothing: what should not happen is an answer, too.
        """
        doors, head, route = self.doors, plain.head, plain.route
        assert route is not None, "what has no route here takes the framework's way"
        began_s = doors.monotonic()
        notes: dict[Any, Any] = {}
        response: web.Response | None = None
        try:
            entering = enter(head, doors, notes, let_in=let_in)
            told = await self.sold(
                plain, understood(entering, Sent(body, head.content_type), doors)
            )
            if head.accept != JSON:
                response = response_in(head.accept, told)
        except Exception as error:  # noqa: BLE001 - as at the edge
            denied = denial_of(route, error, doors)
            response = denied_response(denied, head.accept, notes.get(SELLER))
        if response is None:
            closes, status = doors.under_way.lets_go, HTTPStatus.OK.value
            line = SOLD % (len(told), rfc822_formatted_time(), CLOSE if closes else "")
            answer = line.encode() + told
        else:
            closes, status = (
                doors.under_way.lets_go or response.keep_alive is False,
                response.status,
            )
            answer = written(response, closes=closes)
        doors.observer.request_ended(route, status, (doors.monotonic() - began_s) * 1000)
        return answer, closes

    async def sold(self, plain: Plain, received: Received) -> bytes:
        """Return the encoded answer of whichever of the three it is."""
        if plain.ping_id is not None:
            return await post_of(self.app, received, plain.ping_id)
        if plain.route == PINGS:
            return await quote(self.app, received)
        return await sell(self.app, received)


def written(response: web.Response, *, closes: bool) -> bytes:
    """Return a response as the framework writes it."""
    body = response.body
    assert isinstance(body, bytes), "answers are ready before they are sent"
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return (
        f"HTTP/1.1 {response.status} {response.reason}\r\n{headers}"
        f"Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\n"
        f"{CLOSE if closes else ''}\r\n"
    ).encode() + body


QUICK = web.AppKey("quick", Quick)
