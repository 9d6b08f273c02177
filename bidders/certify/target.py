"""What is certified: one buyer's endpoint, as an offer of a market that only this run has."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec

from bidders.shelf import NotOnShelfError, file_of
from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import Sheet, read_sheets, read_text, sheet_of
from exchange.configuration.snapshots import Compiler, InvalidConfigurationError, Stored
from exchange.contract.mapping import MappingPart
from exchange.contract.market_file import MarketFile
from exchange.dialect.compiling import secrets_named, secrets_of_params
from exchange.domain.offer import Offer
from exchange.domain.snapshot import Snapshot
from exchange.domain.vertical import Vertical
from exchange.intake.parsing import parse
from exchange.intake.request import Request, Unparsable
from exchange.wire.endpoint import EndpointError, Method, compile_endpoint

BUYER = "certify"
SHORTEST_MS = 50
LEAD_BYTES_MAX = 1024 * 1024
SECRET_VARIABLE = "BUYER_SECRET"  # noqa: S105 - a variable's name
MEDIA_TYPES = {".xml": "application/xml", ".form": "application/x-www-form-urlencoded"}


class TargetError(ValueError):
    """The run cannot begin; the message says what to mend."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for on the command line."""

    url: str | None = None
    ping_url: str | None = None
    post_url: str | None = None
    status_url: str | None = None
    """Where it is asked about sales, with `{sale.id}` or another name in it."""
    vertical: str = "auto_insurance"
    mapping: str | None = None
    params: Mapping[str, str] = msgspec.field(default_factory=dict)
    secret: bytes | None = None
    """What calls are signed with, decoded."""
    named: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The environment, in which a mapping's secrets are looked for."""
    lead: Path | None = None
    post: bool = True
    tmax_ms: int = 300
    post_timeout_ms: int = 10_000
    max_bid: Decimal = Decimal(1000)
    price: Decimal | None = None
    """What a buyer pays whose answers name no price."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is called, and all that its calls are made of."""

    offer: Offer
    snapshot: Snapshot
    vertical: Vertical
    mapping: MappingPart | None
    lead: Request | None
    """The user's own lead, sent in every call; None: invented ones."""
    post: bool

    @property
    def foreign(self) -> bool:
        """Tell whether it is called by a mapping."""
        return self.mapping is not None

    @property
    def urls(self) -> dict[str, str]:
        """Return where it is called, by half."""
        halves = {"ping": self.offer.ping, "post": self.offer.post}
        return {half: terms.url for half, terms in halves.items() if terms is not None}

    @property
    def repeatable(self) -> bool:
        """Tell whether a post in doubt is sent again."""
        return self.offer.post is not None and self.offer.post.repeatable


def pairs_of(texts: Iterable[str]) -> dict[str, str]:
    """Return what `NAME=VALUE` texts say; raises `TargetError`."""
    pairs = [one.partition("=") for one in texts]
    for name, joint, _ in pairs:
        if not name or not joint:
            raise TargetError(f"--param is NAME=VALUE, not {name!r}")
    return {name: value for name, _, value in pairs}


def target_of(wanted: Wanted) -> Target:
    """Return what is to be certified; raises `TargetError`."""
    sheets = [sheet_at(wanted.vertical, "verticals")]
    if wanted.mapping is not None:
        sheets.append(sheet_at(wanted.mapping, "mappings"))
    mappings = sheets[-1].content.get("mapping") if wanted.mapping is not None else None
    verticals = sheets[0].content.get("vertical")
    if not verticals or not isinstance(verticals, list):
        raise TargetError(f"{sheets[0].name}: no [[vertical]] here")
    if wanted.mapping is not None and not (mappings and isinstance(mappings, list)):
        raise TargetError(f"{sheets[-1].name}: no [[mapping]] here")
    first = mappings[0] if mappings else None
    buyer = buyer_of(wanted, verticals[0].get("id"), first)
    parts: list[dict[str, Any]] = [{"vertical": verticals[:1]}, {"mapping": (mappings or [])[:1]}]
    market = read_buyer(zip(sheets, parts, strict=False), buyer)
    snapshot = compiled(wanted, market)
    [offer] = snapshot.offers.values()
    return Target(
        offer=offer,
        snapshot=snapshot,
        vertical=snapshot.verticals[offer.vertical_id],
        mapping=market.mapping[0] if market.mapping else None,
        lead=None if wanted.lead is None else request_of(wanted.lead),
        post=wanted.post and offer.post is not None,
    )


