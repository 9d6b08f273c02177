"""What the exchange keeps of a price."""

from exchange.contract.parts import Amount, Part, Percent


class BandPart(Part, frozen=True, kw_only=True):
    """The exchange's part of prices up to one, in one of three ways."""

    upto: Amount | None = None
    """Absent, in the last band alone: every price above the others'."""
    percent: Percent | None = None
    fixed: Amount | None = None
    payout: Amount | None = None
    relax_to: Amount | None = None


class MarginPart(Part, frozen=True, kw_only=True):
    """The exchange's part of a price, in one of four ways."""

    percent: Percent | None = None
    fixed: Amount | None = None
    payout: Amount | None = None
    """A fixed price to the seller."""
    bands: tuple[BandPart, ...] | None = None
    """Another way for each range of prices."""
    relax_to: Amount | None = None
    """The least percent, or the least amount, where the sale would fail without."""
    allow_loss: bool = False
