"""What was quoted for the same ping, kept while the quote holds."""

from exchange.market import function, keys
from exchange.market.caller import Caller


class Quotes:
    """Quotes by seller and ping. Errors: MarketUnavailable."""

    def __init__(self, link: Caller) -> None:
        """Take the link."""
        self._link = link

    async def quoted(self, seller_id: str, digest: bytes) -> bytes | None:
        """Return what was kept of a seller's quote for this ping, while that holds."""
        reply: bytes | None = await self._link.call(
            function.QUOTED, (keys.quote(seller_id, digest),)
        )
        return reply

    async def keep_quote(self, seller_id: str, digest: bytes, kept: bytes, for_ms: int) -> None:
        """Keep a quote for so long, for whoever sends the same ping again."""
        await self._link.call(
            function.KEEP_QUOTE, (keys.quote(seller_id, digest),), (kept, max(1, for_ms))
        )
