"""The seller: posts leads, repeats what it heard nothing of, and keeps its book."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec

from tests.acceptance.house import person
from tests.chaos.books import Order, Told

MICROS = 1_000_000
PAUSE_S = (0.1, 0.6)
ANSWER_WITHIN_S = 15.0
WAIT_S = 5
OPEN = "pending"
ANSWERED = 200
GONE = frozenset({409, 410, 404})
"""A quote that is used up, has expired, or is of before: a last word."""

BROKEN = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What comes of a worker that dies in mid-answer; half an answer is none."""


class Seller:
    """One seller and its book; `send` begins a lead, `settle` returns once it has its last word."""

    def __init__(
        self, base: str, key: str, chance: random.Random, session: aiohttp.ClientSession
    ) -> None:
        self.base = base
        self.key = key
        self.chance = chance
        self.session = session
        self.orders: list[Order] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def send(self) -> None:
        """Begin one lead more: a new person mostly, with a key mostly, sometimes by a quote."""
        number, luck = len(self.orders), self.chance.random()
        who = self.chance.randrange(number) if number and luck < REPEATED else number
        ref = f"order-{number}"
        order = Order(
            ref=ref,
            phone=person(who)["phone"],
            key=None if self.chance.random() < KEYLESS else ref,
        )
        self.orders.append(order)
        way = self.by_quote if self.chance.random() < QUOTED else self.directly
        task = asyncio.ensure_future(way(order, person(who)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settle(self, within_s: float) -> None:
        """Return once every lead has its last word, or the time is over."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=within_s)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    # The ways of a lead

    async def directly(self, order: Order, lead: dict[str, Any]) -> None:
        """Post it, and again under its key until it has an answer, then ask for its end."""
        body = {"campaign": "auto-us", "source": "search", "seller_ref": order.ref, "lead": lead}
        await self.posted(order, "/v1/leads", body)
        await self.ended(order)

    async def by_quote(self, order: Order, lead: dict[str, Any]) -> None:
        """Ask for a price first; post the person once there is one."""
        asked = {name: lead[name] for name in ("zip", "birth_date", "currently_insured")}
        body = {"campaign": "auto-us", "source": "search", "seller_ref": order.ref, "lead": asked}
        answer = await self.answer("/v1/pings", body, order.key)
        if answer is None or answer[1].get("status") != "quoted":
            order.refused = "no quote"
            return
        body["lead"] = {name: lead[name] for name in ("first_name", "phone", "email")}
        await self.posted(order, f"/v1/pings/{answer[1]['ping_id']}/post", body)
        await self.ended(order)

    async def posted(self, order: Order, path: str, body: dict[str, Any]) -> None:
        """Post until there is an answer; write it down. Without a key: once."""
        if order.key is not None and self.chance.random() < IMPATIENT:
            # Hangs up, whatever stage its auction is at, and comes back.
            with suppress(*BROKEN):
                async with asyncio.timeout(self.chance.uniform(0.005, 0.8)):
                    await self.call("POST", path, body, order.key)
        answer = await self.answer(path, body, order.key)
        if answer is None:
            return
        status, told = answer
        if status == ANSWERED:
            order.told.append(read(told))
        else:
            order.refused = f"{status} {told.get('detail', '')}"

    async def ended(self, order: Order) -> None:
        """Ask how a lead ended until it has; its first answer and its last are both kept."""
        while len(order.told) == 1 or (order.told and order.told[-1].status == OPEN):
            path = f"/v1/leads/{order.told[-1].lead_id}?wait_s={WAIT_S}"
            with suppress(*BROKEN):
                status, told = await self.call("GET", path)
                if status == ANSWERED:
                    order.told.append(read(told))
                    continue
            await self.pause()

    # The line

    async def answer(
        self, path: str, body: dict[str, Any], key: str | None
    ) -> tuple[int, dict[str, Any]] | None:
        """Return a last word: what is neither an outage nor under way; without a key, the first."""
        while True:
            try:
                status, told = await self.call("POST", path, body, key)
            except BROKEN:
                status, told = 0, {}
            if status == ANSWERED or (status in GONE and not is_under_way(told)):
                return status, told
            assert status in {0, 409, 429, 503}, f"{path}: {status} {told}"
            if key is None:
                return None
            await self.pause()

    async def call(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one request; an answer is whole or raises one of BROKEN."""
        headers = {"Authorization": f"Bearer {self.key}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with self.session.request(
            method, self.base + path, json=body, headers=headers, timeout=timeout
        ) as response:
            return response.status, msgspec.json.decode(await response.read())

    async def pause(self) -> None:
        """Wait before the next try: nobody tells when a dead exchange lives again."""
        await asyncio.sleep(self.chance.uniform(*PAUSE_S))


REPEATED = 0.08
"""So many leads are a person again that was sent before."""
KEYLESS = 0.1
QUOTED = 0.2
IMPATIENT = 0.15


def is_under_way(told: dict[str, Any]) -> bool:
    """Tell whether a 409 asks for another try."""
    return str(told.get("type", "")).endswith("/under-way")


def read(told: dict[str, Any]) -> Told:
    """Return what an answer says of a lead."""
    price = told["price"]
    return Told(told["lead_id"], told["status"], None if price is None else round(price * MICROS))
