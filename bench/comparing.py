"""What changed between two runs of one benchmark, and how much of it is noise."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

SPREAD = "spread"
"""The part of a result that says how far rounds lay apart, by the figure's name."""

LEFT_OUT = {SPREAD, "steps", "samples", "by_minute"}
"""The same, and courses of a run, in which no place is the same as in another run."""


class Change(msgspec.Struct, frozen=True):
    """One figure, before and now."""

    name: str
    old: float
    new: float
    noise: float | None
    """How far rounds of both runs lay apart, in the figure's unit; None: there was one round."""

    @property
    def percent(self) -> float | None:
        """By how much it changed; None where there was nothing."""
        return (self.new - self.old) / abs(self.old) * 100 if self.old else None

    @property
    def verdict(self) -> str:
        """Whether the change can be told from noise."""
        if self.new == self.old:
            return "same"
        if self.noise is None:
            return "noise not known"
        return "within noise" if abs(self.new - self.old) <= self.noise else "changed"


def figures(found: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield every figure of a result by its path; points of curves and of courses are none."""
    if isinstance(found, bool) or found is None:
        return
    if isinstance(found, int | float):
        yield name, float(found)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key not in LEFT_OUT:
                yield from figures(value, f"{name}.{key}" if name else key)
    elif isinstance(found, list | tuple) and all(isinstance(one, dict) for one in found):
        for number, one in enumerate(found):
            yield from figures(one, f"{name}[{number}]")


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return every figure that both results have."""
    before = dict(figures(old))
    spreads = [dict(figures(one.get(SPREAD, {}))) for one in (old, new)]
    return [
        Change(name, before[name], value, noise_of(name, spreads))
        for name, value in figures(new)
        if name in before
    ]


def noise_of(name: str, spreads: list[dict[str, float]]) -> float | None:
    """Return how far apart two runs may lie by chance, as far as their rounds tell."""
    known = [one[name] for one in spreads if name in one]
    return sum(known) if known else None


def table(found: list[Change]) -> str:
    """Return the changes as a Markdown table."""
    rows = [
        f"| {one.name} | {one.old:,.4g} | {one.new:,.4g} "
        f"| {'' if one.percent is None else f'{one.percent:+.1f} %'} "
        f"| {'' if one.noise is None else f'±{one.noise:.3g}'} | {one.verdict} |"
        for one in found
    ]
    head = ["| figure | before | now | change | noise | |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def last_object(path: Path) -> dict[str, Any]:
    """Return a result that was saved from `--json`: the last line of a file. Errors: ValueError."""
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    found = json.loads(lines[-1]) if lines else None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: its last line is no result of --json")  # noqa: TRY004 - its text
    return found
