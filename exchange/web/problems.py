"""Every error answer is a problem (RFC 9457): one kind, one status, one title; never a value."""

from enum import Enum
from http import HTTPStatus

from exchange.contract.seller import FieldError, Problem


class Kind(Enum):
    """What can be wrong with a request, by the word that ends a problem's `type`."""

    UNREADABLE = ("unreadable", HTTPStatus.BAD_REQUEST, "The request cannot be read")
    UNKNOWN_KEY = ("unknown-key", HTTPStatus.UNAUTHORIZED, "No valid key")
    FORBIDDEN = ("forbidden", HTTPStatus.FORBIDDEN, "This key may not do this")
    NOT_FOUND = ("not-found", HTTPStatus.NOT_FOUND, "There is nothing here")
    METHOD = ("method", HTTPStatus.METHOD_NOT_ALLOWED, "This cannot be done here")
    SLOW = ("slow", HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time")
    CONFLICT = ("conflict", HTTPStatus.CONFLICT, "The quote was used already")
    DECIDED = ("decided", HTTPStatus.CONFLICT, "The sale is decided otherwise already")
    BEING_SOLD = ("being-sold", HTTPStatus.CONFLICT, "The lead is still being sold")
    UNDER_WAY = ("under-way", HTTPStatus.CONFLICT, "The first request is still under way")
    EXPIRED = ("expired", HTTPStatus.GONE, "It has expired")
    TOO_LARGE = ("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
    MEDIA_TYPE = ("media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This content type is not taken")
    EXPECTATION = ("expectation", HTTPStatus.EXPECTATION_FAILED, "This cannot be expected")
    FIELDS = ("fields", HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are wrong")
    KEY_REUSED = (
        "key-reused",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This Idempotency-Key came with another body",
    )
    TOO_MANY = ("too-many", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
    HEADERS = (
        "headers",
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The request line or a header is too long",
    )
    INTERNAL = ("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here")
    UNAVAILABLE = ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "A store cannot be reached")
    OVERLOADED = ("overloaded", HTTPStatus.SERVICE_UNAVAILABLE, "There is too much to do")
    CLOSING = ("closing", HTTPStatus.SERVICE_UNAVAILABLE, "This worker is closing")

    def __init__(self, word: str, status: HTTPStatus, title: str) -> None:
        self.word = word
        self.status = int(status)
        self.title = title


OF_STATUS = {kind.status: kind for kind in reversed(Kind)}
"""The plainest kind of each status, for those who only know a status."""


NO_SUCH_LEAD = "there is no such lead"


def problem(kind: Kind, detail: str | None = None, errors: tuple[FieldError, ...] = ()) -> Problem:
    """Return the problem of this kind; `detail` is a sentence without any value of the request."""
    return Problem(
        type=f"/problems/{kind.word}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=errors,
    )


class DeniedError(Exception):
    """The request ends here: raised by any check at the edge, turned into its answer once.

    An exception where the house prefers values: each of a dozen checks may end a request, and
    a value would have to be handed up through every one of them.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        errors: tuple[FieldError, ...] = (),
        *,
        retry_after_s: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(kind.title)
        self.kind = kind
        self.problem = problem(kind, detail, errors)
        self.retry_after_s = retry_after_s
        self.close = close


class ClientGoneError(Exception):
    """The client hung up before its request was whole: there is nobody to answer."""
