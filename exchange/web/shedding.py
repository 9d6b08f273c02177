"""Turns leads away on the bytes of their connection, for a tenth of what a request costs.

A worker that has too much to do must not spend what it has on saying so. Only plain requests that
would hear JSON are answered here; all else takes the usual way, whose guard turns it away as well.
"""

from functools import cached_property

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from exchange.web.accept import JSON
from exchange.web.answers import PROBLEM_JSON, SERVER, encode
from exchange.web.doors import Doors
from exchange.web.guard import overload
from exchange.web.heads import Plain
from exchange.web.problems import Kind, problem


class Shedding:
    """Decides on the first bytes of a request, where there is anything to decide."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    @cached_property
    def head_and_body(self) -> tuple[str, bytes]:
        """What who is turned away hears, but for the time."""
        return answer(self.doors.limits.retry_after_s)

    def answer(self) -> bytes:
        """Return what who is turned away hears, as it goes over the wire."""
        head, body = self.head_and_body
        return f"{head}Date: {rfc822_formatted_time()}\r\n\r\n".encode() + body

    def is_due(self, plain: Plain) -> bool:
        """Whether leads are turned away at all, and this one could be here."""
        doors = self.doors
        return (
            doors.valve.is_throttled and not doors.under_way.lets_go and plain.head.accept == JSON
        )

    def turns_away(self, route: str) -> bool:
        """Decide, once, and count what is turned away."""
        cause = overload(self.doors)
        if cause is None:
            return False
        self.doors.observer.turned_away(cause)
        self.doors.observer.request_ended(route, Kind.OVERLOADED.status, 0.0)
        return True


def answer(retry_after_s: int) -> tuple[str, bytes]:
    """Return the answer's head, its end left open, and its body: the same that the guard gives."""
    body = encode(problem(Kind.OVERLOADED))
    lines = (
        "HTTP/1.1 503 Service Unavailable",
        f"Content-Type: {PROBLEM_JSON}",
        "Cache-Control: no-store",
        f"Server: {SERVER}",
        f"Retry-After: {retry_after_s}",
        f"Content-Length: {len(body)}",
        "",
    )
    return "\r\n".join(lines), body


SHEDDING = web.AppKey("shedding", Shedding)
