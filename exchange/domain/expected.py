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


class RankBy(StrEnum):
    """By what the bids of a stage are ranked."""

    PRICE = "price"
    EXPECTED_VALUE = "expected_value"


class Expecting(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign estimates what its bids are worth."""

    prior_posts: int = 20
    """So many posts of the campaign's mean every offer is taken to have had already."""
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


class Valuing(msgspec.Struct, frozen=True):
    """Ranks bids by what they are worth, under the chances of one moment."""

    chances: Chances
    after_refusal_ppm: int = 0

    def worth(self, bid: Bid) -> tuple[int, ...]:
        """Return what bids are compared by first; the least is the best."""
        return -self.value(bid), bid.offer.priority

    def value(self, bid: Bid) -> Micros:
        """Return what a bid is worth."""
        return value(bid.price, self.chances.of(bid.offer.id), self.after_refusal_ppm)

    def brings(self, bid: Bid, price: Micros) -> int:
        """Return what a bid is expected to bring at this price, its own or another."""
        return value(price, self.chances.of(bid.offer.id), self.after_refusal_ppm)

    def expected(self, bid: Bid) -> Expected:
        """Return a bid's worth with all that it follows from."""
        chance = self.chances.of(bid.offer.id)
        return Expected(chance.accepted_ppm, chance.returned_ppm, self.value(bid))


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


def estimated(tracks: Mapping[str, Track], prior_posts: int) -> Chances:
    """Return shrunken estimates: the means of Beta posteriors, one for each offer.

    The prior of all is as strong as `prior_posts` posts of the campaign's own mean; to that mean
    one accepted sale that is kept is added, so that of nothing nothing bad is thought.
    """
    posts = 1 + sum(track.posts for track in tracks.values())
    accepted = 1 + sum(track.accepted for track in tracks.values())
    matured = 1 + sum(track.matured for track in tracks.values())
    returned = sum(track.returned for track in tracks.values())
    mean = Chance(accepted * PPM // posts, returned * PPM // matured)
    return Chances(
        {
            offer_id: Chance(
                shrunk(track.accepted, track.posts, mean.accepted_ppm, prior_posts),
                shrunk(track.returned, track.matured, mean.returned_ppm, prior_posts),
            )
            for offer_id, track in tracks.items()
        },
        mean,
    )


def shrunk(hits: int, trials: int, mean_ppm: int, strength: int) -> int:
    """Return the mean of a Beta posterior in millionths; its prior has this mean and strength."""
    if trials + strength == 0:
        return mean_ppm
    return (hits * PPM + strength * mean_ppm) // (trials + strength)
