"""What another `show` would do to the anonymity of pings, counted on those who came lately."""

import asyncio
from typing import Any

import msgspec

from exchange.anonymity.people import Page, before, page_after
from exchange.configuration.compiling.verticals import vertical_of
from exchange.contract.market_file import MarketFile
from exchange.domain.anonymity import Spread, combination, each_k, spread, token, visible
from exchange.domain.vertical import Vertical
from exchange.ledger.vault import Vault

US_PER_S = 1_000_000
AT_ONCE = 500
PEOPLE_MAX = 200_000
"""Of one vertical: so many of the window are looked at."""
SECRET = b"plan"
"""Tells people apart for as long as the command runs."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One vertical whose pings would show otherwise."""

    vertical: str
    window_days: int
    before: Spread
    after: Spread


async def compared(
    connection: Any, vault: Vault, present: MarketFile, wanted: MarketFile, now_us: int
) -> list[Shown]:
    """Return how anonymous pings are and would be, where a counted vertical shows otherwise."""
    known = {part.id: vertical_of(part) for part in present.vertical}
    found = []
    for part in wanted.vertical:
        now, then = known.get(part.id), vertical_of(part)
        if now is None or visible(now) == visible(then):
            continue
        window_s = max(now.anonymity_window_s, then.anonymity_window_s)
        if window_s:
            since_us = now_us - window_s * US_PER_S
            spreads = await spreads_of(connection, vault, (now, then), since_us)
            days = window_s // 86_400
            found.append(
                Shown(vertical=part.id, window_days=days, before=spreads[0], after=spreads[1])
            )
    return found


async def spreads_of(
    connection: Any, vault: Vault, ways: tuple[Vertical, Vertical], since_us: int
) -> tuple[Spread, Spread]:
    """Return how anonymous everybody is under two ways of showing; each person counts once."""
    people: set[bytes] = set()
    told: tuple[list[bytes], list[bytes]] = ([], [])

    def count(page: Page) -> None:
        for one in page.opened(vault):
            person = token(one.fingerprint, SECRET)
            if person is None or person in people:
                continue
            people.add(person)
            for way, those in zip(ways, told, strict=True):
                those.append(combination(one.lead, visible(way)))

    after = before(since_us)
    while len(people) < PEOPLE_MAX:
        page = await page_after(connection, ways[0].id, after, AT_ONCE)
        if page is None:
            break
        after = page.after
        await asyncio.to_thread(count, page)
    return spread(each_k(told[0])), spread(each_k(told[1]))
