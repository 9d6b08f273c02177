"""The best set of those of whom some mind each other: the exact search, over sets of bits.

Branch and bound: what is left can bring no more than the best of each of so many sets of mutual
rivals as there is room for (Tomita and Seki 2003 bound the maximum clique so), and a branch that
cannot reach the best set so far is not followed. Where there is room for many that is not enough:
then each group that rivalry connects is searched apart, for every number of places, and the best
sets of the groups are put together.
"""

from collections.abc import Sequence

from exchange.domain.places import each

APART_FROM = 13
"""With less room than this all are searched as one: that is quicker, whoever minds whom."""

Found = tuple[int, tuple[int, ...]]
"""What a set brings, and its places."""
NOBODY: Found = (-1, ())


class Rivals:
    """Searches among the places of a ranking, those of most worth first."""

    def __init__(self, worths: Sequence[int], rivals: Sequence[int]) -> None:
        """Take what each place is worth, falling, and its rivals as bits."""
        self._worths = worths
        self._rivals = rivals
        self._best = NOBODY
        self._known: dict[tuple[int, int], Found] = {}

    def best(self, limits: Sequence[int], room: int) -> tuple[int, ...]:
        """Return the places of the set of most worth, its best first.

        `limits`: how large a set each place may be in; no set is larger than `room`.
        """
        best = NOBODY
        # From the smallest on, and only more worth replaces what was found: fewer buyers stay.
        for size in sorted(set(limits)):
            able = sum(1 << place for place, limit in enumerate(limits) if limit >= size)
            best = self._among(able, min(size, room), best)
        return tuple(sorted(best[1]))

    def _among(self, able: int, room: int, best: Found) -> Found:
        """Return the best set of these places in so much room, or `best` where none brings more."""
        if room < APART_FROM:
            return self._searched(able, room, best)
        sets: list[Found] = [(0, ())] * (room + 1)
        for group in groups_of(able, self._rivals):
            most = min(room, group.bit_count())
            own = [self._of_group(group, count) for count in range(1, most + 1)]
            sets = [together(sets, own, count) for count in range(room + 1)]
        found = sets[room]
        if not found[1]:  # nobody brings anything: the first will do
            return self._searched(able, room, best)
        return found if found[0] > best[0] else best

    def _of_group(self, group: int, room: int) -> Found:
        if (group, room) not in self._known:
            self._known[group, room] = self._searched(group, room, NOBODY)
        return self._known[group, room]

    def _searched(self, able: int, room: int, best: Found) -> Found:
        self._best = best
        self._search(able, room, 0, ())
        return self._best

    def _search(self, able: int, left: int, total: int, chosen: tuple[int, ...]) -> None:
        if chosen and total > self._best[0]:
            self._best = total, chosen
        while able and left and self._bound(able, left, total) > self._best[0]:
            place = (able & -able).bit_length() - 1
            able ^= 1 << place
            beside = able & ~self._rivals[place]
            worth = total + self._worths[place]
            if beside == able:  # nobody left minds the best one: no best set is without it
                left, total, chosen = left - 1, worth, (*chosen, place)
                if total > self._best[0]:
                    self._best = total, chosen
            else:
                self._search(beside, left - 1, worth, (*chosen, place))

    def _bound(self, able: int, left: int, total: int) -> int:
        while able and left:
            place = (able & -able).bit_length() - 1
            total += self._worths[place]
            left -= 1
            able ^= 1 << place
            together = able & self._rivals[place]
            while together:
                other = (together & -together).bit_length() - 1
                able ^= 1 << other
                together &= self._rivals[other]
        return total


def groups_of(able: int, rivals: Sequence[int]) -> list[int]:
    """Return these places in the groups that rivalry connects, the group of the first one first."""
    groups = []
    while able:
        group = reached = able & -able
        while reached:
            place = (reached & -reached).bit_length() - 1
            new = rivals[place] & able & ~group
            group |= new
            reached = reached & (reached - 1) | new
        able &= ~group
        groups.append(group)
    return groups


def together(sets: Sequence[Found], own: Sequence[Found], room: int) -> Found:
    """Return the best set in so much room, of the best in each room before and a group's own.

    Only more worth makes it larger.
    """
    best = sets[room]
    for count, (worth, places) in enumerate(own[:room], 1):
        before = sets[room - count]
        if before[0] + worth > best[0]:
            best = before[0] + worth, before[1] + places
    return best


def rivals_of(buyers: Sequence[str], minded: Sequence[frozenset[str]]) -> list[int]:
    """Return for each place its rivals, as bits: of the same buyer, or one of them names the other.

    `minded`: by place the buyers beside whom it will not be.
    """
    of_buyer: dict[str, int] = {}
    for place, buyer in enumerate(buyers):
        of_buyer[buyer] = of_buyer.get(buyer, 0) | 1 << place
    rivals = [of_buyer[buyer] & ~(1 << place) for place, buyer in enumerate(buyers)]
    for place, names in enumerate(minded):
        for name in names:
            named = of_buyer.get(name, 0)
            rivals[place] |= named
            for other in each(named):
                rivals[other] |= 1 << place
    return rivals
