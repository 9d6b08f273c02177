"""What a route is: how it is called, by whom, and all that it may answer."""

from collections.abc import Awaitable, Callable
from enum import Enum

import msgspec
from aiohttp import web

from exchange.web.problems import Kind

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Text(Enum):
    """Answers that are not of a type of our own."""

    PROMETHEUS = "text/plain"
    OPENAPI = "application/json"
    HTML = "text/html"
    SCHEMA = "application/schema+json"
    FILE = "*/*"


class Query(msgspec.Struct, frozen=True):
    """One parameter behind the question mark."""

    name: str
    about: str
    minimum: int | None = None
    """Of a number; None: it is a text."""
    maximum: int | None = None
    values: tuple[str, ...] = ()
    """All that a text may be, where that is known."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked of the exchange."""

    method: str
    path: str
    handler: Handler
    operation: str
    """A name for it, in generated clients."""
    summary: str
    roles: tuple[str, ...] = ()
    """Whose keys; none: everyone may ask."""
    answer: type | Text
    unready: type | None = None
    """What a 503 holds, where it is no problem."""
    also_xml: bool = False
    """Answers in XML where its caller prefers that; problems always do."""
    takes_lead: bool = False
    """Has a request body: a seller's lead or ping."""
    takes_feed: bool = False
    """Has a request body of many leads, and answers with a line for each."""
    last: type | None = None
    """What the last line of such an answer holds."""
    takes: type | None = None
    """Has a JSON body of this type, which may be left out."""
    query: tuple[Query, ...] = ()
    problems: tuple[Kind, ...] = ()
    by_link: bool = False
    """A signed link opens it, too."""
    at_door: bool = False
    """Takes and says whatever a door of the market does; its path may have more parts."""
    cached: bool = False
    """Has an ETag: 304 for who holds the present answer."""


def with_key(*problems: Kind) -> tuple[Kind, ...]:
    """Return the problems of a route that needs a key."""
    return (Kind.UNKNOWN_KEY, Kind.FORBIDDEN, *problems, Kind.INTERNAL, Kind.UNAVAILABLE)


BODY = (Kind.UNREADABLE, Kind.SLOW, Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.FIELDS)
"""The problems of a route that has a body."""
