"""A worker's market state: its link to Valkey, and what is asked over it."""

from dataclasses import dataclass

from exchange.market.link import Link
from exchange.market.market import Market, Terms
from exchange.market.rates import Rates
from exchange.market.restoring import Restoring
from exchange.worker.ground import MS, Ground

S_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class State:
    """Caps, holds, claims and turns; how they are put right; how often offers are pinged."""

    market: Market
    restoring: Restoring
    rates: Rates


async def open_state(ground: Ground) -> State:
    """Connect to market state; it may be away, and is then down until it is back."""
    settings = ground.settings
    link = Link(ground.urls.market_url, timeout_s=settings.market_timeout_ms * MS)
    terms = Terms(
        lease_s=int(settings.hold_lease_s),
        rooms_interval_s=settings.caps_read_every_ms * MS,
        once_s=settings.idempotency_hours * S_PER_HOUR,
    )
    market = Market(link, worker=ground.worker_id, clock=ground.now_us, terms=terms)
    await ground.stack.enter_async_context(link)
    await ground.stack.enter_async_context(market)
    return State(
        market=market,
        restoring=Restoring(link, lease_s=terms.lease_s),
        rates=Rates(link, clock=ground.now_us),
    )
