"""`python -m tests.simulation --seeds N --leads N [--seed S] [--json]`: simulate, audit, tell."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.seeds import Result

HASH_SEED = "0"
"""Sets of text are walked in the same order in every run."""


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--leads", type=int, default=1000, help="how many leads under each seed")
    parser.add_argument("--seed", type=int, default=None, help="this seed alone, or the first one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--mutant", default=None, help="break the exchange in this way")
    parser.add_argument("--until-caught", action="store_true", help="stop at the first violation")
    parser.add_argument("--without-losses", action="store_true", help="the market keeps its data")
    parser.add_argument("--lua", default="luajit21", help="what runs Lua: a module of lupa")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    return parser.parse_args()


def results(chosen: argparse.Namespace) -> Iterator["Result"]:
    """Yield what every seed came to, in order."""
    from tests.simulation.apart import each_apart
    from tests.simulation.seeds import Task, run_one

    first = 1 if chosen.seed is None else chosen.seed
    tasks = [
        Task(seed, chosen.leads, chosen.mutant, not chosen.without_losses, chosen.lua)
        for seed in range(first, first + chosen.seeds)
    ]
    if len(tasks) == 1:
        yield run_one(tasks[0])
    else:
        yield from each_apart(run_one, tasks, chosen.jobs)


def main() -> int:
    """Run all seeds; 1 where anything was violated."""
    from tests.simulation import crashes

    chosen = options()
    if chosen.seed is not None and "--seeds" not in sys.argv:
        chosen.seeds = 1
    began = time.monotonic()
    leads = sales = steps = 0
    cpu_s = 0.0
    faults: Counter[str] = Counter()
    violations: list[dict[str, Any]] = []
    digests = []
    crashed_at: set[str] = set()
    for result in told(results(chosen), chosen):
        leads, sales, steps = leads + result.leads, sales + result.sales, steps + result.steps
        cpu_s += result.cpu_s
        faults.update(result.faults)
        crashed_at |= result.crashed_at
        violations += result.violations
        digests.append(result.digest)
        if violations and chosen.until_caught:
            break
    took_s = time.monotonic() - began
    line = {
        "seeds": len(digests),
        "leads": leads,
        "sales": sales,
        "faults": sum(faults.values()),
        "violations": violations[:100],
        "violations_count": len(violations),
        "faults_by_kind": dict(sorted(faults.items())),
        "steps": steps,
        "crashed_at_awaits": len(crashes.met(crashed_at)),
        "awaits": len(crashes.all_places()),
        "digest": digests[0] if len(digests) == 1 else combined(digests),
        "leads_per_s": round(leads / took_s),
        "leads_per_cpu_s": round(leads / cpu_s),
    }
    sys.stdout.write(f"{json.dumps(line)}\n")
    return 1 if violations else 0


def combined(digests: list[str]) -> str:
    """Return one digest of many."""
    import hashlib

    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


def told(some: Iterator["Result"], chosen: argparse.Namespace) -> Iterator["Result"]:
    """Yield the results; show how far it is on standard error, and every seed that failed."""
    if chosen.json:
        yield from some
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=chosen.seeds)
        for result in some:
            progress.advance(task)
            for one in result.violations[:5]:
                console.print(f"[red]{one}[/red]", highlight=False)
            yield result
    console.print(f"seeds {chosen.seeds}, leads {chosen.leads} each", highlight=False)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
