"""Who may come in, and whether there is room: decided on the head of a request where possible."""

import hashlib
from collections.abc import MutableMapping
from typing import Any

import msgspec
from aiohttp import hdrs, web

from exchange.domain.seller import Seller
from exchange.domain.snapshot import Role, Snapshot
from exchange.telemetry.metrics import ShedCause
from exchange.web.doors import Doors
from exchange.web.heads import API_KEY, key_in
from exchange.web.problems import DeniedError, Kind

SELLER = web.RequestKey("seller", Seller)
"""Set once the seller is known, for how its answers are to look."""


NO_KEY = (
    f"send a key as `{hdrs.AUTHORIZATION}: Bearer KEY`, as `{API_KEY}: KEY`,"
    " or as api_key in the body of a post"
)
KEY_UNKNOWN = (
    "the key that came is not known here: it is cut off or mistyped, or newer ones have replaced it"
)


class Caller(msgspec.Struct, frozen=True):
    """Which seller calls, and the market as it was at that moment."""

    seller: Seller
    snapshot: Snapshot


def header_key(request: web.Request) -> str | None:
    """Return the key that came in a header, if one did."""
    return key_in(request.headers)


def seller_of(notes: MutableMapping[Any, Any], key: str | None, snapshot: Snapshot) -> Caller:
    """Return the seller behind a key; raise 401 where nobody is, 403 for another's key.

    `notes`: the request, or what else the seller is noted in.
    """
    role = role_of(key, snapshot)
    allow(role, "seller")
    seller = snapshot.sellers.get(role.account)
    if seller is None:
        raise DeniedError(Kind.FORBIDDEN, "this seller is not in the market")
    notes[SELLER] = seller
    return Caller(seller, snapshot)


def role_of(key: str | None, snapshot: Snapshot) -> Role:
    """Return whom a key speaks for; raise 401 where it speaks for nobody."""
    digest = hashlib.sha256((key or "").encode(errors="surrogateescape")).digest()
    role = snapshot.keys.get(digest) if key else None
    if role is None:
        raise DeniedError(Kind.UNKNOWN_KEY, KEY_UNKNOWN if key else NO_KEY)
    return role


def allow(role: Role, *roles: str) -> None:
    """Raise 403 unless the key has one of these roles."""
    if role.role not in roles:
        raise DeniedError(Kind.FORBIDDEN, f"this needs a key of the role {' or '.join(roles)}")


def admit(doors: Doors, *, let_in: bool = False) -> None:
    """Raise 503 at once where a new lead would only be late: before its body is read.

    `let_in`: its connection decided on its first bytes already: nobody is asked for twice.
    """
    limits = doors.limits
    if doors.under_way.closing.is_set():
        doors.observer.turned_away(ShedCause.CLOSING)
        raise DeniedError(Kind.CLOSING, retry_after_s=limits.retry_after_s, close=True)
    cause = hard_limit(doors) if let_in else overload(doors)
    if cause is not None:
        doors.observer.turned_away(cause)
        raise DeniedError(Kind.OVERLOADED, retry_after_s=limits.retry_after_s)


def was_let_in(request: web.BaseRequest) -> bool:
    """Tell whether the connection counted this request among those that are let in."""
    connection = request.protocol
    was, connection.let_in = getattr(connection, "let_in", False), False  # type: ignore[attr-defined]
    return was


def overload(doors: Doors) -> ShedCause | None:
    """Return what there is too much of, or None; whoever asks counts as a lead that came."""
    cause = hard_limit(doors)
    if cause is None and not doors.valve.takes(doors.under_way.count):
        return ShedCause.LOOP_LAG
    return cause


def hard_limit(doors: Doors) -> ShedCause | None:
    """Return the limit beyond which nobody is let in, or None."""
    limits = doors.limits
    if doors.under_way.count >= limits.leads_under_way_max:
        return ShedCause.LEADS_UNDER_WAY
    if doors.loop_lag_ms() > limits.loop_lag_max_ms:
        return ShedCause.LOOP_LAG
    if doors.market_wait_ms() > limits.market_wait_max_ms:
        return ShedCause.MARKET_WAIT
    if doors.under_way.overdue_ms() > limits.auction_overdue_max_ms:
        return ShedCause.OVERDUE
    return None
