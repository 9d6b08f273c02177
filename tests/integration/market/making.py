"""Holds and claims for tests, plain, and changed only where a test says so."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable

from exchange.domain.caps import Hold, HoldLine
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.reason import Reason
from exchange.market.function import Function
from exchange.market.link import Link
from tests.making import NOW_US

numbers = itertools.count(1)


def a_line(counter: str = "offer/a|leads|day|0", amount: int = 1, limit: int = 10, **changes):
    reason = changes.pop("reason", Reason.CAP_AT_AWARD)
    return HoldLine(counter, amount, limit, reason, **changes)


def a_spend(counter: str = "buyer/a|balance|total|0", amount: int = 0, limit: int = 0):
    return HoldLine(counter, amount, limit, Reason.BUDGET_AT_AWARD)


def a_hold(*lines: HoldLine, buyer_id: str = "acme", sale: str = "") -> Hold:
    number = next(numbers)
    return Hold(
        sale_id=SaleId(sale or f"sale-{number}"),
        lead_id=LeadId(f"lead-{number}"),
        buyer_id=buyer_id,
        held_at_us=NOW_US,
        lines=lines or (a_line(),),
    )


def a_claim(lead: str, *claim_keys: str, scope: str = "campaign:auto-us", window_s: int = 3600):
    return Claim(
        scope=scope,
        keys=claim_keys or ("phone-1",),
        lead_id=LeadId(lead),
        window_s=window_s,
        until_end=True,
    )


def a_function(name: str, source: str) -> Function:
    """A Lua function of the test's own."""
    code = source.encode()
    return Function(name, code, hashlib.sha1(code).hexdigest().encode())


TTL = a_function("ttl", "return redis.call('PTTL', KEYS[1])")


async def time_left_ms(link: Link, key: str) -> int:
    """How long a key stays: -1 for ever, -2 it is not there."""
    return await link.call(TTL, [key])


async def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for what comes by itself and announces itself to nobody."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - a server that starts sets no event of ours
            await asyncio.sleep(0.005)
