"""`campaign.auto-us.floor=8`: one value of a market file, said on a command line; pure."""

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from exchange.configuration.checking import check_market
from exchange.configuration.problem import key_text
from exchange.contract.market_file import MarketFile
from exchange.domain.nearest import hint

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode

KINDS = ("campaign", "offer", "buyer", "seller", "vertical")


class SettingError(Exception):
    """What was said cannot be set; the text says why."""


class Setting(msgspec.Struct, frozen=True):
    """One value that is to be another."""

    text: str
    """As it was typed."""
    kind: str
    path: str
    """The object's id, and the key in it, parted by dots."""
    value: Any


def setting_of(text: str) -> Setting:
    """Return what was typed as KIND.ID.KEY=VALUE; a value is TOML, or a bare word."""
    place, equals, told = text.partition("=")
    kind, _, path = place.strip().partition(".")
    if not equals or kind not in KINDS or "." not in path:
        raise SettingError(
            f"{text}: say KIND.ID.KEY=VALUE, such as campaign.auto-us.floor=8; "
            f"KIND is one of {', '.join(KINDS)}"
        )
    return Setting(text, kind, path, value_of(told.strip()))


def value_of(text: str) -> Any:
    """Return a TOML value; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text


def changed(market: MarketFile, settings: Iterable[Setting]) -> MarketFile:
    """Return the market with these values in it. Errors: SettingError, for what cannot be."""
    sheet = _decode(_encode(market))
    last = ""
    for one in settings:
        put(sheet, one)
        last = one.text
    if not last:
        return market
    checked = check_market(sheet)
    if checked.market is None:
        wrong = next(problem for problem in checked.problems if not problem.is_warning)
        raise SettingError(f"{last}: {key_text(wrong.path)}: {wrong.message}")
    return checked.market


def put(sheet: dict[str, Any], setting: Setting) -> None:
    """Set one value in the sheet of a market."""
    objects = sheet.get(setting.kind, [])
    if setting.kind == "offer":
        objects = [offer for buyer in sheet.get("buyer", []) for offer in buyer.get("offer", [])]
    # Ids may hold dots: the longest that fits is meant.
    fitting = [one for one in objects if setting.path.startswith(f"{one['id']}.")]
    if not fitting:
        meant = hint(setting.path.split(".")[0], (one["id"] for one in objects))
        raise SettingError(f"{setting.text}: there is no such {setting.kind}{meant}")
    found = max(fitting, key=lambda one: len(one["id"]))
    *steps, last = setting.path.removeprefix(f"{found['id']}.").split(".")
    place: Any = found
    for step, following in pairwise([*steps, last]):
        if isinstance(place, dict) and step not in place and following.isdigit():
            raise SettingError(
                f"{setting.text}: there is no list {step} here yet; set all of it: {step}=[ … ]"
            )
        place = inside(place, step, setting)
    if isinstance(place, list):
        place[index_of(place, last, setting)] = setting.value
    elif isinstance(place, dict):
        place[last] = setting.value
    else:
        raise SettingError(f"{setting.text}: there is nothing below {steps[-1]}")


def inside(place: Any, step: str, setting: Setting) -> Any:
    """Return what stands one step below; of a list the number counts from 1."""
    if isinstance(place, list):
        return place[index_of(place, step, setting)]
    if isinstance(place, dict):
        return place.setdefault(step, {})
    raise SettingError(f"{setting.text}: there is nothing below {step}")


def index_of(place: list[Any], step: str, setting: Setting) -> int:
    """Return the place in a list, from a number that counts from 1, or from an id."""
    for index, one in enumerate(place):
        if isinstance(one, dict) and one.get("id") == step:
            return index
    if step.isdigit() and 1 <= int(step) <= len(place):
        return int(step) - 1
    raise SettingError(f"{setting.text}: there is no {step} among {len(place)}")
