"""Which market the demo plays: its files, what its sellers send, and who its buyers are.

A market is a folder of config/ or anywhere, or a single file. In a folder `traffic.toml` and
`*.traffic.toml` say what sellers send, `fleet.toml` and `*.fleet.toml` what simulated buyers are
like; all other TOML files are the market. What they do not say is invented: a feed for every seller
of every campaign, a buyer for every offer that is called.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

import bidders
from bidders.fleet.chance import LogNormal
from bidders.fleet.fleet import WEBHOOKS_PATH
from bidders.fleet.inventing import NO_FAULTS, invented
from bidders.fleet.spec import BuyerSpec, PostFault, Speaking, load
from exchange.configuration.reading import read_market
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market.offers import STANDARD, OfferPart
from exchange.contract.market.sellers import SellerPart
from exchange.contract.market_file import MarketFile
from exchange.demo.traffic import FeedPart, Traffic, joined, read_traffic
from exchange.errors import CommandError
from exchange.settings import SHIPPED

CONFIG = SHIPPED.parent
DEMO_FLEET = Path(bidders.__file__).with_name("demo.toml")
PARTS = ("verticals", "mappings", "doors")
"""Folders of config/ whose files belong to every market, but for what it declares itself."""
NO_MARKETS = frozenset(PARTS)

UNDECLARED = "demo"
"""The source of a seller that declares none."""
REFUSALS = {PostFault.REFUSING: 0.05}
SPREAD = 0.3
USUAL_PRICE = 12.0
OPEN_BOUND = 1000
"""The most that an offer may bid which says nothing of it."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run is about, before anything listens anywhere."""

    market: MarketFile
    traffic: Traffic
    buyers: tuple[BuyerSpec, ...]

    def at(self, fleet_url: str) -> MarketFile:
        """Return the market with every offer called where its simulated buyer listens.

        What sellers are told by webhook is heard there, too.
        """
        speaks = {spec.id: spec.speaks for spec in self.buyers}
        buyers = tuple(
            msgspec.structs.replace(
                buyer,
                offer=tuple(called_at(one, fleet_url, speaks.get(one.id)) for one in buyer.offer),
            )
            for buyer in self.market.buyer
        )
        sellers = tuple(told_at(seller, fleet_url) for seller in self.market.seller)
        return msgspec.structs.replace(self.market, buyer=buyers, seller=sellers)


def played(name: str, seed: int) -> Played:
    """Return the market of this name or path. Errors: CommandError, MarketFileError, SpecError."""
    folder = place_of(name)
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else [folder]
    traffics = [path for path in files if is_about("traffic", path)]
    fleets = [path for path in files if is_about("fleet", path)]
    own = [path for path in files if path not in {*traffics, *fleets}]
    if not own:
        raise CommandError(f"{folder} holds no market file")
    market = read_market((*shipped(own), *own)).market
    if folder == CONFIG / "demo":
        fleets.append(DEMO_FLEET)
    said = [spec for path in fleets for spec in load(path).buyer]
    traffic = joined(map(read_traffic, traffics))
    return Played(
        market=market,
        traffic=msgspec.structs.replace(traffic, feed=(*traffic.feed, *unsaid(traffic, market))),
        buyers=(*said, *strangers(market, {spec.id for spec in said}, seed)),
    )


def place_of(name: str) -> Path:
    """Return the folder, or the file, that a name means."""
    known = CONFIG / name
    if "/" not in name and name not in NO_MARKETS and known.is_dir():
        return known
    path = Path(name)
    if path.is_dir() or path.is_file():
        return path
    markets = sorted(p.name for p in CONFIG.iterdir() if p.is_dir() and p.name not in NO_MARKETS)
    raise CommandError(f"there is no market {name!r}: a path, or one of {', '.join(markets)}")


def is_about(what: str, path: Path) -> bool:
    """Tell whether a file says `what`, by its name."""
    return path.name == f"{what}.toml" or path.name.endswith(f".{what}.toml")


