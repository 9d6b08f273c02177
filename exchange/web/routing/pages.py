"""The routes that describe all the others: for programs, and for people in a browser."""

from aiohttp import web

from exchange.web.answers import json_response
from exchange.web.pages.assets import get_asset
from exchange.web.pages.reference import DOCUMENT, get_docs
from exchange.web.problems import Kind
from exchange.web.routing.route import Route, Text


async def get_document(request: web.Request) -> web.Response:
    """Return this description of all routes: `GET /openapi.json`."""
    return json_response(request.app[DOCUMENT])


PAGE_ROUTES = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=get_document,
        operation="openapi",
        summary="This description",
        answer=Text.OPENAPI,
    ),
    Route(
        method="GET",
        path="/docs",
        handler=get_docs,
        operation="docs",
        summary="This description as a page, where each call can be tried",
        answer=Text.HTML,
        cached=True,
    ),
    Route(
        method="GET",
        path="/static/{digest}/{name}",
        handler=get_asset,
        operation="asset",
        summary="Style and script of the pages",
        answer=Text.FILE,
        problems=(Kind.NOT_FOUND,),
        cached=True,
    ),
)
"""What programs and people read about all routes."""