def read_buyer(
    parts: Iterable[tuple[Sheet, Mapping[str, Any]]], buyer: Mapping[str, Any]
) -> MarketFile:
    """Return the market of this buyer and these parts of files, or raise what is wrong in which.

    A file may be a whole market: all else that stands in it is nobody's business here.
    """
    files = [Sheet(sheet.name, dict(part), sheet.lines) for sheet, part in parts]
    try:
        own = Sheet("the command line", {"buyer": [buyer]}, {})
        return read_sheets([*files, own]).market
    except MarketFileError as error:
        raise TargetError("\n".join(map(str, error.findings))) from None


def buyer_of(wanted: Wanted, vertical: Any, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the buyer as a market file would have it."""
    ping_url, post_url = urls_of(wanted)
    offer: dict[str, Any] = {"id": BUYER, "vertical": vertical}
    if mapping is not None:
        offer |= {"format": mapping.get("id"), "params": dict(wanted.params)}
    elif wanted.params:
        raise TargetError("--param is for an endpoint with a --mapping")
    if ping_url is not None and (mapping is None or "ping" in mapping):
        offer["ping"] = {
            "url": checked(ping_url),
            "timeout_ms": max(SHORTEST_MS, wanted.tmax_ms),
            "max_bid": wanted.max_bid,
        }
    if post_url is not None and (mapping is None or "post" in mapping):
        offer["post"] = {
            "url": checked(post_url),
            "timeout_ms": wanted.post_timeout_ms,
            "on_no_answer": "wait",
        }
        if wanted.status_url is not None:
            offer["post"]["status"] = {"url": wanted.status_url}
    if "ping" not in offer and "post" not in offer:
        raise TargetError("there is nothing to call: name a URL, --ping-url or --post-url")
    priced = mapping is None or "price" in mapping.get("ping", {})
    if "ping" not in offer or not priced or wanted.price is not None:
        offer["price"] = wanted.price or Decimal(10)
    return {"id": BUYER, "name": "Certify", "offer": [offer]}


def urls_of(wanted: Wanted) -> tuple[str | None, str | None]:
    """Return where pings and posts go: below the one URL, or where the options say."""
    below = None if wanted.url is None else wanted.url.rstrip("/")
    ping_url = wanted.ping_url or (None if below is None else f"{below}/ping")
    post_url = wanted.post_url or (None if below is None else f"{below}/post")
    return ping_url, post_url


def checked(url: str) -> str:
    """Return an address that can be called, or raise `TargetError`."""
    try:
        compile_endpoint(url, method=get_args(Method)[1])
    except EndpointError as error:
        raise TargetError(f"{url}: {error}") from None
    return url


def sheet_at(name: str, shelf: str) -> Sheet:
    """Return a market file by its path, or one of this project's by its id."""
    try:
        path = file_of(name, shelf)
        return sheet_of(str(path), read_text(path))
    except NotOnShelfError as error:
        raise TargetError(str(error)) from None
    except MarketFileError as error:
        raise TargetError("\n".join(map(str, error.findings))) from None


def compiled(wanted: Wanted, market: MarketFile) -> Snapshot:
    """Return the market, compiled as every worker of an exchange does it."""
    stored = Stored(
        version=1,
        market=market,
        keys={},
        signing={} if wanted.secret is None else {BUYER: wanted.secret},
        credited={},
        named=named_secrets(wanted, market),
    )
    try:
        return Compiler(lambda name: name.encode().ljust(32, b"\0")).snapshot(stored)
    except InvalidConfigurationError as error:
        raise TargetError(str(error)) from None


def named_secrets(wanted: Wanted, market: MarketFile) -> dict[str, bytes]:
    """Return what the mapping names, out of the environment; raises for one that is not there."""
    found: dict[str, bytes] = {}
    params = [offer.params for buyer in market.buyer for offer in buyer.offer]
    places = [place for mapping in market.mapping for place in secrets_named(mapping)]
    places += [place for one in params for place in secrets_of_params(one)]
    for _, name in places:
        variable = f"{SECRET_VARIABLE}_{name.upper().replace('-', '_')}"
        if variable not in wanted.named:
            raise TargetError(f"the mapping needs the secret {name}: set {variable}")
        found[name] = wanted.named[variable].encode()
    return found


def request_of(path: Path) -> Request:
    """Return the lead in a file, the body of POST /v1/leads or only its fields."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path} {error.strerror or 'cannot be read'}") from None
    if len(body) > LEAD_BYTES_MAX:
        raise TargetError(f"{path} is larger than a lead may be")
    parsed = parse(body, MEDIA_TYPES.get(path.suffix.lower(), "application/json"))
    if isinstance(parsed, Unparsable):
        raise TargetError(f"{path}: {parsed.detail}")
    fields = parsed.request.fields
    return parsed.request if "lead" in fields else Request({"lead": fields})
