"""Ids are UUIDv7 strings: sortable by time, unique by chance; both come in as arguments."""

from typing import NewType

LeadId = NewType("LeadId", str)
SaleId = NewType("SaleId", str)

ENTROPY_BYTES = 10
"""How many random bytes one id takes."""


VARIANTS = "89ab"
"""The digit that tells the layout of an id, with two bits of chance in it."""


def uuid7(at_us: int, entropy: bytes) -> str:
    """Return a UUIDv7 for this moment (RFC 9562): 48 bits of milliseconds, then chance."""
    assert len(entropy) == ENTROPY_BYTES, "an id takes exactly ten random bytes"
    millis = f"{(at_us // 1000) & 0xFFFF_FFFF_FFFF:012x}"
    chance = entropy.hex()
    variant = VARIANTS[entropy[2] >> 4 & 0b11]
    return f"{millis[:8]}-{millis[8:]}-7{chance[1:4]}-{variant}{chance[5:8]}-{chance[8:]}"


def uuid7_at_us(text: str) -> int:
    """Return the moment in a UUIDv7, in microseconds (whole milliseconds)."""
    return int(text[:8] + text[9:13], 16) * 1000
