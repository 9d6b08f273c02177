"""`python -m tests.simulation --seeds N --leads N [--seed S] [--json]`: simulate, audit, tell."""

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec

HASH_SEED = "0"
"""Sets of text are walked in the same order in every run."""


class Result(msgspec.Struct):
    """What one seed came to, less its history."""

    seed: int
    digest: str
    leads: int
    sales: int
    steps: int
    cpu_s: float
    faults: dict[str, int]
    crashed_at: set[str]
    violations: list[dict[str, Any]]


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
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    return parser.parse_args()


def run_one(task: tuple[int, int, str | None, bool]) -> Result:
    """Simulate and audit one seed; nothing is left of it but its result."""
    from tests.simulation import logs
    from tests.simulation.auditor import Auditor
    from tests.simulation.mutants import MUTANTS
    from tests.simulation.simulate import Setting, same, simulate

    seed, leads, mutant, losses = task
    logs.listen()
    gc.disable()  # when it looks would depend on what ran before
    began = time.process_time()
    alter = MUTANTS[mutant] if mutant else same
    done = simulate(seed, Setting(leads=leads, alter=alter, losses=losses))
    found = [
        {"seed": seed, "invariant": one.invariant, "at_s": one.at_s, "what": one.what}
        for one in Auditor().read(done.history)
    ]
    found += [{"seed": seed, "invariant": "uncaught", "what": error} for error in done.errors]
    found += [{"seed": seed, "invariant": "logged", "what": error} for error in done.logged]
    cpu_s = time.process_time() - began
    result = Result(
        seed,
        done.digest,
        done.leads,
        done.sales,
        done.steps,
        cpu_s,
        done.faults,
        done.crashed_at,
        found,
    )
    del done
    gc.collect()
    return result


def results(chosen: argparse.Namespace) -> Iterator[Result]:
    """Yield what every seed came to, in order."""
    first = 1 if chosen.seed is None else chosen.seed
    tasks = [
        (seed, chosen.leads, chosen.mutant, not chosen.without_losses)
        for seed in range(first, first + chosen.seeds)
    ]
    if chosen.jobs <= 1 or len(tasks) == 1:
        yield from map(run_one, tasks)
        return
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("fork")) as pool:
        pending = pool.map(run_one, tasks)
        try:
            yield from pending
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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


def told(some: Iterator[Result], chosen: argparse.Namespace) -> Iterator[Result]:
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
