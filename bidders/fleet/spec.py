"""What a simulated buyer is like: its prices, its pace, and how often it does what wrong."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from bidders.fleet.chance import Fixed, LogNormal, Uniform

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class PingFault(StrEnum):
    """Ways to answer a ping that no buyer should have, and all have on some day."""

    SLOW = "slow"
    SILENT = "silent"
    DRIPPING = "dripping"
    RESETTING = "resetting"
    HALF = "half"
    HANGUP = "hangup"
    NOT_HTTP = "not_http"
    GARBAGE = "garbage"
    INVALID_UTF8 = "invalid_utf8"
    OVERSIZE = "oversize"
    WRONG_ID = "wrong_id"
    NEGATIVE = "negative"
    NAN = "nan"
    STRING_PRICE = "string_price"
    OTHER_CURRENCY = "other_currency"
    HTTP_500 = "http_500"
    REDIRECT = "redirect"


class PostFault(StrEnum):
    """Ways to answer a post other than to accept it at once."""

    REFUSING = "refusing"
    BUSY = "busy"
    LATE = "late"
    LATE_REFUSAL = "late_refusal"
    NEVER = "never"
    MUTE = "mute"
    PENDING = "pending"
    UNDECIDED = "undecided"
    LOWER_PRICE = "lower_price"
    RESETTING = "resetting"
    UNREAD = "unread"
    DRIPPING = "dripping"
    GARBAGE = "garbage"
    HTTP_500 = "http_500"
    REDIRECT = "redirect"


class Speaking(StrEnum):
    """In which format a buyer hears and answers; all but the first know no exchange like this."""

    STANDARD = "standard"
    PHONEXA = "phonexa"
    BOBERDOO = "boberdoo"
    LEADEXEC = "leadexec"
    CRM = "crm"


OF_THE_STANDARD = frozenset(
    {
        PingFault.INVALID_UTF8,
        PingFault.OVERSIZE,
        PingFault.WRONG_ID,
        PingFault.NEGATIVE,
        PingFault.NAN,
        PingFault.STRING_PRICE,
        PingFault.OTHER_CURRENCY,
        PostFault.UNDECIDED,
    }
)
"""Faults that only a buyer of the standard format can have."""


class SpecError(ValueError):
    """The fleet cannot be built from this; the message says what to mend."""


class BuyerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One simulated buyer. Shares are between 0 and 1; what remains of all is done right.

    `bids` is the share of pings it wants at all. A slow ping is answered `slow_ms` after its
    `tmax_ms`, a late post `late_ms` after its arrival: choose more than the offer's timeout. Who
    takes leads unasked pays `price`, which should be fixed. Being alone is worth `alone_times` the
    price to it; 0: it names no price for that.
    """

    id: str
    name: str = ""
    vertical: str | None = None
    price: Fixed | Uniform | LogNormal = Fixed(10.0)
    latency_ms: Fixed | Uniform | LogNormal = Fixed(0.0)
    post_latency_ms: Fixed | Uniform | LogNormal = Fixed(0.0)
    bids: float = 1.0
    ping_faults: dict[PingFault, float] = {}
    post_faults: dict[PostFault, float] = {}
    slow_ms: float = 150.0
    late_ms: float = 12_000.0
    drip_ms: float = 50.0
    lower_by: float = 0.2
    alone_times: float = 0.0
    chunked: bool = False
    speaks: Speaking = Speaking.STANDARD
    secret: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated; raises `SpecError`."""
        if not ID.fullmatch(self.id):
            raise SpecError(f"buyer id {self.id!r}: letters, digits, '.', '_' and '-' only")
        for name, shares in (("ping_faults", self.ping_faults), ("post_faults", self.post_faults)):
            if any(part < 0 for part in shares.values()) or sum(shares.values()) > 1 + 1e-9:
                raise SpecError(f"buyer {self.id}: {name} are shares that make up at most 1")
        if not 0 <= self.bids <= 1 or not 0 <= self.lower_by < 1:
            raise SpecError(f"buyer {self.id}: bids and lower_by are shares between 0 and 1")
        if self.alone_times < 0 or (self.alone_times and self.speaks is not Speaking.STANDARD):
            raise SpecError(
                f"buyer {self.id}: alone_times is 0 or more, of buyers of the standard format"
            )
        strange = OF_THE_STANDARD & {*self.ping_faults, *self.post_faults}
        if self.speaks is not Speaking.STANDARD and strange:
            raise SpecError(
                f"buyer {self.id}: {min(strange)} is a fault of buyers of the standard format"
            )


class FleetSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fleet as it stands in a TOML file."""

    buyer: tuple[BuyerSpec, ...]
    seed: int = 0


def load(path: Path) -> FleetSpec:
    """Return the fleet of a TOML file, or of one in JSON, by its name's end.

    Raises `SpecError` that names the file and the place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        spec = msgspec.convert(raw, FleetSpec)
        checked(spec.buyer)
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise SpecError(f"{path}: {error}") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    return spec


def checked(specs: Iterable[BuyerSpec]) -> tuple[BuyerSpec, ...]:
    """Return the specs where there is one at least and no id twice; raises `SpecError`."""
    buyers = tuple(specs)
    if not buyers:
        raise SpecError("a fleet needs at least one buyer")
    twice = [name for name, count in Counter(spec.id for spec in buyers).items() if count > 1]
    if twice:
        raise SpecError(f"buyer id {twice[0]!r} is there twice")
    return buyers
