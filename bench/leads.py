"""Leads of many people, sent so many at a time to an exchange that was started for it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from bench.market import CAMPAIGN, LEAD


async def send(
    url: str,
    key: str,
    numbers: range,
    concurrency: int,
    step: Callable[[], None],
    campaign: str = CAMPAIGN,
) -> tuple[int, list[float]]:
    """Send these leads, so many at a time; return how many were sold, and how long each took."""
    ahead = iter(numbers)
    sold, took_ms = 0, []
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def line() -> None:
            nonlocal sold
            for number in ahead:
                began = time.monotonic()
                body = lead(number, campaign)
                async with session.post(f"{url}/v1/leads", json=body) as response:
                    answer = await response.json()
                    sold += answer["status"] == "sold"
                took_ms.append((time.monotonic() - began) * 1000)
                step()

        await asyncio.gather(*(line() for _ in range(concurrency)))
    return sold, took_ms


def lead(number: int, campaign: str = CAMPAIGN) -> dict[str, Any]:
    """Return somebody's lead."""
    phone = f"512{200 + number // 10_000 % 700:03d}{number % 10_000:04d}"
    person = {**LEAD["lead"], "phone": phone, "email": f"lead{number}@example.com"}
    return {**LEAD, "campaign": campaign, "lead": person}
