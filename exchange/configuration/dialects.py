"""The dialects of a market's offers, compiled; what did not change is not compiled again."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from exchange.configuration.compiling.formats import halves_of, own_params
from exchange.configuration.compiling.offers import hidden_of
from exchange.configuration.objects import encode
from exchange.contract.mapping import MappingPart
from exchange.contract.market.offers import STANDARD, OfferPart
from exchange.dialect.compiling import (
    Setting,
    ping_dialect,
    post_dialect,
    secrets_named,
    secrets_of_params,
    status_dialect,
)
from exchange.dialect.faults import Path
from exchange.domain.dialect import PingDialect, PostDialect, StatusDialect
from exchange.domain.vertical import Vertical

D = TypeVar("D")

Halves = tuple[PingDialect | None, PostDialect | None, StatusDialect | None]
"""How an offer's endpoints speak."""


Likeness = tuple[str, str, frozenset[str], bytes]
"""What two offers of one market have to have in common to speak alike."""


class Basis(NamedTuple):
    """All that one half of an offer's dialect is made of."""

    mapping: str
    """As it is stored: two that are equal say the same in the same order."""
    vertical: Vertical
    hidden: frozenset[str]
    params: bytes
    """As JSON: yes and 1 are two values there."""
    secrets: Mapping[str, bytes]

    @property
    def likeness(self) -> Likeness:
        """Return what tells this from any other basis of the same market."""
        return self.mapping, self.vertical.id, self.hidden, self.params


class Kept(Generic[D]):
    """One half of all offers' dialects, with what each was made of."""

    def __init__(self, make: Callable[[MappingPart, Setting], D]) -> None:
        """Take what compiles a half."""
        self._make = make
        self._former: dict[Likeness, tuple[Basis, D]] = {}
        self._present: dict[Likeness, tuple[Basis, D]] = {}

    def begin(self) -> None:
        """Begin a new market: what none of its offers asks for again is forgotten with the next."""
        self._former, self._present = self._present, {}

    def of(self, offer: OfferPart, mapping: MappingPart, basis: Basis) -> D:
        """Return the half, compiled where anything that it is made of has changed.

        Offers that are made of the same share it.
        """
        likeness = basis.likeness
        former = self._present.get(likeness) or self._former.get(likeness)
        if former is None or former[0] != basis:
            setting = Setting(
                vertical=basis.vertical,
                hidden=basis.hidden,
                params=own_params(mapping, offer),
                secrets=basis.secrets,
            )
            former = basis, self._make(mapping, setting)
        self._present[likeness] = former
        return former[1]


class Dialects:
    """Knows for each offer how its endpoints speak."""

    def __init__(self) -> None:
        self._pings: Kept[PingDialect] = Kept(ping_dialect)
        self._posts: Kept[PostDialect] = Kept(post_dialect)
        self._statuses: Kept[StatusDialect] = Kept(status_dialect)
        self._mappings: dict[str, MappingPart] = {}
        self._texts: dict[str, str] = {}
        self._named: dict[str, list[tuple[Path, str]]] = {}
        self._secrets: Mapping[str, bytes] = {}

    def begin(self, mappings: Iterable[MappingPart], secrets: Mapping[str, bytes]) -> None:
        """Take the mappings of a new market and the secrets that they name."""
        self._pings.begin()
        self._posts.begin()
        self._statuses.begin()
        self._mappings = {mapping.id: mapping for mapping in mappings}
        self._texts = {name: encode(mapping) for name, mapping in self._mappings.items()}
        self._named = {name: secrets_named(mapping) for name, mapping in self._mappings.items()}
        self._secrets = secrets

    def of(self, offer: OfferPart, vertical: Vertical) -> Halves:
        """Return ping, post and status, None where the exchange's own format is spoken.

        Raises KeyError where a mapping or a secret is not there, DialectError where they do not
        fit.
        """
        named = halves_of(offer)
        ping = post = status = None
        if offer.ping is not None and named["ping"] != STANDARD:
            mapping = self._mappings[named["ping"]]
            ping = self._pings.of(offer, mapping, self._basis(mapping, offer, vertical))
        if offer.post is not None and named["post"] != STANDARD:
            mapping = self._mappings[named["post"]]
            basis = self._basis(mapping, offer, vertical)
            post = self._posts.of(offer, mapping, basis)
            if offer.post.status is not None:
                status = self._statuses.of(offer, mapping, basis)
        return ping, post, status

    def _basis(self, mapping: MappingPart, offer: OfferPart, vertical: Vertical) -> Basis:
        named = self._named[mapping.id] + secrets_of_params(offer.params)
        return Basis(
            self._texts[mapping.id],
            vertical,
            hidden_of(offer, vertical),
            msgspec.json.encode(offer.params),
            {name: self._secrets[name] for _, name in named},
        )
