"""`exchange reconcile`: what market state says beside what the books say, and putting it right."""

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from exchange.commands.books import both_stores
from exchange.commands.showing import tell
from exchange.domain.counting import counted
from exchange.domain.money import Micros, to_text
from exchange.settings import Settings
from exchange.story.reconciling import Line, Report
from exchange.telemetry.logs import configure_logging

MONEY = frozenset({"spend", "payout", "balance"})
"""What counters of money are called; all others count leads, pings or sales."""
DIFFERS = 3
"""The exit status where something differs still."""


async def reconcile(
    *,
    repair: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Compare caps, budgets, holds and claims in Valkey with the ledger, while the exchange sells.

    The exit status is 0 where all agree, or agree now; 3 where something differs; 1 where a store
    cannot be asked.

    Parameters
    ----------
    repair:
        Put right what differs, from the ledger.
    as_json:
        Print one JSON object.
    """
    configure_logging(settings.log_level)
    async with both_stores(settings) as both:
        found = await both.reconciling.look()
        left = found
        if repair and found.differences:
            await both.reconciling.repair(both.rebuilding, found)
            left = await both.reconciling.look()
    if as_json:
        sys.stdout.write(as_text(found, left, repaired=repair) + "\n")
    else:
        show(found.differences if repair else found.lines)
        tell(summary(found, left, repaired=repair))
    return DIFFERS if left.differences else 0


def as_text(found: Report, left: Report, *, repaired: bool) -> str:
    """Return one line of JSON: every number, what differed, and what still does."""
    answer = {
        "lines": found.lines,
        "differences": found.differences,
        "repaired": repaired,
        "left": left.differences,
    }
    return msgspec.json.encode(answer).decode()


def show(lines: Sequence[Line]) -> None:
    """Print a line for each number."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        mark, style = ("differs", "red") if line.differs else ("agrees ", "green")
        about = " ".join(part for part in (line.whose, line.name) if part)
        console.print(
            Text.assemble(
                (mark, style),
                f" {line.part:<9}{about}: "
                f"market state {shown(line, line.market)}, ledger {shown(line, line.ledger)}",
            )
        )


def shown(line: Line, number: int | str) -> str:
    """Return a number as people read it: an amount where its counter is of money."""
    is_money = MONEY & set(line.name.split("|")[1:2])
    return to_text(Micros(number)) if is_money and isinstance(number, int) else str(number)


def summary(found: Report, left: Report, *, repaired: bool) -> str:
    """Return what came of it, in a sentence."""
    differ, still = len(found.differences), len(left.differences)
    if not differ:
        return "Market state and ledger agree in " + counted(len(found.lines), "number") + "."
    if not repaired:
        of_all = counted(len(found.lines), "number")
        return (
            f"Market state and ledger differ in {differ:,} of {of_all}: --repair puts them right."
        )
    differed = f"Market state and ledger differed in {counted(differ, 'number')}"
    return f"{differed}, and still do in {still:,}." if still else f"{differed} and agree now."
