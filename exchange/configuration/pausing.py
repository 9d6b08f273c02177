"""Pausing who came to the end of a pilot: a version of the market like any other, by `pilot`."""

import hashlib
from typing import Any

import msgspec
import structlog

from exchange.configuration.objects import encode
from exchange.configuration.queries import SQL
from exchange.configuration.store import begin_version, read_present
from exchange.contract.market.buyers import BuyerPart
from exchange.contract.market.campaigns import CampaignPart
from exchange.contract.market.offers import OfferPart
from exchange.contract.market.sellers import SellerPart

logger = structlog.get_logger(__name__)
BY = "pilot"
"""Who made such a version: the audit's word."""


async def end_pilot(connection: Any, kind: str, name: str) -> int | None:
    """Pause a buyer, offer, seller or campaign whose pilot is over; return the market's version.

    None where there is nothing to do: it is paused, retired, or in no pilot any more.
    """
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        entry = (await read_present(connection)).objects.get((kind, name))
        part = None if entry is None else entry.part
        if not isinstance(part, BuyerPart | OfferPart | SellerPart | CampaignPart):
            return None
        if part.paused or part.pilot is None:
            return None
        assert entry is not None, "its part was found"
        body = encode(msgspec.structs.replace(part, paused=True))
        digest = hashlib.sha256(body.encode()).digest()
        version = await begin_version(connection, BY, "market", digest)
        row = (version, kind, name, entry.position, body)
        await connection.execute(SQL["add_object"], *row)
        await connection.execute(SQL["announce"], str(version))
    logger.warning("pilot is over", kind=kind, name=name, version=version)
    return version
