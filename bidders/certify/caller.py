"""Makes pings and posts of the exchange's own parts and sends them in one way or another."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from typing import Any, Protocol

import msgspec

from bidders.certify.line import Line
from bidders.certify.requests import Change
from bidders.certify.seen import Half, Seen
from bidders.certify.target import Target, TargetError
from exchange.contract.trying import TriedCall
from exchange.delivery.answer import PostResult
from exchange.delivery.delivery import Parcel
from exchange.domain.bid import Bid, Contender
from exchange.domain.person import Person
from exchange.domain.sample import sample_lead
from exchange.domain.submission import Submission
from exchange.domain.vertical import FieldType, Privacy, Show
from exchange.intake.arrival import Refused
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.intake.request import Request
from exchange.trying.attempt import Attempt
from exchange.trying.means import Means
from exchange.trying.trying import Trying
from exchange.wire.call import Call
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoints import CALL_HEADERS, FOREIGN_HEADERS, Endpoints
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""The user says whom to call, from the user's own machine: no network is off limits."""
ANSWER_MAX_BYTES = 65_536
PLACES = ("78701", "90001", "33101", "10001", "60601", "43215")
"""Of the invented leads: Austin, Los Angeles, Miami, New York, Chicago, Columbus."""
PEOPLE = 100
"""So many telephone numbers are nobody's: 555-0100 to 555-0199."""


class Carrier(Protocol):
    """Who carries calls."""

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Send the calls; when this returns, each has its outcome."""


Way = Callable[[Carrier], Carrier]
"""How a call is sent, around how it is sent usually."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A lead to ask about."""

    number: int = 0
    """Another one is another person."""
    like: int = 0
    """Another one lives elsewhere, and of each choice has another value."""
    changes: Mapping[str, object] = msgspec.field(default_factory=dict)
    only: frozenset[str] | None = None
    """The fields that it has; None: all."""
    bare: bool = False
    """True: without consent."""
    test: bool = True


class ImpossibleError(Exception):
    """Such a lead cannot come from the exchange: its vertical does not allow it."""


class Sale(msgspec.Struct, frozen=True):
    """A bid that is to be posted, once or several times."""

    submission: Submission
    bid: Bid
    parcel: Parcel

    def __repr__(self) -> str:
        """Name the sale, never the person."""
        return f"Sale({self.parcel.sale_id})"


class Noted:
    """Carries calls and remembers the last."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.call: Call | None = None

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Carry them on."""
        [self.call] = calls
        await self.carrier.fan_out(calls, deadline_at)


