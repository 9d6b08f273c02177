"""Which names a template may speak of, and how each finds its value in what is to be said.

A scope is made once for each message of each offer. What is not in it cannot be named, so a ping
cannot be made to show what its vertical hides.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from exchange.dialect.faults import TemplateError
from exchange.domain.nearest import hint

Getter = Callable[[Any], object]
"""Finds a value in a view (a PingView, a PostView, or what a door has); None: not known."""

SECRET = "secret:"  # noqa: S105 - what a secret's name begins with
PARAM = "param."
LEAD = "lead."
VALUE = "value."
UNTOLD = "***"
"""What stands for a secret while none is looked up, and for a person who is not shown."""


class Broken(msgspec.Struct, frozen=True):
    """A name that exists and cannot be used here, and why."""

    why: str


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one message, compiled."""

    names: Mapping[str, Getter | Broken]
    """By full name: `lead.zip`, `sale.id`, `now`, `value.segment`."""
    anything_under: tuple[str, ...] = ()
    """Beginnings such as `lead.` under which every name is taken, while no vertical is known."""
    maps: Mapping[str, Mapping[str, object]] = {}
    params: Mapping[str, object] = {}
    secrets: Mapping[str, bytes] | None = {}
    """None: not looked up; each is `***`."""
    in_lead: frozenset[str] = frozenset()
    """Names such as `lead.zip` whose value is `view.lead.get("zip")`, and nothing else."""
    masked: frozenset[str] = frozenset()
    """Names whose values are `***`, whatever filters would make of them."""

    def without(self, beginning: str) -> "Scope":
        """Return this scope less the names that begin so."""
        names = {name: at for name, at in self.names.items() if not name.startswith(beginning)}
        return msgspec.structs.replace(self, names=names)

    def __repr__(self) -> str:
        """Show how much may be named; a scope holds secrets."""
        return f"Scope({len(self.names)} names)"


class Source(msgspec.Struct, frozen=True):
    """Where one name's value comes from: a constant, or something in the view."""

    constant: object = None
    getter: Getter | None = None
    lead_name: str | None = None
    """Which of the lead's values it is: who fills in many looks them up all at once."""
    secret: str | None = None
    """The value, where it is a secret's."""

    def __repr__(self) -> str:
        """Show nothing; it may hold a secret."""
        return "Source()"


def source_of(name: str, scope: Scope) -> Source:
    """Return where a name's value comes from; raise TemplateError with the nearest name."""
    if name.startswith(SECRET):
        return _secret(name.removeprefix(SECRET), scope)
    if name.startswith(PARAM):
        return _param(name.removeprefix(PARAM), scope)
    found = scope.names.get(name)
    if isinstance(found, Broken):
        raise TemplateError(f"cannot name {name} here: {found.why}")
    if found is not None:
        own = name.removeprefix(LEAD) if name in scope.in_lead else None
        return Source(getter=found, lead_name=own)
    if name.startswith(scope.anything_under):
        return Source(getter=_nothing)
    raise TemplateError(f'names "{name}", which is not known here{_meant(name, scope)}')


def _nothing(_: object) -> None:
    return None


def _secret(name: str, scope: Scope) -> Source:
    if scope.secrets is None:
        return Source(constant=UNTOLD)
    secret = scope.secrets.get(name)
    if secret is None:
        raise TemplateError(
            f'names the secret "{name}", which is not kept{hint(name, scope.secrets)}'
        )
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        raise TemplateError(f'names the secret "{name}", which is no text') from None
    return Source(constant=text, secret=text)


def _param(name: str, scope: Scope) -> Source:
    if name not in scope.params:
        raise TemplateError(
            f'names the parameter "{name}", which does not exist{hint(name, scope.params)}'
        )
    value = scope.params[name]
    secret = secret_of(value)
    return Source(constant=value) if secret is None else _secret(secret, scope)


_WHOLE_SECRET = re.compile(r"\{secret:([a-z0-9][a-z0-9_-]{0,63})\}\Z")


def secret_of(value: object) -> str | None:
    """Return which secret a parameter is, where it is `{secret:NAME}` and nothing else."""
    found = _WHOLE_SECRET.match(value) if isinstance(value, str) else None
    return None if found is None else found[1]


HALF_SECRET = "is one secret and nothing else, or has none in it"  # noqa: S105 - a sentence


def is_half_secret(value: object) -> bool:
    """Tell whether a parameter would be a secret and something else, which nothing fills in."""
    return isinstance(value, str) and f"{{{SECRET}" in value and secret_of(value) is None


def _meant(name: str, scope: Scope) -> str:
    """Return the nearest name: one of the same group before any other."""
    group, dot, last = name.rpartition(".")
    group += dot
    siblings = {
        known.removeprefix(group): known
        for known, found in scope.names.items()
        if known.startswith(group) and not isinstance(found, Broken)
    }
    told = hint(last, siblings)
    if told and dot:
        return told.replace('"', f'"{group}', 1)
    params = (f"{PARAM}{param}" for param in scope.params)
    return told or hint(name, (*scope.names, *params))
