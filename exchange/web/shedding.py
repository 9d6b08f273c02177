"""Turns leads away on the bytes of their connection, for a tenth of what a request costs.

A worker that has too much to do must not spend what it has on saying so. Only what is surely a
whole, plain head of a request for a lead is answered here; all else takes the usual way, whose
guard turns it away as well.
"""

import re
from functools import cached_property

import msgspec
from aiohttp import web

from exchange.telemetry.metrics import ShedCause
from exchange.web.answers import PROBLEM_JSON, SERVER, encode
from exchange.web.doors import Doors
from exchange.web.guard import hard_limit
from exchange.web.problems import Kind, problem

ROUTES = ("/v1/leads", "/v1/pings")
BEGINNINGS = tuple(f"POST {route} HTTP/1.1\r\n".encode() for route in ROUTES)
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)")
ELSEWHERE = (b"\r\ntransfer-encoding:", b"\r\nexpect:", b"xml")
CONNECTION = b"\r\nconnection:"
KEPT = b"\r\nconnection: keep-alive\r\n"


class Head(msgspec.Struct, frozen=True):
    """A request's head that was recognized, and how much of the request was there with it."""

    route: str
    unread: int
    """Bytes of its body that are still to come."""


def head_of(data: bytes, body_max_bytes: int) -> Head | None:
    """Return the one plain request for a lead that this is, or the beginning of; else None."""
    if not data.startswith(BEGINNINGS):
        return None
    end = data.find(HEAD_END)
    head = data[: end + 2].lower()
    lengths = LENGTH.findall(head)
    if end < 0 or len(lengths) != 1 or any(word in head for word in ELSEWHERE):
        return None
    if CONNECTION in head and KEPT not in head:
        return None
    unread = end + len(HEAD_END) + int(lengths[0]) - len(data)
    if unread < 0 or int(lengths[0]) > body_max_bytes:
        return None
    return Head(ROUTES[BEGINNINGS.index(data[: data.index(b"\n") + 1])], unread)


class Shedding:
    """Decides on the first bytes of a request, where there is anything to decide."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    @cached_property
    def answer(self) -> bytes:
        """What who is turned away hears, as it goes over the wire."""
        return answer(self.doors.limits.retry_after_s)

    def is_due(self) -> bool:
        """Whether leads are turned away at all: nothing is looked at otherwise."""
        return self.doors.valve.is_throttled and not self.doors.under_way.lets_go

    def head(self, data: bytes) -> Head | None:
        """Return the request that is decided here, if it is one."""
        return head_of(data, self.doors.limits.body_max_bytes)

    def turns_away(self, head: Head) -> bool:
        """Decide, once, and count what is turned away."""
        cause = hard_limit(self.doors)
        if cause is None and not self.doors.valve.takes(self.doors.under_way.count):
            cause = ShedCause.LOOP_LAG
        if cause is None:
            return False
        self.doors.observer.turned_away(cause)
        self.doors.observer.request_ended(head.route, Kind.OVERLOADED.status, 0.0)
        return True


def answer(retry_after_s: int) -> bytes:
    """Return the answer as it goes over the wire: the same that the guard gives."""
    body = encode(problem(Kind.OVERLOADED))
    lines = (
        "HTTP/1.1 503 Service Unavailable",
        f"Content-Type: {PROBLEM_JSON}",
        "Cache-Control: no-store",
        f"Server: {SERVER}",
        f"Retry-After: {retry_after_s}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + HEAD_END + body


SHEDDING = web.AppKey("shedding", Shedding)
