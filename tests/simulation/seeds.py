"""One seed, simulated and audited: what it came to, in few words."""

import gc
import time
from typing import Any, NamedTuple

import msgspec

from tests.simulation import logs
from tests.simulation.auditor import Auditor
from tests.simulation.mutants import MUTANTS
from tests.simulation.simulate import Setting, same, simulate


class Task(NamedTuple):
    """What is to be run."""

    seed: int
    leads: int
    mutant: str | None
    losses: bool
    lua: str


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


def run_one(task: Task) -> Result:
    """Simulate and audit one seed."""
    seed, leads, mutant, losses, lua = task
    logs.listen()
    gc.disable()  # when it looks would depend on what ran before
    began = time.process_time()
    alter = MUTANTS[mutant] if mutant else same
    done = simulate(seed, Setting(leads=leads, alter=alter, losses=losses, lua=lua))
    found = [
        {"seed": seed, "invariant": one.invariant, "at_s": one.at_s, "what": one.what}
        for one in Auditor().read(done.history)
    ]
    found += [{"seed": seed, "invariant": "uncaught", "what": error} for error in done.errors]
    found += [{"seed": seed, "invariant": "logged", "what": error} for error in done.logged]
    cpu_s = time.process_time() - began
    return Result(
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
