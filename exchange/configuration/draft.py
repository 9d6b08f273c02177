"""A market as it was read: the parts that have the right shape, and what is wrong with the rest.

A part that is misshapen is left out of further checks, but its id stays known, so that one mistake
is told once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.configuration.shape import misfits, shape_of
from exchange.contract.door import DoorPart
from exchange.contract.mapping import MappingPart
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market.offers import OfferPart
from exchange.contract.market.sellers import SellerPart
from exchange.contract.market.verticals import VerticalPart
from exchange.contract.market_file import MarketFile
from exchange.contract.parts import Part
from exchange.domain.nearest import hint

P = TypeVar("P", bound=Part)

Raw = Mapping[str, Any]
"""What a parser made of TOML or JSON, its numbers exact."""


class Entry(msgspec.Struct, Generic[P], frozen=True):
    """One part with its place."""

    path: Path
    part: P


class OfferEntry(msgspec.Struct, frozen=True):
    """An offer with its place, and its buyer unless that is misshapen."""

    path: Path
    part: OfferPart
    buyer: BuyerPart | None


class Draft(msgspec.Struct, frozen=True):
    """The well-shaped parts of a market, and every id that was declared."""

    verticals: tuple[Entry[VerticalPart], ...]
    sellers: tuple[Entry[SellerPart], ...]
    mappings: tuple[Entry[MappingPart], ...]
    doors: tuple[Entry[DoorPart], ...]
    buyers: tuple[Entry[BuyerPart], ...]
    """Without their offers."""
    offers: tuple[OfferEntry, ...]
    campaigns: tuple[Entry[CampaignPart], ...]
    ids: dict[str, frozenset[str]]
    """By kind: one of `KINDS`."""


def draft_of(raw: Raw) -> tuple[Draft, list[Problem]]:
    """Return what has the right shape, and all the misfits of the rest."""
    problems = list(misfits(raw, shape_of(MarketFile), ()))
    broken = {problem.path for problem in problems}
    objects = list(_objects(raw))
    problems += _repeated((kind, path, value) for kind, path, value in objects)
    buyers = {
        path: _converted(value, BuyerPart, path, broken, but="offer")
        for kind, path, value in objects
        if kind == "buyer"
    }
    ids: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for kind, _, value in objects:
        if isinstance(value.get("id"), str):
            ids[kind].add(value["id"])
    return (
        Draft(
            verticals=tuple(_entries("vertical", VerticalPart, objects, broken)),
            sellers=tuple(_entries("seller", SellerPart, objects, broken)),
            mappings=tuple(_entries("mapping", MappingPart, objects, broken)),
            doors=tuple(_entries("door", DoorPart, objects, broken)),
            buyers=tuple(Entry(path, part) for path, part in buyers.items() if part is not None),
            offers=tuple(
                OfferEntry(entry.path, entry.part, buyers[entry.path[:2]])
                for entry in _entries("offer", OfferPart, objects, broken)
            ),
            campaigns=tuple(_entries("campaign", CampaignPart, objects, broken)),
            ids={kind: frozenset(found) for kind, found in ids.items()},
        ),
        problems,
    )


KINDS = ("vertical", "seller", "mapping", "door", "buyer", "offer", "campaign")


ELSEWHERE = "; if another file has it, name that, too: the files of one call are the whole market"
"""Most likely what nobody misspelt stands in a file that was left out."""


def unknown(kind: str, name: str, draft: Draft, path: Path) -> Iterator[Problem]:
    """Tell of a reference to what is not in the market."""
    if name not in draft.ids[kind]:
        meant = hint(name, draft.ids[kind]) or ELSEWHERE
        yield Problem(path, f'there is no {kind} "{name}"{meant}')


def _objects(raw: Raw) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Return every table that has an id of its own, whatever is in it."""
    for kind in KINDS:
        for path, value in _tables(raw.get(kind), (kind,)):
            yield kind, path, value
            if kind == "buyer":
                for inner, offer in _tables(value.get("offer"), (*path, "offer")):
                    yield "offer", inner, offer


def _tables(found: object, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(found, list):
        for index, value in enumerate(found):
            if isinstance(value, dict):
                yield (*path, index), value


def _repeated(objects: Iterable[tuple[str, Path, dict[str, Any]]]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], Path] = {}
    for kind, path, value in objects:
        name = value.get("id")
        if not isinstance(name, str):
            continue
        place = (*path, "id")
        first = seen.setdefault((kind, name), place)
        if first != place:
            yield Problem(place, f'there is another {kind} "{name}"', other=first)


def _entries(
    kind: str,
    part: type[P],
    objects: Iterable[tuple[str, Path, dict[str, Any]]],
    broken: set[Path],
) -> Iterator[Entry[P]]:
    for found, path, value in objects:
        if found == kind:
            converted = _converted(value, part, path, broken)
            if converted is not None:
                yield Entry(path, converted)


def _converted(
    value: dict[str, Any], part: type[P], path: Path, broken: set[Path], but: str | None = None
) -> P | None:
    """Return the part, or None where anything in it, but one key, is misshapen."""
    depth = len(path)
    inside = [wrong for wrong in broken if wrong[:depth] == path]
    if any(wrong[depth : depth + 1] != (but,) for wrong in inside):
        return None
    return msgspec.convert({key: inner for key, inner in value.items() if key != but}, part)
