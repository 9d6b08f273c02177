"""One auction: every eligible offer is asked at once, and each gets exactly one result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from exchange.auction.bids import NotABid, read_bid, read_foreign_bid
from exchange.auction.foreign import Terms, foreign_request, view_of
from exchange.auction.ping import PingIds
from exchange.auction.racing import Racer, Racing
from exchange.auction.speaking import Round, Speaker, hashes
from exchange.auction.tender import AuctionResult, Tender, dialect_of, result_of
from exchange.domain import anonymize
from exchange.domain.bid import Bid, Contender
from exchange.domain.dialect import Heard
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import Endpoint

SPEAKERS_MAX = 20_000
"""Offers whose pings are prepared at most; those that the market names no more go with the rest."""


class Calls(Protocol):
    """Who carries calls to the buyers."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send every call at once; when this returns, each has its outcome."""


class Endpoints(Protocol):
    """Who prepares endpoints."""

    def of(self, url: str) -> Endpoint:
        """Return where the exchange's own format is spoken."""

    def speaking(self, url: str, method: str, headers: Mapping[str, str]) -> Endpoint:
        """Return where another one is."""


class Admission(Protocol):
    """Who knows how an offer's endpoint fares."""

    def admit(self, offer: Offer) -> Reason | None:
        """Say why this offer may not be called now, or None and count the call as under way."""

    def network_ms(self, offer: Offer) -> float:
        """Estimate how much of a call's time the network takes (95th percentile)."""

    def ended(self, offer: Offer, call: Call, *, sound: bool) -> None:
        """Count a call that ended, once; `sound` where its answer could be used."""


class AuctionLimits(msgspec.Struct, frozen=True):
    """How little time is too little."""

    enforced_min_ms: float = 10.0
    """An offer that would have less than this to answer is not pinged."""
    preparation_ms: float = 1.0
    """The exchange's own part of a call's time, taken off what the buyer is told."""


