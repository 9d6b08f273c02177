"""One offer's pings in the exchange's own format: what is alike in all of them is made once.

A ping is some few joins of bytes that are there already: what the offer always says, what all
pings of one auction say, and between them what is this ping's alone.
"""

from binascii import b2a_base64, hexlify
from collections.abc import Sequence

from exchange.auction.ping import Showing, own_source, own_tail, shared_part
from exchange.domain import anonymize
from exchange.domain.keyed import prepared
from exchange.domain.lead import Fingerprint
from exchange.domain.money import Micros, to_text
from exchange.domain.offer import HashKind, Offer
from exchange.wire.endpoint import Endpoint
from exchange.wire.signature import ID, SIGNATURE, STAMP

Origin = tuple[str, str, str | None]
"""Seller, source and channel."""

ORIGINS_MAX = 256
"""So many sources' names are remembered for one offer."""


class Round:
    """What the pings of one auction have in common."""

    __slots__ = (
        "at",
        "digests",
        "end",
        "fingerprint",
        "hashed",
        "origin",
        "shared",
        "showing",
        "stamp",
        "terms",
    )

    def __init__(
        self,
        showing: Showing,
        source: tuple[str, str],
        fingerprint: Fingerprint,
        hashed: Sequence[str],
        at_us: int,
    ) -> None:
        """Take what is shown, its seller and source, and the fields that are shown as a hash."""
        self.showing = showing
        self.origin: Origin = (*source, showing.channel)
        self.fingerprint = fingerprint
        self.hashed = hashed
        self.shared: dict[frozenset[str], bytes] = {}
        self.terms: dict[tuple[Micros, int, int], bytes] = {}
        at_s = at_us // 1_000_000
        self.at = b".%d." % at_s
        self.stamp = b"%b%d%b" % (STAMP, at_s, SIGNATURE)
        known = [name for name in hashed if name in fingerprint.sha256]
        self.digests = [
            (b'%b,"%b_hash":"' % (b'"' if number else b"", name.encode()), digest.encode())
            for number, name in enumerate(known)
            for digest in [fingerprint.sha256[name]]
        ]
        """What stands before each keyed hash, and what it is made of."""
        self.end = b'"}}' if known else b"}}"

    def shared_of(self, hidden: frozenset[str]) -> bytes:
        """Return what offers with these hidden fields are shown."""
        shared = self.shared[hidden] = shared_part(self.showing, hidden)
        return shared

    def terms_of(self, floor: Micros, tmax_ms: int, buyers_max: int) -> bytes:
        """Return what stands between a ping's id and its source."""
        terms = self.terms[floor, tmax_ms, buyers_max] = (
            f'","auction":{{"type":"{self.showing.price_rule.value}","floor":{to_text(floor)},'
            f'"currency":"{self.showing.currency}","tmax_ms":{tmax_ms},'
            f'"max_buyers":{buyers_max}}},'
        ).encode()
        return terms


class Speaker:
    """Makes one offer's pings; a market's next version of the offer has its own."""

    __slots__ = ("endpoint", "hashing", "hidden", "offer", "signing", "sources")

    def __init__(self, offer: Offer, endpoint: Endpoint) -> None:
        """Take the offer, and where it is asked."""
        self.offer = offer
        self.endpoint = endpoint
        self.hidden = offer.hidden
        plain = offer.hash_kind is HashKind.KEYED and offer.hash_key and not offer.hidden
        self.hashing = prepared(offer.hash_key) if plain else None
        """None: which hashes it sees, and of what kind, is looked up."""
        self.signing = None if offer.secret is None else prepared(offer.secret)
        self.sources: dict[Origin, bytes] = {}

    def request(
        self, round_: Round, ping_id: str, floor: Micros, tmax_ms: int, buyers_max: int = 1
    ) -> bytes:
        """Return a whole ping, signed where this buyer's calls are."""
        name = ping_id.encode()
        shared = round_.shared.get(self.hidden) or round_.shared_of(self.hidden)
        terms = round_.terms.get((floor, tmax_ms, buyers_max))
        if terms is None:
            terms = round_.terms_of(floor, tmax_ms, buyers_max)
        source = self.sources.get(round_.origin) or self._source(round_.origin)
        parts = [b'{"ping_id":"', name, terms, source, shared]
        if self.hashing is None:
            parts.append(own_tail(self._hashes(round_)))
        else:
            for before, digest in round_.digests:
                state = self.hashing.copy()
                state.update(digest)
                parts += before, hexlify(state.finalize())
            parts.append(round_.end)
        body = b"".join(parts)
        if self.signing is None:
            return self.endpoint.request(body)
        state = self.signing.copy()
        state.update(b"".join((name, round_.at, body)))
        signature = b2a_base64(state.finalize(), newline=False)
        lines = b"".join((ID, name, round_.stamp, signature, b"\r\n"))
        return self.endpoint.request(body, headers=lines)

    def _source(self, origin: Origin) -> bytes:
        """Return the source under the name by which this buyer knows it."""
        seller_id, source_id, channel = origin
        alias = anonymize.source_alias(seller_id, source_id, self.offer)
        if len(self.sources) >= ORIGINS_MAX:
            self.sources.clear()
        source = self.sources[origin] = own_source(alias, channel)
        return source

    def _hashes(self, round_: Round) -> dict[str, str]:
        return hashes(round_.hashed, round_.fingerprint, self.offer)


def hashes(hashed: Sequence[str], fingerprint: Fingerprint, offer: Offer) -> dict[str, str]:
    """Return the person's digests by field, as this offer may see them."""
    known: dict[str, str] = {}
    for name in hashed:
        digest = anonymize.person_hash(fingerprint, name, offer)
        if digest is not None:
            known[name] = digest
    return known
