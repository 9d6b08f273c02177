"""Until when an endpoint's certificate holds."""

import asyncio
import ssl
import time
from datetime import UTC, datetime

import msgspec

from exchange.wire.endpoint import Endpoint

PATIENCE_S = 5.0
DAY_S = 86_400


class Expiry(msgspec.Struct, frozen=True):
    """The end of a certificate."""

    on: str
    days: int


async def expiry_of(endpoint: Endpoint, tls: ssl.SSLContext) -> Expiry | None:
    """Return when the certificate of this host ends, None where none could be verified."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection(
                endpoint.host, endpoint.port, ssl=tls, server_hostname=endpoint.host
            )
    except (OSError, TimeoutError):
        return None
    found = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    ends = found.get("notAfter")
    if not isinstance(ends, str):
        return None
    at_s = ssl.cert_time_to_seconds(ends)
    day = datetime.fromtimestamp(at_s, UTC).date()
    return Expiry(day.isoformat(), int((at_s - time.time()) // DAY_S))
