"""Who ever had a hold: where the sweeper and the pruning look."""

from exchange.market import function, keys
from exchange.market.caller import Caller
from exchange.market.windows import is_past

PRUNED_MAX = 500
"""How many counters one call forgets."""


class Enrolment:
    """The set of all holders, written once a connection for each. Errors: MarketUnavailable."""

    def __init__(self, link: Caller) -> None:
        """Take the link."""
        self._link = link
        self._enrolled: set[str] = set()
        self._generation = 0

    def has(self, holder: str) -> bool:
        """Tell whether a holder was enrolled over this connection."""
        return self._generation == self._link.generation and holder in self._enrolled

    async def enrol(self, holder: str) -> None:
        """Make sure that a holder is in the set."""
        # With every connection anew: the server behind it may have lost its data.
        if self._generation != self._link.generation:
            self._enrolled.clear()
            self._generation = self._link.generation
        await self._link.call(function.ENROL, (keys.BUYERS,), (holder,))
        self._enrolled.add(holder)

    async def all(self) -> list[str]:
        """Return all holders, in a fixed order."""
        names: list[bytes] = await self._link.call(function.ENROLLED, (keys.BUYERS,))
        return sorted(name.decode() for name in names)

    async def prune(self, now_us: int) -> int:
        """Forget counters whose window is long past and where nothing is held; return how many."""
        forgotten = 0
        for holder in await self.all():
            fields: list[bytes] = await self._link.call(function.COUNTERS, (keys.counters(holder),))
            names = {field[:-2].decode() for field in fields[::2]}
            past = sorted(name for name in names if is_past(name, now_us))
            for start in range(0, len(past), PRUNED_MAX):
                forgotten += await self._link.call(
                    function.PRUNE, (keys.counters(holder),), past[start : start + PRUNED_MAX]
                )
        return forgotten
