"""People who never lived, with plausible answers to whatever fields a vertical declares."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random

import msgspec

from exchange.contract.market.verticals import FieldPart, Required
from exchange.demo.places import Place, telephone
from exchange.domain.vertical import FieldType

FIRST_NAMES = (
    *("James", "Mary", "Robert", "Patricia", "John", "Jennifer", "Michael", "Linda", "David"),
    *("Elizabeth", "William", "Barbara", "Richard", "Susan", "Joseph", "Jessica", "Thomas"),
    *("Sarah", "Carlos", "Maria", "Daniel", "Nancy", "Luis", "Ana", "Matthew", "Lisa", "Anthony"),
    *("Betty", "Mark", "Sandra", "Wei", "Mei", "Steven", "Ashley", "Andrew", "Kimberly", "José"),
    *("Emily", "Joshua", "Donna", "Kenneth", "Michelle", "Kevin", "Carol", "Brian", "Amanda"),
)
LAST_NAMES = (
    *("Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Rodriguez"),
    *("Martinez", "Hernandez", "Lopez", "Gonzalez", "Wilson", "Anderson", "Thomas", "Taylor"),
    *("Moore", "Jackson", "Martin", "Lee", "Perez", "Thompson", "White", "Harris", "Sanchez"),
    *("Clark", "Ramirez", "Lewis", "Robinson", "Walker", "Young", "Allen", "King", "Wright"),
    *("Scott", "Torres", "Nguyen", "Hill", "Flores", "Green", "Adams", "O'Brien", "Núñez"),
)
STREETS = ("Oak St", "Main St", "Maple Ave", "Cedar Ln", "Elm Dr", "Lake Rd", "2nd St", "Park Blvd")
DOMAINS = ("example.com", "example.net", "example.org")
"""Reserved for examples: nobody's mailbox."""

VEHICLES = (
    *(("Toyota", "Camry"), ("Toyota", "RAV4"), ("Honda", "Civic"), ("Honda", "CR-V")),
    *(("Ford", "F-150"), ("Ford", "Escape"), ("Chevrolet", "Silverado"), ("Nissan", "Altima")),
    *(("Jeep", "Wrangler"), ("Subaru", "Outback"), ("Hyundai", "Elantra"), ("Kia", "Sorento")),
    *(("GMC", "Sierra"), ("Tesla", "Model 3"), ("Mazda", "CX-5"), ("Volkswagen", "Jetta")),
)
WORDS = {
    "utility_provider": ["Oncor", "Duke Energy", "Xcel Energy", "PG&E", "FPL", "ConEd"],
    "current_insurer": ["State Farm", "Progressive", "GEICO", "Allstate", "USAA", "none"],
    "occupation": ["teacher", "nurse", "electrician", "driver", "clerk", "engineer", "retired"],
}
"""Texts by field name; other texts are left empty."""

USUAL = {
    "accidents": (0, 0, 3),
    "violations": (0, 0, 4),
    "years_licensed": (1, 15, 50),
    "vehicle_count": (1, 1, 4),
    "annual_miles": (2_000, 11_000, 25_000),
    "roof_age": (0, 10, 35),
    "square_feet": (800, 1_900, 4_500),
    "electric_bill": (60, 150, 480),
}
"""The least, likeliest and greatest number, by field name."""

SHARES = {
    "dui": 0.04,
    "sr22": 0.03,
    "military": 0.08,
    "multi_policy": 0.3,
    "has_pool": 0.15,
    "currently_insured": 0.75,
    "homeowner": 0.8,
}
"""How many say yes, by field name; elsewhere every second one."""

NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
"""Reserved for documentation: nobody's addresses."""

AGE_MIN = 13
"""A few are too young, so that the qualification rule has something to do."""

AGE_MAX = 84
DAYS_PER_YEAR = 365.25
GIVEN = 0.85
"""How often an optional field is filled in."""

YEARS_BACK = 20
"""How old a vehicle or a roof may be."""

BIRTH = "birth_date"

Value = str | int | float | bool


class Somebody(msgspec.Struct, frozen=True):
    """A person and a place, from whom every field follows."""

    first_name: str
    last_name: str
    email: str
    phone: str
    born: date
    place: Place
    vehicle: tuple[str, str]


