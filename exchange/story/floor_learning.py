"""The learned floor of one auction, as the story asks for it and writes it down."""

from exchange.domain.campaign import Campaign, Stage
from exchange.domain.events import Event, EventName
from exchange.domain.floors import Floors
from exchange.domain.learned_floors import CHANCE_BYTES, Floored, How
from exchange.domain.money import to_text
from exchange.domain.submission import Submission
from exchange.story.stations import Stations


def floor_for(
    stations: Stations, campaign: Campaign, stage: Stage, submission: Submission
) -> Floored | None:
    """Return the floor of an auction that is about to begin; None where none is learned.

    Test leads are neither learned from nor tried on.
    """
    if campaign.learn_floor is None or submission.lead.test:
        return None
    state = submission.facts().get("state")
    chance = stations.entropy(CHANCE_BYTES)
    return stations.lessons().floored(campaign, stage, state, stations.now_us(), chance)


def floor_event(floored: Floored, floors: Floors, stage: Stage, at_us: int) -> Event:
    """Return the line that says which floor an auction had, and where it came from.

    `floor` is what every bid had to reach, which another floor may have raised.
    """
    said = f"{floored.how.value} {to_text(floored.floor)}"
    if floored.how is How.LEARNED and floored.learned_of is not None:
        said = f"{said} of {floored.learned_of.text}"
    return Event(
        at_us=at_us,
        event=EventName.FLOOR,
        stage=stage.number,
        floor=floors.common,
        segment=floored.segment.text,
        model=floored.how.value,
        detail=said,
    )
