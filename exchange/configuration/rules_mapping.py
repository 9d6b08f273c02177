"""What must hold of mappings, by themselves and for each offer that uses them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from exchange.configuration.compiling.formats import halves_of, own_params, params_of
from exchange.configuration.compiling.offers import hidden_of
from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.draft import ELSEWHERE, Draft, Entry, OfferEntry
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.mapping import MappingPart
from exchange.contract.market.offers import STANDARD, OfferPart, PostPart
from exchange.contract.market.verticals import VerticalPart
from exchange.contract.market_file import MarketFile
from exchange.dialect.compiling import (
    Setting,
    faults_of,
    lead_names,
    ping_dialect,
    post_dialect,
    secrets_named,
    secrets_of_params,
    status_dialect,
)
from exchange.dialect.faults import DialectError
from exchange.dialect.scope import HALF_SECRET, is_half_secret
from exchange.domain.nearest import hint

Compiles = Callable[[MappingPart, Setting], object]
"""Makes one half of a dialect, or its question, or raises DialectError."""
COMPILES: dict[str, Compiles] = {
    "ping": ping_dialect,
    "post": post_dialect,
    "status": status_dialect,
}


def check_mapping(entry: Entry[MappingPart], verticals: Collection[str]) -> Iterator[Problem]:
    """Tell what is wrong with a mapping whoever uses it."""
    mapping, path = entry.part, entry.path
    if mapping.id == STANDARD:
        yield Problem((*path, "id"), f'"{STANDARD}" is the exchange\'s own format')
    for name in mapping.vertical:
        if name not in verticals:
            likely = hint(name, verticals) or ELSEWHERE
            yield Problem((*path, "vertical", name), f'there is no vertical "{name}"{likely}')
    for fault in faults_of(mapping):
        yield Problem((*path, *fault.path), fault.message, below=fault.below)


class Uses:
    """Checks offers against the mappings that they name; one fault is told for one offer."""

    def __init__(self, draft: Draft, verticals: Mapping[str, VerticalPart]) -> None:
        """Take the mappings of a market, and those of its verticals that are right."""
        self._ids = draft.ids["mapping"]
        self._entries = {entry.part.id: entry for entry in draft.mappings}
        self._broken = {
            entry.part.id for entry in draft.mappings if any(True for _ in faults_of(entry.part))
        }
        self._verticals = {name: vertical_of(part) for name, part in verticals.items()}
        self._told: set[tuple[Path, str]] = set()

    def check(self, entry: OfferEntry) -> Iterator[Problem]:
        """Tell what is wrong with an offer's format and its params."""
        offer, path = entry.part, entry.path
        named = halves_of(offer)
        yield from self._unknown(offer, (*path, "format"), named)
        used = {half: self._entries[name] for half, name in named.items() if name in self._entries}
        if all(name == STANDARD for name in named.values()):
            for name in offer.params:
                yield Problem(
                    (*path, "params", name), f'is for an offer with a mapping, not "{STANDARD}"'
                )
        elif len(used) == len({half for half, name in named.items() if name != STANDARD}):
            yield from self._params(offer, path, [one.part for one in used.values()])
        for half, mapping in used.items():
            yield from self._half(offer, path, half, mapping)

    def unread(self) -> Iterator[Problem]:
        """Warn of fields that a mapping names and no vertical has, while no offer speaks it."""
        fields = frozenset[str]().union(*map(lead_names, self._verticals.values()))
        told = {path for path, _ in self._told}
        for name, entry in self._entries.items():
            if not fields or name in self._broken:
                continue
            for fault in faults_of(entry.part, fields):
                path = (*entry.path, *fault.path)
                if path not in told:
                    yield Problem(path, fault.message, is_warning=True, below=fault.below)

    def _unknown(self, offer: OfferPart, path: Path, named: Mapping[str, str]) -> Iterator[Problem]:
        places = (
            {path: offer.format}
            if isinstance(offer.format, str)
            else {(*path, half): name for half, name in named.items()}
        )
        for place, name in places.items():
            if name != STANDARD and name not in self._ids:
                likely = hint(name, [*self._ids, STANDARD]) or ELSEWHERE
                yield Problem(place, f'there is no mapping "{name}"{likely}')

    def _half(
        self, offer: OfferPart, path: Path, half: str, entry: Entry[MappingPart]
    ) -> Iterator[Problem]:
        mapping = entry.part
        if getattr(offer, half) is None:
            return
        if getattr(mapping, half) is None:
            yield Problem((*path, half), f'mapping "{mapping.id}" has no [mapping.{half}]')
            return
        if half == "post" and offer.post is not None:
            yield from self._in_doubt(offer.post, (*path, "post"), entry.part)
            if offer.post.status is not None and mapping.status is not None:
                yield from self._compiles(offer, "status", entry)
        yield from self._compiles(offer, half, entry)

    @staticmethod
    def _in_doubt(post: PostPart, path: Path, mapping: MappingPart) -> Iterator[Problem]:
        """Tell where nobody could know what becomes of a post without an answer."""
        if post.status is not None and mapping.status is None:
            yield Problem((*path, "status"), f'mapping "{mapping.id}" has no [mapping.status]')
        if post.on_no_answer is None and not mapping.idempotent and post.status is None:
            yield Problem(
                (*path, "on_no_answer"),
                f'is missing: "wait" or "advance"? mapping "{mapping.id}" is not idempotent, '
                "so a post in doubt is not repeated, and there is no post.status to ask",
            )

    def _compiles(
        self, offer: OfferPart, half: str, entry: Entry[MappingPart]
    ) -> Iterator[Problem]:
        """Tell the faults that only this offer's vertical and params bring to light."""
        mapping, vertical = entry.part, self._verticals.get(offer.vertical)
        if vertical is None or mapping.id in self._broken:
            return
        # Whether a secret is set, the database knows.
        setting = Setting(
            vertical=vertical,
            hidden=hidden_of(offer, vertical),
            params=own_params(mapping, offer),
        )
        try:
            COMPILES[half](mapping, setting)
        except DialectError as error:
            for fault in error.faults:
                if fault.path[:1] == ("params",):
                    continue  # the offer's own, told at its place
                key = (*entry.path, *fault.path), fault.message
                if key not in self._told:
                    self._told.add(key)
                    message = f'for offer "{offer.id}": {fault.message}'
                    yield Problem(key[0], message, below=fault.below)

    @staticmethod
    def _params(offer: OfferPart, path: Path, mappings: Iterable[MappingPart]) -> Iterator[Problem]:
        known: set[str] = set()
        for mapping in {mapping.id: mapping for mapping in mappings}.values():
            params = params_of(mapping, offer)
            known |= params.keys()
            for name, value in params.items():
                if value == "" and name not in offer.params:
                    yield Problem(
                        (*path, "params"),
                        f'is without "{name}", which mapping "{mapping.id}" needs',
                    )
        for name, value in offer.params.items():
            if is_half_secret(value):
                yield Problem((*path, "params", name), HALF_SECRET)
        for name in offer.params.keys() - known:
            yield Problem(
                (*path, "params", name), f'its mapping has no parameter "{name}"{hint(name, known)}'
            )


def missing_secrets(market: MarketFile, known: frozenset[str]) -> Iterator[Problem]:
    """Tell of secrets that mappings and offers name and nobody has set, each once a part."""
    for place, named in secret_places(market):
        paths: dict[str, Path] = {}
        for path, name in named:
            paths.setdefault(name, path)
        for name, path in paths.items():
            if name not in known:
                yield Problem(
                    (*place, *path),
                    f'there is no secret "{name}"{hint(name, known)}; '
                    f"`exchange secrets set {name}` makes it",
                )


def secret_places(market: MarketFile) -> Iterator[tuple[Path, list[tuple[Path, str]]]]:
    """Yield each part of a market that may name secrets, and those that it does."""
    for index, mapping in enumerate(market.mapping):
        yield ("mapping", index), secrets_named(mapping)
    for index, buyer in enumerate(market.buyer):
        for number, offer in enumerate(buyer.offer):
            yield ("buyer", index, "offer", number), secrets_of_params(offer.params)
