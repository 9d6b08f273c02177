"""The market file: what operators write as TOML, and the admin API takes as JSON.

The types say what a key may hold, its default and its limits. What they cannot say, such as that
a stage's offers exist, is checked by `exchange.configuration`. Money is an exact Decimal.
"""

from exchange.contract.door import DoorPart
from exchange.contract.mapping import MappingPart
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market.sellers import SellerPart
from exchange.contract.market.verticals import VerticalPart
from exchange.contract.parts import Part


class MarketFile(Part, frozen=True, kw_only=True):
    """A whole market: what is not in it is retired."""

    vertical: tuple[VerticalPart, ...] = ()
    seller: tuple[SellerPart, ...] = ()
    mapping: tuple[MappingPart, ...] = ()
    door: tuple[DoorPart, ...] = ()
    buyer: tuple[BuyerPart, ...] = ()
    campaign: tuple[CampaignPart, ...] = ()
