"""What a market file would change: added, changed, retired, revived, field by field."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.configuration.objects import Key, Object, parts_of, same
from exchange.configuration.problem import Problem
from exchange.configuration.rules_mapping import missing_secrets
from exchange.configuration.writing import inline
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market_file import MarketFile
from exchange.contract.parts import Part

ABSENT = "none"


class Present(msgspec.Struct, frozen=True):
    """The market as it is stored."""

    version: int
    objects: Mapping[Key, Object]
    retired: Mapping[Key, Part]
    """As they were before they were retired."""
    secrets: frozenset[str] = frozenset()
    """Named secrets that are set."""
    opened: frozenset[str] = frozenset()
    """Buyers whose opening balance was booked."""


class Action(StrEnum):
    """What becomes of an object."""

    ADD = "add"
    CHANGE = "change"
    RETIRE = "retire"
    REVIVE = "revive"


class FieldChange(msgspec.Struct, frozen=True):
    """One key that changes; its values as TOML writes them."""

    key: str
    old: str
    new: str


class ObjectChange(msgspec.Struct, frozen=True):
    """One object that changes."""

    action: Action
    kind: str
    id: str
    fields: tuple[FieldChange, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """All that an apply would do; falsy where that is nothing."""

    since: int
    """The version that it starts from."""
    changes: tuple[ObjectChange, ...]
    reordered: tuple[str, ...] = ()
    """Kinds whose objects stand in another order, which decides where offers are asked in turn."""

    def __bool__(self) -> bool:
        return bool(self.changes or self.reordered)


def difference(present: Present, market: MarketFile) -> Difference:
    """Return what would make this market out of the present one."""
    wanted = parts_of(market)
    changes: list[ObjectChange] = []
    for (kind, name), part in wanted.items():
        old = present.objects.get((kind, name))
        if old is None:
            action = Action.REVIVE if (kind, name) in present.retired else Action.ADD
            changes.append(ObjectChange(action, kind, name))
        elif not same(old.part, part):
            fields = tuple(field_changes(old.part, part, "")) or tuple(_rewritten(old.part, part))
            changes.append(ObjectChange(Action.CHANGE, kind, name, fields))
    changes += [
        ObjectChange(Action.RETIRE, kind, name)
        for kind, name in _in_order(present)
        if (kind, name) not in wanted
    ]
    return Difference(present.version, tuple(changes), tuple(_reordered(present, wanted)))


def conflicts(present: Present, market: MarketFile) -> Iterator[Problem]:
    """Tell which changes cannot be.

    Money and limits already stand under the old value, or a secret is not there.
    """
    known = {**present.retired, **{key: entry.part for key, entry in present.objects.items()}}
    owners = {key: getattr(part, "buyer", None) for key, part in known.items()}
    for index, buyer in enumerate(market.buyer):
        yield from _currency(known.get(("buyer", buyer.id)), buyer, ("buyer", index))
        for place, offer in enumerate(buyer.offer):
            owner = owners.get(("offer", offer.id))
            if owner not in {None, buyer.id}:
                path = ("buyer", index, "offer", place, "id")
                yield Problem(path, f'"{offer.id}" is an offer of buyer "{owner}", now or earlier')
    yield from missing_secrets(market, present.secrets)
    for index, campaign in enumerate(market.campaign):
        yield from _currency(known.get(("campaign", campaign.id)), campaign, ("campaign", index))


def notes(present: Present, market: MarketFile) -> Iterator[Problem]:
    """Warn of changes that do not do what they seem to."""
    for index, buyer in enumerate(market.buyer):
        entry = present.objects.get(("buyer", buyer.id))
        old = entry.part if entry else present.retired.get(("buyer", buyer.id))
        if buyer.id not in present.opened:
            continue  # it is booked now, if there is one
        if isinstance(old, BuyerPart) and _opening(old) != _opening(buyer):
            yield Problem(
                ("buyer", index, "billing", "opening_balance"),
                "was booked before, once; the change moves no money. What the buyer paid in "
                'stays; mode = "credit" with a limit gives it room beyond that',
                is_warning=True,
            )


def field_changes(old: object, new: object, key: str) -> Iterator[FieldChange]:
    """Tell, key by key, what differs between two parts or two values of one."""
    if old == new:
        return
    inner = _inner(old), _inner(new)
    if inner[0] is None or inner[1] is None or not inner[0].keys() & inner[1].keys():
        yield FieldChange(key, _shown(old), _shown(new))
        return
    for name in {**inner[0], **inner[1]}:
        path = f"{key}.{name}" if key else name
        yield from field_changes(inner[0].get(name), inner[1].get(name), path)


def _rewritten(old: Part, new: Part) -> Iterator[FieldChange]:
    """Tell of keys that are equal but written otherwise: in another order, or 9.00 for 9."""
    for field in msgspec.structs.fields(new):
        texts = _shown(getattr(old, field.name)), _shown(getattr(new, field.name))
        if texts[0] != texts[1]:
            yield FieldChange(field.encode_name, *texts)


def _inner(value: object) -> Mapping[str, object] | None:
    """Return what a value is made of by name, or None where it is one value."""
    if isinstance(value, msgspec.Struct):
        return {
            field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(value)
        }
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple) and value and all(hasattr(part, "id") for part in value):
        return {part.id: part for part in value}
    if isinstance(value, tuple) and all(isinstance(part, msgspec.Struct) for part in value):
        return {str(index): part for index, part in enumerate(value)}
    return None


def _shown(value: object) -> str:
    if value is None:
        return ABSENT
    return inline(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _currency(
    old: Part | None, new: BuyerPart | CampaignPart, path: tuple[str, int]
) -> Iterator[Problem]:
    currency = getattr(old, "currency", new.currency)
    if currency != new.currency:
        message = f"accounts are kept in {currency}; make a new one instead of changing this"
        yield Problem((*path, "currency"), message)


def _opening(buyer: BuyerPart) -> Decimal:
    balance = buyer.billing.opening_balance if buyer.billing else None
    return balance or Decimal(0)


def _in_order(present: Present) -> list[Key]:
    return sorted(present.objects, key=lambda key: present.objects[key].position)


def _reordered(present: Present, wanted: Mapping[Key, Part]) -> Iterator[str]:
    for kind in dict.fromkeys(kind for kind, _ in wanted):
        stay = [key for key in wanted if key[0] == kind and key in present.objects]
        if stay != [key for key in _in_order(present) if key in set(stay)]:
            yield kind
