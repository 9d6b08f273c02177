"""A price table: what a buyer pays for which lead, the first row that holds."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bidders.answers import Bid, NoBid, PriceError, exact
from bidders.signature import read_secret
from exchange.contract.buyer import Ping

BAND = re.compile(r"(\d{1,3})-(\d{1,3})")
OPEN_BAND = re.compile(r"(\d{1,3})\+")
AGE_MAX = 999


class TableError(ValueError):
    """The price table cannot be used; the message says what to mend."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Leads that the conditions hold for, and a price for them or no bid (`true` or a reason).

    `vertical` is the ping's; `zip_prefix` is what `zip` or `zip3` begins with; `age_min` and
    `age_max` hold where the whole age band does; every other name is a field of the lead. A
    list means any of its values. A field that the ping does not show holds for nothing.
    """

    when: dict[str, Any] = {}
    price: Decimal | None = None
    no_bid: bool | str = False

    def __post_init__(self) -> None:
        """Refuse a row that says nothing or two things; raises `TableError`."""
        if (self.price is None) == (self.no_bid is False):
            raise TableError("a row has either a price or no_bid")
        checked_price(self.price)
        for name in ("age_min", "age_max"):
            if not isinstance(self.when.get(name, 0), int):
                raise TableError(f"{name} is a whole number of years")

    def holds(self, ping: Ping) -> bool:
        """Return whether every condition holds for the ping."""
        return all(condition_holds(name, wanted, ping) for name, wanted in self.when.items())


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a reference bidder is told.

    `price` is for the leads that no row speaks of; without it they get no bid. `daily_cap`
    counts accepted leads, and `daily_spend` what they cost, per day in `time_zone`; `sales_file`
    keeps them over a restart.
    """

    row: tuple[Row, ...] = ()
    price: Decimal | None = None
    daily_cap: int | None = None
    daily_spend: Decimal | None = None
    time_zone: str = "UTC"
    ttl_s: int | None = None
    secret: str | tuple[str, ...] = ()
    sales_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises `TableError`."""
        checked_price(self.price)
        if self.daily_cap is not None and self.daily_cap < 0:
            raise TableError("daily_cap is at least 0")
        spend = self.daily_spend
        if spend is not None and not (spend.is_finite() and spend >= 0):
            raise TableError("daily_spend is at least 0")
        try:
            ZoneInfo(self.time_zone)
            for secret in self.secrets():
                read_secret(secret)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise TableError(str(error)) from None

    def secrets(self) -> tuple[str, ...]:
        """Return the signing secrets, none, one or several."""
        return (self.secret,) if isinstance(self.secret, str) else self.secret

    def bid(self, ping: Ping) -> Bid | NoBid:
        """Return the bid of the first row that holds, else the base price, else no bid."""
        for row in self.row:
            if row.holds(ping):
                if row.price is None:
                    return NoBid(row.no_bid if isinstance(row.no_bid, str) else None)
                return Bid(row.price, ttl_s=self.ttl_s)
        return NoBid() if self.price is None else Bid(self.price, ttl_s=self.ttl_s)


def load(path: Path) -> Table:
    """Return the table of a TOML file; raises `TableError` that names the file and the place."""
    try:
        text = path.read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), Table)
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise TableError(f"{path}: {error}") from None


def checked_price(price: Decimal | None) -> None:
    """Refuse a price that could not be bid; raises `TableError`."""
    if price is not None:
        try:
            exact(price)
        except PriceError as error:
            raise TableError(str(error)) from None


def condition_holds(name: str, wanted: Any, ping: Ping) -> bool:
    """Return whether one condition of a row holds for the ping."""
    match name:
        case "vertical":
            return ping.vertical in listed(wanted)
        case "zip_prefix":
            shown = str(ping.lead.get("zip", ping.lead.get("zip3", "")))
            return any(shown.startswith(str(prefix)) for prefix in listed(wanted))
        case "age_min":
            return ages(ping)[0] >= int(wanted)
        case "age_max":
            return 0 <= ages(ping)[1] <= int(wanted)
        case _:
            return name in ping.lead and ping.lead[name] in listed(wanted)


def listed(wanted: Any) -> list[Any]:
    """Return a condition's values as a list."""
    return wanted if isinstance(wanted, list) else [wanted]


def ages(ping: Ping) -> tuple[int, int]:
    """Return the youngest and the oldest that the person may be, (-1, -1) where it is not shown."""
    age = ping.lead.get("age")
    if isinstance(age, int):
        return age, age
    band = str(ping.lead.get("age_band", ""))
    if match := BAND.fullmatch(band):
        return int(match[1]), int(match[2])
    if match := OPEN_BAND.fullmatch(band):
        return int(match[1]), AGE_MAX
    return -1, -1
