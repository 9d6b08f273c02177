"""A door that is like another one: the other's words, and its own before them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange.contract.door import DoorPart

OWN = frozenset({"id", "name", "like", "paused"})
"""What a door has of its own only."""
WHOLE = frozenset({"body"})
"""What is replaced, never mixed: an answer's tree."""


def resolved(part: DoorPart, doors: Mapping[str, DoorPart]) -> DoorPart:
    """Return a door in full; one whose model is missing, or is a copy itself, stays as it is."""
    model = doors.get(part.like or "")
    if model is None or model.like is not None:
        return part
    below = {key: value for key, value in plain(model).items() if key not in OWN}
    return msgspec.convert(mixed(below, plain(part)), DoorPart)


def plain(part: DoorPart) -> dict[str, Any]:
    """Return a door as a file would hold it."""
    found: dict[str, Any] = msgspec.to_builtins(part, builtin_types=(Decimal,))
    return found


def mixed(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables as one, in which `above` counts; calls are matched by their paths."""
    together = dict(below)
    for key, value in above.items():
        old = below.get(key)
        if key == "call":
            together[key] = calls(old or (), value)
        elif isinstance(value, dict) and isinstance(old, dict) and key not in WHOLE:
            together[key] = mixed(old, value)
        else:
            together[key] = value
    return together


def calls(below: Any, above: Any) -> list[dict[str, Any]]:
    """Return the calls of both, one of each path."""
    by_path = {call["path"]: call for call in below}
    for call in above:
        by_path[call["path"]] = mixed(by_path.get(call["path"], {}), call)
    return list(by_path.values())
