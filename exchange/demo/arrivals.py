"""When leads arrive and what each one is like, all from the seed: a Poisson process."""

from collections.abc import Iterator
from random import Random

import msgspec

from exchange.demo.order import Feed, Mix, Oddity, Order, Way


class Arrival(msgspec.Struct, frozen=True):
    """One lead that a person just gave to a seller."""

    number: int
    after_s: float
    """Since the beginning."""
    feed: Feed
    way: Way
    oddity: Oddity


def arrivals(order: Order) -> Iterator[Arrival]:
    """Yield what arrives, in order, until the time of the order is over; without one, forever.

    The gaps are exponential, so that leads come alone, in pairs and in bursts as they do from
    people who know nothing of each other.
    """
    chance = Random(f"arrivals/{order.seed}")  # noqa: S311 - a demo rolls dice, it guards no secret
    shares = [feed.share for feed in order.feeds]
    after_s, number = chance.expovariate(order.rate), 0
    while order.seconds is None or after_s < order.seconds:
        number += 1
        (feed,) = chance.choices(order.feeds, shares)
        usual = way(order.mix, chance.random())
        yield Arrival(
            number,
            after_s,
            feed,
            Way.PING if feed.asks_first else usual,
            oddity(order.mix, chance.random()),
        )
        after_s += chance.expovariate(order.rate)


def way(mix: Mix, luck: float) -> Way:
    """Return in which way a request comes, by a number between 0 and 1."""
    for kind, share in ((Way.FORM, mix.form), (Way.MULTIPART, mix.multipart), (Way.PING, mix.ping)):
        if luck < share:
            return kind
        luck -= share
    return Way.JSON


def oddity(mix: Mix, luck: float) -> Oddity:
    """Return what is unusual about a request, by a number between 0 and 1."""
    kinds = (
        (Oddity.DUPLICATE, mix.duplicate),
        (Oddity.INVALID, mix.invalid),
        (Oddity.TEST, mix.test),
    )
    for kind, share in kinds:
        if luck < share:
            return kind
        luck -= share
    return Oddity.NONE
