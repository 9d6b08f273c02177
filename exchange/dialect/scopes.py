"""The scopes of messages: what each may name, by the vertical and what is shown."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache, partial
from operator import attrgetter

import msgspec

from exchange.contract.mapping import MappingPart, Scalar
from exchange.dialect.dates import moment_at
from exchange.dialect.kinds import FOLLOWS, ping_kinds, post_kinds
from exchange.dialect.scope import LEAD, VALUE, Broken, Getter, Scope
from exchange.dialect.values import Asking, usable
from exchange.domain.anonymize import hashed_fields, ping_names
from exchange.domain.condition import Name
from exchange.domain.dialect import PingView, PostView, StatusView
from exchange.domain.lead import Facts, Value
from exchange.domain.money import to_decimal
from exchange.domain.vertical import Privacy, Vertical

PING_CONSENT = ("tcpa", "jornaya_id", "trustedform_ping_url")
POST_CONSENT = (
    "tcpa", "text", "url", "ip", "at", "trustedform_url", "jornaya_id", "named_buyers",
)  # fmt: skip


SIGHTS_KEPT = 64
Sight = tuple[Mapping[str, Getter | Broken], Mapping[str, Name]]
"""What a message may name of a lead, and what its conditions may ask of; the same for many."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """For which offer a mapping is compiled."""

    vertical: Vertical
    hidden: frozenset[str] = frozenset()
    """What the offer is not shown, as `Offer.hidden`."""
    params: Mapping[str, Scalar] = {}
    """The offer's own."""
    secrets: Mapping[str, bytes] | None = None
    """By name; None: they are not looked up, and each is `***`."""

    def __repr__(self) -> str:
        """Name the vertical; a setting holds secrets."""
        return f"Setting({self.vertical.id})"


NOBODY: frozenset[str] = frozenset()


def lead_getter(name: str) -> Getter:
    """Return what finds a lead's value."""
    return lambda view: view.lead.get(name)


def consent_getter(name: str) -> Getter:
    """Return what finds a part of the consent."""
    return lambda view: view.consent.get(name)


def now(view: PingView | PostView | StatusView) -> datetime:
    """Return the moment of sending."""
    return moment_at(view.at_us)


amount = lru_cache(maxsize=4096)(to_decimal)
"""Amounts repeat: a floor is the same in a thousand pings."""

COMMON: dict[str, Getter] = {
    "source.id": attrgetter("source_id"),
    "source.channel": attrgetter("channel"),
    "ping.id": attrgetter("ping_id"),
    "vertical": attrgetter("vertical_id"),
    "test": attrgetter("test"),
    "now": now,
}
IN_PINGS: dict[str, Getter] = {
    **COMMON,
    **{f"consent.{name}": consent_getter(name) for name in PING_CONSENT},
    "auction.floor": lambda view: amount(view.floor),
    "auction.type": attrgetter("price_rule"),
    "auction.currency": attrgetter("currency"),
    "auction.tmax_ms": attrgetter("tmax_ms"),
    "auction.max_buyers": attrgetter("max_buyers"),
}
IN_POSTS: dict[str, Getter] = {
    **COMMON,
    **{f"consent.{name}": consent_getter(name) for name in POST_CONSENT},
    "bid.id": attrgetter("bid_id"),
    "bid.token": attrgetter("token"),
    "sale.id": attrgetter("sale_id"),
    "sale.price": lambda view: amount(view.price),
    "sale.currency": attrgetter("currency"),
    "sale.max_buyers": attrgetter("max_buyers"),
}


IN_STATUS: dict[str, Getter] = {
    **{name: IN_POSTS[name] for name in ("ping.id", "vertical", "test", "now")},
    **{name: IN_POSTS[name] for name in ("bid.id", "sale.id", "sale.price", "sale.currency")},
    "reference": attrgetter("reference"),
}


def ping_scope(mapping: MappingPart, setting: Setting) -> Scope:
    """Return what this offer's pings may name."""
    names, kinds = _in_pings(setting.vertical, setting.hidden)
    return _with_values(mapping, setting, dict(names), Asking(kinds, facts))


