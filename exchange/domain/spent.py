"""What is used up for good: a sale that has no room there need not be tried.

What is held may be given back at any moment, and the hold alone decides about that. What is
settled comes back by a return only: where a limit has too little left beside it, no hold succeeds,
whatever becomes of those that are under way.
"""

from collections.abc import Iterable

from exchange.domain.caps import HoldLine, HoldRefused, Used
from exchange.domain.pilot import is_of_pilot

SPENT = "|spent"
"""After a counter's name: it has no room even if all that is held were given back."""


def spent(lines: Iterable[HoldLine], settled: Used) -> HoldRefused | None:
    """Return what a hold of these lines would certainly be refused for, or None.

    `settled` is what counts for good of each counter; a pilot's limits are left to the hold, whose
    refusal ends the pilot.
    """
    taken: dict[str, int] = {}
    for line in lines:
        counter = line.counter
        taken[counter] = taken.get(counter, 0) + line.amount
        if settled.get(counter, 0) + taken[counter] > line.limit and not is_of_pilot(counter):
            return HoldRefused(f"{line.told}{SPENT}", line.reason)
    return None
