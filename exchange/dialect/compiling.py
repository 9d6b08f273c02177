"""From a mapping of the market file to one offer's dialect; every fault is told at once."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

import msgspec

from exchange.contract.mapping import MappingPart, Scalar
from exchange.dialect.checking import check_shape
from exchange.dialect.faults import DialectError, Fault, Path, Place, TemplateError
from exchange.dialect.halves import ping_of, post_of, status_of
from exchange.dialect.placeholders import Placeholder, parse_template
from exchange.dialect.scope import HALF_SECRET, SECRET, VALUE, is_half_secret, secret_of
from exchange.dialect.scopes import (
    IN_PINGS,
    IN_POSTS,
    IN_STATUS,
    Setting,
    lead_names,
    open_scope,
    params_of,
    ping_scope,
    post_scope,
    status_scope,
)
from exchange.domain.dialect import PingDialect, PostDialect, StatusDialect
from exchange.domain.nearest import hint

__all__ = [
    "DialectError",
    "Fault",
    "Setting",
    "faults_of",
    "lead_names",
    "param_faults",
    "ping_dialect",
    "post_dialect",
    "secrets_named",
    "secrets_of_params",
    "status_dialect",
]


def faults_of(mapping: MappingPart, fields: Collection[str] | None = None) -> list[Fault]:
    """Return what is wrong with a mapping for whichever vertical and offer it is used.

    `fields`: all that leads have anywhere; None: they may have any.
    """
    place = Place()
    check_shape(mapping, open_scope(mapping, {**IN_PINGS, **IN_POSTS}, fields), place)
    if mapping.ping is not None:
        ping_of(mapping, mapping.ping, open_scope(mapping, IN_PINGS, fields), place.at("ping"))
    if mapping.post is not None:
        post_of(mapping, mapping.post, open_scope(mapping, IN_POSTS, fields), place.at("post"))
    if mapping.status is not None:
        # A question names the sale, whatever the lead was; so no value of the lead either.
        asked = open_scope(mapping, IN_STATUS, ()).without(VALUE)
        status_of(mapping, mapping.status, asked, place.at("status"))
    return list(dict.fromkeys(place.faults))


def ping_dialect(mapping: MappingPart, setting: Setting) -> PingDialect:
    """Return one offer's pings; raise DialectError with all that is wrong, ping and offer."""
    place = Place(param_faults(mapping, setting.vertical.id, setting.params))
    if mapping.ping is None:
        place.fault(f'mapping "{mapping.id}" has no ping')
        raise DialectError(tuple(place.faults))
    made = ping_of(mapping, mapping.ping, ping_scope(mapping, setting), place.at("ping"))
    place.close()
    return made


def post_dialect(mapping: MappingPart, setting: Setting) -> PostDialect:
    """Return one offer's posts; raise DialectError with all that is wrong, post and offer."""
    place = Place(param_faults(mapping, setting.vertical.id, setting.params))
    if mapping.post is None:
        place.fault(f'mapping "{mapping.id}" has no post')
        raise DialectError(tuple(place.faults))
    here = place.at("post")
    made = post_of(mapping, mapping.post, post_scope(mapping, setting), here)
    place.close()
    return made.shown_by(mapping, mapping.post, post_scope(mapping, setting, masked=True))


def status_dialect(mapping: MappingPart, setting: Setting) -> StatusDialect:
    """Return one offer's questions about sales; raise DialectError with all that is wrong."""
    place = Place(param_faults(mapping, setting.vertical.id, setting.params))
    if mapping.status is None:
        place.fault(f'mapping "{mapping.id}" has no status')
        raise DialectError(tuple(place.faults))
    made = status_of(mapping, mapping.status, status_scope(mapping, setting), place.at("status"))
    place.close()
    return made


def param_faults(mapping: MappingPart, vertical_id: str, own: Mapping[str, Scalar]) -> list[Fault]:
    """Return what is wrong with an offer's parameters; paths begin with `params`, the offer's."""
    held = params_of(mapping, vertical_id, {})
    faults = [
        Fault(("params", name), f'mapping "{mapping.id}" has no such parameter{hint(name, held)}')
        for name in own
        if name not in held
    ] + [
        Fault(("params", name), HALF_SECRET) for name, value in own.items() if is_half_secret(value)
    ]
    missing = [name for name, value in {**held, **own}.items() if value == ""]
    return faults + [
        Fault(("params",), f'mapping "{mapping.id}" needs the parameter "{name}"')
        for name in missing
    ]


def secrets_named(mapping: MappingPart) -> list[tuple[Path, str]]:
    """Return every secret that a mapping names, and where."""
    tree = msgspec.to_builtins(mapping)
    spoken = {key: tree[key] for key in ("auth", "value") if key in tree}
    for half in ("ping", "post", "status"):
        message = tree.get(half, {})
        spoken[half] = {key: message[key] for key in SPOKEN if key in message}
    own = list(_secrets(spoken, ()))
    for name, part in mapping.vertical.items():
        own += [
            (("vertical", name, *path), secret) for path, secret in secrets_of_params(part.params)
        ]
    return own + secrets_of_params(mapping.params)


def secrets_of_params(params: Mapping[str, Scalar]) -> list[tuple[Path, str]]:
    """Return every secret that a parameter is, and which parameter."""
    named = ((name, secret_of(value)) for name, value in params.items())
    return [(("params", name), secret) for name, secret in named if secret is not None]


SPOKEN = ("headers", "query", "body", "auth")
"""What of a message is sent, and so may name a secret."""


def _secrets(tree: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(tree, dict):
        for key, item in tree.items():
            if path[-2:] == ("auth", "hmac") and key == "secret":
                yield (*path, key), item
            else:
                yield from _secrets(item, (*path, key))
    elif isinstance(tree, list | tuple):
        for index, item in enumerate(tree):
            yield from _secrets(item, (*path, index))
    elif isinstance(tree, str) and SECRET in tree:
        with suppress(TemplateError):
            for part in parse_template(tree):
                if isinstance(part, Placeholder) and part.name.startswith(SECRET):
                    yield path, part.name.removeprefix(SECRET)