# Most of a market's offers may see the same.
@lru_cache(maxsize=SIGHTS_KEPT)
def _in_pings(vertical: Vertical, hidden: frozenset[str]) -> Sight:
    shown = ping_names(vertical, hidden)
    names: dict[str, Getter | Broken] = dict(IN_PINGS)
    for field in vertical.fields:
        names[f"lead.{field}"] = Broken(_hiding(field, vertical, shown))
    names.update({f"lead.{name}": lead_getter(name) for name in shown})
    return names, ping_kinds(vertical, hidden)


def _hiding(field: str, vertical: Vertical, shown: frozenset[str]) -> str:
    coarse = sorted(name for name in shown if name.startswith((f"{field}_", f"{field}3")))
    instead = f"; it shows {' and '.join(coarse)}" if coarse else ""
    return f'a ping of "{vertical.id}" does not show it to this offer{instead}'


def post_scope(mapping: MappingPart, setting: Setting, *, masked: bool = False) -> Scope:
    """Return what this offer's posts may name: the whole lead; `masked`: less who it is."""
    vertical = setting.vertical
    names, kinds = _in_posts(vertical)
    asking = Asking(kinds, facts)
    hidden = _telling(vertical) if masked else NOBODY
    return _with_values(mapping, setting, dict(names), asking, hidden)


@lru_cache(maxsize=SIGHTS_KEPT)
def _in_posts(vertical: Vertical) -> Sight:
    names: dict[str, Getter | Broken] = dict(IN_POSTS)
    names.update({f"lead.{name}": lead_getter(name) for name in lead_names(vertical)})
    return names, post_kinds(vertical)


def status_scope(mapping: MappingPart, setting: Setting) -> Scope:
    """Return what this offer's questions about a sale may name: the sale, and no lead."""
    return Scope(
        names=IN_STATUS,
        maps=mapping.maps,
        params=params_of(mapping, setting.vertical.id, setting.params),
        secrets=setting.secrets,
    )


def _telling(vertical: Vertical) -> frozenset[str]:
    """Return the names of what tells who somebody is."""
    fields = vertical.fields.values()
    own = {f"lead.{field.name}" for field in fields if field.privacy is Privacy.IDENTITY}
    hashes = {f"lead.{name}_hash" for name in hashed_fields(vertical)}
    return frozenset({*own, *hashes, "consent.ip"})


def lead_names(vertical: Vertical) -> frozenset[str]:
    """Return all that a message can name of a lead of this vertical."""
    return frozenset({*vertical.fields, *FOLLOWS, *ping_names(vertical, frozenset())})


def facts(view: PingView | PostView) -> Facts:
    """Return what a message's conditions are asked about."""
    beside: dict[str, Value] = {"test": view.test, "source": view.source_id}
    if view.channel is not None:
        beside["channel"] = view.channel
    return {**beside, **view.lead}


def _with_values(
    mapping: MappingPart,
    setting: Setting,
    names: dict[str, Getter | Broken],
    asking: Asking,
    masked: frozenset[str] = NOBODY,
) -> Scope:
    within = partial(
        Scope,
        maps=mapping.maps,
        params=params_of(mapping, setting.vertical.id, setting.params),
        secrets=setting.secrets,
        in_lead=frozenset(name for name in names if name.startswith(LEAD)),
        masked=masked,
    )
    base = within(names=names)
    values = {f"{VALUE}{name}": usable(part, base, asking) for name, part in mapping.value.items()}
    return within(names={**names, **values})


def params_of(
    mapping: MappingPart, vertical_id: str, own: Mapping[str, Scalar]
) -> Mapping[str, Scalar]:
    """Return parameters as they hold: the offer's, else the vertical's, else the mapping's."""
    vertical = mapping.vertical.get(vertical_id)
    return {**mapping.params, **(vertical.params if vertical else {}), **own}


def open_scope(
    mapping: MappingPart, names: Mapping[str, Getter], fields: Collection[str] | None = None
) -> Scope:
    """Return a scope of these fields, or of every field there could be: nothing can be sent."""
    params: dict[str, Scalar] = dict(mapping.params)
    for vertical in mapping.vertical.values():
        params.update(vertical.params)
    values = {f"{VALUE}{name}": _unknown for name in mapping.value}
    return Scope(
        names={**names, **values, **{f"lead.{name}": _unknown for name in fields or ()}},
        anything_under=("lead.",) if fields is None else (),
        maps=mapping.maps,
        params=params,
        secrets=None,
    )


def _unknown(_: object) -> None:
    return None
