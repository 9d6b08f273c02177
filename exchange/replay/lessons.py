"""What had been learned when a lead was sold: read from its timeline, not learned again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from exchange.domain.campaign import Campaign, Stage
from exchange.domain.events import Event, EventName
from exchange.domain.expected import Chance, Chances, RankBy, Valuing
from exchange.domain.learned_floors import Floored, How, segment_of
from exchange.domain.money import Micros, MoneyError, parse_json


class Learned(msgspec.Struct, frozen=True):
    """What one timeline says of what had been learned."""

    chances: Mapping[str, Chance] = {}
    """By offer."""
    floors: Mapping[int, tuple[Micros, How]] = {}
    """By stage."""


def learned_of(events: Iterable[Event]) -> Learned:
    """Return the chances that ranked the bids of a lead, and the floors that were learned."""
    chances: dict[str, Chance] = {}
    floors: dict[int, tuple[Micros, How]] = {}
    for one in events:
        for offer_id, told in zip(one.offers or (), one.expected or (), strict=False):
            chances[offer_id] = Chance(told.accepted_ppm, told.returned_ppm)
        if one.event is EventName.FLOOR and one.stage is not None and one.model is not None:
            floor = floor_in(one.detail or "")
            if floor is not None:
                floors[one.stage] = floor, How(one.model)
    return Learned(chances, floors)


def floor_in(detail: str) -> Micros | None:
    """Return the amount of a floor's line, `learned 7.50 of TX`."""
    words = detail.split()
    try:
        return parse_json(words[1].encode())
    except (IndexError, MoneyError):
        return None


class Remembered:
    """Lessons as they stood then; of an offer that was not ranked then, the last that was known."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._known: defaultdict[str, dict[str, Chance]] = defaultdict(dict)
        self._floors: Mapping[int, tuple[Micros, How]] = {}

    def of(self, campaign_id: str, learned: Learned) -> None:
        """Go back to when a lead of this campaign was sold."""
        self._known[campaign_id].update(learned.chances)
        self._floors = learned.floors

    def valuing(self, campaign: Campaign, stage: Stage) -> Valuing | None:
        """Return what the bids of a stage are worth; None where it ranks by price."""
        if stage.rank_by is RankBy.PRICE or campaign.expecting is None:
            return None
        chances = Chances(self._known[campaign.id])
        return Valuing(chances, campaign.expecting.after_refusal_ppm)

    def floored(
        self, campaign: Campaign, stage: Stage, state: object, at_us: int, _chance: bytes
    ) -> Floored | None:
        """Return the floor that was learned or drawn then; None where none was."""
        rule, known = campaign.learn_floor, self._floors.get(stage.number)
        if rule is None or known is None:
            return None
        floor, how = known
        return Floored(floor, how, segment_of(state, at_us, rule))
