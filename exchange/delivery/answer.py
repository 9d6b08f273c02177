"""What a post came to, in the words of the contract's table; whatever is not named is in doubt."""

import msgspec

from exchange.domain.money import Micros


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The buyer took the lead."""

    reference: str | None = None
    redirect_url: str | None = None
    price: Micros | None = None
    """What the buyer says that it pays; None: as it bid."""


class Refused(msgspec.Struct, frozen=True):
    """The buyer does not want the lead; the next bid is tried."""

    detail: str | None = None


class Unreachable(msgspec.Struct, frozen=True):
    """Nothing was sent, so the buyer cannot have the lead; like refused."""

    detail: str | None = None


class InDoubt(msgspec.Struct, frozen=True):
    """The buyer may have the lead."""

    detail: str
    said: str | None = None
    """The buyer's own words, or what of them was not understood; they may repeat the lead."""
    told: bool = False
    """True where the buyer itself said that it will tell later (202, `"accepted": null`)."""


PostResult = Accepted | Refused | Unreachable | InDoubt
