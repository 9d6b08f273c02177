"""The one table of a rehearsal: which ZIP code brings which answer, and what to make of it."""

from decimal import Decimal

import msgspec

from bidders.rehearsal.acts import (
    Act,
    Delivery,
    Duplicate,
    Pending,
    Problem,
    Quoted,
    Rejected,
    Sold,
    Unsold,
    Way,
)
from exchange.contract.seller import FieldError
from exchange.domain.reason import Reason
from exchange.web.problems import Kind


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What one ZIP code is answered."""

    zip: str
    post: Act
    """What becomes of a lead; after the problem's `times`: what is in `later`."""
    later: Act = Sold(prices=(Decimal("10.00"),))
    quote: Quoted | None = None
    """What a ping is answered where the post's own word would not do."""
    delivery: Delivery = Delivery()
    do: str
    """What a good seller does then."""

    @property
    def ping(self) -> Quoted | Unsold | Rejected | Duplicate | Problem:
        """Return what a ping is answered: a price wherever the post may end in a sale."""
        if self.quote is not None:
            return self.quote
        match self.post:
            case Sold():
                return Quoted(self.post.total)
            case Pending():
                return Quoted(Decimal("10.00"))
            case _:
                return self.post

    def __str__(self) -> str:
        """Say what is answered, first and then."""
        if isinstance(self.post, Problem) and self.post.times is not None:
            return f"{times(self.post.times)} {self.post}; then {self.later}"
        if self.quote is not None:
            return f"a ping: {self.quote}; its post: {self.post}"
        if self.delivery.way is Way.WHOLE:
            return str(self.post)
        if self.delivery.times is None:
            return f"{self.post}, but the answer {self.delivery.way}"
        return f"{self.post}, but the first answer {self.delivery.way}; a repetition hears it"


