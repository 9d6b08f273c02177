"""How numbers, durations and reasons are written for people."""

from decimal import Decimal

from exchange.domain.money import Micros
from exchange.domain.reason import Reason

MEANINGS = {
    Reason.NO_BID: "did not want it",
    Reason.TIMEOUT: "answered too late",
    Reason.INVALID_BID: "answered with something that is no bid",
    Reason.UNREACHABLE: "could not be reached",
    Reason.THROTTLED: "was left alone after failing too often",
    Reason.FILTERED: "does not take such leads",
    Reason.SCHEDULE: "was closed",
    Reason.CAP: "had its cap full",
    Reason.BUDGET: "had no budget left",
    Reason.DUPLICATE_FOR_BUYER: "has this person already",
    Reason.SUPPRESSED: "may not have this lead",
    Reason.PAUSED: "was paused",
    Reason.CONSENT: "was not named in the person's consent",
    Reason.RATE: "was asked as often as it may be",
    Reason.CURRENCY: "pays in another currency",
    Reason.TOO_LATE_TO_PING: "would have had too little time",
    Reason.BELOW_FLOOR: "bid less than the floor",
    Reason.OUTBID: "was outbid",
    Reason.CAP_AT_AWARD: "had its cap filled meanwhile",
    Reason.BUDGET_AT_AWARD: "had its budget spent meanwhile",
    Reason.QUOTE_PROMISE: "bid less than was promised",
    Reason.CUT_OFF: "had not answered when it was decided",
    Reason.REFUSED: "refused the lead",
    Reason.IN_DOUBT: "did not say whether it took the lead",
    Reason.VOID: "never said whether it took the lead",
}


def meaning(reason: Reason) -> str:
    """Return what a reason says of an offer, as the end of a sentence."""
    return MEANINGS.get(reason, reason.word.replace("_", " "))


def dollars(amount: Micros) -> str:
    """Return an amount as it stands in a bill."""
    return f"${amount / 1_000_000:,.2f}"


def bill(paid: Decimal, got: Decimal) -> tuple[str, str, str]:
    """Return what is paid, what of it is got and what is kept, to the cent, so that it adds up.

    Each rounded by itself would now and then leave a cent over, where there are parts of cents.
    """
    shown, given = round(paid, 2), round(got, 2)
    return f"${shown:,}", f"${given:,}", f"${shown - given:,}"


def duration(ms: float | None) -> str:
    """Return a duration in milliseconds, short ones with a decimal; a dash for none."""
    if ms is None:
        return "-"
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:,.0f} ms"  # noqa: PLR2004 - three digits are enough


def clock(seconds: float) -> str:
    """Return a stretch of time as minutes and seconds."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def share(part: int, whole: int) -> str:
    """Return what part of the whole this is."""
    return f"{100 * part / whole:.0f} %" if whole else "-"
