"""How people and forms spell yes and no, states and choices, and the one word meant by each."""

from collections.abc import Iterable, Mapping

YES = ("yes", "y", "true", "t", "1", "on", "checked", "selected", "x", "si", "sí")
NO = ("no", "n", "false", "f", "0", "off", "unchecked", "unselected")

BOOLS: Mapping[str, bool] = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}

STATE_NAMES: Mapping[str, str] = {
    "alabama": "AL",
    "alaska": "AK",
    "american samoa": "AS",
    "arizona": "AZ",
    "arkansas": "AR",
    "armed forces americas": "AA",
    "armed forces europe": "AE",
    "armed forces pacific": "AP",
    "california": "CA",
    "colorado": "CO",
    "connecticut": "CT",
    "delaware": "DE",
    "district of columbia": "DC",
    "federated states of micronesia": "FM",
    "florida": "FL",
    "georgia": "GA",
    "guam": "GU",
    "hawaii": "HI",
    "idaho": "ID",
    "illinois": "IL",
    "indiana": "IN",
    "iowa": "IA",
    "kansas": "KS",
    "kentucky": "KY",
    "louisiana": "LA",
    "maine": "ME",
    "marshall islands": "MH",
    "maryland": "MD",
    "massachusetts": "MA",
    "michigan": "MI",
    "minnesota": "MN",
    "mississippi": "MS",
    "missouri": "MO",
    "montana": "MT",
    "nebraska": "NE",
    "nevada": "NV",
    "new hampshire": "NH",
    "new jersey": "NJ",
    "new mexico": "NM",
    "new york": "NY",
    "north carolina": "NC",
    "north dakota": "ND",
    "northern mariana islands": "MP",
    "ohio": "OH",
    "oklahoma": "OK",
    "oregon": "OR",
    "palau": "PW",
    "pennsylvania": "PA",
    "puerto rico": "PR",
    "rhode island": "RI",
    "south carolina": "SC",
    "south dakota": "SD",
    "tennessee": "TN",
    "texas": "TX",
    "utah": "UT",
    "vermont": "VT",
    "virginia": "VA",
    "virgin islands": "VI",
    "us virgin islands": "VI",
    "washington": "WA",
    "washington dc": "DC",
    "west virginia": "WV",
    "wisconsin": "WI",
    "wyoming": "WY",
}

STATES: Mapping[str, str] = {
    **STATE_NAMES,
    **{code.lower(): code for code in STATE_NAMES.values()},
}
"""Names and codes in lower case, without dots."""


def plain(text: str) -> str:
    """Return the form in which choices are compared: lower case; dashes, underscores as spaces."""
    return " ".join(text.replace("-", " ").replace("_", " ").casefold().split())


def choices(values: Iterable[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Return every understood spelling → the declared value; a value wins over an alias.

    Where exactly one value means yes (or no), every other spelling of it is understood, too.
    """
    declared = tuple(values)
    table: dict[str, str] = {}
    for meaning in (True, False):
        meant = [value for value in declared if BOOLS.get(plain(value)) is meaning]
        if len(meant) == 1:
            spelled = YES if meaning else NO
            table.update(dict.fromkeys(spelled, meant[0]))
    table.update({plain(alias): value for alias, value in aliases.items()})
    table.update({plain(value): value for value in declared})
    return table


def state_code(text: str) -> str | None:
    """Return the two-letter code of a state, or None where the text names none."""
    return STATES.get(text) or STATES.get(" ".join(text.replace(".", "").lower().split()))
