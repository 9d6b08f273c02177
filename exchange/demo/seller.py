"""Run as `python -m exchange.demo.seller`: posts leads at random times and says what it was told.

The order comes as one JSON line on standard input, what is heard goes as JSON lines to standard
output. It is an open loop: a lead is sent when it is due, however many answers are awaited, and
its time counts from when it was due, so that a slow exchange cannot make itself look fast.
SIGTERM ends it: nothing new is sent, what was sent is waited for.
"""

import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from random import Random
from typing import Any, TypeVar

import aiohttp
import msgspec
import uvloop

from exchange.contract.seller import LeadAnswer, Problem, QuoteAnswer
from exchange.demo.arrivals import Arrival, arrivals
from exchange.demo.foreign import SOFTWARE, Said, Sent, Software
from exchange.demo.order import Heard, Oddity, Order, Way
from exchange.demo.people import Somebody, somebody
from exchange.demo.places import Place, places
from exchange.demo.requests import (
    Body,
    form_fields,
    lead_body,
    ping_body,
    post_of_quote,
    spoiled,
    spoiled_lead,
    without_person,
)

OK = 200
QUOTED = "quoted"
REMEMBERED = 200
"""How many earlier people may come a second time."""

T = TypeVar("T")
LEADS = msgspec.json.Decoder(LeadAnswer)
QUOTES = msgspec.json.Decoder(QuoteAnswer)
PROBLEMS = msgspec.json.Decoder(Problem)
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Sending(msgspec.Struct, frozen=True):
    """One request on its way: where to, how, and since when it is due."""

    path: str
    way: Way
    arrival: Arrival
    due_s: float
    late_ms: float
    """How much later than due it was ready to be sent."""
    how: dict[str, Any]
    """The request's body, as aiohttp takes it."""


class Seller:
    """Sends what arrives, each lead in a task of its own, and tells what comes back."""

    def __init__(
        self,
        order: Order,
        session: aiohttp.ClientSession,
        where: tuple[Place, ...],
        tell: Callable[[Heard], None],
    ) -> None:
        self.order = order
        self.session = session
        self.places = where
        self.tell = tell
        self.chance = Random(f"people/{order.seed}")  # noqa: S311 - a demo rolls dice
        self.earlier: deque[tuple[str, Somebody]] = deque(maxlen=REMEMBERED)

    async def run(self, told_to_stop: asyncio.Event) -> None:
        """Send until the order's time is over or it is told to stop; return when all answered."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        async with asyncio.TaskGroup() as under_way:
            for arrival in arrivals(self.order):
                due_s = begun_s + arrival.after_s
                if (left_s := due_s - loop.time()) > 0:
                    await until(told_to_stop, left_s)
                if told_to_stop.is_set():
                    return
                under_way.create_task(self.sell(arrival, due_s))

    async def sell(self, arrival: Arrival, due_s: float) -> None:
        """Send one lead as its arrival says, and tell each answer."""
        feed, body = arrival.feed, self.compose(arrival)
        if feed.door is not None:
            await self.through_door(SOFTWARE[feed.door](), arrival, due_s, body)
        elif arrival.way is Way.PING and arrival.oddity is Oddity.NONE:
            await self.ping_and_post(arrival, due_s, body)
        elif is_form(arrival):
            flat = form_fields(body, feed.fields, self.chance)
            form = aiohttp.FormData(flat, default_to_multipart=arrival.way is Way.MULTIPART)
            await self.post(sending("/v1/leads", arrival.way, arrival, due_s, data=form))
        else:
            await self.post(sending("/v1/leads", Way.JSON, arrival, due_s, json=body))

    def compose(self, arrival: Arrival) -> Body:
        """Return the whole request about a new person, or again about an earlier one."""
        feed, now_us = arrival.feed, time.time_ns() // 1000
        again = arrival.oddity is Oddity.DUPLICATE
        person = self.person(feed.campaign, today_of(now_us), again=again)
        body = lead_body(feed, person, self.chance, arrival.number, now_us)
        if arrival.oddity is Oddity.INVALID and feed.door is not None:
            return spoiled_lead(body, feed.fields, self.chance)
        if arrival.oddity is Oddity.INVALID:
            return spoiled(body, feed.fields, self.chance)
        if arrival.oddity is Oddity.TEST:
            return {**body, "test": True}
        self.earlier.append((feed.campaign, person))
        return body

    def person(self, campaign: str, today: date, *, again: bool) -> Somebody:
        """Return somebody who asked this campaign before, or somebody new."""
        known = [person for name, person in self.earlier if name == campaign]
        if again and known:
            return self.chance.choice(known)
        return somebody(self.chance.choice(self.places), self.chance, today)

    async def ping_and_post(self, arrival: Arrival, due_s: float, body: Body) -> None:
        """Ask for a price, and mostly post what is quoted."""
        fields = arrival.feed.fields
        asking = sending("/v1/pings", Way.PING, arrival, due_s, json=ping_body(body, fields))
        http, raw, problem = await self.send(asking)
        quote = read(QUOTES, raw) if http == OK else None
        self.tell(
            heard(
                asking,
                http,
                problem or problem_in(http, raw),
                status=None if quote is None else quote.status,
                price=None if quote is None else quote.price,
                reason=None if quote is None or quote.reason is None else quote.reason.reason,
            )
        )
        if quote is None or quote.status != QUOTED or quote.ping_id is None:
            return
        if self.chance.random() >= self.order.mix.untaken:
            now_s = asyncio.get_running_loop().time()
            path = f"/v1/pings/{quote.ping_id}/post"
            rest = post_of_quote(body, fields)
            await self.post(sending(path, Way.QUOTED, arrival, now_s, json=rest))

    async def through_door(
        self, software: Software, arrival: Arrival, due_s: float, body: Body
    ) -> None:
        """Sell a lead in the words of the seller's platform: at once, or after a price."""
        key = self.order.keys[arrival.feed.seller]
        if arrival.way is not Way.PING or arrival.oddity is not Oddity.NONE:
            sent = software.post(key, body)
            await self.say(software, in_words_of(sent, Way.DOOR, arrival, due_s))
            return
        sent = software.ping(key, without_person(body, arrival.feed.fields))
        quote = await self.say(software, in_words_of(sent, Way.PING, arrival, due_s))
        if quote is None or quote.status != QUOTED:
            return
        if self.chance.random() >= self.order.mix.untaken:
            now_s = asyncio.get_running_loop().time()
            sent = software.post(key, body, quote.id)
            await self.say(software, in_words_of(sent, Way.QUOTED, arrival, now_s))

    async def say(self, software: Software, sending: Sending) -> Said | None:
        """Send something in a platform's words, and tell what the answer means there."""
        http, raw, problem = await self.send(sending)
        said = software.read(raw) if http else None
        # Without an id of a lead it was no lead: refused, whatever the HTTP status is.
        names_lead = sending.way is not Way.PING and said is not None and said.id is not None
        if said is None or (sending.way is not Way.PING and not names_lead):
            self.tell(heard(sending, http, problem or f"HTTP {http} refused"))
            return None
        self.tell(
            heard(
                sending,
                http,
                None,
                status=said.status,
                lead_id=said.id if names_lead else None,
                price=said.price,
            )
        )
        return said

    async def post(self, posting: Sending) -> None:
        """Send a lead and tell what became of it."""
        http, raw, problem = await self.send(posting)
        lead = read(LEADS, raw) if http == OK else None
        if lead is None:
            self.tell(heard(posting, http, problem or problem_in(http, raw)))
            return
        self.tell(
            heard(
                posting,
                http,
                None,
                status=lead.status,
                lead_id=lead.lead_id,
                price=lead.price,
                reason=None if lead.reason is None else lead.reason.reason,
                sale_ids=tuple(sale.sale_id for sale in lead.sales),
            )
        )

    async def send(self, what: Sending) -> tuple[int, bytes, str | None]:
        """Return status and body of the answer, or 0 and why none came."""
        key = self.order.keys[what.arrival.feed.seller]
        # Foreign software has the key in the body.
        headers = {} if what.arrival.feed.door else {"Authorization": f"Bearer {key}"}
        try:
            async with self.session.post(
                self.order.base_url + what.path, headers=headers, **what.how
            ) as response:
                return response.status, await response.read(), None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, b"", type(error).__name__


