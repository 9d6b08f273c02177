"""What one offer's endpoint will receive and may answer, whole: page and schema are made of it."""

from typing import ClassVar

import msgspec

from exchange.contract.trying import Tried, TriedCall
from exchange.domain.offer import Offer, PingTerms, PostTerms
from exchange.domain.snapshot import Snapshot
from exchange.web.answers import encode
from exchange.web.specs import offer_terms
from exchange.web.specs.offer_schema import offer_schema
from exchange.web.specs.shown import ShownField, in_pings, in_posts

HIDDEN_HEADERS = frozenset({"webhook-signature", "authorization"})
"""What proves who sends: an example that could be sent again as it is would be one."""
MASK = "…"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which offer's spec, and an example of its calls."""

    offer: Offer
    tried: Tried | None
    """What would be sent, nothing of it was; None where no lead could be invented."""
    token: str | None = None
    alone: bool = False
    """It is to stand in a file, where no schema is beside it."""


class CallSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A ping or post: where it goes, how long it may take, how it looks."""

    url: str
    timeout_ms: int
    own_words: bool
    """A mapping puts it as this buyer is called already."""
    example: str | None


class Meaning(msgspec.Struct, frozen=True):
    """An answer and what it comes to."""

    answer: str
    means: str


class OfferSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a buyer's engineer must know of one offer."""

    template: ClassVar[str] = "offer_spec.html"
    version: int
    schema_path: str | None
    offer: str
    buyer: str
    vertical: str
    currency: str
    signed: bool
    ping: CallSpec | None
    post: CallSpec | None
    pinged: tuple[ShownField, ...]
    posted: tuple[ShownField, ...]
    hidden: tuple[str, ...]
    terms: tuple[str, ...]
    ping_answers: tuple[Meaning, ...]
    post_answers: tuple[Meaning, ...]


def offer_spec(snapshot: Snapshot, asked: Asked) -> OfferSpec:
    """Return what comes to this offer's endpoint, as the market is now."""
    offer = asked.offer
    vertical = snapshot.verticals[offer.vertical_id]
    tried = asked.tried
    return OfferSpec(
        version=snapshot.version,
        schema_path=schema_path(asked),
        offer=offer.id,
        buyer=offer.buyer.name,
        vertical=vertical.name,
        currency=offer.buyer.currency,
        signed=offer.secret is not None,
        ping=call_spec(offer.ping, tried.ping if tried else None),
        post=call_spec(offer.post, tried.post if tried else None),
        pinged=in_pings(offer, vertical),
        posted=in_posts(vertical),
        hidden=tuple(sorted(offer.hidden)),
        terms=tuple(offer_terms.told(offer)),
        ping_answers=ping_answers(offer),
        post_answers=post_answers(offer),
    )


def offer_json(snapshot: Snapshot, asked: Asked) -> bytes:
    """Return the same as JSON Schema, with what a schema has no word for under `x-exchange`."""
    spec = offer_spec(snapshot, asked)
    schema = offer_schema(asked.offer, spec.pinged, spec.posted)
    beyond = {
        name: getattr(spec, name)
        for name in (
            *("version", "offer", "currency", "signed", "ping", "post", "hidden", "terms"),
            *("ping_answers", "post_answers"),
        )
    }
    return msgspec.json.format(encode({**schema, "x-exchange": beyond}), indent=1)


def call_spec(terms: PingTerms | PostTerms | None, call: TriedCall | None) -> CallSpec | None:
    """Return a call with its example; None where there is none."""
    if terms is None:
        return None
    return CallSpec(
        url=terms.url if call is None else call.request.url,
        timeout_ms=terms.timeout_ms,
        own_words=terms.dialect is not None,
        example=None if call is None else example(call),
    )


def example(call: TriedCall) -> str:
    """Return a request as it goes over the wire; what proves who sends is left out."""
    request = call.request
    headers = (
        f"{name}: {MASK if name.lower() in HIDDEN_HEADERS else value}"
        for name, value in request.headers
    )
    return "\n".join([f"{request.method} {request.url}", *headers, "", request.body]).rstrip()


def ping_answers(offer: Offer) -> tuple[Meaning, ...]:
    """Return what may be answered to a ping."""
    if offer.ping is None:
        return ()
    late = Meaning("later than `tmax_ms` tells", "invalid; answer anyway, the connection stays")
    if offer.ping.dialect is not None:
        return (
            Meaning("what the mapping names a yes", "a bid, at the price where it says one is"),
            Meaning("what it names a no, or `204`", "no bid"),
            Meaning("both, or neither", "invalid: it takes no part, the reason is on record"),
            late,
        )
    static = (
        Meaning('200 `{"accepted": true}` without a price', "a bid at your static price")
        if offer.prices
        else Meaning("200 without a price", "invalid: your offer names no static price")
    )
    return (
        Meaning('200 `{"bid": 12.50}`', "a bid: a JSON number with at most six decimals"),
        static,
        Meaning('`204`, or 200 `{"bid": 0, "reason": "…"}`', "no bid"),
        Meaning(
            "anything else: not JSON, a price in quotes, negative, over your maximum, another"
            f" currency than {offer.buyer.currency}, over 64 KiB, a redirect, 4xx, 5xx",
            "invalid: it takes no part, the reason is on record",
        ),
        late,
    )


def post_answers(offer: Offer) -> tuple[Meaning, ...]:
    """Return what may be answered to a post."""
    if offer.post is None:
        return ()
    unreachable = Meaning("no connection, name or TLS failure", "like refused: nothing was sent")
    if offer.post.dialect is not None:
        repeated = ", to a repetition accepted: the first post was" if offer.post.repeatable else ""
        return (
            Meaning("what the mapping names accepted", "the lead is yours"),
            Meaning("refused", "the next buyer gets it"),
            Meaning("duplicate", f"refused{repeated}"),
            Meaning("pending", "in doubt: not decided yet"),
            Meaning("none or several of them, a timeout, a broken answer", "in doubt"),
            unreachable,
        )
    return (
        Meaning('200 `{"accepted": true, "reference"?, "redirect_url"?}`', "the lead is yours"),
        Meaning(
            '200 `{"accepted": false, "reason": "…"}`, any 4xx but 408, 503',
            "refused: the next buyer gets it",
        ),
        Meaning('`202`, or `"accepted": null`', "in doubt: not decided yet"),
        Meaning(
            "no answer in time, cut off, 408, other 5xx, 3xx, a 2xx that cannot be understood",
            "in doubt: you may have the lead",
        ),
        unreachable,
    )


def schema_path(asked: Asked) -> str | None:
    """Return where the schema of the same spec is found, opened by the same link."""
    if asked.alone:
        return None
    path = f"/v1/buyer/offers/{asked.offer.id}/spec.json"
    return path if asked.token is None else f"{path}?t={asked.token}"
