"""In which format a caller wants its answers: JSON, unless its `Accept` likes XML better."""

from functools import lru_cache

JSON = "application/json"
XML = "application/xml"

SPOKEN = {
    JSON: JSON,
    "application/problem+json": JSON,
    XML: XML,
    "text/xml": "text/xml",
    "application/problem+xml": XML,
}
"""Which media types can be asked for, and what is answered."""

USUAL = frozenset({None, "*/*", JSON})
"""What nearly all callers send."""

RANGES_MAX = 64
"""How many media types of one header are looked at."""
HEADERS_KEPT = 256
QUALITY_LENGTH_MAX = 5

Liking = tuple[float, int, int]
"""How much a media type is liked: its quality, how closely it was named, how early."""


def wanted(accept: str | None) -> str:
    """Return the media type of answers for this `Accept`.

    The higher quality wins, then what was named more closely (`application/xml` before `*/*`),
    then what was named first. Whoever wants nothing that is spoken here gets JSON: a lead may
    have been sold, and that must be heard.
    """
    if accept in USUAL:
        return JSON
    return liked(accept or "")


@lru_cache(HEADERS_KEPT)
def liked(accept: str) -> str:
    """Return the media type that a header likes best."""
    ranges = [read_range(text) for text in accept.split(",", RANGES_MAX)[:RANGES_MAX]]
    best = max(SPOKEN, key=lambda media_type: liking(media_type, ranges))
    return SPOKEN[best]


def read_range(text: str) -> tuple[str, float]:
    """Return a media range and its quality."""
    name, *parameters = text.split(";")
    for parameter in parameters:
        key, _, number = parameter.partition("=")
        if key.strip().lower() == "q":
            return name.strip().lower(), quality(number.strip())
    return name.strip().lower(), 1.0


def quality(text: str) -> float:
    """Return a quality from 0 to 1; what is none is read over, as if it were not there."""
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(text) > QUALITY_LENGTH_MAX:
        return 1.0
    return min(1.0, float(text))


def liking(media_type: str, ranges: list[tuple[str, float]]) -> Liking:
    """Return how much a media type is liked, by the closest range that it falls into."""
    closeness = {media_type: 2}
    if SPOKEN[media_type] == media_type:  # nobody means only the problems by a wildcard
        closeness |= {f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
    found = [
        (closeness[name], -place, liked_by)
        for place, (name, liked_by) in enumerate(ranges)
        if name in closeness
    ]
    if not found:
        return (0.0, 0, 0)
    close, early, liked_by = max(found)
    return (liked_by, close, early) if liked_by else (0.0, 0, 0)
