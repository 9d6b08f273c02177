"""Answers are encoded by their own types: money as exact JSON numbers, no cache on the way."""

import msgspec
from aiohttp import hdrs, web

from exchange.contract.seller import Problem
from exchange.web.accept import JSON, wanted
from exchange.web.xml_answers import as_xml

ENCODER = msgspec.json.Encoder(decimal_format="number")

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


def response_to(
    request: web.BaseRequest, body: bytes, status: int = 200, media_type: str = JSON
) -> web.Response:
    """Return a ready answer, given in JSON, in the format that the request asks for."""
    return response_in(accepted(request), body, status, media_type)


def accepted(request: web.BaseRequest) -> str:
    """Return the media type in which a request asks for its answer."""
    return wanted(request.headers.get(hdrs.ACCEPT))


def response_in(
    accept: str, body: bytes, status: int = 200, media_type: str = JSON
) -> web.Response:
    """Return a ready answer, given in JSON, in the format of this media type."""
    if accept == JSON:
        return json_response(body, status, media_type)
    return json_response(as_xml(body), status, f"{accept}; charset=utf-8")


def problem_response(
    problem: Problem,
    accept: str,
    *,
    retry_after_s: int | None = None,
    close: bool = False,
) -> web.Response:
    """Return a problem in the format of a media type.

    401 tells how to authenticate, `close` ends the connection after it.
    """
    response = response_in(accept, encode(problem), problem.status, PROBLEM_JSON)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    if problem.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = 'Bearer realm="exchange"'
    if close:
        response.force_close()
    return response
