"""How a buyer is spoken to that does not speak the exchange's own format: pure, no socket.

A dialect turns what may be shown into one message, and what came back into one of few values. It
is compiled once for each offer, when the market is loaded; the two halves, ping and post, know
nothing of each other but a bid's token.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from exchange.domain.lead import Value
from exchange.domain.money import Micros


class Message(msgspec.Struct, frozen=True):
    """One request, less its request line and the headers that never change.

    Rendered once: a repetition sends the same bytes. What proves who sends (a bearer, a signature
    over the body and the time) is added at each sending by `proof`.
    """

    query: bytes = b""
    """Appended to the URL, escaped, without its `?`."""
    headers: bytes = b""
    """Ready lines, each ended."""
    body: bytes = b""
    shown: "Message | None" = None
    """The same message as people may see it later: whatever was made of an identity value is
    masked, were it a hash or a first letter. None: there is none of it."""

    def __repr__(self) -> str:
        """Say how large it is; a post holds a person, and a message may hold a secret."""
        return f"Message({len(self.query)}, {len(self.headers)}, {len(self.body)} bytes)"


def with_query(url: str, query: bytes) -> str:
    """Return the address that is called: a message's query behind the one that the URL has."""
    if not query:
        return url
    url = url.partition("#")[0]
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{joint}{query.decode()}"


class Heard(msgspec.Struct, frozen=True):
    """A whole answer as it came; nothing in it is believed yet."""

    status: int
    head: bytes
    """Status line and headers."""
    body: bytes

    def __repr__(self) -> str:
        """Say its status; an answer may repeat what it was sent."""
        return f"Heard({self.status}, {len(self.body)} bytes)"


class PingView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a ping in a foreign dialect may speak of; never an identity value."""

    lead: Mapping[str, Value]
    """What this offer is shown, under the names of the standard ping: `zip`, `age_band`,
    `phone_hash`, `score` …"""
    consent: Mapping[str, Value]
    """`tcpa`, `jornaya_id`, `trustedform_ping_url`, as far as known."""
    ping_id: str
    floor: Micros
    price_rule: str = "first_price"
    """What a winner will pay; `second_price`: the next best bid, or the floor."""
    currency: str
    tmax_ms: int
    max_buyers: int = 1
    """With how many in all this buyer would have the lead; 1: it is alone."""
    source_id: str
    channel: str | None
    vertical_id: str
    test: bool
    at_us: int


class PostView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a post in a foreign dialect may speak of: the full record of a lead that was won."""

    lead: Mapping[str, Value]
    """The vertical's fields, identity and all, and what follows from them: `age`, `state`, `score`
    and the coarse names of the ping."""
    consent: Mapping[str, object]
    """As in the standard post: `text`, `url`, `ip`, `at` …"""
    max_buyers: int = 1
    """With how many in all this buyer has the lead; 1: it is alone."""
    sale_id: str
    ping_id: str | None
    bid_id: str | None
    token: str | None
    """What the ping's answer gave to see again."""
    price: Micros
    currency: str
    source_id: str
    channel: str | None
    vertical_id: str
    test: bool
    at_us: int

    def __repr__(self) -> str:
        """Name the sale; the lead is a person."""
        return f"PostView({self.sale_id})"


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a question about a sale may speak of: no lead, for that was sent already."""

    sale_id: str
    ping_id: str | None
    bid_id: str | None
    reference: str | None
    """The buyer's own, where it named one when it put its answer off."""
    price: Micros
    currency: str
    vertical_id: str
    test: bool
    at_us: int


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """A yes to a ping."""

    price: Micros | None = None
    """None: the answer names none, so the offer's static price counts."""
    exclusive_price: Micros | None = None
    """What it pays for being the only buyer, where it says so."""
    currency: str | None = None
    bid_id: str | None = None
    token: str | None = None
    ttl_s: int | None = None
    buyer_name: str | None = None
    consent_text: str | None = None


class Declined(msgspec.Struct, frozen=True):
    """A no to a ping, with the buyer's own words, bounded and printable."""

    reason: str | None = None


class Unclear(msgspec.Struct, frozen=True):
    """An answer that is named neither yes nor no, or contradicts itself; never a success."""

    detail: str


class Miss(msgspec.Struct, frozen=True):
    """A place where rules looked in an answer, and found none of the words that they want."""

    place: str
    found: str | None
    """Bounded and printable; None: nothing. It may repeat the lead."""
    wanted: tuple[str, ...]

    def __repr__(self) -> str:
        """Say where; an answer may repeat what it was sent."""
        return f"Miss({self.place})"


PingSaid = Offered | Declined | Unclear


class PostWord(StrEnum):
    """What a mapping's rules found in an answer to a post."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    """Refused; to a repetition it means that the first post was accepted."""
    PENDING = "pending"
    UNCLEAR = "unclear"
    """Named by no rule, or by several that exclude each other: in doubt."""


class PostSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What was said to a post; texts are bounded and printable."""

    word: PostWord
    detail: str | None = None
    """The buyer's reason, or why the answer is unclear; it may repeat the lead, so mask it."""
    reference: str | None = None
    redirect_url: str | None = None
    """An http(s) address."""
    price: Micros | None = None
    """What the buyer says that it pays."""


class Half(Protocol):
    """What ping and post have in common."""

    @property
    def method(self) -> str:
        """GET, POST or PUT."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that never change, the content type among them; they hold no secret."""

    def proof(self, url: str, message: Message, at_us: int) -> bytes:
        """Return ready header lines that prove who sends, made anew at each sending."""

    def redacted(self, raw: bytes) -> bytes:
        """Return a request, or an answer, with every named secret taken out: for people to see."""


class PingDialect(Half, Protocol):
    """One offer's pings."""

    def render(self, view: PingView) -> Message:
        """Return the ping."""

    def read(self, heard: Heard) -> PingSaid:
        """Return what an answer says; nothing in it can raise."""

    def missed(self, heard: Heard) -> tuple[Miss, ...]:
        """Return where each rule looked in vain, of an answer that meets none."""


class PostDialect(Half, Protocol):
    """One offer's posts."""

    @property
    def idempotent(self) -> bool:
        """A repetition with the same content is safe: the buyer knows it again."""

    def render(self, view: PostView) -> Message:
        """Return the post."""

    def read(self, heard: Heard) -> PostSaid:
        """Return what an answer says; nothing in it can raise."""

    def missed(self, heard: Heard) -> tuple[Miss, ...]:
        """Return where each rule looked in vain, of an answer that meets none."""


class StatusDialect(Half, Protocol):
    """How one offer's buyer is asked what became of a sale."""

    def render(self, view: StatusView) -> Message:
        """Return the question."""

    def read(self, heard: Heard) -> PostSaid:
        """Return what an answer says; nothing in it can raise."""

    def missed(self, heard: Heard) -> tuple[Miss, ...]:
        """Return where each rule looked in vain, of an answer that meets none."""
