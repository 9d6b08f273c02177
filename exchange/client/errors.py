"""What the exchange refuses, as exceptions: typed, and without any value of the lead in their text.

An exception's docstring is the first sentence of its message.
"""

from typing import ClassVar

from exchange.contract.seller import FieldError, Problem


class ExchangeError(Exception):
    """The exchange did not do what it was asked for."""

    retryable: ClassVar[bool] = False
    """Whether the same request, under the same key, may end differently."""

    def __init__(
        self,
        problem: Problem,
        idempotency_key: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(problem, idempotency_key, retry_after_s)  # all of it: it can be pickled
        self.problem = problem
        """As the exchange told it; what repeats a value that was sent is taken out."""
        self.idempotency_key = idempotency_key
        """Give it to the same call again, and nothing is sold twice."""
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """Return the HTTP status that the problem stands for; 0 where no answer came."""
        return self.problem.status

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """Return every bad field: where, which code, and a sentence without its value."""
        return self.problem.errors

    def __str__(self) -> str:
        """Say what kind it is, what the exchange says, and which fields are bad."""
        problem = self.problem
        told = f"HTTP {problem.status} {problem.title}" if problem.status else problem.title
        parts = [f"{told}: {problem.detail}" if problem.detail else told]
        parts += [f"{error.field} {error.code}" for error in problem.errors]
        return f"{(type(self).__doc__ or '').rstrip('.')} ({', '.join(parts)})"

    def __repr__(self) -> str:
        """Say the same, with the name in front."""
        return f"{type(self).__name__}: {self}"


class InvalidLead(ExchangeError):  # noqa: N818 - said as people say it, like all below
    """Some fields are wrong; `errors` names them all."""


class KeyReused(ExchangeError):  # noqa: N818
    """This Idempotency-Key came before, with another request."""


class Denied(ExchangeError):  # noqa: N818
    """The key is not known, or may not do this."""


class NotFound(ExchangeError):  # noqa: N818
    """There is no such lead or quote of yours."""


class Used(ExchangeError):  # noqa: N818
    """The quote was posted already."""


class Expired(ExchangeError):  # noqa: N818
    """The quote has expired: ping again."""


class Refused(ExchangeError):  # noqa: N818
    """The exchange does not take such a request."""


class UnderWay(ExchangeError):  # noqa: N818
    """The first request of this Idempotency-Key is still under way; its lead may be sold yet."""

    retryable = True


class Unavailable(ExchangeError):  # noqa: N818
    """The exchange cannot sell now."""

    retryable = True


class Throttled(Unavailable):
    """Too many requests."""


class NoAnswer(ExchangeError):  # noqa: N818
    """No answer came: the exchange may have the lead. Repeat it under `idempotency_key` only."""

    retryable = True


class Unreachable(NoAnswer):
    """The exchange cannot be reached: nothing was sent, so it does not have the lead from here."""


class Unintelligible(ExchangeError):  # noqa: N818
    """The answer is not one of the exchange's: repeat it under `idempotency_key` only."""

    retryable = True


class Misdirected(Refused):
    """The address is not the exchange's, or cannot prove it; nothing is sent there again."""


KINDS: dict[str, type[ExchangeError]] = {
    "fields": InvalidLead,
    "key-reused": KeyReused,
    "conflict": Used,
    "under-way": UnderWay,
}
"""By the word that ends a problem's type, where one status means several things."""

STATUSES: dict[int, type[ExchangeError]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    408: Unavailable,
    409: UnderWay,
    410: Expired,
    422: InvalidLead,
    429: Throttled,
}
SERVER_ERRORS = range(500, 600)
REDIRECTS = range(300, 400)


def error_of(problem: Problem) -> type[ExchangeError]:
    """Return which exception a problem is."""
    kind = KINDS.get(problem.type.rpartition("/")[2]) or STATUSES.get(problem.status)
    if kind is not None:
        return kind
    if problem.status in SERVER_ERRORS:
        return Unavailable
    return Misdirected if problem.status in REDIRECTS else Refused
