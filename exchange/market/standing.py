"""All that market state holds of one buyer or seller, as its two hashes say it."""

from collections.abc import Mapping, Sequence

import msgspec

from exchange.domain.ids import LeadId, SaleId


class Standing(msgspec.Struct, frozen=True):
    """All that market state holds of one buyer."""

    settled: Mapping[str, int]
    held: Mapping[str, int]
    holds: Mapping[SaleId, LeadId]
    records: Mapping[SaleId, Sequence[str]] = {}
    """Of each hold lead id, worker, lease's end, then counter, amount and kind of each line."""


def settled_and_held(reply: Sequence[bytes]) -> tuple[dict[str, int], dict[str, int]]:
    """Return what is settled and what is held of each counter, from fields and counts in turn."""
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for field, count in zip(reply[::2], reply[1::2], strict=True):
        counts[field.endswith(b"|h")][field[:-2].decode()] = int(count)
    return counts


def leads_by_sale(reply: Sequence[bytes]) -> dict[SaleId, LeadId]:
    """Return the lead of each hold, from sale ids and records in turn."""
    return {
        SaleId(sale_id.decode()): LeadId(record.partition(b"\n")[0].decode())
        for sale_id, record in zip(reply[::2], reply[1::2], strict=True)
    }
