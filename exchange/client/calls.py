"""All that a seller can ask for: what is sent, when it is repeated, what it means. No I/O.

A method returns a plan, which `Client` and `AsyncClient` carry out: see `effects`.
"""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Unpack
from urllib.parse import quote as escaped

import msgspec

from exchange.client.answers import Call, read
from exchange.client.effects import Broken, Pause, Plan, Response, Send
from exchange.client.errors import ExchangeError
from exchange.client.request import NewLead, QuotedLead, encode
from exchange.contract.rejections import RejectionOut, RejectionsOut
from exchange.contract.seller import LeadAnswer, LeadView, QuoteAnswer

T = TypeVar("T")

SLACK_S = 5.0
"""What an answer may need on its way, beyond the time that the exchange may take for it."""
WAIT_S = 25.0
"""For how long one look at a pending lead waits."""
LOOK_EVERY_S = 1.0
"""A pending lead is not looked at more often."""
PENDING = "pending"

TRIES_MAX = 12
BACKOFF_S = 0.25
BACKOFF_MAX_S = 8.0

USER_AGENT = "ping-post-exchange-client"

LEADS = msgspec.json.Decoder(LeadAnswer)
QUOTES = msgspec.json.Decoder(QuoteAnswer)
VIEWS = msgspec.json.Decoder(LeadView)
REJECTIONS = msgspec.json.Decoder(RejectionsOut)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls these are, and how patient they are."""

    key: str
    answer_deadline_s: float
    """Within which the exchange answers; the campaign's."""
    deadline_s: float
    """For one call with all its repetitions."""

    def __repr__(self) -> str:
        """Do not show the key."""
        return f"Terms(answer_deadline_s={self.answer_deadline_s}, deadline_s={self.deadline_s})"


class Outside(msgspec.Struct, frozen=True):
    """What no decision may reach for by itself."""

    now_s: Callable[[], float]
    """A clock that only goes forward."""
    chance: Callable[[], float]
    """From 0 to 1."""
    new_key: Callable[[], str]

    @classmethod
    def real(cls) -> "Outside":
        """Return the machine's own clock and chance."""
        return cls(time.monotonic, random.random, lambda: str(uuid.uuid4()))