def times(count: int) -> str:
    """Return how often, in words."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


TEN = Sold(prices=(Decimal("10.00"),))
BAD_FIELDS = (
    FieldError("lead.phone", "invalid_phone", "must be a possible and valid telephone number"),
    FieldError("lead.email", "invalid_email", "must be an e-mail address"),
)
CONTRADICTION = (
    FieldError(
        "lead.zip", "contradicts_ping", "must be what the ping said; what it said may be left out"
    ),
)

BOOK = "Book the price."
ELSEWHERE = "Sell it elsewhere."
MEND = "Mend what it says; do not repeat it as it is."
REPEAT = "Repeat it with the same `Idempotency-Key`."
REPEAT_LATER = "Wait as long as `Retry-After` says, then repeat with the same `Idempotency-Key`."
GIVE_UP = f"{REPEAT_LATER} Give up after some tries, and alert somebody."
IN_DOUBT = f"{REPEAT} Give up after some tries; the lead may be sold: do not sell it elsewhere."


def sold(zip_code: str, *prices: str, do: str = BOOK, **how: str | float) -> Scene:
    """Return a scene of a sale."""
    amounts = tuple(map(Decimal, prices))
    return Scene(zip=zip_code, post=msgspec.convert({"prices": amounts, **how}, Sold), do=do)


def unsold(zip_code: str, reason: Reason) -> Scene:
    """Return a scene of a lead that nobody wanted."""
    return Scene(zip=zip_code, post=Unsold(reason), do=ELSEWHERE)


def rejected(zip_code: str, reason: Reason, do: str, detail: str | None = None) -> Scene:
    """Return a scene of a lead that is not taken."""
    return Scene(zip=zip_code, post=Rejected(reason, detail), do=do)


def problem(
    zip_code: str,
    kind: Kind,
    do: str = MEND,
    *,
    retry_after_s: int | None = None,
    always: bool = True,
    errors: tuple[FieldError, ...] = (),
) -> Scene:
    """Return a scene of an error answer, always or twice."""
    post = Problem(
        kind=kind,
        detail="as this ZIP code asks for" if kind.status < Kind.INTERNAL.status else None,
        errors=errors,
        retry_after_s=retry_after_s,
        times=None if always else 2,
    )
    return Scene(zip=zip_code, post=post, do=do)


def astray(zip_code: str, way: Way, do: str = REPEAT, *, always: bool = False) -> Scene:
    """Return a scene of a sale whose answer goes astray, always or once."""
    return Scene(zip=zip_code, post=TEN, delivery=Delivery(way, None if always else 1), do=do)


def quoted(zip_code: str, post: Act, do: str, ttl_s: int = 300) -> Scene:
    """Return a scene of a quote whose post ends otherwise."""
    return Scene(zip=zip_code, quote=Quoted(Decimal("10.00"), ttl_s), post=post, do=do)


OTHERWISE = Scene(zip="any other", post=TEN, do=BOOK)
"""What every other ZIP code is answered."""

SCENES = (
    # In Austin a lead is sold
    sold("78701", "11.05"),
    sold("78702", "0.01"),
    sold("78703", "250.00"),
    sold("78704", "7.123456", do="Book the price, to the sixth decimal."),
    sold(
        "78705",
        "12.00",
        redirect_url="https://buyer.example/thanks?ref=8705",
        do="Book the price, and send the person on to the `redirect_url`.",
    ),
    sold("78708", "8.00", "4.50", do="Book `price`: it is what all `sales` pay together."),
    # In New York it takes a while
    sold("10001", "10.00", after_s=1.0),
    sold("10010", "10.00", after_s=10.0, do="Wait: an answer may take 30 s, or your `timeout_ms`."),
    # In North Carolina it is not sold, for the reason in the last three digits
    rejected("27501", Reason.INVALID_FIELD, MEND, "disposable_email"),
    rejected("27502", Reason.BLOCKED, "Do not send this person again."),
    Scene(
        zip="27503",
        post=Duplicate(ours=False),
        do="It was here before, from somebody else. Do not repeat it.",
    ),
    rejected("27504", Reason.LOW_SCORE, ELSEWHERE),
    rejected("27505", Reason.CONSENT_MISSING, "Send the consent along."),
    rejected("27506", Reason.UNKNOWN_SOURCE, "Have the source declared."),
    unsold("27507", Reason.NO_ELIGIBLE_OFFER),
    unsold("27508", Reason.NO_BID_ABOVE_FLOOR),
    unsold("27509", Reason.ALL_REFUSED),
    unsold("27510", Reason.DEADLINE),
    rejected("27511", Reason.LOCATION_MISMATCH, "Check the state or the ZIP code."),
    rejected("27512", Reason.NOT_QUALIFIED, ELSEWHERE, "adult"),
    rejected("27513", Reason.PAUSED_SOURCE, "Stop this source until it is opened again."),
    Scene(
        zip="27523",
        post=Duplicate(ours=True),
        do="You sent it before: `original` is what became of it then.",
    ),
    # In Los Angeles it stays pending
    Scene(
        zip="90001",
        post=Pending(TEN, 3.0),
        do="Ask `GET /v1/leads/{lead_id}?wait_s=25` until it has ended. Do not sell it elsewhere.",
    ),
    Scene(zip="90002", post=Pending(Unsold(Reason.ALL_REFUSED), 3.0), do="Likewise; then sell it."),
    Scene(
        zip="90003",
        post=Pending(),
        do="Ask for some minutes, then leave it: it is told later. Do not sell it elsewhere.",
    ),
    # In Dallas a quote ends in another way
    quoted("75201", Sold(prices=(Decimal("10.00"),)), "Post while the quote stands."),
    quoted("75202", Unsold(Reason.ALL_REFUSED), ELSEWHERE),
    quoted("75203", TEN, "Post at once, or ping again.", ttl_s=2),
    quoted("75204", Problem(kind=Kind.EXPIRED, detail="the quote has expired"), "Ping again."),
    quoted(
        "75205",
        Problem(
            kind=Kind.CONFLICT,
            detail="this quote was used already: look up its lead, or ping again",
        ),
        "It was posted before: look up what you were told. Do not ping again.",
    ),
    quoted(
        "75206",
        Problem(kind=Kind.FIELDS, errors=CONTRADICTION),
        "Post what the ping said; the quote stays usable.",
    ),
    quoted("75207", Problem(kind=Kind.NOT_FOUND, detail="there is no such ping"), "Ping again."),
    # In Michigan there is always a problem; mostly that of the last three digits
    problem("49440", Kind.UNREADABLE),
    problem("49401", Kind.UNKNOWN_KEY, "Check the key."),
    problem("49403", Kind.FORBIDDEN, "Check whose key it is."),
    problem("49404", Kind.NOT_FOUND, "Check the address."),
    problem("49409", Kind.UNDER_WAY, IN_DOUBT, retry_after_s=1),
    problem("49413", Kind.TOO_LARGE),
    problem("49415", Kind.MEDIA_TYPE),
    problem("49422", Kind.FIELDS, errors=BAD_FIELDS),
    problem("49423", Kind.KEY_REUSED, "Give every lead a key of its own."),
    problem("49429", Kind.TOO_MANY, GIVE_UP, retry_after_s=1),
    problem("49450", Kind.INTERNAL, IN_DOUBT),
    problem("49503", Kind.UNAVAILABLE, GIVE_UP, retry_after_s=1),
    # In Ohio problems pass
    problem("45406", Kind.SLOW, REPEAT, always=False),
    problem("45409", Kind.UNDER_WAY, REPEAT_LATER, retry_after_s=1, always=False),
    problem("45429", Kind.TOO_MANY, REPEAT_LATER, retry_after_s=1, always=False),
    problem("45420", Kind.INTERNAL, REPEAT, always=False),
    problem("45503", Kind.OVERLOADED, REPEAT_LATER, retry_after_s=1, always=False),
    # In Chicago the lead is sold, but the answer goes astray
    astray("60601", Way.CUT),
    astray("60602", Way.HALF),
    astray("60603", Way.HELD),
    astray("60604", Way.DRIPPED, "Wait for its end, or stop and repeat with the same key."),
    astray("60605", Way.GARBAGE),
    astray("60606", Way.PAGE),
    astray("60607", Way.NO_HTTP),
    astray("60611", Way.CUT, IN_DOUBT, always=True),
    astray("60612", Way.HALF, IN_DOUBT, always=True),
    astray("60613", Way.HELD, IN_DOUBT, always=True),
    astray("60615", Way.GARBAGE, IN_DOUBT, always=True),
)
"""In the order in which they are shown."""

BY_ZIP = {scene.zip: scene for scene in SCENES}


def scene_of(zip_code: object) -> Scene:
    """Return what this ZIP code is answered."""
    return BY_ZIP.get(str(zip_code)[:5], OTHERWISE)
