"""What was heard, read: the value that a call returns, or the exception that it may raise."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

import msgspec

from exchange.client.discretion import discreet
from exchange.client.effects import Broken, Response
from exchange.client.errors import (
    ExchangeError,
    Misdirected,
    NoAnswer,
    Unintelligible,
    Unreachable,
    error_of,
)
from exchange.contract.seller import Problem

T = TypeVar("T")

OK = 200
NOWHERE = "about:blank"
"""The type of a problem that has no page of its own."""
PROBLEMS = msgspec.json.Decoder(Problem)


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One thing to ask of the exchange, ready to be sent as often as need be."""

    method: str
    path: str
    answer: msgspec.json.Decoder[T]
    body: bytes | None = None
    content_type: str = "application/json"
    """Of the body."""
    sent: object = None
    """What the body says, to be kept out of every message."""
    idempotency_key: str | None = None
    timeout_s: float
    """For one answer."""
    deadline_s: float
    """For all of it, repetitions included."""

    def __repr__(self) -> str:
        """Show no path and no value."""
        return f"Call({self.method}, …)"


def read(call: Call[T], heard: Response | Broken) -> T | ExchangeError:
    """Return the value of an answer, or what is wrong; never raises, whatever the bytes are."""
    if isinstance(heard, Broken):
        problem = Problem(type=NOWHERE, title=heard.why, status=0)
        kind: type[ExchangeError] = Unreachable if heard.unsent else NoAnswer
        if heard.final:
            kind = Misdirected
        return kind(problem, call.idempotency_key)
    if heard.status == OK:
        try:
            return call.answer.decode(heard.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # a problem, perhaps: some sellers hear those with status 200
    problem = problem_of(heard)
    kind = Unintelligible if problem.status == OK else error_of(problem)
    return kind(discreet(problem, call.sent), call.idempotency_key, retry_after_s(heard))


def problem_of(response: Response) -> Problem:
    """Return the problem that an answer holds, or one that says only its status."""
    try:
        problem = PROBLEMS.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        problem = None
    if problem is None or problem.status < OK:
        return Problem(type=NOWHERE, title="not an answer of the exchange", status=response.status)
    return problem


def retry_after_s(response: Response) -> float | None:
    """Return how long the exchange wants to be left alone, None where it does not say.

    A date is understood by the answer's own, for no clock but the exchange's is right about it.
    """
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
        now = parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError, IndexError):
        return None
    return max(0.0, (then.replace(tzinfo=UTC) - now.replace(tzinfo=UTC)).total_seconds())
