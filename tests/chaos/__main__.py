"""`python -m tests.chaos [--rounds N] [--seed S] [--json]`: break things, and compare the books.

Ends with 1 where there is a violation. A round that failed is run again by `--seed S --round K`.
"""

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos.plan import LEADS, Plan, plan
from tests.chaos.round import Outcome, run


class Result(msgspec.Struct, kw_only=True):
    """The last line."""

    rounds: int = 0
    leads: int = 0
    sold: int = 0
    in_doubt_resolved: int = 0
    violations: list[dict[str, object]] = []
    in_doubt: int = 0
    rounds_with_kill_after_post: int = 0
    faults: dict[str, int] = {}
    quota: str = ""
    seed: int = 0


def main() -> int:
    """Run the rounds; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--round", type=int, default=None, help="only this one, of its number")
    parser.add_argument("--leads", type=int, default=LEADS, help="in each round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--logs", type=Path, default=None, help="keep the exchange's logs here")
    given = parser.parse_args()
    numbers = range(given.rounds) if given.round is None else [given.round]
    plans = {number: plan(given.seed, number, given.leads) for number in numbers}
    result = asyncio.run(rounds(plans, given.logs))
    result.seed = given.seed
    if given.json:
        print(msgspec.json.encode(result).decode(), flush=True)  # noqa: T201 - it is asked for
    return 1 if result.violations else 0


async def rounds(plans: dict[int, Plan], logs: Path | None) -> Result:
    """Run the rounds one after the other, and tell how far they are on standard error."""
    console = Console(file=sys.stderr)
    result, faults = Result(), Counter[str]()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        total = shown.add_task("rounds", total=len(plans))
        for number, one in plans.items():
            told = ", ".join(strike.fault for strike in one.strikes)
            bar = shown.add_task(f"round {number}: {told}", total=one.leads)
            log = None if logs is None else logs / f"round-{number}"
            done = await run(one, log, lambda bar=bar: shown.advance(bar))
            shown.remove_task(bar)
            shown.advance(total)
            add(result, number, done)
            faults.update(done.faults)
            result.faults = dict(faults)
            console.print(line(number, one, done), markup=False, highlight=False, soft_wrap=True)
    return result


def add(result: Result, number: int, done: Outcome) -> None:
    """Take a round into the result."""
    result.rounds += 1
    result.leads += done.leads
    result.sold += done.sold
    result.in_doubt += done.in_doubt
    result.in_doubt_resolved += done.in_doubt_resolved
    result.rounds_with_kill_after_post += done.kills_after_post > 0
    result.quota = done.quota
    for found in done.violations:
        result.violations.append({"round": number, **msgspec.structs.asdict(found)})


def line(number: int, one: Plan, done: Outcome) -> str:
    """Return one line about a round, with what was wrong in it."""
    strikes = ", ".join(
        f"{strike.fault}{' after a post' if strike.between_post_and_outcome else ''}"
        for strike in one.strikes
    )
    said = f"round {number}: {strikes}: {done.statuses}, {done.in_doubt_resolved} doubts resolved"
    wrong = [f"\n  VIOLATION {one.kind}: {one.subject}: {one.detail}" for one in done.violations]
    return said + "".join(wrong)


if __name__ == "__main__":
    sys.exit(main())
