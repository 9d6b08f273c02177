"""The market of a rehearsal: one vertical from its file, one seller, one campaign, no buyers."""

import hashlib
from typing import Any

from bidders.shelf import NotOnShelfError, file_of
from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_market
from exchange.domain.campaign import Campaign, Margin, ReturnsTo, SellerTerms
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Role, Snapshot
from exchange.domain.vertical import FieldType, Vertical

SELLER = "rehearsal"
ANSWER_DEADLINE_MS = 30_000


class StageError(ValueError):
    """The rehearsal cannot begin; the message says what to mend."""


class AnyKey(dict[bytes, Role]):
    """Takes every key for the seller's."""

    def get(self, key: bytes, default: Any = None) -> Role:
        """Return the one seller."""
        del key, default
        return Role("seller", SELLER)


def market_of(vertical: Vertical, campaign: str, key: str | None, *, always_200: bool) -> Snapshot:
    """Return the market; without a `key` every one is taken."""
    terms = SellerTerms(SELLER, Margin(), ReturnsTo.PASS)
    keys: dict[bytes, Role] = AnyKey()
    if key is not None:
        keys = {hashlib.sha256(key.encode()).digest(): Role("seller", SELLER)}
    return Snapshot(
        version=1,
        verticals={vertical.id: vertical},
        sellers={SELLER: Seller(id=SELLER, name="Rehearsal", sources={}, always_200=always_200)},
        buyers={},
        offers={},
        campaigns={
            campaign: Campaign(
                id=campaign,
                vertical_id=vertical.id,
                currency="USD",
                sellers={SELLER: terms},
                stages=(),
                auction_deadline_ms=1000,
                answer_deadline_ms=ANSWER_DEADLINE_MS,
                quote_ttl_s=300,
            )
        },
        keys=keys,
        credited={},
    )


def read_vertical(name: str) -> Vertical:
    """Return the first vertical of a market file, or of this project's, that asks for a ZIP code.

    Raises `StageError`.
    """
    try:
        path = file_of(name, "verticals")
        parts = read_market([path]).market.vertical
    except NotOnShelfError as error:
        raise StageError(str(error)) from None
    except MarketFileError as error:
        raise StageError("; ".join(map(str, error.findings))) from None
    for part in parts:
        vertical = vertical_of(part)
        if any(field.type is FieldType.US_ZIP for field in vertical.fields.values()):
            return vertical
    raise StageError(f"{path}: no vertical here has a us_zip field, by which answers are chosen")
