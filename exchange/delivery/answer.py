"""What a post came to, in the words of the contract's table; whatever is not named is in doubt."""

import re

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
    duplicate: bool = False
    """The buyer says that it has this person already."""


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
    reference: str | None = None
    """The buyer's own, by which it can be asked."""


PostResult = Accepted | Refused | Unreachable | InDoubt


DUPLICATE_WORDS = re.compile(
    r"(?<!\bnot )(?<!\bnot a )(?<!\bno )(?<!\bnon-)\b(duplicates?|duplicated|dupes?|dup)\b"
    r"|\balready (known|exists?|have|received|bought|in (our|the) (system|database|crm))\b",
    re.IGNORECASE,
)
"""By which a refusal is known to say that its buyer has the person already."""


def says_duplicate(reason: str | None) -> bool:
    """Tell whether a buyer's reason means that it has this person already."""
    return reason is not None and DUPLICATE_WORDS.search(reason.replace("_", " ")) is not None
