"""What follows from a lead's fields: place, local time, age; facts for conditions and scores."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from exchange.domain.age import QUARTER_US, age_on, local_quarter
from exchange.domain.lead import Source, Value
from exchange.intake.errors import Errors, bad_value
from exchange.intake.geography import Geography, Place
from exchange.intake.phone import area_code
from exchange.intake.schema import Schema

AGE_MAX = 120
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

A_BIRTH_DATE = bad_value(f"must be a day in the past, at most {AGE_MAX} years ago")


class Derived(msgspec.Struct, frozen=True):
    """Facts by name, and whether ZIP code and state contradict each other."""

    facts: dict[str, Value]
    mismatch: bool = False


def derive(
    schema: Schema,
    values: Mapping[str, Value],
    geography: Geography,
    at_us: int,
    errors: Errors,
) -> Derived:
    """Return what follows from these values at this moment."""
    facts: dict[str, Value] = {}
    place = place_of(schema, values, geography)
    stated = values.get(schema.state) if schema.state is not None else None
    if place is not None:
        facts["zip3"] = place.zip[:3]
    state = stated or (place.state if place is not None else None)
    if isinstance(state, str):
        facts["state"] = state
    local = local_time(place, at_us)
    if place is not None and place.zone is not None:
        facts["time_zone"] = place.zone.key
        facts["hour"] = local.hour
        facts["weekday"] = WEEKDAYS[local.weekday()]
    derive_age(schema, values, local, facts, errors)
    derive_phone(schema, values, geography, facts)
    return Derived(facts, place is not None and stated is not None and stated != place.state)


def place_of(schema: Schema, values: Mapping[str, Value], geography: Geography) -> Place | None:
    """Return where the lead lives, by its ZIP code."""
    zip_code = values.get(schema.zip) if schema.zip is not None else None
    return geography.place(zip_code) if isinstance(zip_code, str) else None


def local_time(place: Place | None, at_us: int) -> datetime:
    """Return the time on the lead's own wall, to the quarter; UTC where the place has no clock."""
    return local_quarter(at_us // QUARTER_US, place.zone if place is not None else None)


def derive_age(
    schema: Schema,
    values: Mapping[str, Value],
    local: datetime,
    facts: dict[str, Value],
    errors: Errors,
) -> None:
    """Add the age by the calendar where the lead lives; an age that the seller gave stands."""
    birth_date = values.get(schema.birth_date) if schema.birth_date is not None else None
    if not isinstance(birth_date, str):
        return
    age = age_on(local.date(), birth_date)
    if 0 <= age <= AGE_MAX:
        facts["age"] = values.get("age", age)
    else:
        errors.keep(f"lead.{schema.birth_date}", A_BIRTH_DATE)


def derive_phone(
    schema: Schema, values: Mapping[str, Value], geography: Geography, facts: dict[str, Value]
) -> None:
    """Add the telephone's area code, and whether it belongs to the lead's state."""
    phone = values.get(schema.phone) if schema.phone is not None else None
    code = area_code(phone) if isinstance(phone, str) else None
    if code is None:
        return
    facts["area_code"] = code
    state = facts.get("state")
    if isinstance(state, str):
        facts["phone_local"] = geography.serves(code, state)


def origin(seller_id: str, source: Source) -> dict[str, Value]:
    """Return the facts of where a lead came from."""
    facts: dict[str, Value] = {"seller": seller_id, "source": source.id}
    if source.channel is not None:
        facts["channel"] = source.channel
    return facts
