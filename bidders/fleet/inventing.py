"""Fleets that nobody wrote down: so many buyers from a seed, or one for every fault."""

import msgspec

from bidders.fleet.chance import Dice, Fixed, LogNormal
from bidders.fleet.spec import BuyerSpec, PingFault, PostFault, SpecError


class Faults(msgspec.Struct, frozen=True):
    """The shares of faults that all buyers of a fleet have."""

    ping: dict[PingFault, float] = {}
    post: dict[PostFault, float] = {}


NO_FAULTS = Faults()


def read_faults(text: str) -> Faults:
    """Return the faults of a text such as `ping.slow=0.05,post.never=0.01`.

    `none` is no fault, `all=0.01` that share of every fault. Raises `SpecError`.
    """
    ping: dict[PingFault, float] = {}
    post: dict[PostFault, float] = {}
    for wish in [] if text == "none" else text.split(","):
        name, _, amount = wish.strip().partition("=")
        try:
            share = float(amount)
        except ValueError:
            raise SpecError(f"{wish!r}: a fault is written like ping.slow=0.05") from None
        if name == "all":
            ping |= dict.fromkeys(PingFault, share)
            post |= dict.fromkeys(PostFault, share)
        elif name.removeprefix("ping.") in set(PingFault) and name.startswith("ping."):
            ping[PingFault(name.removeprefix("ping."))] = share
        elif name.removeprefix("post.") in set(PostFault) and name.startswith("post."):
            post[PostFault(name.removeprefix("post."))] = share
        else:
            known = ", ".join(
                [*(f"ping.{f}" for f in PingFault), *(f"post.{f}" for f in PostFault)]
            )
            raise SpecError(f"no fault is called {name!r}; there are {known}")
    return Faults(ping, post)


def invent(
    count: int, seed: int, faults: Faults = NO_FAULTS, latency_ms: float | None = None
) -> tuple[BuyerSpec, ...]:
    """Return `count` buyers whose prices and paces come from the seed, all with these faults.

    Median prices lie between 6 and 30; median latencies between 5 and 80 ms, unless
    `latency_ms` fixes them.
    """
    return tuple(
        invented(f"buyer-{number:02}", seed, faults, latency_ms) for number in range(1, count + 1)
    )


def invented(name: str, seed: int, faults: Faults, latency_ms: float | None) -> BuyerSpec:
    """Return one buyer of the seed's making."""
    luck = Dice(seed, name).roll("what kind of buyer")
    pace: Fixed | LogNormal
    if latency_ms is None:
        pace = LogNormal(median=5 + 75 * luck.pace, spread=0.4)
    else:
        pace = Fixed(latency_ms)
    return BuyerSpec(
        id=name,
        price=LogNormal(median=6 + 24 * luck.price, spread=0.1 + 0.3 * luck.interest),
        latency_ms=pace,
        post_latency_ms=pace,
        ping_faults=faults.ping,
        post_faults=faults.post,
    )


def one_of_each_fault(like: BuyerSpec) -> tuple[BuyerSpec, ...]:
    """Return one buyer per fault who has it always, named like it: `ping-slow`, `post-never`.

    In everything else they are `like` the given one.
    """
    replace = msgspec.structs.replace
    return (
        *(replace(like, id=f"ping-{fault}", ping_faults={fault: 1.0}) for fault in PingFault),
        *(replace(like, id=f"post-{fault}", post_faults={fault: 1.0}) for fault in PostFault),
    )
