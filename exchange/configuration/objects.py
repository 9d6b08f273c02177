"""A market as the objects that it is stored as: one row each, so that each has its own history."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

import msgspec

from exchange.contract.door import DoorPart
from exchange.contract.mapping import MappingPart
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market.offers import OfferPart
from exchange.contract.market.sellers import SellerPart
from exchange.contract.market.verticals import VerticalPart
from exchange.contract.market_file import MarketFile
from exchange.contract.parts import Id, Part

Key = tuple[str, str]
"""Kind and id."""


class OfferObject(OfferPart, frozen=True, kw_only=True):
    """An offer that stands by itself and so names its buyer."""

    buyer: Id


class Object(msgspec.Struct, frozen=True):
    """One object and its place among those of its kind."""

    position: int
    part: Part


TYPES: dict[str, type[Part]] = {
    "vertical": VerticalPart,
    "seller": SellerPart,
    "mapping": MappingPart,
    "door": DoorPart,
    "buyer": BuyerPart,
    "offer": OfferObject,
    "campaign": CampaignPart,
}

GAP = 1 << 10
"""Between the positions of neighbours, so that something new fits in without moving the others."""

ENDLESS = 1 << 60
"""After the last object there is room for any number."""

P = TypeVar("P", bound=Part)

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODERS = {kind: msgspec.json.Decoder(part, float_hook=Decimal) for kind, part in TYPES.items()}
"""The hook keeps the numbers of a mapping's own JSON exact; all others have a type that is."""


def encode(part: Part) -> str:
    """Return an object as it is stored: JSON with exact numbers, without defaults."""
    return _ENCODER.encode(part).decode()


def decode(kind: str, body: str | bytes) -> Part:
    """Return a stored object; raise msgspec.ValidationError where this version cannot read it."""
    return _DECODERS[kind].decode(body)


def same(one: Part, other: Part) -> bool:
    """Tell whether two parts say the same; foreign words also in the same order and spelling."""
    if isinstance(one, MappingPart | DoorPart):
        # Whoever hears us reads a form from top to bottom, and 9.00 is not 9 to everybody.
        return one == other and encode(one) == encode(other)
    return one == other


def parts_of(market: MarketFile) -> dict[Key, Part]:
    """Return a market's objects in the order of its file."""
    parts: dict[Key, Part] = {}
    for vertical in market.vertical:
        parts["vertical", vertical.id] = vertical
    for seller in market.seller:
        parts["seller", seller.id] = seller
    for mapping in market.mapping:
        parts["mapping", mapping.id] = mapping
    for door in market.door:
        parts["door", door.id] = door
    for buyer in market.buyer:
        parts["buyer", buyer.id] = msgspec.structs.replace(buyer, offer=())
        for offer in buyer.offer:
            parts["offer", offer.id] = offer_object(offer, buyer.id)
    for campaign in market.campaign:
        parts["campaign", campaign.id] = campaign
    return parts


def offer_object(offer: OfferPart, buyer: str) -> OfferObject:
    """Return an offer with the name of its buyer."""
    return OfferObject(buyer=buyer, **msgspec.structs.asdict(offer))


def offer_part(offer: OfferObject) -> OfferPart:
    """Return an offer as it stands below its buyer."""
    values = msgspec.structs.asdict(offer)
    del values["buyer"]
    return OfferPart(**values)


def market_of(objects: Mapping[Key, Object]) -> MarketFile:
    """Return the market that these objects are, in their order."""
    ordered = [entry.part for entry in sorted(objects.values(), key=lambda entry: entry.position)]
    offers: dict[str, list[OfferPart]] = {}
    for offer in _only(ordered, OfferObject):
        offers.setdefault(offer.buyer, []).append(offer_part(offer))
    return MarketFile(
        vertical=_only(ordered, VerticalPart),
        seller=_only(ordered, SellerPart),
        mapping=_only(ordered, MappingPart),
        door=_only(ordered, DoorPart),
        buyer=tuple(
            msgspec.structs.replace(buyer, offer=tuple(offers.get(buyer.id, ())))
            for buyer in _only(ordered, BuyerPart)
        ),
        campaign=_only(ordered, CampaignPart),
    )


def _only(parts: Iterable[Part], kind: type[P]) -> tuple[P, ...]:
    return tuple(part for part in parts if type(part) is kind)


def positions(wanted: Iterable[Key], present: Mapping[Key, int]) -> dict[Key, int]:
    """Return a position for each key, rising in this order; as many as can keep the one they have.

    Of those that are present already the ones stay that rise anyway; the others, and what is new,
    are spread over the room between them, and if there is too little, all are numbered anew.
    """
    keys = list(wanted)
    kept: dict[Key, int] = {}
    last = 0
    for key in keys:
        if present.get(key, 0) > last:
            kept[key] = last = present[key]
    found: dict[Key, int] = {}
    last = 0
    for key, (end, count) in zip(keys, _rooms(keys, kept), strict=True):
        last = kept[key] if key in kept else last + min(GAP, (end - last) // (count + 1))
        found[key] = last
    if any(one >= other for one, other in pairwise([0, *found.values()])):
        return {key: index * GAP for index, key in enumerate(keys, 1)}
    return found


def _rooms(keys: list[Key], kept: Mapping[Key, int]) -> list[tuple[int, int]]:
    """Return for each key the next position that stays, and how many need a new one before it."""
    rooms: list[tuple[int, int]] = []
    end, count = ENDLESS, 0
    for key in reversed(keys):
        count = 0 if key in kept else count + 1
        rooms.append((end, count))
        end = kept.get(key, end)
    return rooms[::-1]
