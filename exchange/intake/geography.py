"""What follows from a ZIP code: state, time zone, area codes, city and county, from memory.

Building the table from its package takes about half a second, so it is written once as a file
and read from there in some hundredths of a second. A place stays one line of text until it is
asked for: 42,000 strings cost the garbage collector nothing.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import zipcodes


class Place(msgspec.Struct, frozen=True):
    """What is known of one ZIP code."""

    zip: str
    state: str
    zone: ZoneInfo | None
    """None for military addresses, which lie anywhere."""
    area_codes: tuple[str, ...]
    city: str
    county: str


class Table(msgspec.Struct, frozen=True):
    """The table as it is kept in a file."""

    places: dict[str, str]
    """By ZIP: state, zone, area codes, city and county, with tabs between."""
    states: dict[str, tuple[str, ...]]
    """By area code: the states whose ZIP codes it serves."""


@cache
def zone(name: str) -> ZoneInfo | None:
    """Return a time zone, or None for a name that is none (the table holds a few)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class Geography:
    """ZIP codes and area codes of the United States."""

    def __init__(self, table: Table) -> None:
        self._places: Mapping[str, str] = table.places
        self._states = {code: frozenset(states) for code, states in table.states.items()}

    @classmethod
    def load(cls, folder: Path | None = None) -> "Geography":
        """Return the table, from its file in `folder` where there is one, and write it if not."""
        if folder is None:
            return cls(build())
        path = folder / f"zipcodes-{zipcodes.__version__}.msgpack"
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return cls(msgspec.msgpack.decode(path.read_bytes(), type=Table))
        table = build()
        # A folder that cannot be written costs the next start half a second, nothing more.
        with contextlib.suppress(OSError):
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(msgspec.msgpack.encode(table))
            unfinished.replace(path)
        return cls(table)

    def place(self, zip_code: str) -> Place | None:
        """Return what is known of a five-digit ZIP code, or None where there is no such code."""
        line = self._places.get(zip_code)
        if line is None:
            return None
        state, zone_name, area_codes, city, county = line.split("\t")
        return Place(
            zip_code,
            state,
            zone(zone_name) if zone_name else None,
            tuple(area_codes.split(",")) if area_codes else (),
            city,
            county,
        )

    def serves(self, area_code: str, state: str) -> bool:
        """Tell whether telephone numbers of this area code belong to this state."""
        return state in self._states.get(area_code, frozenset())

    def __contains__(self, zip_code: object) -> bool:
        """Tell whether there is such a ZIP code."""
        return zip_code in self._places


def entries() -> Iterator[dict[str, Any]]:
    """Yield all that the package knows, some hundred ZIP codes at a time.

    Its 42,000 dictionaries at once would take 120 MB that a process never gives back, and twice
    the time.
    """
    for number in range(100):
        yield from zipcodes.similar_to(f"{number:02}")  # type: ignore[no-untyped-call]


def build() -> Table:
    """Return the table, built from its package."""
    places: dict[str, str] = {}
    states: dict[str, set[str]] = {}
    for entry in entries():
        area_codes = entry["area_codes"]
        for code in area_codes:
            states.setdefault(code, set()).add(entry["state"])
        parts = (
            entry["state"],
            entry["timezone"],
            ",".join(area_codes),
            entry["city"],
            entry["county"],
        )
        places[entry["zip_code"]] = "\t".join(part or "" for part in parts)
    return Table(places, {code: tuple(sorted(names)) for code, names in states.items()})
