"""The buyers of a replay: each says again what it said, after as long as it took then."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from exchange.delivery.answer import Accepted, Refused
from exchange.delivery.asking import Question
from exchange.delivery.delivery import Delivered, Parcel
from exchange.domain.bid import Contender
from exchange.domain.money import Micros, to_decimal
from exchange.domain.offer import Offer
from exchange.domain.reason import Reason
from exchange.domain.states import SaleState
from exchange.replay.recorded import OF_THE_MOMENT, Answer, Answers, Recorded
from exchange.wire.call import Call, Outcome
from exchange.wire.endpoint import Endpoint, compile_endpoint

MS = 0.001
ENDPOINT = compile_endpoint("http://nobody.invalid/")
"""Requests are made as ever, and go nowhere."""

OnAnswer = Callable[[Call], bool]
_encode = msgspec.json.Encoder(decimal_format="number").encode

STATUS_OK, STATUS_NO_BID, STATUS_UNUSABLE = 200, 204, 500
ENDED: Mapping[Reason, tuple[Outcome, int]] = {
    Reason.NO_BID: (Outcome.ANSWERED, STATUS_NO_BID),
    Reason.INVALID_BID: (Outcome.ANSWERED, STATUS_UNUSABLE),
    Reason.UNREACHABLE: (Outcome.UNREACHABLE, 0),
}
"""How a call ends that brought no bid for this reason; for any other: not in time."""


class Nowhere:
    """Prepares requests that nobody gets."""

    def of(self, _url: str) -> Endpoint:
        """Return where the exchange's own format is spoken."""
        return ENDPOINT

    def speaking(self, _url: str, _method: str, _headers: Mapping[str, str]) -> Endpoint:
        """Return where another one is; a replay speaks none."""
        return ENDPOINT


class Said:
    """What the buyers of one lead said."""

    def __init__(self) -> None:
        """Begin with nobody's answers; `of` is set for each lead."""
        self._answers = Answers({})
        self.stage = 0
        """Which is being played now."""
        self.lead: Recorded | None = None
        self.usual_ms: dict[str, float] = {}
        """How long a post to an offer took last, where nobody knows how long this one would."""

    def of(self, lead: Recorded) -> None:
        """Let the buyers answer as they answered to this lead."""
        self.lead = lead
        self._answers = Answers(lead.answers)

    def answer(self, offer_id: str) -> Answer | None:
        """Return what the offer said in this stage, or in whichever it was asked in."""
        return self._answers.get(self.stage, offer_id)


class Admission:
    """Keeps from being asked whom a limit of that moment kept."""

    def __init__(self, said: Said) -> None:
        """Take what was said."""
        self._said = said

    def admit(self, offer: Offer) -> Reason | None:
        """Say why this offer was not called then."""
        answer = self._said.answer(offer.id)
        if answer is not None and answer.reason in OF_THE_MOMENT:
            return answer.reason
        return None

    def network_ms(self, _offer: Offer) -> float:
        """Return nothing: it changes only what buyers are told."""
        return 0.0

    def ended(self, offer: Offer, call: Call, *, sound: bool) -> None:
        """Learn nothing."""


class Rates:
    """Keeps from being asked whom a rate kept."""

    def __init__(self, said: Said) -> None:
        """Take what was said."""
        self._said = said

    async def without_turn(self, offers: Iterable[Offer]) -> frozenset[str]:
        """Return which of these had been asked as often as they may be."""
        lead = self._said.lead
        rated = frozenset[str]() if lead is None else lead.rated
        return rated & {offer.id for offer in offers}


class Wire:
    """Carries no call anywhere: each ends as its offer's did."""

    def __init__(self, said: Said) -> None:
        """Take what was said."""
        self._said = said

    async def fan_out(
        self, calls: Sequence[Call], deadline_at: float, on_answer: OnAnswer | None = None
    ) -> None:
        """End every call at the moment when it ended then, or when its time is up now."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        left_ms = max(0.0, (deadline_at - began) / MS)
        ends = sorted(
            ((self._end(call, left_ms), number) for number, call in enumerate(calls)),
            key=lambda end: (end[0][0], end[1]),
        )
        for (ms, outcome, status, body), number in ends:
            if (wait_s := began + ms * MS - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            call = calls[number]
            call.begun_at, call.sent_at, call.ended_at = began, began, began + ms * MS
            call.outcome, call.status, call.body = outcome, status, body
            if on_answer is not None and on_answer(call):
                return

    def _end(self, call: Call, left_ms: float) -> tuple[float, Outcome, int, bytes]:
        """Return after how long a call ends, how, and with what."""
        asked: Contender = call.tag
        most_ms = min(call.timeout_ms, left_ms)
        answer = self._said.answer(asked.offer.id)
        if answer is None:
            return 0.0, Outcome.ANSWERED, STATUS_NO_BID, b""
        if answer.price is not None:
            ended, status, body = Outcome.ANSWERED, STATUS_OK, bid_of(answer.price, answer.alone)
        else:
            ended, status = ENDED.get(answer.reason or Reason.NO_BID, (Outcome.TIMEOUT, 0))
            body = b""
        if ended is Outcome.TIMEOUT or answer.ms >= most_ms:
            return most_ms, Outcome.TIMEOUT, 0, b""
        return answer.ms, ended, status, body


def bid_of(price: Micros, alone: Micros | None) -> bytes:
    """Return a bid in the exchange's own format, and what it pays to be the only one."""
    said: dict[str, Decimal] = {"bid": to_decimal(price)}
    if alone is not None:
        said["exclusive_bid"] = to_decimal(alone)
    return _encode(said)


class Courier:
    """Delivers nothing: each post comes to what it came to."""

    def __init__(self, said: Said) -> None:
        """Take what was said."""
        self._said = said

    async def post(self, parcel: Parcel, *, repeated: bool) -> Delivered:
        """Return what the buyer decided then; one that was not posted then takes the lead now."""
        assert not repeated, "doubts are waited out here, not asked about"
        said, offer = self._said, parcel.offer
        assert said.lead is not None, "a post is of a lead"
        posted = said.lead.posts.get(offer.id)
        if posted is None:
            ms = said.usual_ms.get(offer.id, 0.0)
            await asyncio.sleep(ms * MS)
            return Delivered(Accepted(), ms)
        if posted.state is SaleState.VOID:
            await asyncio.Event().wait()  # it never decided: its time runs out here, too
        await asyncio.sleep(posted.ms * MS)
        if posted.state is SaleState.ACCEPTED:
            said.usual_ms[offer.id] = posted.ms
            return Delivered(Accepted(price=posted.charge), posted.ms)
        return Delivered(Refused(posted.detail), posted.ms)

    async def ask(self, _asked: Question) -> Delivered:
        """Ask nobody: the post itself comes to what became of the sale."""
        await asyncio.Event().wait()
        raise AssertionError("nothing sets it")


class Unheard:
    """An observer that counts nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        """Return what hears anything, and does nothing."""
        return unheard


def unheard(*_: Any, **__: Any) -> None:
    """Do nothing."""
