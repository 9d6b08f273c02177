"""Test offers of the exchange's own: what becomes of a test lead follows from its ZIP code.

They are offers like any others, asked over the wire, ranked, held and posted to; only their buyers
are the exchange's own, and do for each ZIP code what this table says.
"""

from enum import StrEnum

import msgspec

from exchange.domain.money import Micros

HOST = "sandbox.invalid"
"""Where they are called: a name that no resolver knows (RFC 6761), answered inside the worker."""
FIRST, SECOND = "first", "second"
"""The two buyers of a campaign's sandbox."""
CENT = 10_000
DOLLAR = 100 * CENT
DECIDES_AT_REPETITION = 3
"""Who tells later decides when it is asked so often again: after some seven seconds."""


class Asked(StrEnum):
    """What a buyer does with a ping."""

    BIDS = "bids"
    DECLINES = "declines"
    SILENT = "silent"
    GARBLED = "garbled"
    HANGS_UP = "hangs_up"


class Posted(StrEnum):
    """What a buyer does with the lead that it won."""

    TAKES = "takes"
    REDIRECTS = "redirects"
    PAYS_LESS = "pays_less"
    REFUSES = "refuses"
    KNOWS = "knows"
    TAKES_LATER = "takes_later"
    REFUSES_LATER = "refuses_later"
    NEVER_TELLS = "never_tells"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One test offer: for which ZIP codes, at what price, and what it does."""

    name: str
    zips: tuple[str, ...]
    """Empty: all that no other offer is for."""
    buyer: str = FIRST
    """One buyer is sent a lead once."""
    price: Micros = Micros(10 * DOLLAR)
    above: Micros = Micros(0)
    """So much above the floor at least, where that is higher."""
    asked: Asked = Asked.BIDS
    posted: Posted = Posted.TAKES

    def bid(self, floor: Micros) -> Micros:
        """Return what it bids under this floor."""
        return self.price if self.above < 0 else max(self.price, Micros(floor + self.above))


class Outcome(msgspec.Struct, frozen=True):
    """A row of the table: what a seller hears for a ZIP code, and what happened."""

    zip: str
    heard: str
    happened: str


BELOW_ANY_FLOOR = Micros(-1)

ROLES = (
    Role(name="sold", zips=()),
    Role(name="redirect", zips=("78705",), posted=Posted.REDIRECTS),
    Role(name="dear", zips=("78721",), price=Micros(12 * DOLLAR), above=Micros(2 * DOLLAR)),
    Role(
        name="fickle",
        zips=("78722",),
        price=Micros(12 * DOLLAR),
        above=Micros(2 * DOLLAR),
        posted=Posted.REFUSES,
    ),
    Role(name="next", zips=("78721", "78722"), buyer=SECOND, price=Micros(8 * DOLLAR)),
    Role(name="lower", zips=("27524",), posted=Posted.PAYS_LESS),
    Role(name="declines", zips=("27508",), asked=Asked.DECLINES),
    Role(name="low", zips=("27526",), price=Micros(CENT), above=BELOW_ANY_FLOOR),
    Role(name="silent", zips=("27521",), asked=Asked.SILENT),
    Role(name="garbled", zips=("27522",), asked=Asked.GARBLED),
    Role(name="hangs-up", zips=("27525",), asked=Asked.HANGS_UP),
    Role(name="refuses", zips=("27509", "75202"), posted=Posted.REFUSES),
    Role(name="knows", zips=("27529",), posted=Posted.KNOWS),
    Role(name="takes-later", zips=("90001",), posted=Posted.TAKES_LATER),
    Role(name="refuses-later", zips=("90002",), posted=Posted.REFUSES_LATER),
    Role(name="never-tells", zips=("90003",), posted=Posted.NEVER_TELLS),
)
BY_NAME = {role.name: role for role in ROLES}

NOBODY = "27507"
"""For this one there is no offer at all."""

OUTCOMES = (
    Outcome("78705", "sold, with a `redirect_url`", "the buyer wants the person sent on"),
    Outcome("78721", "sold", "two bids, 12.00 and 8.00: the second is outbid"),
    Outcome("78722", "sold", "bids of 12.00 and 8.00: the first refuses, the second takes it"),
    Outcome("27524", "sold, at what 10.00 brings", "bid 10.00; the buyer takes it for 8.00"),
    Outcome(NOBODY, "unsold, 507 `no_eligible_offer`", "no offer is for this ZIP code"),
    Outcome("27508", "unsold, 508 `no_bid_above_floor`", "no bid"),
    Outcome("27526", "unsold, 508 `no_bid_above_floor`", "bid 0.01, below any floor that is set"),
    Outcome("27521", "unsold, 508 `no_bid_above_floor`", "the buyer does not answer in time"),
    Outcome("27522", "unsold, 508 `no_bid_above_floor`", "the buyer's answer cannot be read"),
    Outcome("27525", "unsold, 508 `no_bid_above_floor`", "the buyer hangs up"),
    Outcome("27509", "unsold, 509 `all_refused`", "bid 10.00; the buyer refuses the post"),
    Outcome("75202", "a ping: quoted; its post: unsold, 509 `all_refused`", "likewise"),
    Outcome(
        "27529",
        "unsold, 509 `all_refused`",
        "refused: the buyer has the person",
    ),
    Outcome("90001", "pending, then sold", "in doubt for seven seconds; then the buyer took it"),
    Outcome(
        "90002",
        "pending, then unsold, 509 `all_refused`",
        "likewise; then it did not",
    ),
    Outcome("90003", "pending, then unsold, 403 `void`", "in doubt for a minute; then it is void"),
)
"""Every other ZIP code: sold, at what 10.00 brings the seller."""

SPECIAL = tuple(dict.fromkeys(outcome.zip for outcome in OUTCOMES))


PREFIX = "sandbox."
"""Before the ids of test buyers and offers; no id of a market file has a dot."""


def buyer_id(campaign_id: str, buyer: str) -> str:
    """Return the id of one of a campaign's test buyers."""
    return f"{PREFIX}{campaign_id}.{buyer}"


def offer_id(campaign_id: str, role: Role) -> str:
    """Return the id of a test offer of a campaign."""
    return f"{PREFIX}{campaign_id}.{role.name}"


def url(role: Role, call: str) -> str:
    """Return where a test offer is called; `call` is ping or post."""
    return f"http://{HOST}/{role.name}/{call}"
