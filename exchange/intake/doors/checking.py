"""What must hold of a door beyond its shape: all that it names exists, and it can be answered."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from exchange.contract.door import CallPart, DoorPart, From, FromPart
from exchange.dialect.faults import Fault, Path, Place
from exchange.dialect.words import alike, text_of
from exchange.domain.door import Does
from exchange.domain.nearest import hint
from exchange.domain.vertical import Vertical
from exchange.intake.consent import READERS
from exchange.intake.doors.compiling import CompiledDoor, compile_door, known_names
from exchange.intake.doors.taking import part_of

DOES = tuple(word.value for word in Does)


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What of the market a door may name."""

    verticals: Mapping[str, Vertical]
    campaigns: Mapping[str, str]
    """Their verticals."""
    sellers: Mapping[str, Collection[str]]
    """Their declared sources."""
    posts_into: Mapping[str, Collection[str]]
    """By seller: the campaigns that it may post into."""


class Found(msgspec.Struct, frozen=True):
    """What is wrong with a door, and what is odd about it."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


def check_door(door: DoorPart, market: Market) -> Found:
    """Return all that is wrong with a door that is resolved."""
    place = Place()
    compiled = compile_door(door, market.verticals, place)
    check_names(door, market, place)
    check_calls(door, place)
    for call, where in each_part(door, place):
        check_values(call, door, market, where)
        check_consent(call, where)
    check_fields(door, market, place)
    if place.faults:
        return Found(tuple(dict.fromkeys(place.faults)))
    return Found((), tuple(unfilled(door, compiled, market)))


def each_part(door: DoorPart, place: Place) -> Iterator[tuple[DoorPart | CallPart, Place]]:
    """Return the door and its calls, each of which may read."""
    yield door, place
    for index, call in enumerate(door.call):
        yield call, place.at("call", index)


def check_names(door: DoorPart, market: Market, place: Place) -> None:
    """Note sellers, sources and verticals that are not in the market."""
    for index, name in enumerate(door.sellers):
        known(name, "seller", market.sellers, place.at("sellers", index))
    for index, name in enumerate(door.sources):
        known(name, "source", sources_of(door, market), place.at("sources", index))
    for name in () if door.any_vertical else door.vertical:
        known(name, "vertical", market.verticals, place.at("vertical", name))


def known(name: str, kind: str, names: Collection[str], place: Place) -> None:
    """Note a name that is not in the market."""
    if name not in names:
        place.fault(f'there is no {kind} "{name}"{hint(name, names)}')


def sources_of(door: DoorPart, market: Market) -> Collection[str]:
    """Return the declared sources of all whom the door is open to."""
    sellers = door.sellers or tuple(market.sellers)
    return {source for seller in sellers for source in market.sellers.get(seller, ())}


def check_calls(door: DoorPart, place: Place) -> None:
    """Note calls that cannot be told apart, asked for or done."""
    if not door.call:
        place.at("call").fault("is missing: a door without a call is a wall")
    seen: dict[str, int] = {}
    for index, call in enumerate(door.call):
        where = place.at("call", index)
        first = seen.setdefault(call.path, index)
        if first != index:
            where.at("path").fault(f'"{call.path}" is the path of another call of this door')
        if not call.methods:
            where.at("methods").fault("names no method")
        if isinstance(call.does, FromPart):
            check_does(call.does, door, where.at("does"))
        told = call.lead_id or door.lead_id
        if told is None and (call.does is Does.STATUS or says_status(call.does, door)):
            where.at("lead_id").fault("is missing: whose status is asked for?")


def check_does(does: FromPart, door: DoorPart, place: Place) -> None:
    """Note words that are nothing which a call can do."""
    for value, step in targets(does, door):
        if alike(value) not in DOES:
            place.at(*step).fault(f"must be {', '.join(DOES)}{hint(str(value), DOES)}")


def says_status(does: Does | FromPart, door: DoorPart) -> bool:
    """Tell whether a request may ask for a status here."""
    if isinstance(does, Does):
        return False
    return any(alike(value) == Does.STATUS.value for value, _ in targets(does, door))


def targets(part: FromPart, door: DoorPart) -> Iterator[tuple[object, Path]]:
    """Return our own words that a rule may give, each with its place in the rule."""
    if isinstance(part.map, str):
        for meant in door.maps.get(part.map, {}).values():
            yield meant, ("map",)
    else:
        for word, meant in part.map.items():
            yield meant, ("map", word)
    for name in ("const", "default"):
        value = getattr(part, name)
        if value is not None:
            yield value, (name,)


def check_values(part: DoorPart | CallPart, door: DoorPart, market: Market, place: Place) -> None:
    """Note campaigns and sources that a rule gives and the market does not have."""
    kinds: Mapping[str, Collection[str]] = {
        "campaign": market.campaigns,
        "source": sources_of(door, market),
    }
    for kind, names in kinds.items():
        rule: From | None = getattr(part, kind)
        for value, step in () if rule is None else targets(part_of(rule), door):
            known(text_of(value) or "", kind, names, place.at(kind, *step))
    for name, rule, where in rules_of(part, place):
        if part_of(rule).or_only and name != "campaign":
            where.at("or_only").fault("is for the campaign")


def rules_of(part: DoorPart | CallPart, place: Place) -> Iterator[tuple[str, From, Place]]:
    """Return every rule that is not a table's."""
    for field in msgspec.structs.fields(part):
        rule = getattr(part, field.name)
        if isinstance(rule, FromPart):
            yield field.name, rule, place.at(field.encode_name)
    for group in ("fields", "consent", "tracking"):
        for name, rule in getattr(part, group).items():
            yield f"{group}.{name}", rule, place.at(group, name)


