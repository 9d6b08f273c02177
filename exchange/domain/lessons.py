"""All that was learned of the market by one moment: immutable, and swapped whole."""

from collections.abc import Mapping

import msgspec

from exchange.domain.campaign import Campaign, Stage
from exchange.domain.expected import NOTHING_KNOWN, Chances, RankBy, Valuing
from exchange.domain.learned_floors import NO_FLOORS, Floored, LearnedFloors, floored, segment_of


class Lessons(msgspec.Struct, frozen=True):
    """What each campaign learned from the ledger; a campaign that learned nothing is not in it."""

    chances: Mapping[str, Chances] = {}
    floors: Mapping[str, LearnedFloors] = {}

    def valuing(self, campaign: Campaign, stage: Stage) -> Valuing | None:
        """Return what the bids of a stage are worth; None where it ranks by price."""
        if stage.rank_by is RankBy.PRICE or campaign.expecting is None:
            return None
        chances = self.chances.get(campaign.id, NOTHING_KNOWN)
        return Valuing(chances, campaign.expecting.after_refusal_ppm)

    def floored(
        self, campaign: Campaign, stage: Stage, state: object, at_us: int, chance: bytes
    ) -> Floored | None:
        """Return the floor of one auction at this moment; None where this stage learns none."""
        rule = campaign.learn_floor
        if rule is None or rule.stage != stage.number:
            return None
        table = self.floors.get(campaign.id, NO_FLOORS)
        return floored(segment_of(state, at_us, rule), rule, table, chance)


NOTHING_LEARNED = Lessons()


def nothing_learned() -> Lessons:
    """Return what is known where nobody learns."""
    return NOTHING_LEARNED
