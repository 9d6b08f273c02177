"""Answers are encoded by their own types: money as exact JSON numbers, no cache on the way."""

import msgspec
from aiohttp import web

from exchange.contract.seller import Problem

ENCODER = msgspec.json.Encoder(decimal_format="number")

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

SERVER = "exchange"
"""What the Server header says, in place of the names and versions of what we stand on."""


def encode(answer: object) -> bytes:
    """Return a contract's answer as JSON in UTF-8."""
    return ENCODER.encode(answer)


def json_response(body: bytes, status: int = 200, media_type: str = JSON) -> web.Response:
    """Return a ready answer that no cache keeps."""
    headers = {"Content-Type": media_type, "Cache-Control": "no-store", "Server": SERVER}
    return web.Response(body=body, status=status, headers=headers)


def problem_response(
    problem: Problem, *, retry_after_s: int | None = None, close: bool = False
) -> web.Response:
    """Return a problem; 401 tells how to authenticate, `close` ends the connection after it."""
    response = json_response(encode(problem), problem.status, PROBLEM_JSON)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    if problem.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = 'Bearer realm="exchange"'
    if close:
        response.force_close()
    return response
