"""What must hold of doors: that they can be entered, and that all that they name exists."""

from collections.abc import Iterator, Mapping

from exchange.configuration.compiling.verticals import vertical_of
from exchange.configuration.draft import Draft, Entry
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.door import DoorPart
from exchange.contract.market.verticals import VerticalPart
from exchange.dialect.faults import Fault, key_text
from exchange.domain.nearest import hint
from exchange.intake.doors.checking import Found, Market, check_door
from exchange.intake.doors.like import plain, resolved


def check_doors(draft: Draft, verticals: Mapping[str, VerticalPart]) -> Iterator[Problem]:
    """Tell what is wrong with a market's doors, and what is odd about them.

    `verticals` are those that are right; a fault of a door is told there, not where it is copied.
    """
    entries = {entry.part.id: entry for entry in draft.doors}
    likenesses = {entry.path: tuple(wrong_likeness(entry, entries, draft)) for entry in draft.doors}
    for wrong in likenesses.values():
        yield from wrong
    if not is_whole(draft, verticals):
        return  # what a door names cannot be judged before it is right itself
    market = market_of(draft, verticals)
    parts = {name: entry.part for name, entry in entries.items()}
    wholes = {name: resolved(part, parts) for name, part in parts.items()}
    found = {name: check_door(whole, market) for name, whole in wholes.items()}
    for name, entry in entries.items():
        model = entry.part.like
        # A model that is misshapen has been told of; what it would say is not known.
        if not likenesses[entry.path] and (model is None or model in entries):
            yield from told(entry, wholes[name], found[name], found.get(model or ""))


def wrong_likeness(
    entry: Entry[DoorPart], entries: Mapping[str, Entry[DoorPart]], draft: Draft
) -> Iterator[Problem]:
    """Tell of a model that is not there, or that has a model itself."""
    door, path = entry.part, (*entry.path, "like")
    if door.like is None:
        return
    others = draft.ids["door"] - {door.id}
    if door.like not in others:
        yield Problem(path, f'there is no other door "{door.like}"{hint(door.like, others)}')
    elif door.like in entries and entries[door.like].part.like is not None:
        model = entries[door.like].part
        yield Problem(path, f'"{model.id}" is like "{model.like}" itself: name that one')


def is_whole(draft: Draft, verticals: Mapping[str, VerticalPart]) -> bool:
    """Tell whether all that doors may name could be read."""
    whole = {
        "seller": {entry.part.id for entry in draft.sellers},
        "campaign": {entry.part.id for entry in draft.campaigns},
        "vertical": set(verticals),
    }
    return all(draft.ids[kind] == names for kind, names in whole.items())


def market_of(draft: Draft, verticals: Mapping[str, VerticalPart]) -> Market:
    """Return what of a market a door may name."""
    posts_into: dict[str, list[str]] = {}
    for entry in draft.campaigns:
        for seller in entry.part.sellers:
            name = seller if isinstance(seller, str) else seller.id
            posts_into.setdefault(name, []).append(entry.part.id)
    return Market(
        verticals={name: vertical_of(part) for name, part in verticals.items()},
        campaigns={entry.part.id: entry.part.vertical for entry in draft.campaigns},
        sellers={
            entry.part.id: [source.id for source in entry.part.source] for entry in draft.sellers
        },
        posts_into=posts_into,
    )


def told(
    entry: Entry[DoorPart], whole: DoorPart, found: Found, of_model: Found | None
) -> Iterator[Problem]:
    """Tell what was found, each at its own line; what the model has told already is not told."""
    model = of_model or Found(())
    known = {said(fault) for fault in (*model.faults, *model.warnings)}
    for faults, is_warning in ((found.faults, False), (found.warnings, True)):
        for fault in faults:
            if said(fault) not in known:
                yield problem_of(entry, whole, fault, is_warning=is_warning)


def said(fault: Fault) -> tuple[object, str]:
    """Return what is wrong without the number of its call, which is another one in a copy."""
    return tuple(step for step in fault.path if not isinstance(step, int)), fault.message


def problem_of(
    entry: Entry[DoorPart], whole: DoorPart, fault: Fault, *, is_warning: bool = False
) -> Problem:
    """Return a fault where its author can mend it: at `like` where it came from there."""
    place = own_place(entry.part, whole, fault.path)
    if place is not None:
        return Problem((*entry.path, *place), fault.message, is_warning, below=fault.below)
    message = f"with what it takes from there: {key_text(fault.path)} {fault.message}"
    return Problem((*entry.path, "like"), message, is_warning)


def own_place(door: DoorPart, whole: DoorPart, path: Path) -> Path | None:
    """Return where a fault of a resolved door stands in the door itself, None if nowhere."""
    if door.like is None:
        return path
    if path[:1] == ("call",) and len(path) > 1:
        # Its calls are matched by their paths: here they may stand in another order.
        called = [call.path for call in door.call]
        asked = whole.call[int(path[1])].path
        if asked not in called:
            return None
        path = ("call", called.index(asked), *path[2:])
    return path if stands(plain(door), path) else None


def stands(value: object, path: Path) -> bool:
    """Tell whether there is something at a path; a text stands for its `path`, a list too."""
    for step in path:
        if isinstance(value, dict):
            if step not in value:
                return False
            value = value[step]
        elif isinstance(value, list | tuple) and isinstance(step, int):
            value = value[step]
    return True