class Changed:
    """Carries calls whose requests were changed on the way out."""

    def __init__(self, change: Change, carrier: Carrier) -> None:
        self.change = change
        self.carrier = carrier

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Change each request and carry it on."""
        for call in calls:
            call.request = self.change(call.request)
        await self.carrier.fan_out(calls, deadline_at)


def changed(change: Change) -> Way:
    """Return the way of a request that was changed."""
    return lambda carrier: Changed(change, carrier)


class ByHand:
    """Carries a call by a function that is given the call alone."""

    def __init__(self, carry: Callable[[Call], Any]) -> None:
        self.carry = carry

    async def fan_out(self, calls: Sequence[Call], deadline_at: float) -> None:
        """Carry each."""
        del deadline_at
        for call in calls:
            await self.carry(call)


def by_hand(carry: Callable[[Call], Any]) -> Way:
    """Return the way of a call that something else than the wire carries."""
    return lambda _: ByHand(carry)


class Caller:
    """Calls the one endpoint of a target."""

    def __init__(
        self, target: Target, intake: Intake, wire: Wire, dialer: Dialer, tls: ssl.SSLContext
    ) -> None:
        self.target = target
        self.intake = intake
        self.wire = wire
        self.dialer = dialer
        self.tls = tls
        self.endpoints = Endpoints(CALL_HEADERS, FOREIGN_HEADERS)

    async def ping(self, asking: Asking, way: Way | None = None) -> Seen:
        """Return what came of a ping; `ImpossibleError` where no such lead can be."""
        noted = self.noted(way)
        submission = self.submission(asking)
        attempt = self.attempt(submission, noted)
        shown, result = await attempt.ping(send=True, test=asking.test)
        assert shown is not None, "an offer with a ping is asked"
        assert result is not None, "what was sent has a result"
        return self.seen(Half.PING, noted, (shown, result), submission)

    def sale(self, asking: Asking, bid: Bid | None) -> Sale:
        """Return what is posted for a bid, or without one at the price that is agreed on."""
        submission = self.submission(asking)
        attempt = self.attempt(submission, self.wire)
        bid = bid or attempt.unasked()
        return Sale(submission, bid, attempt.parcel(bid))

    async def post(self, sale: Sale, way: Way | None = None, *, repeated: bool = False) -> Seen:
        """Return what came of a post."""
        noted = self.noted(way)
        attempt = self.attempt(sale.submission, noted)
        came = await attempt.deliver(sale.parcel, send=True, repeated=repeated)
        seen = self.seen(Half.POST, noted, came, sale.submission)
        return msgspec.structs.replace(seen, price=sale.bid.price)

    async def ask(self, sale: Sale, reference: str | None) -> Seen | None:
        """Return what came of a question about a sale; None where its URL lacks a reference."""
        noted = self.noted(None)
        attempt = self.attempt(sale.submission, noted)
        came = await attempt.ask(sale.parcel, sale.bid, reference, send=True)
        return None if came is None else self.seen(Half.STATUS, noted, came, sale.submission)

    def seen(
        self,
        half: Half,
        noted: Noted,
        came: tuple[TriedCall, Contender | PostResult],
        submission: Submission,
    ) -> Seen:
        """Return a call as it is judged."""
        assert noted.call is not None, "what was sent was a call"
        shown, result = came
        return Seen(
            half=half, call=noted.call, shown=shown, result=result,
            person=self.masked(submission), foreign=self.target.foreign,
        )  # fmt: skip

    def masked(self, submission: Submission) -> Person:
        """Return whose lead it is, with all that no ping shows as it is: for exhibits."""
        fields = self.target.vertical.fields
        hidden = {
            name: value
            for name, value in submission.lead.fields.items()
            if fields[name].privacy is Privacy.QUASI and fields[name].show is not Show.AS_IS
        }
        person = submission.person
        return msgspec.structs.replace(person, identity={**person.identity, **hidden})

    def line(self, half: Half) -> Line:
        """Return a connection to be spoken to by hand."""
        url = self.target.urls[half]
        return Line(self.endpoints.of(url), self.tls, bytes_max=ANSWER_MAX_BYTES)

    def noted(self, way: Way | None) -> Noted:
        """Return who carries a call this way."""
        return Noted(self.wire if way is None else way(self.wire))

    def means(self, carrier: Carrier) -> Means:
        """Return what makes calls, on this carrier."""
        return Means(
            carrier, self.endpoints, now_us=now_us, monotonic=time.monotonic, entropy=os.urandom
        )

    def attempt(self, submission: Submission, carrier: Carrier) -> Attempt:
        """Return a lead put up for the offer, on this carrier."""
        target = self.target
        return Attempt(self.means(carrier), target.offer, submission, target.snapshot)

    def submission(self, asking: Asking) -> Submission:
        """Return a lead as intake reads it; `ImpossibleError` where it refuses such a one."""
        target = self.target
        request = self.request(asking)
        read = Trying(self.intake, self.means(self.wire)).submission(
            target.offer, request, target.snapshot
        )
        if isinstance(read, Refused):
            raise ImpossibleError("; ".join(f"{e.field}: {e.message}" for e in read.errors))
        return read

    def request(self, asking: Asking) -> Request:
        """Return what a seller would have sent."""
        target = self.target
        given = {} if target.lead is None else target.lead.fields
        lead = given.get("lead")
        fields: dict[str, object] = self.invented(asking)
        if isinstance(lead, dict):
            fields = dict(lead)
        if asking.only is not None:
            fields = {name: value for name, value in fields.items() if name in asking.only}
        fields.update(asking.changes)
        request: dict[str, object] = {**given, "lead": fields}
        if asking.bare:
            request["consent"] = {}
        return Request(request)

    def invented(self, asking: Asking) -> dict[str, object]:
        """Return a lead of the vertical that is nobody's."""
        fields: dict[str, object] = dict(sample_lead(self.target.vertical))
        for name, field in self.target.vertical.fields.items():
            match field.type:
                case FieldType.CITY | FieldType.US_STATE:
                    del fields[name]  # they follow from the ZIP code
                case FieldType.US_ZIP:
                    fields[name] = PLACES[asking.like % len(PLACES)]
                case FieldType.CHOICE:
                    fields[name] = field.values[asking.like % len(field.values)]
                case FieldType.BOOL:
                    fields[name] = asking.like % 2 == 0
                case FieldType.PHONE:
                    fields[name] = f"(512) 555-01{asking.number % PEOPLE:02}"
                case FieldType.EMAIL:
                    fields[name] = f"ada.lovelace+{asking.number}@example.com"
        return fields


def now_us() -> int:
    """Return the time."""
    return time.time_ns() // 1000


@asynccontextmanager
async def calling(
    target: Target, authorities: str | None = None, geography: Geography | None = None
) -> AsyncIterator[Caller]:
    """Lend who calls the target, on the exchange's own wire; raises `TargetError`."""
    loop = asyncio.get_running_loop()
    try:
        tls = client_tls(authorities_file=authorities)
    except OSError as error:
        raise TargetError(f"{authorities}: {error.strerror or error}") from None
    async with AsyncExitStack() as stack:
        resolver = Resolver(loop, Guard(EVERYWHERE))
        stack.push_async_callback(resolver.close)
        dialer = Dialer(loop, resolver, tls)
        wire = Wire(loop, dialer, Limits(answer_max_bytes=ANSWER_MAX_BYTES))
        stack.push_async_callback(wire.close)
        if geography is None:
            geography = await asyncio.to_thread(Geography.load)
        yield Caller(target, Intake(geography), wire, dialer, tls)
