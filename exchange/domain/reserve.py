"""Which floor earns most: the reserve price of an auction, found from the two best bids of many.

Under second price, with bids that do not follow the floor (there it is best to bid what a lead is
worth), a floor `r` earns `max(second, r)` where the best bid reaches it (Myerson, "Optimal Auction
Design", 1981: for bidders alike the best `r` solves r = (1 - F(r)) / f(r)). That is counted, not
modelled: every auction whose own floor was not above `r` tells what `r` had earned.

Under first price bids follow the floor, if anything, and what a bidder would have bid under another
one cannot be read from its bid. So nothing is supposed there: a floor is judged by the auctions
that were held under it, which is what exploring is for.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from exchange.domain.money import MICROS_PER_CENT, ZERO, Micros

STEPS_PER_DOUBLING = 12
STEPS: tuple[Micros, ...] = tuple(
    Micros(round(MICROS_PER_CENT * 2 ** (step / STEPS_PER_DOUBLING)))
    for step in range(20 * STEPS_PER_DOUBLING + 1)
)
"""From a cent to ten thousand, each some 6 % above the one before: where revenue is counted."""

STRIDE = 4
COARSE = STEPS[::STRIDE]
"""Of these floors some are tried: each some quarter above the one before."""

WIDTH = 0.5
"""So many doublings on either side of the best step are smoothed over."""
WIDTH_COARSE = 1.5
DEGREE = 3
ROUNDS = 3
"""The window is moved to where the best was found, so often."""
FINE = 200
"""The steps of the search within a window, to either side."""
SURE = 2.0
"""A floor that was tried must have earned more than the minimum by so many standard errors."""


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """Auctions under one floor whose best, or second best, bids lie within one step."""

    best: int = 0
    """How many best bids."""
    best_sum: int = 0
    second: int = 0
    second_sum: int = 0

    def and_(self, other: "Cell") -> "Cell":
        """Return both together."""
        return Cell(
            self.best + other.best,
            self.best_sum + other.best_sum,
            self.second + other.second,
            self.second_sum + other.second_sum,
        )


NO_BID = -1
"""The step of what is below all of them, and of no bid at all."""
Seen = Mapping[int, Mapping[int, Cell]]
"""By the step at or above the auctions' floor, and the step at or below a bid.

Under first price the best bid of an auction that sold is never in a step below its floor's."""


def floor_step(floor: Micros) -> int:
    """Return the number of the lowest step that is not below a floor."""
    return bisect_left(STEPS, floor)


def bid_step(bid: Micros) -> int:
    """Return the number of the highest step that a bid reaches."""
    return bisect_right(STEPS, bid) - 1


class Earning(msgspec.Struct, frozen=True):
    """What a floor earns in the mean, and how many auctions say so."""

    floor: Micros
    auctions: int
    revenue: float
    """Micros for an auction."""
    error: float = 0.0
    """Its standard error, where it was measured and not worked out."""


def second_price(
    seen: Seen, minimum: Micros, maximum: Micros, *, unsold: Micros = ZERO
) -> list[Earning]:
    """Return what each step within the bounds earns under second price."""
    return [
        _second_price(seen, step, unsold)
        for step, floor in enumerate(STEPS)
        if minimum <= floor <= maximum
    ]


def _second_price(seen: Seen, step: int, unsold: Micros) -> Earning:
    auctions = reached = beaten = earned = 0
    for floor, cells in seen.items():
        if floor > step:
            continue  # bids that its own floor kept away are missing there
        for bid, cell in cells.items():
            auctions += cell.best
            if bid >= step:
                reached += cell.best
                beaten += cell.second
                earned += cell.second_sum
    total = earned + STEPS[step] * (reached - beaten) + unsold * (auctions - reached)
    return Earning(STEPS[step], auctions, total / auctions if auctions else 0.0)


def first_price(
    seen: Seen, minimum: Micros, maximum: Micros, *, unsold: Micros = ZERO
) -> list[Earning]:
    """Return what floors up to each coarse step earned where they were tried, under first price."""
    first, last = floor_step(minimum), floor_step(maximum)
    ends = sorted({first, last, *range(first + -first % STRIDE, last, STRIDE)})
    earnings, before = [], -1
    for end in ends:
        tried = {floor: cells for floor, cells in seen.items() if before < floor <= end}
        floor = Micros(min(max(STEPS[end], minimum), maximum))
        earnings.append(_first_price(tried, floor, unsold))
        before = end
    return earnings


