"""What became of a try, and when the next one is due: pure."""

import msgspec

from exchange.wire.call import Call, Outcome

PAUSES_S = (
    *(5.0, 30.0, 120.0, 600.0, 1800.0),
    *(3600.0, 7200.0, 14_400.0, 21_600.0, 28_800.0, 10_800.0),
)
"""After the first failed try, the second and so on; together a day."""
SPREAD = 0.2
"""By so much of itself a pause is longer or shorter, by chance: not all come back at once."""
ASKED_FOR_MAX_S = 3600.0
"""A recipient may ask for a pause (`Retry-After`), but not for more than this."""
AWAY_MAX_S = 30.0
GONE = 410
OKAY = range(200, 300)


class Verdict(msgspec.Struct, frozen=True):
    """What one call came to."""

    detail: str
    """Why it failed; empty: it is delivered."""
    is_final: bool = False
    """The recipient wants it no more."""
    asked_s: float | None = None
    """The pause that it asked for."""


DELIVERED = Verdict("")


def verdict(call: Call) -> Verdict:
    """Return what an ended call came to: only 2xx is delivered, and 410 is never tried again."""
    if call.outcome is not Outcome.ANSWERED:
        return Verdict(str(call.detail) or str(call.outcome))
    if call.status in OKAY:
        return DELIVERED
    asked = call.header("retry-after") or ""
    return Verdict(
        f"status {call.status}",
        is_final=call.status == GONE,
        asked_s=float(asked) if asked.isdecimal() and len(asked) < 10 else None,  # noqa: PLR2004 - a number of seconds, not of digits
    )


def pause_s(tries: int, asked_s: float | None, luck: float) -> float | None:
    """Return the pause after so many failed tries; None: they were the last.

    `luck` is between 0 and 1.
    """
    if tries > len(PAUSES_S):
        return None
    usual_s = PAUSES_S[tries - 1] * (1 + SPREAD * (2 * luck - 1))
    return max(usual_s, min(asked_s or 0.0, ASKED_FOR_MAX_S))


def away_s(failures: int) -> float:
    """Return for how long a recipient that failed so often in a row is left alone."""
    return min(2.0 ** min(failures - 1, 10), AWAY_MAX_S)
