"""Why something that is well formed cannot be done: a value, told to the caller as a problem."""

import msgspec

from exchange.contract.seller import FieldError


class Denial(msgspec.Struct, frozen=True):
    """An HTTP status (404, 409, 410, 422, 429), and a sentence without any value of the request."""

    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    """With 422: all bad fields, such as those that contradict a ping."""
    retry_after_s: int | None = None
    """With 429: in how many seconds there is room again."""