def is_form(arrival: Arrival) -> bool:
    """Tell whether a request comes as a form; what is spoiled, or says more, is JSON."""
    is_plain = arrival.oddity is not Oddity.INVALID and not arrival.feed.also
    return is_plain and arrival.way in {Way.FORM, Way.MULTIPART}


def today_of(at_us: int) -> date:
    """Return the day of a moment."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).date()


def sending(path: str, way: Way, arrival: Arrival, due_s: float, **how: Any) -> Sending:
    """Return a request that is ready to be sent now."""
    late_ms = (asyncio.get_running_loop().time() - due_s) * 1000
    return Sending(path, way, arrival, due_s, round(late_ms, 3), how)


def in_words_of(sent: Sent, way: Way, arrival: Arrival, due_s: float) -> Sending:
    """Return a request in a platform's words that is ready to be sent now."""
    return sending(sent.path, way, arrival, due_s, **sent.how)


def heard(sent: Sending, http: int, problem: str | None, **what: Any) -> Heard:
    """Return what is told of an answer that came just now."""
    ms = (asyncio.get_running_loop().time() - sent.due_s) * 1000
    return Heard(
        way=sent.way,
        campaign=sent.arrival.feed.campaign,
        seller=sent.arrival.feed.seller,
        due_us=time.time_ns() // 1000 - round(ms * 1000),
        late_ms=sent.late_ms,
        ms=round(ms, 3),
        http=http,
        oddity=sent.arrival.oddity,
        problem=problem,
        **what,
    )


def read(decoder: msgspec.json.Decoder[T], raw: bytes) -> T | None:
    """Return what the contract promises, or None where the answer is something else."""
    try:
        return decoder.decode(raw)
    except msgspec.MsgspecError:
        return None


def problem_in(http: int, raw: bytes) -> str | None:
    """Return what an error answer says, in a few words."""
    if http == OK:
        return None
    problem = read(PROBLEMS, raw)
    if problem is None:
        return f"HTTP {http}"
    fields = ", ".join(f"{error.field} {error.code}" for error in problem.errors)
    return f"HTTP {http} {problem.title}" + (f": {fields}" if fields else "")


async def until(event: asyncio.Event, left_s: float) -> None:
    """Wait for the event, but no longer than this."""
    try:
        async with asyncio.timeout(left_s):
            await event.wait()
    except TimeoutError:
        return


def say(heard: Heard) -> None:
    """Write one line for the parent."""
    sys.stdout.buffer.write(ENCODER.encode(heard) + b"\n")
    sys.stdout.buffer.flush()


async def main() -> None:
    """Read the order, carry it out, and return when the last answer is told."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    timeout = aiohttp.ClientTimeout(total=order.answer_max_s)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        await Seller(order, session, places(), say).run(told_to_stop)


if __name__ == "__main__":
    uvloop.run(main())
