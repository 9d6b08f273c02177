"""Whole and exact numbers as forms send them; what could mean two numbers is refused."""

import re
from decimal import Decimal

WHOLE = re.compile(r"([+-]?)\$?(\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:\.0{1,2})?\Z", re.ASCII)
"""Thousands separators only where every group has three digits; `1.000` is not understood."""

EXACT = re.compile(r"([+-]?)\$?(\d{1,15}|\d{1,3}(?:,\d{3}){1,4})?(?:\.(\d{1,10}))?\Z", re.ASCII)


def normalize_whole(text: str) -> int | None:
    """Return a whole number: `1234`, `1,234`, `$1,234.00`, `-5`; None for anything else."""
    match = WHOLE.match(text)
    if match is None:
        return None
    value = int(match[2].replace(",", ""))
    return -value if match[1] == "-" else value


def normalize_exact(text: str) -> Decimal | None:
    """Return an exact number in one spelling (`1.5` for `1.50`); None for anything else."""
    match = EXACT.match(text)
    if match is None or (match[2] is None and match[3] is None):
        return None
    digits = (match[2] or "0").replace(",", "")
    fraction = (match[3] or "").rstrip("0")
    value = Decimal(f"{digits}.{fraction}" if fraction else str(int(digits)))
    return -value if match[1] == "-" and value else value