def _first_price(tried: Seen, stands_for: Micros, unsold: Micros) -> Earning:
    auctions = 0
    total = squares = 0.0
    for floor, cells in tried.items():
        for step, cell in cells.items():
            if cell.best:
                earned = cell.best_sum / cell.best if step >= floor else float(unsold)
                auctions += cell.best
                total += cell.best * earned
                squares += cell.best * earned * earned
    if not auctions:
        return Earning(stands_for, 0, 0.0)
    revenue = total / auctions
    spread = max(squares / auctions - revenue * revenue, 0.0)
    return Earning(stands_for, auctions, revenue, math.sqrt(spread / auctions))


def learned(
    seen: Seen, minimum: Micros, maximum: Micros, *, unsold: Micros, least: int, second: bool
) -> Micros | None:
    """Return the floor that earns most in one segment; None where too little was seen.

    `least` auctions must speak for a floor; `second`: the winner pays the next best bid.
    """
    if second:
        worked_out = second_price(seen, minimum, maximum, unsold=unsold)
        return best_floor(worked_out, least, WIDTH)
    measured = first_price(seen, minimum, maximum, unsold=unsold)
    best = best_floor(measured, least, WIDTH_COARSE)
    if best is None:
        return None
    lowest = measured[0]
    highest = min(measured, key=lambda one: abs(one.floor - best))
    doubt = SURE * math.hypot(lowest.error, highest.error)
    is_sure = lowest.auctions >= least and highest.revenue - lowest.revenue > doubt
    return best if is_sure else minimum


def best_floor(earnings: Sequence[Earning], least: int, width: float) -> Micros | None:
    """Return the floor that earns most, to the cent; None where too little was seen to tell.

    So it is where the best is the lowest that is known, and lower ones are not: auctions under a
    learned floor say nothing of those, and taking their lowest again and again would let it creep
    up. The best of many counted means is too far out, by chance; so a curve of third degree is laid
    through the steps around it, `width` doublings to either side, and its highest point is taken.
    """
    known = [one for one in earnings if one.auctions >= least]
    if len(known) <= 1:
        return None
    centre = float(max(known, key=lambda one: (one.revenue, -one.floor)).floor)
    for _ in range(ROUNDS):
        near = [
            (math.log2(one.floor / centre), one.revenue, one.auctions)
            for one in known
            if abs(math.log2(one.floor / centre)) <= width
        ]
        if len(near) <= DEGREE + 1:
            break
        centre *= 2.0 ** _highest(near)
    if centre <= known[1].floor and known[0] is not earnings[0]:
        return None
    within = min(max(centre, float(known[0].floor)), float(known[-1].floor))
    return Micros(round(within / MICROS_PER_CENT) * MICROS_PER_CENT)


def _highest(points: Sequence[tuple[float, float, int]]) -> float:
    """Return where the curve through these points is highest, between the outermost of them."""
    curve = _fitted(points)
    first, last = points[0][0], points[-1][0]
    places = [first + (last - first) * place / (2 * FINE) for place in range(2 * FINE + 1)]
    return max(places, key=lambda x: sum(part * x**power for power, part in enumerate(curve)))


def _fitted(points: Iterable[tuple[float, float, int]]) -> list[float]:
    """Return the polynomial of least squares, lowest power first; each point weighs its count."""
    size = range(DEGREE + 1)
    moments = [0.0] * (2 * DEGREE + 1)
    rows = [[0.0] * (DEGREE + 2) for _ in size]
    for x, y, weight in points:
        for power in range(2 * DEGREE + 1):
            moments[power] += weight * x**power
        for power in size:
            rows[power][-1] += weight * y * x**power
    for row in size:
        rows[row][:-1] = [moments[row + column] for column in size]
    return _solved(rows)


def _solved(rows: list[list[float]]) -> list[float]:
    """Return the solution of linear equations, each its factors and what they come to."""
    size = len(rows)
    for place in range(size):
        pivot = max(range(place, size), key=lambda row: abs(rows[row][place]))
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for row in range(size):
            if row != place:
                factor = rows[row][place] / rows[place][place]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[place], strict=True)]
    return [rows[place][-1] / rows[place][place] for place in range(size)]
