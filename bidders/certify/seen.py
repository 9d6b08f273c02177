"""One call that was made, what came back, and the first thing that is wrong with it."""

import json
from enum import IntEnum, StrEnum

import msgspec

from exchange.contract.trying import TriedCall
from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused
from exchange.domain.bid import Bid, Contender
from exchange.domain.money import Micros
from exchange.domain.person import Person
from exchange.domain.reason import Reason
from exchange.wire.call import Call, Outcome


class Half(StrEnum):
    """What was sent."""

    PING = "ping"
    POST = "post"
    STATUS = "status"


class Symptom(IntEnum):
    """What is wrong with an answer, in the order in which it shows; each hides what follows."""

    UNREACHABLE = 1
    LATE = 2
    BROKEN = 3
    """The connection ended, or what came was no HTTP."""
    OVERSIZE = 4
    REDIRECTED = 5
    UNSIGNED = 6
    """401 or 403."""
    BUSY = 7
    """429, or 503 to a ping."""
    STATUS = 8
    ENCODED = 9
    """A content encoding that nobody asked for."""
    UNREADABLE = 10
    PRICE = 11
    CURRENCY = 12
    TERMS = 13
    IMPLICIT = 14
    """A post refused by its status alone, as the contract lets it be."""
    NONE = 99


OUTCOMES = {
    Outcome.UNREACHABLE: Symptom.UNREACHABLE,
    Outcome.THROTTLED: Symptom.UNREACHABLE,
    Outcome.TIMEOUT: Symptom.LATE,
    Outcome.ABANDONED: Symptom.LATE,
    Outcome.BROKEN: Symptom.BROKEN,
    Outcome.BAD_HTTP: Symptom.BROKEN,
    Outcome.OVERSIZE: Symptom.OVERSIZE,
}

DETAILS = {
    "bid must be a JSON number with at most six decimals": Symptom.PRICE,
    "negative bid": Symptom.PRICE,
    "over the offer's maximum": Symptom.PRICE,
    "no price, and the offer names none": Symptom.PRICE,
    "a yes without a price that can be read": Symptom.PRICE,
    "currency is no code of three letters": Symptom.CURRENCY,
    "other currency": Symptom.CURRENCY,
    "ttl_s out of range": Symptom.TERMS,
}
"""What the auction says of an answer that is no bid; all else is unreadable."""

NO_CONTENT = 204
TOO_MANY = 429
UNAVAILABLE = 503
UNSIGNED = (401, 403)
OK = 200
TOLD_LATER = 202
TIMED_OUT = 408
REDIRECTIONS = range(300, 400)
CLIENT = range(400, 500)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A call with its answer and how the exchange understood it."""

    half: Half
    call: Call
    shown: TriedCall
    result: Contender | PostResult
    person: Person
    foreign: bool
    price: Micros | None = None
    """Of a post: what is to be paid."""

    def __repr__(self) -> str:
        """Say what it was and came to; a post holds a person."""
        return f"Seen({self.half}, {self.symptom.name})"

    @property
    def bid(self) -> Bid | None:
        """Return the bid, where this is a ping's and sound."""
        return self.result.bid if isinstance(self.result, Contender) else None

    @property
    def taken(self) -> bool:
        """Tell whether the buyer said yes: a bid, or an acceptance."""
        return self.bid is not None or isinstance(self.result, Accepted)

    @property
    def understood(self) -> bool:
        """Tell whether the exchange knows what the answer means."""
        if isinstance(self.result, Contender):
            return self.result.bid is not None or self.result.reason is Reason.NO_BID
        if isinstance(self.result, InDoubt):
            return self.result.told
        return isinstance(self.result, Accepted | Refused)

    @property
    def symptom(self) -> Symptom:
        """Return the first thing that is wrong, `NONE` where nothing is."""
        call = self.call
        if call.outcome is not Outcome.ANSWERED:
            return OUTCOMES[call.outcome]
        if self.foreign and self.understood:
            return Symptom.NONE
        by_status = of_status(self.half, call.status, explicit=self.explicit)
        if self.foreign and by_status is Symptom.IMPLICIT:
            by_status = Symptom.STATUS  # by a mapping only what it names refuses
        if by_status is not Symptom.NONE:
            return by_status
        if is_encoded(call):
            return Symptom.ENCODED
        return Symptom.NONE if self.understood else self.misread

    @property
    def sound(self) -> bool:
        """Tell whether the exchange can go on from this answer."""
        return self.symptom in {Symptom.NONE, Symptom.IMPLICIT}

    @property
    def misread(self) -> Symptom:
        """Return why an answer that came well was not understood."""
        if isinstance(self.result, Contender):
            if is_no_number(self.call.body):
                return Symptom.PRICE
            return DETAILS.get(self.result.detail or "", Symptom.UNREADABLE)
        return Symptom.UNREADABLE

    @property
    def explicit(self) -> bool:
        """Tell whether a post's answer says in its body that the lead is refused."""
        refused = isinstance(self.result, Refused)
        return refused and self.result != Refused(f"status {self.call.status}")

    @property
    def said(self) -> str:
        """Say in a few words what came back."""
        if self.call.outcome is not Outcome.ANSWERED:
            detail = f" ({self.call.detail})" if self.call.detail else ""
            return f"{self.call.outcome}{detail}"
        read = self.shown.read
        told = "" if read is None else read.outcome
        detail = "" if read is None or not read.detail else f" ({read.detail})"
        return f"status {self.call.status}, read as {told}{detail}"


def of_status(half: Half, status: int, *, explicit: bool) -> Symptom:
    """Return what a status alone makes wrong in the exchange's own format."""
    if status in REDIRECTIONS:
        return Symptom.REDIRECTED
    if explicit:
        return Symptom.NONE
    if status in UNSIGNED:
        return Symptom.UNSIGNED
    if status in {TOO_MANY, UNAVAILABLE}:
        return Symptom.BUSY
    if half is Half.PING:
        return Symptom.NONE if status in {OK, NO_CONTENT} else Symptom.STATUS
    if status in CLIENT and status != TIMED_OUT:
        return Symptom.IMPLICIT
    return Symptom.NONE if status in {OK, TOLD_LATER} else Symptom.STATUS


def is_encoded(call: Call) -> bool:
    """Tell whether the body is compressed; the exchange asks for no encoding."""
    return (call.header("content-encoding") or "identity").strip().lower() != "identity"


def is_no_number(body: bytes) -> bool:
    """Tell whether this is JSON but for a NaN or an infinity, which some libraries write."""
    odd: list[str] = []
    try:
        json.loads(body, parse_constant=odd.append)
    except (ValueError, RecursionError):
        return False
    return bool(odd)
