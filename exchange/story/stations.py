"""What the story stands on: each station by the few methods that the story calls."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from exchange.auction.tender import AuctionResult, Tender
from exchange.delivery.answer import Accepted, Refused
from exchange.delivery.asking import Question
from exchange.delivery.delivery import Delivered, Parcel
from exchange.domain.caps import Hold, HoldRefused, Used
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.lead import Fingerprint, Lead
from exchange.domain.lessons import Lessons, nothing_learned
from exchange.domain.moment import Moment
from exchange.domain.money import Micros
from exchange.domain.notice import Notice
from exchange.domain.offer import Offer
from exchange.domain.quote import Quote
from exchange.domain.reason import Reason
from exchange.domain.turns import Turn
from exchange.domain.vertical import Vertical
from exchange.story.deciding import no_word, nobody_tells
from exchange.story.fencing import Written


class Ledger(Written, Protocol):
    """The truth."""

    async def is_used(self, lead_id: LeadId) -> bool:
        """Tell whether a quote cannot be posted any more."""

    def commit(self, moment: Moment) -> Awaitable[bool]:
        """Write the moment durably; False where somebody else has its number."""


class Market(Protocol):
    """Claims, caps and holds."""

    epoch: str
    """Of which market state what is held now is: another one, and it may have been lost."""

    async def claim(self, claim: Claim) -> LeadId | None:
        """Claim all keys while the lead is being sold, or say which lead has one of them."""

    async def look_up(self, claim: Claim) -> LeadId | None:
        """Say which lead has one of the keys; claim nothing."""

    def keep_claim(self, claim: Claim) -> Awaitable[None]:
        """Let the claim hold for its whole window: its lead was sold."""

    def unclaim(self, claim: Claim) -> Awaitable[None]:
        """Give back what this lead claimed."""

    async def quoted(self, seller_id: str, digest: bytes) -> bytes | None:
        """Return what was kept of a seller's quote for this ping, while that holds."""

    async def keep_quote(self, seller_id: str, digest: bytes, kept: bytes, for_ms: int) -> None:
        """Keep a quote for so long, for whoever sends the same ping again."""

    async def hold(self, hold: Hold) -> HoldRefused | None:
        """Reserve all lines, or none and say which had no room."""

    def settle(
        self, buyer_id: str, sale_id: SaleId, amount: Micros | None = None
    ) -> Awaitable[bool]:
        """Make the hold count; `amount` where the buyer pays less than was held."""

    async def settle_again(self, buyer_id: str, sale_id: SaleId, price: Micros | None) -> bool:
        """Make the hold count once its buyer is open, which was just being put right."""

    async def release(self, buyer_id: str, sale_id: SaleId, asker: str = "") -> bool:
        """Give the hold back; as this asker alone, where others may rely on it."""

    async def bought_by(self, keys: tuple[str, ...]) -> frozenset[str]:
        """Return the buyers who bought this person inside their own window."""

    async def remember_purchase(self, keys: tuple[str, ...], buyer_id: str, until_us: int) -> None:
        """Remember that this buyer bought this person."""

    def turn(self, turn: Turn) -> Awaitable[tuple[str, ...]]:
        """Give a turn of a stage; return its candidates in the order in which it is theirs."""

    def used(self, buyer_id: str) -> Used:
        """Return what the buyer's counters were when last read ahead."""

    def settled(self, buyer_id: str) -> Used:
        """Return what of that counts for good, as known a moment ago; empty where it is not."""

    def doubt(self, holder: str) -> None:
        """Let a seller's counters be counted anew from the books."""


class Rates(Protocol):
    """How often offers are pinged."""

    async def without_turn(self, offers: Iterable[Offer]) -> frozenset[str]:
        """Take a turn for each of these offers; return the ids of those that have none now."""


class Auctioneer(Protocol):
    """Asks offers and ranks their bids."""

    async def run(self, tender: Tender) -> AuctionResult:
        """Ask every contender, once."""


class Courier(Protocol):
    """Posts to winners."""

    async def post(self, parcel: Parcel, *, repeated: bool) -> Delivered:
        """Send the parcel and say what came of it."""

    async def ask(self, asked: Question) -> Delivered:
        """Ask the buyer what became of a sale."""


