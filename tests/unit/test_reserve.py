"""Learned floors against theory: the reserve that earns most, and what it earns (Myerson 1981)."""

import math
import random
from collections.abc import Callable, Iterable
from statistics import NormalDist, mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.events import Event, EventName
from exchange.domain.experience import Experience, Happened
from exchange.domain.learned_floors import (
    CHANCE_BYTES,
    LearnedFloors,
    LearnFloor,
    Segment,
    floored,
)
from exchange.domain.money import Micros
from exchange.domain.reserve import (
    COARSE,
    NO_BID,
    STEPS,
    Cell,
    bid_step,
    first_price,
    floor_step,
    learned,
    second_price,
)
from tests.making import NOW_US, a_campaign
from tests.making_learning import a_rule

UNIT = 100_000_000
"""What bids from [0, 1] are counted in: a hundred of the currency."""
AUCTIONS = 40_000
CENT = 10_000

Tops = tuple[int, int]


def seen(tops: Iterable[Tops], floor: int = CENT) -> dict[int, dict[int, Cell]]:
    """Return these best and second best bids as they are counted under one floor."""
    cells: dict[int, Cell] = {}
    for best, second in tops:
        for step, cell in (
            (bid_step(Micros(best)), Cell(1, best)),
            (bid_step(Micros(second)), Cell(0, 0, 1, second)),
        ):
            cells[step] = cells.get(step, Cell()).and_(cell)
    return {floor_step(Micros(floor)): cells}


def auctions(draw: Callable[[], float], bidders: int, count: int = AUCTIONS) -> list[Tops]:
    """Return the two best bids of auctions among bidders alike."""
    tops = []
    for _ in range(count):
        best, second = sorted((int(draw() * UNIT) for _ in range(bidders)), reverse=True)[:2]
        tops.append((best, second))
    return tops


def paid(tops: Iterable[Tops], floor: int) -> float:
    """Return the mean revenue under second price with this floor, bid by bid."""
    return mean(max(second, floor) if best >= floor else 0 for best, second in tops)


