"""What somebody who mistyped a name most likely meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like this one, or None where none looks like it.

    A name that has this one as a whole word looks most like it: `us_zip` for `zip`, not `ip`.
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    holding = [candidate for candidate in lowered if name.lower() in candidate.split("_")]
    if len(holding) == 1:
        return lowered[holding[0]]
    found = difflib.get_close_matches(name[:100].lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def hint(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "state"?`, or nothing: the end of a sentence about an unknown name."""
    meant = nearest(name, known)
    return f'; did you mean "{meant}"?' if meant else ""
