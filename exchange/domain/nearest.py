"""What somebody who mistyped a name most likely meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like this one, or None where none looks like it."""
    lowered = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:100].lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def hint(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "state"?`, or nothing: the end of a sentence about an unknown name."""
    meant = nearest(name, known)
    return f'; did you mean "{meant}"?' if meant else ""
