"""From the market file's table of floors to the domain's."""

from exchange.contract.market.campaigns import CampaignPart
from exchange.domain.condition_names import names_of
from exchange.domain.floor_table import Columns, Drawing, FloorTable
from exchange.domain.money import from_decimal
from exchange.domain.vertical import Vertical


def floors_of(part: CampaignPart, vertical: Vertical) -> FloorTable | None:
    """Return a campaign's compiled table of floors, or None where it has none."""
    floors = part.floors
    if floors is None:
        return None
    drawing = Drawing(Columns(floors.fields, names_of(vertical), vertical.id))
    for key, amount in floors.values.items():
        drawing.add(key, from_decimal(amount))
    return drawing.table(from_decimal(part.floor if floors.default is None else floors.default))
