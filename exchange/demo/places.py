"""Real places of the United States: a ZIP code, its state and city, and its area codes."""

from random import Random

import msgspec
import zipcodes


class Place(msgspec.Struct, frozen=True):
    """Where a person lives; a telephone number of any of the area codes belongs there."""

    zip: str
    state: str
    city: str
    area_codes: tuple[str, ...]


def places() -> tuple[Place, ...]:
    """Return every ordinary ZIP code that has an area code; takes half a second."""
    return tuple(
        Place(entry["zip_code"], entry["state"], entry["city"], tuple(entry["area_codes"]))
        for entry in zipcodes.filter_by(active=True, zip_code_type="STANDARD")  # type: ignore[no-untyped-call]
        if entry["area_codes"]
    )


def telephone(place: Place, chance: Random) -> str:
    """Return the ten digits of a number there, in the exchange that belongs to nobody (555)."""
    return f"{chance.choice(place.area_codes)}555{chance.randrange(10_000):04}"
