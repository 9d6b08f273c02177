"""The OpenAPI 3.1 document, made from the routes and from the types that their answers are."""

from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec

from exchange.web.openapi.operation import operation
from exchange.web.openapi.schemas import schemas
from exchange.web.openapi.security import security_schemes
from exchange.web.routing.route import Route

TAGS = {
    "Sellers": "Post leads, ask for quotes, hear what became of both.",
    "Buyers": "What a buyer can see and do.",
    "Operators": "What the people who run the exchange can see and do.",
    "Pages": "Descriptions, for people and for programs.",
    "Operations": "Health, readiness and metrics; they may stand on a port of their own.",
}


def document(routes: Iterable[Route]) -> bytes:
    """Return the document as JSON."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = operation(route)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ping-post exchange",
            "version": version("ping-post-exchange"),
            "description": (
                "Sellers post leads and pings, and hear what they are paid. Money is a JSON number"
                " with at most six decimals, exact; times are RFC 3339 in UTC; every error is a"
                " problem (RFC 9457). Whoever prefers XML by its `Accept` gets `<response>` with"
                " elements of the same names: none for a null, one of its name for each entry of a"
                " list."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas(routes), "securitySchemes": security_schemes()},
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)