def somebody(place: Place, chance: Random, today: date) -> Somebody:
    """Return a person who lives there."""
    first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    years = chance.triangular(AGE_MIN, AGE_MAX, 38)
    letters = "".join(letter for letter in f"{first}.{last}".lower() if letter.isascii())
    return Somebody(
        first_name=first,
        last_name=last,
        email=f"{letters.replace(chr(39), '')}{chance.randrange(10**6)}@{chance.choice(DOMAINS)}",
        phone=telephone(place, chance),
        born=today - timedelta(days=int(years * DAYS_PER_YEAR)),
        place=place,
        vehicle=chance.choice(VEHICLES),
    )


def answers(
    person: Somebody, fields: Mapping[str, FieldPart], chance: Random, year: int
) -> dict[str, Value]:
    """Return what this person fills into a form: all required fields and most of the others."""
    filled: dict[str, Value] = {}
    for name, field in fields.items():
        if Required.REQUIRED not in {field.ping, field.post} and chance.random() > GIVEN:
            continue
        value = answer(Question(name, field, person, chance, year))
        if value is not None:
            filled[name] = value
    return filled


class Question(msgspec.Struct, frozen=True):
    """One field that a person is to fill in."""

    name: str
    field: FieldPart
    person: Somebody
    chance: Random
    year: int
    """The present one."""


def answer(asked: Question) -> Value | None:
    """Return one answer that the field takes, None where this person has none to give."""
    name, kind = asked.name, asked.field.type
    if name in OWN and kind in {FieldType.NAME, FieldType.TEXT}:
        return OWN[name](asked.person)
    if name.endswith("_year") and kind is FieldType.INT:
        back = round(asked.chance.triangular(0, YEARS_BACK, YEARS_BACK / 3))
        return within(asked.field, asked.year - back)
    return BY_TYPE[kind](asked) if kind in BY_TYPE else None


def within(field: FieldPart, number: int) -> int:
    """Return the number, or the bound that it passes."""
    if field.max is not None and number > field.max:
        return int(field.max)
    return int(field.min) if field.min is not None and number < field.min else number


def amount(asked: Question) -> float:
    """Return a usual number for this field; where nothing is known, one within its bounds."""
    low = float(asked.field.min or 0)
    high = low + 10 if asked.field.max is None else float(asked.field.max)
    low, likeliest, high = USUAL.get(asked.name, (low, (2 * low + high) / 3, high))
    return asked.chance.triangular(low, high, likeliest)


def address_of_host(chance: Random) -> str:
    """Return an IP address that no host has."""
    return f"{chance.choice(NETWORKS)}.{chance.randrange(1, 255)}"


def street(asked: Question) -> str:
    """Return a house in a street that every town has."""
    return f"{asked.chance.randrange(100, 9999)} {asked.chance.choice(STREETS)}"


def day(asked: Question) -> str | None:
    """Return when this person was born; of no other day the rest of the answers would agree."""
    return asked.person.born.isoformat() if asked.name == BIRTH else None


OWN: Mapping[str, Callable[[Somebody], Value]] = {
    "first_name": lambda person: person.first_name,
    "last_name": lambda person: person.last_name,
    "vehicle_make": lambda person: person.vehicle[0],
    "vehicle_model": lambda person: person.vehicle[1],
}
"""Fields that must agree with each other."""

BY_TYPE: Mapping[FieldType, Callable[[Question], Value | None]] = {
    FieldType.NAME: lambda asked: asked.person.last_name,
    FieldType.EMAIL: lambda asked: asked.person.email,
    FieldType.PHONE: lambda asked: asked.person.phone,
    FieldType.ADDRESS: street,
    FieldType.CITY: lambda asked: asked.person.place.city,
    FieldType.US_ZIP: lambda asked: asked.person.place.zip,
    FieldType.US_STATE: lambda asked: asked.person.place.state,
    FieldType.DATE: day,
    FieldType.BOOL: lambda asked: asked.chance.random() < SHARES.get(asked.name, 0.5),
    FieldType.IP: lambda asked: address_of_host(asked.chance),
    FieldType.CHOICE: lambda asked: asked.chance.choice(asked.field.values),
    FieldType.INT: lambda asked: round(amount(asked)),
    FieldType.DECIMAL: lambda asked: round(amount(asked), 2),
    FieldType.TEXT: lambda asked: (
        asked.chance.choice(WORDS[asked.name]) if asked.name in WORDS else None
    ),
}
"""Fields of all other types are left empty."""
