"""What must hold of tables of floors, beyond the types of their keys."""

from collections.abc import Collection, Iterator, Mapping

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.draft import Draft
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.market.campaigns import CampaignPart, FloorsPart
from exchange.contract.market.verticals import VerticalPart
from exchange.domain.condition_names import names_of
from exchange.domain.floor_table import (
    ANY,
    BETWEEN,
    VERTICAL,
    Columns,
    Drawing,
    FloorRuleError,
    alternatives,
)
from exchange.domain.money import from_decimal
from exchange.domain.nearest import hint
from exchange.domain.vertical import Privacy


def check_floors(
    campaign: CampaignPart, draft: Draft, verticals: dict[str, VerticalPart], path: Path
) -> Iterator[Problem]:
    """Tell what is wrong with a campaign's table of floors."""
    floors, vertical = campaign.floors, verticals.get(campaign.vertical)
    if floors is None or vertical is None:
        return
    if floors.default is not None and campaign.floor:
        yield Problem((*path, "default"), "says once more what the campaign's floor says")
    names = names_of(vertical_of(vertical))
    problems = list(_fields(floors, vertical, [*names, VERTICAL], (*path, "fields")))
    yield from problems
    if problems:
        return
    drawing = Drawing(Columns(floors.fields, names, vertical.id))
    declared = _declared(campaign, draft, vertical)
    for key, amount in floors.values.items():
        place = (*path, "values", key)
        try:
            drawing.add(key, from_decimal(amount))
        except FloorRuleError as error:
            yield Problem(place, str(error))
        else:
            yield from _strangers(key, floors.fields, declared, place)
    if not floors.values:
        message = "names no rule: every lead has the default"
        yield Problem((*path, "values"), message, is_warning=True)


def _fields(
    floors: FloorsPart, vertical: VerticalPart, names: list[str], path: Path
) -> Iterator[Problem]:
    if not floors.fields:
        yield Problem(path, "names no field")
    for index, name in enumerate(floors.fields):
        place = (*path, index)
        field = vertical.fields.get(name)
        if name not in names:
            yield Problem(place, f'"{name}" is nothing that is known of a lead{hint(name, names)}')
        elif field is not None and field.privacy is Privacy.IDENTITY:
            yield Problem(place, f'"{name}" says who somebody is: no floor may depend on it')
        elif name in floors.fields[:index]:
            yield Problem(place, f'"{name}" stands twice')


def _declared(
    campaign: CampaignPart, draft: Draft, vertical: VerticalPart
) -> Mapping[str, Collection[str]]:
    """Return what of a lead's origin is in the market: by field, the values to expect."""
    ids = {one if isinstance(one, str) else one.id for one in campaign.sellers}
    sources = [
        source for entry in draft.sellers if entry.part.id in ids for source in entry.part.source
    ]
    known = {
        "seller": ids,
        "source": {source.id for source in sources},
        "channel": {source.channel for source in sources if source.channel is not None},
        VERTICAL: draft.ids["vertical"],
    }
    return {name: values for name, values in known.items() if name not in vertical.fields}


def _strangers(
    key: str, fields: tuple[str, ...], declared: Mapping[str, Collection[str]], path: Path
) -> Iterator[Problem]:
    """Warn of a value that no lead will have, as far as the market tells: it may be misspelt."""
    for part, field in zip(key.split(BETWEEN), fields, strict=True):
        known = declared.get(field)
        if known is None or part.strip() == ANY:
            continue
        for value in alternatives(part, None):
            if value not in known:
                likely = hint(str(value), known)
                message = f'no {field} "{value}" is declared for this campaign{likely}'
                yield Problem(path, message, is_warning=True)
