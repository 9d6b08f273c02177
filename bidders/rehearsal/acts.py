"""What can become of a rehearsed lead, and what can befall its answer; each said in words too."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.contract.seller import FieldError
from exchange.domain.reason import Reason
from exchange.web.problems import Kind


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    """Sold at once, or after a while, to one buyer or several."""

    prices: tuple[Decimal, ...]
    redirect_url: str | None = None
    after_s: float = 0.0

    @property
    def total(self) -> Decimal:
        """Return what the seller is paid for all of it."""
        return sum(self.prices, Decimal(0))

    def __str__(self) -> str:
        words = f"sold for {self.total}"
        if len(self.prices) > 1:
            words += f" to {len(self.prices)} buyers ({', '.join(map(str, self.prices))})"
        if self.redirect_url is not None:
            words += ", with a `redirect_url`"
        return words + (f", after {self.after_s:g} s" if self.after_s else "")


class Unsold(msgspec.Struct, frozen=True):
    """Wanted by nobody."""

    reason: Reason

    def __str__(self) -> str:
        return f"unsold, {self.reason.value} `{self.reason.word}`"


class Rejected(msgspec.Struct, frozen=True):
    """Not taken."""

    reason: Reason
    detail: str | None = None

    def __str__(self) -> str:
        rule = f" (`{self.detail}`)" if self.detail else ""
        return f"rejected, {self.reason.value} `{self.reason.word}`{rule}"


class Duplicate(msgspec.Struct, frozen=True):
    """Here before: from this seller, who hears of its first one, or from another."""

    ours: bool

    def __str__(self) -> str:
        whose = "with" if self.ours else "without"
        return f"duplicate, {whose} `original`"


class Pending(msgspec.Struct, frozen=True):
    """Not known yet; it ends after a while, or never."""

    then: Sold | Unsold | None = None
    after_s: float = 0.0

    def __str__(self) -> str:
        if self.then is None:
            return "pending, and stays so"
        return f"pending; after {self.after_s:g} s {self.then}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error answer: always, or for the first few requests of an Idempotency-Key."""

    kind: Kind
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()
    retry_after_s: int | None = None
    times: int | None = None

    def __str__(self) -> str:
        words = f"{self.kind.status} `{self.kind.word}`"
        if self.errors:
            words += " with `errors`"
        return words if (wait := self.retry_after_s) is None else f"{words}, `Retry-After: {wait}`"


Act = Sold | Unsold | Rejected | Duplicate | Pending | Problem


class Quoted(msgspec.Struct, frozen=True):
    """A binding price, for so long."""

    price: Decimal
    ttl_s: int = 300

    def __str__(self) -> str:
        return f"quoted {self.price}" + ("" if self.ttl_s == TTL_S else f", for {self.ttl_s} s")


TTL_S = 300


class Way(StrEnum):
    """How an answer comes, or does not."""

    WHOLE = "as it should"
    HELD = "never comes: the connection is held for 120 s"
    CUT = "never comes: the connection closes"
    HALF = "breaks off in the middle"
    DRIPPED = "comes byte by byte, for 20 s"
    GARBAGE = "is no JSON"
    PAGE = "is an HTML page with status 200 that says success"
    NO_HTTP = "is no HTTP"


LOST = frozenset({Way.HELD, Way.CUT, Way.HALF, Way.GARBAGE, Way.PAGE, Way.NO_HTTP})
"""After these nobody knows what became of the lead."""


class Delivery(msgspec.Struct, frozen=True):
    """What befalls the answer: always, or the first few times."""

    way: Way = Way.WHOLE
    times: int | None = None
