"""The tests of the real stores, run on the simulated ones: what passes there must pass here.

A test of an integration package is a coroutine function whose parameters name fixtures. Those
whose parameters all have a simulated counterpart are called with it, in a world of their own.
"""

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.simulation.loop import Process, World, run


def contracts(
    modules: list[ModuleType], fixtures: set[str], without: dict[str, str]
) -> Iterator[Any]:
    """Yield a parameter for every test that can run on these fixtures, by its name.

    `without` names those that speak of something else, with the reason.
    """
    for module in modules:
        for name, test in vars(module).items():
            if not name.startswith("test_") or not inspect.iscoroutinefunction(test):
                continue
            given = parametrized(test)
            wanted = set(inspect.signature(test).parameters)
            if name in without or any(wanted - fixtures - case.keys() for case in given):
                continue
            for number, case in enumerate(given):
                named = name.removeprefix("test_") + (f"-{number}" if len(given) > 1 else "")
                yield pytest.param(test, case, id=named)


def parametrized(test: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return the arguments of each of its cases."""
    cases: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", ()):
        if mark.name != "parametrize":
            continue
        names = mark.args[0]
        names = [one.strip() for one in names.split(",")] if isinstance(names, str) else names
        rows = [
            dict(zip(names, row if len(names) > 1 else (row,), strict=True)) for row in mark.args[1]
        ]
        cases = [{**case, **row} for case, row in itertools.product(cases, rows)]
    return cases


def keep(
    test: Callable[..., Any],
    case: dict[str, Any],
    build: Callable[[Process], Callable[[str], Any]],
) -> None:
    """Run one test in a world of its own; `build` returns what makes a fixture by its name."""
    world = World(test.__name__)
    process = Process(world, "test")

    async def told() -> None:
        made: dict[str, Any] = {}
        fixture = build(process)
        for name in inspect.signature(test).parameters:
            value = case[name] if name in case else fixture(name)
            made[name] = await value if asyncio.iscoroutine(value) else value
        await test(**made)

    try:
        run(process, told())
        assert not world.errors, world.errors
    finally:
        process.sweep()
