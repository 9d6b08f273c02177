"""Ids are UUIDv7 strings: sortable by time, unique by chance; both come in as arguments."""

from typing import NewType

LeadId = NewType("LeadId", str)
SaleId = NewType("SaleId", str)

ENTROPY_BYTES = 10
"""How many random bytes one id takes."""


def uuid7(at_us: int, entropy: bytes) -> str:
    """Return a UUIDv7 for this moment (RFC 9562): 48 bits of milliseconds, then chance."""
    assert len(entropy) == ENTROPY_BYTES, "an id takes exactly ten random bytes"
    millis = (at_us // 1000) & 0xFFFF_FFFF_FFFF
    head = millis << 80 | 0x7 << 76 | (entropy[0] << 8 | entropy[1]) << 64 & 0x0FFF << 64
    tail = (int.from_bytes(entropy[2:]) & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
    digits = f"{head | tail:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid7_at_us(text: str) -> int:
    """Return the moment in a UUIDv7, in microseconds (whole milliseconds)."""
    return int(text[:8] + text[9:13], 16) * 1000
