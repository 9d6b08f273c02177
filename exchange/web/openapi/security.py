"""Every way to say who calls, and those of one route."""

from exchange.web.requests import Schema
from exchange.web.routing.route import Route
from exchange.web.specs.reading import TOKEN

ROLES = {
    "seller": "a seller's account",
    "buyer": "a buyer's account",
    "operator": "who runs the exchange",
    "admin": "who runs the exchange, without limits",
}
"""Whose keys there are; each may come as a bearer's or in X-API-Key."""
IN_HEADER = "{role}_header"
LINK = "link"


def security_schemes() -> Schema:
    """Return every way to say who calls."""
    schemes: Schema = {}
    for role, about in ROLES.items():
        told = f"The key of {about}: role `{role}`."
        schemes[role] = {"type": "http", "scheme": "bearer", "description": told}
        schemes[IN_HEADER.format(role=role)] = {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": told,
        }
    schemes[LINK] = {
        "type": "apiKey",
        "in": "query",
        "name": TOKEN,
        "description": (
            "A signed link that expires, for one spec: `POST /v1/campaigns/{campaign}/spec-links`"
            " and `exchange spec --link` make it."
        ),
    }
    return schemes


def security(route: Route) -> list[Schema]:
    """Return the ways to bring a key; the empty one is a key in the body of a post."""
    ways: list[Schema] = []
    for role in route.roles:
        ways += [{role: []}, {IN_HEADER.format(role=role): []}]
    if route.by_link:
        ways.append({LINK: []})
    in_body = route.takes_lead or (route.at_door and bool(ways))
    return [*ways, {}] if in_body else ways
