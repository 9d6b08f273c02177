"""What the ledger says is used of every limit, counted a second time and from the ledger alone."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

LENGTH_S = {"hour": 3600, "day": 86_400}


class Counters:
    """Open and accepted sales by scope, kind, window and its begin, as market state names them."""

    def __init__(self) -> None:
        self._used: defaultdict[str, int] = defaultdict(int)
        self._lines: dict[str, list[tuple[str, str, int]]] = {}
        self._limits: dict[tuple[str, str, str], dict[int, int]] = defaultdict(dict)
        self._brought: list[tuple[str, str, int, str]] = []
        self._moved: list[tuple[str, str, int, str]] = []
        self._version = 0

    def limit(self, scope: str, kind: str, most: int, per: str) -> None:
        """Know a limit of the seller or campaign, which is the same in every version.

        Of what is brought, or of what its sales come to: `payout` to the seller, `spend` of buyers.
        """
        known = self._moved if kind in {"payout", "spend"} else self._brought
        known.append((scope, kind, most, per))

    def bring(self, kind: str, at_us: int, amount: int) -> Iterator[str]:
        """Count what the seller brought; yield every limit that it passes."""
        for scope, limited, most, per in self._brought:
            if limited == kind:
                start = (
                    at_us // 1_000_000 // LENGTH_S[per] * LENGTH_S[per] if per in LENGTH_S else 0
                )
                line = f"{scope}|{kind}|{per}|{start}", kind, amount
                yield from self._add(line, most)

    def limits(self, version: int, offers: dict[str, Any]) -> None:
        """Know the limits of one version of the market."""
        for offer in offers.values():
            for scope, kind, limit, per in offer["caps"]:
                self._limits[scope, kind, per][version] = limit

    def in_force(self, version: int) -> None:
        """A version of the market is sold under."""
        self._version = max(self._version, version)

    def _limit(self, scope: str, kind: str, per: str) -> int:
        """Return the highest limit that any worker may have known by now.

        Versions overlap while workers hear of them, and awards become durable in another order
        than their holds were made in.
        """
        versions = self._limits[scope, kind, per]
        return max(limit for version, limit in versions.items() if version <= self._version)

    def take(self, sale: Any, terms: dict[str, Any]) -> Iterator[str]:
        """Count an award; yield every limit that it passes."""
        lines = self._lines[sale.sale_id] = []
        for scope, kind, _, per in terms["caps"]:
            amount = sale.price if kind == "spend" else 1
            start, named = 0, "now" if kind == "concurrent" else per
            if per in LENGTH_S:
                held_s = sale.held_at_us // 1_000_000
                start = held_s - held_s % LENGTH_S[per]
            lines.append((f"{scope}|{kind}|{named}|{start}", kind, amount))
            yield from self._add(lines[-1], self._limit(scope, kind, per))
        for scope, kind, most, per in self._moved:
            amount = sale.payout if kind == "payout" else sale.price
            lines.append((f"{scope}|{kind}|{per}|0", kind, amount))
            yield from self._add(lines[-1], most)
        if terms["credit"] is not None:
            lines.append((f"buyer/{sale.buyer}|balance|total|0", "spend", sale.price))
            yield from self._add(lines[-1], terms["credit"])

    def _add(self, line: tuple[str, str, int], limit: int) -> Iterator[str]:
        counter, _, amount = line
        self._used[counter] += amount
        if self._used[counter] > limit:
            yield f"{counter} is {self._used[counter]}, its limit {limit}"

    def end(self, sale: Any) -> None:
        """Count what is left of a sale at its end."""
        for counter, kind, amount in self._lines[sale.sale_id]:
            if sale.state != "accepted" or kind == "concurrent":
                self._used[counter] -= amount
            elif kind == "spend":
                self._used[counter] -= amount - sale.charge

    def compare(self, counts: dict[str, str]) -> Iterator[str]:
        """Yield where what market state counts for a buyer is not what the ledger says."""
        for field, count in counts.items():
            counter, is_held = field[:-2], field.endswith("|h")
            due = 0 if is_held else self._used[counter]
            if int(count) != due:
                yield f"{field} is {count} after quiet, should be {due}"
