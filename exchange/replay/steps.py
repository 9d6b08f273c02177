"""What a replay goes through, in the order in which it was: pings, leads, room that was taken."""

import msgspec

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.replay.recorded import Recorded, Sale


class Asked(msgspec.Struct, frozen=True):
    """A ping that was posted later; the lead is known already, and nobody looks at it yet."""

    at_us: int
    lead: Recorded


class Came(msgspec.Struct, frozen=True):
    """A lead, or the post of a ping."""

    at_us: int
    lead: Recorded


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Room that a ping held which was not posted, or not as anybody can read it now."""

    at_us: int
    until_us: int
    lead_id: LeadId
    version: int
    sale_id: SaleId
    offer_id: str
    price: Micros


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A lead that cannot be sold again: what it took of limits it takes all the same."""

    at_us: int
    lead_id: LeadId
    version: int
    sales: tuple[Sale, ...]


Step = Asked | Came | Held | Ended
