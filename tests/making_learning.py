"""Rules of learning for tests: complete, plain, and changed only where a test says so."""

from zoneinfo import ZoneInfo

from exchange.domain.learned_floors import LearnFloor
from exchange.domain.money import Micros
from tests.making import DOLLAR


def a_rule(**changes: object) -> LearnFloor:
    plain = {
        "explore_ppm": 50_000,
        "minimum": Micros(2 * DOLLAR),
        "maximum": Micros(30 * DOLLAR),
        "hours": 6,
        "zone": ZoneInfo("UTC"),
        "auctions": 200,
        "days": 28,
        "unsold": Micros(0),
        "stage": 1,
        "second_price": True,
    }
    return LearnFloor(**{**plain, **changes})