def found(tops: Iterable[Tops], *, least: int = 200) -> int:
    floor = learned(
        seen(tops),
        Micros(5 * UNIT // 100),
        Micros(4 * UNIT),
        unsold=Micros(0),
        least=least,
        second=True,
    )
    assert floor is not None
    return floor


def tell(figure: str) -> None:
    """Say a figure of bench/README.md; `pytest -rP` shows it."""
    print(figure)  # noqa: T201


# Second price, against theory


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bidders", [2, 3])
def test_for_uniform_bids_the_floor_is_a_half(seed, bidders):
    """Bids from [0, 1]: 0.5 +- 0.03, for however many bidders (Myerson 1981)."""
    chance = random.Random(seed)
    floor = found(auctions(chance.random, bidders)) / UNIT
    tell(f"{bidders} bidders, uniform: floor {floor:.3f}")
    assert floor == pytest.approx(0.5, abs=0.03)


def test_with_two_bidders_it_lifts_revenue_from_a_third_to_five_twelfths():
    """Learned from one half of the auctions, earned in the other: 1/3 and 5/12, +- 2 %."""
    chance = random.Random(7)
    floor = found(auctions(chance.random, 2))
    others = auctions(chance.random, 2, 100_000)
    none, best = paid(others, 0) / UNIT, paid(others, floor) / UNIT
    tell(f"two bidders, second price: {none:.4f} without a floor, {best:.4f} with {floor / UNIT}")
    assert none == pytest.approx(1 / 3, rel=0.02)
    assert best == pytest.approx(5 / 12, rel=0.02)


@pytest.mark.parametrize("spread", [0.4, 0.6, 1.0])
def test_for_log_normal_bids_it_is_the_numeric_optimum(spread):
    """Within 3 % of the root of r = (1 - F(r)) / f(r), and of what that earns."""
    best = numeric(0.5, spread)
    chance = random.Random(3)

    def draw() -> float:
        return 0.5 * math.exp(spread * chance.gauss(0, 1))

    floor = found(auctions(draw, 2, 2 * AUCTIONS))
    tell(f"log-normal, spread {spread}: floor {floor / UNIT:.4f}, numeric optimum {best:.4f}")
    assert floor / UNIT == pytest.approx(best, rel=0.03)
    others = auctions(draw, 2)
    assert paid(others, floor) == pytest.approx(paid(others, int(best * UNIT)), rel=0.03)


def numeric(median: float, spread: float) -> float:
    """Return the reserve for log-normal bids, by bisection."""
    normal = NormalDist()
    low, high = median / 100, median * 100
    for _ in range(200):
        middle = (low + high) / 2
        z = math.log(middle / median) / spread
        rate = normal.pdf(z) / (spread * middle)
        low, high = (middle, high) if middle < (1 - normal.cdf(z)) / rate else (low, middle)
    return low


# Counting


@given(
    st.lists(st.tuples(st.integers(0, 3 * UNIT), st.integers(0, 3 * UNIT)), min_size=1),
    st.sampled_from(STEPS[60:150]),
)
def test_what_a_step_earns_is_counted_exactly(pairs, step):
    """From the cells the same as from every single bid."""
    tops = [(max(pair), min(pair)) for pair in pairs]
    [earning] = second_price(seen(tops), step, step)
    assert earning.auctions == len(tops)
    assert earning.revenue == pytest.approx(paid(tops, step))


def test_auctions_do_not_speak_for_floors_below_their_own():
    """Bids that a floor kept away are missing there: nothing is concluded from their silence."""
    tops = [(UNIT, UNIT // 2)] * 300
    high = seen(tops, floor=UNIT // 4)
    known = [one for one in second_price(high, Micros(CENT), Micros(UNIT)) if one.auctions]
    assert min(one.floor for one in known) >= UNIT // 4


def test_no_bid_counts_as_an_auction_that_earned_nothing():
    """A floor is no better for what nobody wanted anyhow."""
    cells = {floor_step(Micros(CENT)): {NO_BID: Cell(1), bid_step(Micros(UNIT)): Cell(1, UNIT)}}
    [earning] = second_price(cells, STEPS[90], STEPS[90])
    assert (earning.auctions, earning.revenue) == (2, STEPS[90] / 2)
    [earning] = second_price(cells, STEPS[90], STEPS[90], unsold=Micros(CENT))
    assert earning.revenue == (STEPS[90] + CENT) / 2


def test_too_few_auctions_teach_nothing():
    """A segment waits until enough was seen."""
    few = auctions(random.Random(1).random, 2, 199)
    bounds = Micros(CENT), Micros(UNIT)
    assert learned(seen(few), *bounds, unsold=Micros(0), least=200, second=True) is None
    assert learned({}, *bounds, unsold=Micros(0), least=1, second=False) is None


def test_the_floor_stays_within_its_bounds():
    """Where the best lies beyond them the bound is learned."""
    tops = auctions(random.Random(2).random, 2)
    for low, high in ((0.6, 0.9), (0.1, 0.3)):
        floor = learned(
            seen(tops),
            Micros(int(low * UNIT)),
            Micros(int(high * UNIT)),
            unsold=Micros(0),
            least=200,
            second=True,
        )
        assert floor is not None
        assert low * UNIT <= floor <= high * UNIT
        assert min(abs(floor - low * UNIT), abs(floor - high * UNIT)) < 0.07 * UNIT


# Learned, used, and learned again


class Shop:
    """Two bidders alike, in a campaign whose floor is what it learned from them before."""

    def __init__(self, rule: LearnFloor, seed: int) -> None:
        self.rule = rule
        self.chance = random.Random(seed)
        self.learned = LearnedFloors()
        self.experience = Experience(a_campaign(learn_floor=rule), {})
        self.revenue: dict[str, list[float]] = {}

    def sell(self, auctions: int) -> None:
        """Hold auctions whose bidders say nothing where the floor is above what it is worth."""
        for _ in range(auctions):
            chance = self.chance.randbytes(CHANCE_BYTES)
            one = floored(Segment("TX", "00-24"), self.rule, self.learned, chance)
            worths = [self.chance.random() * UNIT for _ in range(2)]
            bids = sorted((int(worth) for worth in worths if worth >= one.floor), reverse=True)
            paid = max([one.floor, *bids[1:]]) if bids else 0
            self.revenue.setdefault(one.how, []).append(paid / UNIT)
            told = {"at_us": NOW_US, "segment": one.segment.text, "model": one.how.value}
            events = [Event(event=EventName.FLOOR, stage=1, floor=one.floor, **told)]
            events += [
                Event(at_us=NOW_US, event=EventName.BID, offer=f"b{place}", price=Micros(bid))
                for place, bid in enumerate(bids)
            ]
            self.experience.take(Happened(events=events))
        self.learn()

    def learn(self) -> None:
        """Find the floor from all that was seen."""
        seen: dict[int, dict[int, Cell]] = {}
        for (segment, _, floor, bid), cell in self.experience.cells.items():
            if segment == ("*", "*"):
                seen.setdefault(floor, {})[bid] = cell
        rule = self.rule
        floor = learned(
            seen,
            rule.minimum,
            rule.maximum,
            unsold=rule.unsold,
            least=rule.auctions,
            second=rule.second_price,
        )
        self.learned = LearnedFloors({} if floor is None else {("*", "*"): floor})

    @property
    def floor(self) -> float:
        return self.learned.floors[("*", "*")] / UNIT


def a_shop(explore: float, seed: int) -> Shop:
    bounds = {"minimum": Micros(UNIT // 20), "maximum": Micros(UNIT)}
    return Shop(a_rule(explore_ppm=int(explore * 1_000_000), **bounds), seed)


def test_a_learned_floor_does_not_creep_where_bidders_below_it_keep_silent():
    """They see it in their pings, so that only explored auctions tell of lower ones."""
    shop = a_shop(0.1, 11)
    floors = []
    for _ in range(10):
        shop.sell(3000)
        floors.append(shop.floor)
    assert floors[-5:] == pytest.approx([0.5] * 5, abs=0.05)
    earned = {how: mean(paid) for how, paid in shop.revenue.items()}
    assert earned["learned"] == pytest.approx(5 / 12, rel=0.03)
    assert earned["control"] == pytest.approx(1 / 3, rel=0.05)
    assert earned["learned"] > earned["explored"]


def test_without_exploring_nothing_is_learned_of_floors_below_the_learned_one():
    """What was seen before it was learned holds for as long as it is remembered, no longer."""
    shop = a_shop(0, 12)
    shop.sell(5000)
    first = shop.floor
    assert first == pytest.approx(0.5, abs=0.06)
    shop.experience.cells.clear()  # forgotten
    shop.sell(5000)
    assert not shop.learned.floors, "nothing is told of lower floors: it begins anew"


# First price


def tried(pay: Callable[[float], float], seed: int) -> dict[int, dict[int, Cell]]:
    """Return auctions under floors that were drawn; what is bid may follow the floor."""
    chance = random.Random(seed)
    cells: dict[int, dict[int, Cell]] = {}
    floors = [floor for floor in COARSE if UNIT // 20 <= floor <= UNIT]
    for _ in range(AUCTIONS):
        floor = chance.choice(floors)
        worth = max(chance.random(), chance.random())
        bid = int(pay(worth) * UNIT)
        if worth * UNIT >= floor:
            bid = max(bid, floor)
        of_floor = cells.setdefault(floor_step(floor), {})
        step = bid_step(Micros(bid))
        of_floor[step] = of_floor.get(step, Cell()).and_(Cell(1, bid))
    return cells


def learned_of(cells: dict[int, dict[int, Cell]]) -> float:
    bounds = Micros(UNIT // 20), Micros(UNIT)
    floor = learned(cells, *bounds, unsold=Micros(0), least=200, second=False)
    assert floor is not None
    return floor / UNIT


def test_under_first_price_a_floor_that_bids_rise_to_is_found():
    """Two bidders that shade by half and rise to the floor where it is worth it to them."""
    assert learned_of(tried(lambda worth: worth / 2, 4)) == pytest.approx(0.5, abs=0.13)


def test_under_first_price_bids_that_follow_nothing_are_not_refused():
    """A floor can only lose there: it stays at the minimum."""
    assert learned_of(tried(lambda worth: worth, 5)) == 0.05


def test_under_first_price_a_floor_is_judged_by_what_it_earned():
    """Not by what bids under other floors would have earned there."""
    cells = seen([(UNIT, 0)] * 10, floor=UNIT // 2)
    speaking = [one for one in first_price(cells, Micros(UNIT // 10), Micros(UNIT)) if one.auctions]
    assert len(speaking) == 1
    assert speaking[0].revenue == UNIT