def shipped(own: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return the files of all verticals, mappings and doors that these files do not declare."""
    declared = {name for path in own for name in ids_in(path)}
    files = (path for part in PARTS for path in sorted((CONFIG / part).glob("*.toml")))
    return tuple(path for path in files if not declared & set(ids_in(path)))


def ids_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the verticals, mappings and doors that a file declares; none of what is no TOML."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return  # whoever reads the market tells what is wrong
    for kind in ("vertical", "mapping", "door"):
        for part in raw.get(kind, ()):
            if isinstance(part, dict) and "id" in part:
                yield kind, str(part["id"])


def unsaid(traffic: Traffic, market: MarketFile) -> Iterator[FeedPart]:
    """Yield a feed for each seller of each campaign that no traffic is told of."""
    told = {feed.campaign for feed in traffic.feed}
    share = 1.0 if not told else sum(feed.share for feed in traffic.feed) / len(told)
    sources = {
        seller.id: [source.id for source in seller.source if not source.paused]
        for seller in market.seller
    }
    for campaign in market.campaign:
        if campaign.id in told:
            continue
        for seller in sellers_of(campaign):
            source = (sources.get(seller) or [UNDECLARED])[0]
            part = share / len(campaign.sellers)
            yield FeedPart(seller=seller, source=source, campaign=campaign.id, share=part)


def sellers_of(campaign: CampaignPart) -> list[str]:
    """Return who may post into a campaign."""
    return [one if isinstance(one, str) else one.id for one in campaign.sellers]


def strangers(market: MarketFile, known: set[str], seed: int) -> Iterator[BuyerSpec]:
    """Yield a simulated buyer for every offer that is called and that no fleet is told of."""
    for buyer in market.buyer:
        for offer in buyer.offer:
            if offer.id not in known and (offer.ping or offer.post):
                yield stranger(offer, seed)


def stranger(offer: OfferPart, seed: int) -> BuyerSpec:
    """Return a buyer that bids about what its offer pays, and refuses a post now and then."""
    ping = offer.ping
    bound = float(ping.max_bid) if ping is not None else OPEN_BOUND
    usual = float(offer.price) if offer.price else min(USUAL_PRICE, bound / 2)
    least = float(offer.floor)
    middle = min(max(usual, 1.2 * least, 0.01), bound)
    return msgspec.structs.replace(
        invented(offer.id, seed, NO_FAULTS, None),
        vertical=offer.vertical,
        price=LogNormal(median=middle, spread=SPREAD, high=bound),
        bids=0.9,
        post_faults=REFUSALS,
    )


def called_at(offer: OfferPart, fleet_url: str, speaks: Speaking | None) -> OfferPart:
    """Return the offer with its calls at its simulated buyer, in words which that one knows."""
    changes: dict[str, Any] = {}
    for kind in ("ping", "post"):
        terms = getattr(offer, kind)
        if terms is not None:
            url = f"{fleet_url}/{offer.id}/{kind}"
            changes[kind] = msgspec.structs.replace(terms, url=url)
    if offer.post is not None and offer.post.status is not None:
        url = f"{fleet_url}/{offer.id}/status/{{sale.id}}"
        status = msgspec.structs.replace(offer.post.status, url=url)
        changes["post"] = msgspec.structs.replace(changes["post"], status=status)
    if offer.notices is not None:
        url = f"{fleet_url}/{offer.id}/notices"
        changes["notices"] = msgspec.structs.replace(offer.notices, url=url)
    if speaks is Speaking.STANDARD and offer.format != STANDARD:
        changes |= {"format": STANDARD, "params": {}}
    return msgspec.structs.replace(offer, **changes)


def told_at(seller: SellerPart, fleet_url: str) -> SellerPart:
    """Return the seller with its webhook at the fleet, which hears it for all of them."""
    if seller.webhook is None:
        return seller
    webhook = msgspec.structs.replace(seller.webhook, url=fleet_url + WEBHOOKS_PATH)
    return msgspec.structs.replace(seller, webhook=webhook)


def profile(buyers: Sequence[BuyerSpec]) -> bytes:
    """Return a fleet as a file that `bidders fleet --profile` reads."""
    return msgspec.json.encode({"buyer": [finite(msgspec.to_builtins(one)) for one in buyers]})


def finite(value: Any) -> Any:
    """Return the value without numbers that have no end, which JSON does not know."""
    if isinstance(value, dict):
        return {
            key: finite(inner)
            for key, inner in value.items()
            if not isinstance(inner, float) or isfinite(inner)
        }
    return value
