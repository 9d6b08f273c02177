"""Where figures come from: when they were measured, on which machine, of which commit."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parents[1]
COMMIT_CHARACTERS = 12


class Origin(msgspec.Struct, frozen=True):
    """What stands beside all figures, however they are told."""

    measured_at: str
    commit: str | None
    """None: this is no git checkout."""
    machine: str


def origin() -> Origin:
    """Return where figures of now and here come from."""
    return Origin(f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}", commit_of(HERE), machine())


def sentence(told: Mapping[str, Any]) -> str:
    """Return where figures come from, for people: by what `--json` keeps of an `Origin`."""
    at, commit, where = told["measured_at"], told.get("commit"), told["machine"]
    return f"Measured {at}{f', commit {commit}' if commit else ''}, on {where}."


def commit_of(checkout: Path) -> str | None:
    """Return a checkout's commit, `+` behind it where files differ from it; None where none is."""
    if not (checkout / ".git").exists():
        return None  # a folder inside somebody else's repository is not that one
    try:
        commit = git(checkout, "rev-parse", f"--short={COMMIT_CHARACTERS}", "HEAD")
        changed = git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changed else commit


def git(checkout: Path, *words: str) -> str:
    """Return what a git command says of a checkout."""
    command = ["git", "-C", str(checkout), *words]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words
    return done.stdout.decode().strip()


def machine() -> str:
    """Return what it was measured on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    model = models[0] if models else platform.machine()
    exchange = version("ping-post-exchange")
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, exchange {exchange}"
    )