def check_consent(part: DoorPart | CallPart, place: Place) -> None:
    """Note what is no part of a consent."""
    for name in part.consent:
        if name not in READERS:
            place.at("consent", name).fault(f"is no part of a consent{hint(name, READERS)}")


def check_fields(door: DoorPart, market: Market, place: Place) -> None:
    """Note fields that no vertical has, or not the one for which they are named."""
    names = {vertical.id: known_names(vertical) for vertical in market.verticals.values()}
    meant = set(verticals_of(door, market)) & names.keys() or names.keys()
    every = frozenset[str]().union(*(names[vertical] for vertical in meant))
    listed = ", ".join(sorted(meant))
    of = "" if meant == names.keys() else f" of its sellers' campaigns ({listed})"
    for part, where in each_part(door, place):
        for name in () if door.any_vertical else part.fields:
            if name not in every:
                where.at("fields", name).fault(
                    f"no vertical{of} has such a field{hint(name, every)}"
                )
    for vertical, special in door.vertical.items():
        for name in special.fields if vertical in names and not door.any_vertical else ():
            if name not in names[vertical]:
                here = place.at("vertical", vertical, "fields", name)
                here.fault(f"is no field of this vertical{hint(name, names[vertical])}")


def unfilled(door: DoorPart, compiled: CompiledDoor, market: Market) -> Iterator[Fault]:
    """Return a warning for each call that can never give what a campaign needs."""
    verticals = verticals_of(door, market)
    for index, call in enumerate(door.call):
        ready = compiled.call(call.path)
        for vertical_id in verticals if ready is not None and call.does is not Does.STATUS else ():
            vertical = market.verticals.get(vertical_id)
            assert ready is not None, "nothing is asked of a paused door"
            missing = [] if vertical is None else needs(vertical, compiled, call, door)
            if missing:
                message = f'cannot give {", ".join(missing)}, which "{vertical_id}" requires'
                yield Fault(("call", index), message)


def verticals_of(door: DoorPart, market: Market) -> list[str]:
    """Return the verticals of all campaigns into which those may post who may come in."""
    sellers = door.sellers or tuple(market.sellers)
    campaigns = {name for seller in sellers for name in market.posts_into.get(seller, ())}
    return sorted({market.campaigns[name] for name in campaigns if name in market.campaigns})


def needs(vertical: Vertical, compiled: CompiledDoor, call: CallPart, door: DoorPart) -> list[str]:
    """Return the required fields that no rule of a call, or of a ping before it, can fill."""
    given = set(filled(compiled, call.path, vertical.id))
    if call.does is Does.PING:
        given |= {name.rpartition("_")[0] for name in given if name.endswith(("sha256", "md5"))}
        required = [field.name for field in vertical.fields.values() if field.required_in_ping]
    else:
        for other in door.call:
            if other.does is Does.PING:
                given |= set(filled(compiled, other.path, vertical.id))
        required = [
            field.name
            for field in vertical.fields.values()
            if field.required_in_ping or field.required_in_post
        ]
    return [name for name in required if name not in given]


def filled(compiled: CompiledDoor, path: str, vertical_id: str) -> Iterator[str]:
    """Return the fields that a call can fill."""
    call = compiled.call(path)
    if call is not None:
        yield from call.rules.fields.get(vertical_id, {})
        yield from call.rules.names.get(vertical_id, ())
