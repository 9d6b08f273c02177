"""The settings: shipped values, a file over them, EXCHANGE_… variables over both, checked once.

The shipped values stand in config/exchange.toml, each with its reason, and nowhere else.
"""

import base64
import binascii
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

SHIPPED = Path(__file__).parent.parent / "config" / "exchange.toml"
PREFIX = "EXCHANGE_"
MASTER_KEY_BYTES = 32
TYPO_LIKENESS = 0.8
"""From how alike on a variable that is no setting is taken for a misspelled one."""

SECRET = frozenset({"database_url", "market_url", "master_key"})
"""Shown masked: a key, and URLs that may hold a password."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Workers = Annotated[int, msgspec.Meta(ge=0, le=64)]
Hours = Annotated[int, msgspec.Meta(ge=0)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=86_400_000)]


class SettingsError(Exception):
    """A setting that cannot be: the message names the file and line or the variable."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings; config/exchange.toml says what each one is for. Empty texts are None."""

    host: str
    port: Port
    public_url: str | None
    metrics_port: Port
    workers: Workers
    worker_silent_max_s: Duration
    shutdown_grace_s: Duration

    database_url: str | None
    market_url: str | None
    data_dir: Path
    master_key: str | None

    allow_networks: tuple[str, ...]

    log_level: Literal["debug", "info", "warning", "error"]
    capture_hours: Hours

    body_max_bytes: Count
    request_timeout_s: Duration
    loop_lag_target_ms: Duration
    ledger_wait_target_ms: Duration
    loop_lag_max_ms: Duration
    market_wait_max_ms: Duration
    auction_overdue_max_ms: Duration
    leads_under_way_max: Count
    retry_after_s: Count

    feed_max_bytes: Count
    feed_rows_max: Count
    feed_row_max_bytes: Count
    feeds_at_once_max: Count
    feed_rows_at_once_max: Count
    feed_rows_per_s_max: Count
    feed_retry_s: Duration
    feed_idle_s: Duration
    feed_unread_max_bytes: Count

    database_timeout_ms: Duration
    market_timeout_ms: Duration
    database_connections_max: Count
    flush_leads_max: Count
    caps_read_every_ms: Duration
    worker_lease_s: Duration
    hold_lease_s: Duration
    idempotency_hours: Count
    seal_every_s: Duration
    learn_every_s: Duration
    webhook_look_every_s: Duration
    webhook_timeout_s: Duration
    notices_every_s: Duration

    connections_per_host_max: Count
    connect_timeout_ms: Duration
    answer_max_bytes: Count
    late_grace_ms: Duration
    post_late_grace_ms: Duration
    connection_idle_max_s: Duration
    dns_ttl_s: Duration

    breaker_calls: Count
    breaker_failed_percent: Percent
    breaker_pause_s: Duration
    breaker_pause_max_s: Duration
    calls_in_flight_max: Count

    @property
    def embedded(self) -> bool:
        """Whether the exchange brings its own stores."""
        return self.database_url is None

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks outside the public internet that buyers' addresses may lie in."""
        return tuple(ip_network(network) for network in self.allow_networks)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = msgspec.structs.asdict(self)
        return [(name, "…" if name in SECRET and v else v) for name, v in values.items()]


TYPES = get_type_hints(Settings, include_extras=True)


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the shipped settings, those of a file over them, the environment's over both.

    Errors: SettingsError for what is unknown, missing or of a wrong type, with its place; it never
    repeats a secret.
    """
    values = read_file(SHIPPED)
    if path is not None:
        values |= read_file(path)
    values |= read_environment(environ)
    if missing := [name for name in TYPES if name not in values]:
        raise SettingsError(f"{SHIPPED}: {', '.join(missing)}: missing")
    if (values["database_url"] is None) != (values["market_url"] is None):
        one, other = "database_url", "market_url"
        if values[one] is None:
            one, other = other, one
        raise SettingsError(
            f"{one} is set and {other} is not: set {PREFIX}{other.upper()} too, "
            "or neither to use the embedded stores"
        )
    return Settings(**values)


def read_file(path: Path) -> dict[str, Any]:
    """Return the checked values of a settings file. Errors: SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # bad UTF-8 and bad TOML alike; the latter's message says the line
        raise SettingsError(f"{path}: {error}") from error
    return {
        name: checked(name, value, f"{path}:{line_of(name, text)}: {name}")
        for name, value in found.items()
    }


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the checked values of EXCHANGE_… variables. Errors: SettingsError.

    Variables that are no settings are let be, for others use the prefix too (a client's
    EXCHANGE_URL), unless they look like a misspelled one.
    """
    values = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX):
            continue
        if name in TYPES:
            value = re.split(r"[,\s]+", text.strip(", ")) if is_list(name) else text
            values[name] = checked(name, value if value != [""] else [], variable, strict=False)
        elif alike := get_close_matches(name, TYPES, n=1, cutoff=TYPO_LIKENESS):
            raise SettingsError(f"{variable}: unknown; did you mean {PREFIX}{alike[0].upper()}?")
    return values


def checked(name: str, value: object, place: str, *, strict: bool = True) -> Any:
    """Return a setting's value in its own type, an empty optional text as None."""
    if name not in TYPES:
        alike = get_close_matches(name, TYPES, n=1)
        hint = f"; did you mean {alike[0]}?" if alike else ""
        raise SettingsError(f"{place}: unknown{hint}")
    if value == "" and TYPES[name] == str | None:
        return None
    try:
        fitting = msgspec.convert(value, TYPES[name], strict=strict, dec_hook=to_path)
        if name == "allow_networks":
            for network in fitting:
                ip_network(network)
        if name == "master_key":
            decode_master_key(fitting)
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"{place}: {error}") from error
    return fitting


def is_list(name: str) -> bool:
    """Tell whether a setting is a list, which a variable separates by commas."""
    return bool(TYPES[name] == tuple[str, ...])


def to_path(wanted: type, value: object) -> Path:
    """Return the path of a text, as msgspec asks for types that it does not know."""
    if wanted is not Path or not isinstance(value, str) or not value:
        raise ValueError("must be the path of a folder")
    return Path(value).expanduser()


def line_of(name: str, text: str) -> int:
    """Return the line on which a setting (or a table of that name) stands."""
    found = re.search(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def decode_master_key(text: str) -> bytes:
    """Return the bytes of a master key. Errors: ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError(f"must be {MASTER_KEY_BYTES} bytes in base64")
    return key