class Tokens(Protocol):
    """What quotes travel in."""

    def seal(self, quote: Quote) -> str:
        """Return the quote as an opaque token that any machine can honour; or TooLongError."""


class Observer(Protocol):
    """Who counts what happens; never told an identity value."""

    def stage(self, name: str, ms: float) -> None:
        """Note how long a stage of a sale took."""

    def offer_answered(self, offer_id: str, word: str, ms: float | None) -> None:
        """Note an offer's answer to a ping, by its reason's word."""

    def offer_left_out(self, offer_id: str, reason: Reason) -> None:
        """Note an offer that was not asked."""

    def offers_left_out(self, reason: Reason, offer_ids: Iterable[str]) -> None:
        """Note some offers that were not asked."""

    def places_left_out(self, reason: Reason, lineup: Sequence[str], places: int) -> None:
        """Note many: those of a lineup whose places are in this set."""

    def post_answered(self, offer_id: str, word: str, ms: float) -> None:
        """Note what a post came to."""

    def lead_ended(self, campaign_id: str, status: str, reason: str | None, ms: float) -> None:
        """Note a lead's end."""

    def auction_closed_early(self, campaign_id: str, left_ms: float) -> None:
        """Note an auction that ended before its time, and how much of it was left at most."""

    def people_alike(self, campaign_id: str, people: int) -> None:
        """Note how many people a ping could be about."""

    def in_doubt(self, change: int) -> None:
        """Note that a sale came into doubt, or out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take."""

    repeat_first_s: float = 1.0
    """A post in doubt is repeated after this, then after twice as long, and so on."""
    repeat_longest_s: float = 30.0
    written_within_s: tuple[float, ...] = (0.0, 0.005, 0.02, 0.075, 0.2, 0.4)
    """The pauses before each look for the lead of a claim; together longer than a lead that is
    being written may take before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """All that a story needs, handed in where the program is put together."""

    ledger: Ledger
    market: Market
    auction: Auctioneer
    delivery: Courier
    tokens: Tokens
    observer: Observer
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    entropy: Callable[[int], bytes]
    spawn: Callable[..., asyncio.Task[object]]
    """Run a coroutine beside the story; awaited at shutdown."""
    claim_secret: bytes
    limits: Limits = Limits()
    lessons: Callable[[], Lessons] = nothing_learned
    """What was learned of the market by now."""
    rates: Rates | None = None
    """None: of a market whose offers name none."""
    alike: Callable[[Lead, Fingerprint, Vertical], int | None] = lambda *_: None
    """Return how many people look like this lead's in a ping; None where nobody counts them."""
    word_on: Callable[[SaleId], Coroutine[Any, Any, Delivered]] = nobody_tells
    """Return what is decided of a sale elsewhere than in the answer to its post, once it is."""
    notice: Callable[[str, Notice], None] | None = None
    """Takes what an offer is told of its bid; returns at once."""
    last_word: Callable[[SaleId], Coroutine[Any, Any, Accepted | Refused | None]] = no_word
    """Return what was, or make sure that nothing will be: None; raise LedgerUnavailable."""
    said: Callable[[SaleId], Coroutine[Any, Any, Accepted | Refused | None]] = no_word
    """Return what was decided of a sale elsewhere by now, or None; raise LedgerUnavailable."""

    def timed(self, stage: str) -> "Timed":
        """Measure a block as a stage of a sale."""
        return Timed(self, stage)


class Timed:
    """A block whose time is observed, however it ends."""

    __slots__ = ("_began", "_stage", "_stations")

    def __init__(self, stations: Stations, stage: str) -> None:
        """Take where to observe it."""
        self._stations = stations
        self._stage = stage
        self._began = 0.0

    def __enter__(self) -> None:
        """Begin."""
        self._began = self._stations.monotonic()

    def __exit__(self, *_: object) -> None:
        """End, and tell how long it took."""
        took_s = self._stations.monotonic() - self._began
        self._stations.observer.stage(self._stage, took_s * 1000)
