"""What a bid is worth: its price times the chance that it becomes money and stays; whole numbers.

The chances are shares of a million, estimated from the ledger by domain.experience. Nothing here is
a float, so that a replay that reads them from the timeline ranks alike.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from exchange.domain.bid import Bid
from exchange.domain.money import Micros

PPM = 1_000_000
"""A certainty, in millionths."""


STRENGTH = 20
"""Of a prior that nothing tells the strength of, in posts."""
STRENGTH_MAX = 1000
OFFERS_MIN, TRIALS_MIN = 3, 60
"""So many offers, and posts of them, it takes to tell."""


class RankBy(StrEnum):
    """By what the bids of a stage are ranked."""

    PRICE = "price"
    EXPECTED_VALUE = "expected_value"


class Expecting(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign estimates what its bids are worth."""

    prior_posts: int | None = None
    """So many posts of the campaign's mean every offer is taken to have had already; None: as many
    as fits how far its offers lie apart."""
    days: int = 30
    """How far back the ledger is believed."""
    returns_after_days: int = 14
    """A sale tells whether it is returned once it is as old as this."""
    after_refusal_ppm: int = 0
    """What a refused lead is still worth to the next buyer; 0: a refusal is taken to lose it."""


class Chance(msgspec.Struct, frozen=True, array_like=True):
    """How likely an offer's bid becomes money, in millionths."""

    accepted_ppm: int
    """Of a post."""
    returned_ppm: int
    """Of a sale."""


CERTAIN = Chance(PPM, 0)


class Chances(msgspec.Struct, frozen=True):
    """The chances of a campaign's offers, as they were estimated at one moment."""

    by_offer: Mapping[str, Chance] = {}
    others: Chance = CERTAIN
    """Of an offer of which nothing is known yet: the campaign's mean."""

    def of(self, offer_id: str) -> Chance:
        """Return an offer's chances."""
        return self.by_offer.get(offer_id, self.others)


NOTHING_KNOWN = Chances()
"""Before anything was learned: every bid is worth its price."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an offer's posts in one campaign."""

    posts: int = 0
    """That have their end: accepted, refused or void."""
    accepted: int = 0
    matured: int = 0
    """Sales that are old enough to tell whether they are returned."""
    returned: int = 0
    """Of these."""


class Expected(msgspec.Struct, frozen=True, array_like=True):
    """The numbers that ranked one bid."""

    accepted_ppm: int
    returned_ppm: int
    value: Micros


class Valuing:
    """Ranks the bids of one stage by what they are worth, under the chances of one moment."""

    __slots__ = ("_known", "after_refusal_ppm", "chances")

    def __init__(self, chances: Chances, after_refusal_ppm: int = 0) -> None:
        """Take the chances of the campaign's offers."""
        self.chances = chances
        self.after_refusal_ppm = after_refusal_ppm
        self._known: dict[tuple[str, Micros], Expected] = {}
        """By offer and price: each bid is looked at a few times, and worked out once."""

    def worth(self, bid: Bid) -> tuple[int, ...]:
        """Return what bids are compared by first; the least is the best."""
        return -self.expected(bid).value, bid.offer.priority

    def brings(self, bid: Bid, price: Micros) -> int:
        """Return what a bid is expected to bring at this price, its own or another."""
        return value(price, self.chances.of(bid.offer.id), self.after_refusal_ppm)

    def expected(self, bid: Bid) -> Expected:
        """Return a bid's worth with all that it follows from."""
        key = bid.offer.id, bid.price
        known = self._known.get(key)
        if known is None:
            chance = self.chances.of(bid.offer.id)
            worth = value(bid.price, chance, self.after_refusal_ppm)
            known = Expected(chance.accepted_ppm, chance.returned_ppm, worth)
            self._known[key] = known
        return known


def value(price: Micros, chance: Chance, after_refusal_ppm: int = 0) -> Micros:
    """Return price x accepted x (1 - returned), in whole micros, rounded down.

    Where a share `k` of a lead's worth survives a refusal, posting in the order of
    `price x accepted x (1 - returned) / (1 - k x (1 - accepted))` brings the most: swap two
    neighbours of any other order and it brings no less. With k = 0 that is the product alone, with
    k = 1 acceptance does not matter.
    """
    kept_ppm = PPM - chance.returned_ppm
    accepted_ppm = max(1, chance.accepted_ppm)
    lost = PPM * PPM - after_refusal_ppm * (PPM - accepted_ppm)
    return Micros(price * accepted_ppm * kept_ppm // lost)


def revenue(order: Iterable[tuple[Micros, Chance]]) -> Micros:
    """Return what posting to these bids one after the other is expected to bring, until one takes.

    Nothing is taken to be lost by a refusal here: the next one is tried.
    """
    total, reached = 0, PPM
    for price, chance in order:
        kept_ppm = PPM - chance.returned_ppm
        total += reached * chance.accepted_ppm * kept_ppm * price // PPM**3
        reached = reached * (PPM - chance.accepted_ppm) // PPM
    return Micros(total)


def estimated(tracks: Mapping[str, Track], prior_posts: int | None) -> Chances:
    """Return shrunken estimates: the means of Beta posteriors, one for each offer.

    The prior of all is as strong as `prior_posts` posts of the campaign's own mean, or as strong as
    fits how far its offers lie apart. To that mean one accepted sale that is kept is added, so that
    of nothing nothing bad is thought.
    """
    posts = 1 + sum(track.posts for track in tracks.values())
    accepted = 1 + sum(track.accepted for track in tracks.values())
    matured = 1 + sum(track.matured for track in tracks.values())
    returned = sum(track.returned for track in tracks.values())
    mean = Chance(accepted * PPM // posts, returned * PPM // matured)
    accepting = returning = prior_posts
    if accepting is None or returning is None:
        accepting = fitted([(track.accepted, track.posts) for track in tracks.values()])
        returning = fitted([(track.returned, track.matured) for track in tracks.values()])
    return Chances(
        {
            offer_id: Chance(
                shrunk(track.accepted, track.posts, mean.accepted_ppm, accepting),
                shrunk(track.returned, track.matured, mean.returned_ppm, returning),
            )
            for offer_id, track in tracks.items()
        },
        mean,
    )


def fitted(seen: Iterable[tuple[int, int]]) -> int:
    """Return the strength of the Beta prior that fits these hits of trials, by their moments.

    How far shares lie apart beyond what chance alone does (Kleinman, "Proportions with Extraneous
    Variance", 1973): alike, they are pulled together by a strong prior; far apart, hardly at all.
    Where too few tell, `STRENGTH`.
    """
    known = [(hits, trials) for hits, trials in seen if trials]
    total = sum(trials for _, trials in known)
    mean = sum(hits for hits, _ in known) / total if total else 0.0
    by_chance = mean * (1 - mean)
    if len(known) < OFFERS_MIN or total < TRIALS_MIN or not by_chance:
        return STRENGTH
    apart = sum(trials * (hits / trials - mean) ** 2 for hits, trials in known)
    free = len(known) - 1
    room = total - sum(trials * trials for _, trials in known) / total - free
    alike = (apart - by_chance * free) / (by_chance * room) if room > 0 else 0.0
    if alike <= 1 / (STRENGTH_MAX + 1):
        return STRENGTH_MAX
    return max(1, round(1 / alike - 1))


def shrunk(hits: int, trials: int, mean_ppm: int, strength: int) -> int:
    """Return the mean of a Beta posterior in millionths; its prior has this mean and strength."""
    if trials + strength == 0:
        return mean_ppm
    return (hits * PPM + strength * mean_ppm) // (trials + strength)