class Auction:
    """Asks offers and ranks their bids; knows nothing of holds, money or persons."""

    def __init__(  # noqa: PLR0913 - the edges of an auction, each of its own kind
        self,
        wire: Calls,
        admission: Admission,
        endpoints: Endpoints,
        *,
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
        limits: AuctionLimits,
        racing: Racing | None = None,
    ) -> None:
        """Take the wire, the health of offers, prepared endpoints, time and chance.

        Without `racing` no auction ends before all have answered or time is up.
        """
        self._racer = None if racing is None else Racer(racing, monotonic, self._read)
        self._wire = wire
        self._admission = admission
        self._endpoints = endpoints
        self._monotonic = monotonic
        self._entropy = entropy
        self._limits = limits
        self._speakers: dict[str, Speaker] = {}

    async def run(self, tender: Tender) -> AuctionResult:
        """Ask every contender; return when all answered or time is up, never later."""
        deadline_at = self._monotonic() + tender.timeout_ms / 1000
        calls = self._calls(tender)
        if tender.closing is not None and self._racer is not None and calls:
            return await self._racer.run(tender, tender.closing, calls, deadline_at)
        try:
            if calls:
                await self._wire.fan_out(calls, deadline_at)
        finally:  # cancelled or not: whoever was admitted has ended
            for call in calls:
                self._read(call)
        return result_of(tender, calls)

    def _calls(self, tender: Tender) -> list[Call]:
        """Prepare one call for every contender that is asked; the others bid their static price."""
        ids = PingIds(tender.at_us, self._entropy(10))
        source = tender.seller_id, tender.source_id
        round_ = Round(tender.showing, source, tender.fingerprint, tender.hashed, tender.at_us)
        calls: list[Call] = []
        for number, contender in enumerate(tender.contenders):
            offer = contender.offer
            if offer.ping is None:
                self._compete_unasked(contender)
                continue
            enforced_ms = min(offer.ping.timeout_ms, tender.timeout_ms)
            if enforced_ms < self._limits.enforced_min_ms:
                contender.reason = Reason.TOO_LATE_TO_PING
                contender.detail = f"{enforced_ms:.0f} ms left"
                continue
            tmax_ms = self._tmax_ms(offer, enforced_ms)
            refused = self._admission.admit(offer)
            if refused is not None:
                contender.reason = refused
                continue
            contender.ping_id = ping_id = ids.number(number)
            if offer.ping.dialect is not None:
                call = self._foreign_call(tender, contender, ping_id, tmax_ms)
            else:
                speaker = self._speaker(offer, offer.ping.url)
                request = speaker.request(
                    round_, ping_id, contender.floor, int(tmax_ms), contender.buyers_max
                )
                # Positional, as all that is made for every ping: names cost more.
                call = Call(speaker.endpoint, request, enforced_ms, True, contender)
            calls.append(call)
            contender.pinged = True
        return calls

    def _speaker(self, offer: Offer, url: str) -> Speaker:
        """Return who makes this offer's pings; one that the market has changed is made anew."""
        speaker = self._speakers.get(offer.id)
        if speaker is None or speaker.offer is not offer:
            if len(self._speakers) >= SPEAKERS_MAX:
                self._speakers.clear()
            speaker = self._speakers[offer.id] = Speaker(offer, self._endpoints.of(url))
        return speaker

    def _foreign_call(
        self, tender: Tender, contender: Contender, ping_id: str, tmax_ms: float
    ) -> Call:
        ping = contender.offer.ping
        assert ping is not None, "only offers with a ping are asked"
        assert ping.dialect is not None, "a foreign call is made in a dialect"
        offer = contender.offer
        terms = Terms(
            ping_id=ping_id,
            floor=contender.floor,
            tmax_ms=int(tmax_ms),
            max_buyers=contender.buyers_max,
            source_id=anonymize.source_alias(tender.seller_id, tender.source_id, offer),
            at_us=tender.at_us,
        )
        known = hashes(tender.hashed, tender.fingerprint, offer)
        view = view_of(tender.showing, offer, known, terms)
        endpoint = self._endpoints.speaking(ping.url, ping.dialect.method, ping.dialect.headers)
        return Call(
            endpoint=endpoint,
            request=foreign_request(endpoint, ping.url, ping.dialect, view),
            timeout_ms=min(ping.timeout_ms, tender.timeout_ms),
            repeatable=True,
            tag=contender,
        )

    def _tmax_ms(self, offer: Offer, enforced_ms: float) -> float:
        """Return the time that the buyer really has: what is enforced less all that is not its.

        The network is granted half at most: an estimate made in a bad moment must not shut a
        buyer out, for without pings nothing would ever correct it.
        """
        network_ms = min(self._admission.network_ms(offer), enforced_ms / 2)
        return enforced_ms - network_ms - self._limits.preparation_ms

    @staticmethod
    def _compete_unasked(contender: Contender) -> None:
        if contender.static_price is None:
            contender.reason = Reason.NO_BID
            contender.detail = "neither a ping nor a price for this lead"
        else:
            offer = contender.offer
            alone = offer.exclusive_price if contender.buyers_max > 1 else None
            contender.bid = Bid(
                offer=offer, price=contender.static_price, exclusive_price=alone or None
            )

    def _read(self, call: Call) -> None:
        """Turn one ended call into its offer's one result."""
        result: Contender = call.tag
        offer = result.offer
        result.ms = round(call.took_ms, 3)
        if call.outcome is not Outcome.ANSWERED:
            result.reason = NOT_ANSWERED[call.outcome]
            result.detail = str(call.detail) or None
            if call.outcome is Outcome.THROTTLED:  # it never left the house
                result.pinged, result.ms = False, None
            self._admission.ended(offer, call, sound=False)
            return
        try:
            bid = _bid(call, result)
        except Exception:  # noqa: BLE001 - the one place: nothing that a buyer sends hurts the others
            bid = NotABid(Reason.INVALID_BID, "could not be read")
        if isinstance(bid, NotABid):
            result.reason, result.detail = bid.reason, bid.detail
        else:
            result.bid = bid
        self._admission.ended(offer, call, sound=result.reason is not Reason.INVALID_BID)


def _bid(call: Call, asked: Contender) -> Bid | NotABid:
    dialect = dialect_of(asked.offer)
    if dialect is None:
        return read_bid(call.status, call.body, asked)
    return read_foreign_bid(Heard(call.status, call.head, call.body), dialect, asked)


NOT_ANSWERED: dict[Outcome, Reason] = {
    Outcome.TIMEOUT: Reason.TIMEOUT,
    Outcome.ABANDONED: Reason.TIMEOUT,
    Outcome.UNREACHABLE: Reason.UNREACHABLE,
    Outcome.BROKEN: Reason.UNREACHABLE,
    Outcome.OVERSIZE: Reason.INVALID_BID,
    Outcome.BAD_HTTP: Reason.INVALID_BID,
    Outcome.THROTTLED: Reason.THROTTLED,
}
"""A ping that broke after it was sent is unreachable: nothing was promised by it."""