class Calls:
    """What a seller can ask for."""

    def __init__(self, terms: Terms, outside: Outside) -> None:
        self.terms = terms
        self.outside = outside

    def post(
        self,
        *,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
        **lead: Unpack[NewLead],
    ) -> Plan[LeadAnswer]:
        """Sell a lead; the answer says what became of it.

        Repeated under one Idempotency-Key, yours or one of its own, until an answer comes or
        `deadline_s` is over; it sells once. Raises `ExchangeError`.
        """
        return self.run(self.creation("/v1/leads", LEADS, lead, idempotency_key, deadline_s))

    def post_body(
        self,
        body: bytes,
        content_type: str,
        *,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
        sent: object = None,
    ) -> Plan[LeadAnswer]:
        """Sell a lead that is written already, as JSON, a form or XML.

        Like `post` in all else; `sent` is what the body says, to be kept out of every message.
        """
        return self.run(
            Call(
                method="POST",
                path="/v1/leads",
                answer=LEADS,
                body=body,
                content_type=content_type,
                sent=sent,
                idempotency_key=idempotency_key or self.outside.new_key(),
                timeout_s=self.terms.answer_deadline_s + SLACK_S,
                deadline_s=self.terms.deadline_s if deadline_s is None else deadline_s,
            )
        )

    def ping(
        self,
        *,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
        **lead: Unpack[NewLead],
    ) -> Plan[QuoteAnswer]:
        """Ask for a binding price before saying who the person is. Raises `ExchangeError`."""
        return self.run(self.creation("/v1/pings", QUOTES, lead, idempotency_key, deadline_s))

    def post_quote(
        self,
        quote: QuoteAnswer | str,
        *,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
        **lead: Unpack[QuotedLead],
    ) -> Plan[LeadAnswer]:
        """Sell a quoted lead at no less than was quoted; the quote, or only its `ping_id`.

        `lead` holds the person and whatever the ping did not say. Raises `ExchangeError`, among
        them `Expired` and `Used`, and ValueError for a quote that promises nothing.
        """
        token = quote if isinstance(quote, str) else quote.ping_id
        if not token:
            raise ValueError("there is no price to sell at: this ping was not quoted")
        path = f"/v1/pings/{escaped(token, safe='')}/post"
        return self.run(self.creation(path, LEADS, lead, idempotency_key, deadline_s))

    def lead(self, lead_id: str) -> Plan[LeadView]:
        """Return a lead of yours as it stands, and the way it took. Raises `ExchangeError`."""
        return self.run(self.look(lead_id, 0.0, self.terms.deadline_s))

    def wait(self, lead_id: str, *, deadline_s: float = 150.0) -> Plan[LeadView]:
        """Return a lead of yours once it is no longer pending, or pending after `deadline_s`.

        A pending lead may be sold: do not offer it to anybody else. Raises `ExchangeError`.
        """
        return self.waiting(lead_id, deadline_s)

    def rejections(self, limit: int = 100) -> Plan[tuple[RejectionOut, ...]]:
        """Return what was answered with bad fields, and so is no lead, newest first."""
        return self.listing(limit)

    # How

    def creation(
        self,
        path: str,
        answer: msgspec.json.Decoder[T],
        request: Mapping[str, Any],
        idempotency_key: str | None,
        deadline_s: float | None,
    ) -> Call[T]:
        """Return a call that makes something, and so carries a key."""
        body = encode(request)
        asked_ms = request.get("timeout_ms")
        answered_s = self.terms.answer_deadline_s
        if isinstance(asked_ms, int):
            answered_s = min(answered_s, asked_ms / 1000)
        return Call(
            method="POST",
            path=path,
            answer=answer,
            body=body,
            sent=[request.get("lead"), said(request.get("consent")), request.get("tracking")],
            idempotency_key=idempotency_key or self.outside.new_key(),
            timeout_s=answered_s + SLACK_S,
            deadline_s=self.terms.deadline_s if deadline_s is None else deadline_s,
        )

    def look(self, lead_id: str, wait_s: float, deadline_s: float) -> Call[LeadView]:
        """Return a call that looks at a lead, at once or as soon as it has ended."""
        query = f"?wait_s={wait_s:.3f}" if wait_s > 0 else ""
        return Call(
            method="GET",
            path=f"/v1/leads/{escaped(lead_id, safe='')}{query}",
            answer=VIEWS,
            timeout_s=wait_s + SLACK_S,
            deadline_s=deadline_s,
        )

    def waiting(self, lead_id: str, deadline_s: float) -> Plan[LeadView]:
        """Look at a lead until it has ended; a look that fails is repeated like any call."""
        until_s = self.outside.now_s() + deadline_s
        while True:
            began_s = self.outside.now_s()
            left_s = max(0.0, until_s - began_s)
            call = self.look(lead_id, min(WAIT_S, left_s), left_s + SLACK_S)
            view = yield from self.run(call)
            now_s = self.outside.now_s()
            if view.status != PENDING or now_s >= until_s:
                return view
            if (early_s := began_s + LOOK_EVERY_S - now_s) > 0:
                yield Pause(min(early_s, until_s - now_s))

    def listing(self, limit: int) -> Plan[tuple[RejectionOut, ...]]:
        """Ask for the log of rejections."""
        call = Call(
            method="GET",
            path=f"/v1/rejections?limit={limit:d}",
            answer=REJECTIONS,
            timeout_s=self.terms.answer_deadline_s,
            deadline_s=self.terms.deadline_s,
        )
        answer = yield from self.run(call)
        return answer.rejections

    def run(self, call: Call[T]) -> Plan[T]:
        """Send until there is an answer to return or to raise, or no time for another try."""
        until_s = self.outside.now_s() + call.deadline_s
        tries = 0
        was_sent = False
        while True:
            left_s = max(0.0, until_s - self.outside.now_s())
            heard = yield self.request(call, min(call.timeout_s, left_s))
            assert heard is not None, "what is sent is answered, or broken"
            was_sent = was_sent or not is_unsent(heard)
            outcome = read(call, all_told(heard, was_sent=was_sent))
            if not isinstance(outcome, ExchangeError):
                return outcome
            tries += 1
            left_s = until_s - self.outside.now_s()
            wait_s = pause_s(outcome, tries, left_s, self.outside.chance())
            if wait_s is None:
                raise outcome
            yield Pause(wait_s)

    def request(self, call: Call[T], timeout_s: float) -> Send:
        """Return one request of a call; all of them are alike but for the time they have."""
        headers = {
            "Authorization": f"Bearer {self.terms.key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
        }
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        return Send(
            method=call.method,
            path=call.path,
            headers=headers,
            body=call.body,
            timeout_s=timeout_s,
        )


def is_unsent(heard: Response | Broken) -> bool:
    """Tell whether nothing of a request can have been read."""
    return isinstance(heard, Broken) and heard.unsent


def all_told(heard: Response | Broken, *, was_sent: bool) -> Response | Broken:
    """Return what was heard, of all tries: after one that was sent none undoes it."""
    if was_sent and isinstance(heard, Broken):
        return msgspec.structs.replace(heard, unsent=False)
    return heard


def pause_s(error: ExchangeError, tries: int, left_s: float, luck: float) -> float | None:
    """Return how long to wait before the next try, or None where there is none.

    Full jitter: anything from nothing to a bound that doubles with each try; what the exchange
    asks for with Retry-After comes before it.
    """
    if not error.retryable or tries >= TRIES_MAX:
        return None
    backoff_s = luck * min(BACKOFF_MAX_S, BACKOFF_S * 2 ** (tries - 1))
    wait_s = (error.retry_after_s or 0.0) + backoff_s
    return wait_s if wait_s < left_s else None


def said(consent: object) -> object:
    """Return a consent's values, whether it came as a `Consent` or as a table."""
    return msgspec.structs.asdict(consent) if isinstance(consent, msgspec.Struct) else consent
