"""Three books of one round: the seller's, the buyers', the exchange's own; plain values.

Nothing here, nor in `checker`, is the exchange's code: what it gets wrong must not be got wrong in
the same way by whoever looks for it. Money is whole micros.
"""

from collections.abc import Mapping

import msgspec


class Told(msgspec.Struct, frozen=True):
    """One answer that reached the seller."""

    lead_id: str
    status: str
    price: int | None = None


class Order(msgspec.Struct, kw_only=True):
    """One lead as its seller knows it: what it sent, under which key, and all it was told."""

    ref: str
    """Unique; the ledger has it as `seller_ref`."""
    phone: str
    key: str | None
    """None: sent once, never repeated, whatever came back."""
    told: list[Told] = []
    """Of posts and of later questions, in order."""
    refused: str | None = None
    """A last word that is no lead: a quote that expired, or was unsold."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One post as its buyer received it, and what it decided and said."""

    at: float
    buyer: str
    sale_id: str
    phone: str
    price: int
    digest: str
    """Of the body: a repetition is the same bytes."""
    belief: str
    """accepted, refused, pending, unread: what the buyer holds of the sale after this post."""
    answered: bool
    """False: it said nothing at all, or held its answer back."""


class Award(msgspec.Struct, frozen=True, kw_only=True):
    """One award of the ledger; `state` None: it has no end."""

    sale_id: str
    lead_id: str
    number: int
    offer: str
    buyer: str
    price: int
    payout: int
    state: str | None
    buyers_max: int = 1
    """So many buyers at most were to have the lead."""


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """One lead of the ledger; `status` None: it has no end."""

    lead_id: str
    ref: str | None
    status: str | None
    price: int | None


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What left one account for another; a sale's, or money paid in."""

    sale_id: str | None
    debit: str
    credit: str
    amount: int
    currency: str


class Event(msgspec.Struct, frozen=True):
    """One line of a timeline that speaks of a sale."""

    lead_id: str
    name: str
    sale_id: str


class Standing(msgspec.Struct, frozen=True):
    """What market state holds of one buyer."""

    settled: Mapping[str, int]
    held: Mapping[str, int]
    holds: tuple[str, ...] = ()


class Cap(msgspec.Struct, frozen=True):
    """A limit that held all the round: of leads, or of micros spent, in all."""

    buyer: str
    kind: str
    most: int


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All that is compared."""

    orders: tuple[Order, ...]
    posts: tuple[Post, ...]
    """In the order in which they were received, of all buyers."""
    leads: tuple[Lead, ...]
    awards: tuple[Award, ...]
    transfers: tuple[Transfer, ...]
    events: tuple[Event, ...]
    standings: Mapping[str, Standing]
    messages: tuple[str, ...] = ()
    """Leads of whose end the seller is told by webhook, one for each message."""
    caps: tuple[Cap, ...] = ()
    forgetful: frozenset[str] = frozenset()
    """Buyers that do not know a repetition: a second post would be a second lead to them."""


class Violation(msgspec.Struct, frozen=True):
    """Something that must not be."""

    kind: str
    subject: str
    detail: str
