"""Who may read a spec, as what, and from where it is reached."""

import re

from aiohttp import hdrs, web

from exchange.contract.seller import FieldError
from exchange.domain.snapshot import Snapshot
from exchange.web.accept import RANGES_MAX, read_range
from exchange.web.doors import Doors
from exchange.web.guard import allow, header_key, role_of
from exchange.web.problems import DeniedError, Kind
from exchange.web.specs import links

TOKEN = "t"  # noqa: S105 - the name of a parameter
HTML = frozenset({"text/html", "application/xhtml+xml", "text/*", "*/*"})
SCHEMA = frozenset({"application/schema+json", "application/json"})
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
UNKNOWN_ORIGIN = "https://exchange.example"
US_PER_S = 1_000_000


def wants_schema(request: web.Request) -> bool:
    """Tell whether a caller likes JSON better than a page."""
    header = request.headers.get(hdrs.ACCEPT, "*/*")
    ranges = [read_range(text) for text in header.split(",", RANGES_MAX)[:RANGES_MAX]]
    page = max((quality for name, quality in ranges if name in HTML), default=0.0)
    named = [quality for name, quality in ranges if name in SCHEMA]
    explicit = any(name in {"text/html", "application/xhtml+xml"} for name, _ in ranges)
    if not named:
        return False
    return max(named) > page if explicit else max(named) >= page


def origin(request: web.Request, doors: Doors) -> str:
    """Return where the exchange is reached: as it was set, or as this request came."""
    if doors.public_url:
        return doors.public_url.rstrip("/")
    came = f"{request.scheme}://{request.host}"
    return came if ORIGIN.fullmatch(came) else UNKNOWN_ORIGIN


def account_of(
    request: web.Request, doors: Doors, kind: links.Kind, shown: str, snapshot: Snapshot
) -> str | None:
    """Return whose view of a spec is asked for; None for operators, who may see each.

    Raises 401, 403; 404 for a link that nobody signed, 410 for one that has expired.
    """
    token = request.query.get(TOKEN)
    if token is None:
        role = role_of(header_key(request), snapshot)
        own = "seller" if kind is links.Kind.CAMPAIGN else "buyer"
        allow(role, own, "operator", "admin")
        return role.account if role.role == own else None
    opened = doors.spec_links.open(token, kind, shown, doors.now_us() / US_PER_S)
    if opened is None:
        raise DeniedError(Kind.NOT_FOUND, "this link opens nothing here; ask for another one")
    if opened.expired:
        raise DeniedError(Kind.EXPIRED, "the link has expired; ask for another one")
    return opened.account


def keyed(request: web.Request) -> None:
    """Raise 403 for who comes by a link: one link makes no others, or none would ever expire."""
    if TOKEN in request.query:
        raise DeniedError(Kind.FORBIDDEN, "a link makes no links; this needs a key")


def bad_query(name: str, message: str) -> DeniedError:
    """Return the 422 of one bad query parameter."""
    return DeniedError(Kind.FIELDS, errors=(FieldError(name, "bad_value", message),))
