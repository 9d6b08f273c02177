"""What a feed asks for: how its rows are written, what holds for all of them, at what pace."""

import re
from collections.abc import Mapping

import msgspec
from aiohttp import hdrs, web

from exchange.intake.feeds.columns import DELIMITERS
from exchange.intake.feeds.defaults import Defaults
from exchange.intake.feeds.row import Limits as RowLimits
from exchange.intake.feeds.row import Splitter
from exchange.intake.feeds.splitting import Format, Layout, layout_of
from exchange.intake.request import Unparsable
from exchange.intake.spellings import BOOLS
from exchange.web.accept import read_range
from exchange.web.body import CODINGS, PLAIN
from exchange.web.heads import IDEMPOTENCY_KEY
from exchange.web.idempotency import checked_key
from exchange.web.limits import Limits
from exchange.web.problems import OF_STATUS, DeniedError, Kind
from exchange.web.viewing import bad_query

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARAMETERS = ("campaign", "source", "test", "delimiter", "rows_per_s", "at_once")
RATE = re.compile(r"\d{1,6}(\.\d{1,3})?\Z", re.ASCII)
TEXT_LENGTH_MAX = 200


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One feed, as its head describes it."""

    layout: Layout
    defaults: Defaults
    feed: str
    """The feed's own Idempotency-Key; empty: what is the same row is the same post for a day."""
    rows_per_s: float
    at_once: int
    coding_bits: int | None
    """How zlib is told to unpack it; None: it is not packed."""
    answers_csv: bool

    def splitter(self, limits: Limits) -> Splitter:
        """Return what splits this feed."""
        return self.layout.splitter(RowLimits(limits.feed_row_max_bytes), self.defaults)


def order_of(request: web.Request, limits: Limits) -> Order:
    """Return what is asked for, or raise 413, 415, 400 or 422."""
    if (request.content_length or 0) > limits.feed_max_bytes:
        raise too_large(limits)
    layout = layout_of(request.headers.get(hdrs.CONTENT_TYPE, ""))
    if isinstance(layout, Unparsable):
        raise DeniedError(OF_STATUS[layout.status], layout.detail)
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if coding not in PLAIN and coding not in CODINGS:
        raise DeniedError(Kind.MEDIA_TYPE, "the content coding must be gzip or deflate, or none")
    key = request.headers.get(IDEMPOTENCY_KEY)
    query = asked(request)
    return Order(
        layout=delimited(layout, query),
        defaults=defaults_of(query),
        feed="" if key is None else checked_key(key),
        rows_per_s=number(query, "rows_per_s", limits.feed_rows_per_s_max, least=0.001),
        at_once=int(number(query, "at_once", limits.feed_rows_at_once_max, least=1)),
        coding_bits=CODINGS.get(coding),
        answers_csv=wants_csv(request.headers.get(hdrs.ACCEPT, "")),
    )


def too_large(limits: Limits) -> DeniedError:
    """Return the 413 that names the limit."""
    detail = f"a feed has {limits.feed_max_bytes} bytes at most: send it in parts"
    return DeniedError(Kind.TOO_LARGE, detail, close=True)


def asked(request: web.Request) -> dict[str, str]:
    """Return the parameters behind the question mark; 422 for one that is not known here."""
    query = dict(request.query)
    if len(query) != len(request.query) or not query.keys() <= set(PARAMETERS):
        raise bad_query("query", f"may hold once each: {', '.join(PARAMETERS)}")
    return query


def defaults_of(query: Mapping[str, str]) -> Defaults:
    """Return what holds for rows that do not say it themselves."""
    texts = {name: query[name] for name in ("campaign", "source") if query.get(name)}
    for name, text in texts.items():
        if len(text) > TEXT_LENGTH_MAX:
            raise bad_query(name, f"must have at most {TEXT_LENGTH_MAX} characters")
    test = BOOLS.get(query.get("test", "false").strip().casefold())
    if test is None:
        raise bad_query("test", "must be true or false")
    return Defaults(texts, test)


def delimited(layout: Layout, query: Mapping[str, str]) -> Layout:
    """Return the layout with the delimiter that is asked for."""
    name = query.get("delimiter")
    if name is None:
        return layout
    if layout.format is not Format.CSV or name not in DELIMITERS:
        raise bad_query("delimiter", f"must be one of {', '.join(DELIMITERS)}, and the feed CSV")
    return Layout(Format.CSV, DELIMITERS[name])


def number(query: Mapping[str, str], name: str, most: int, *, least: float) -> float:
    """Return a number within its bounds, the most where none is asked for."""
    text = query.get(name)
    if text is None:
        return float(most)
    value = float(text) if RATE.match(text) else 0.0
    if not least <= value <= most or (least == 1 and value != int(value)):
        raise bad_query(name, f"must be from {least:g} to {most}")
    return value


def wants_csv(accept: str) -> bool:
    """Tell whether the answer is to be CSV: where it is named, and nothing else liked better."""
    liked = dict(read_range(text) for text in accept.split(",")[:64])
    others = [quality for name, quality in liked.items() if name.endswith(("json", "jsonl"))]
    return liked.get(CSV, 0.0) > max(others, default=0.0)
