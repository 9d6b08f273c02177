"""Checks of the status URL, at which a sale in doubt is asked about."""

import msgspec

from bidders.certify.check import Check, Level
from bidders.certify.found import Amiss, Fine, Found, Untried
from bidders.certify.seen import Half, Seen
from bidders.certify.session import Session
from exchange.delivery.answer import Accepted, InDoubt, Refused
from exchange.domain.ids import SaleId

NO_STATUS = Untried("no --status-url was named")
UNKNOWN_SALE = SaleId("01890000-0000-7000-8000-00000000cafe")


async def untried(session: Session) -> Untried | None:
    """Say why nothing can be asked, or None."""
    post = session.target.offer.post
    if post is None or post.status is None:
        return NO_STATUS
    return await session.sound(Half.POST)


async def told(session: Session) -> Found:
    """Post a sale and ask about it: the same word, the same reference."""
    why = await untried(session)
    if why is not None:
        return why
    sale = await session.sale()
    posted = await session.caller.post(sale)
    asked = await session.caller.ask(sale, reference_of(posted))
    if asked is None:
        return Untried("the URL names a reference, and the post's answer has none")
    return compared(posted, asked)


def compared(posted: Seen, asked: Seen) -> Found:
    """Return whether a question about a sale is answered as its post was."""
    both = (posted, asked)
    match posted.result, asked.result:
        case Accepted(reference=one), Accepted(reference=other) if one == other:
            return Fine()
        case Accepted(reference=one), Accepted(reference=other):
            return Amiss(f"the post's reference is {one}, here it is {other}", both)
        case Accepted(), _:
            return Amiss(f"the post was accepted, here: {asked.said}", both)
        case Refused(), Accepted():
            return Amiss("the post was refused, here it is accepted", both)
    return Fine(f"the post: {posted.said}; here: {asked.said}")


async def unknown(session: Session) -> Found:
    """Ask about a sale that was never posted."""
    why = await untried(session)
    if why is not None:
        return why
    sale = session.caller.sale(session.other(), None)
    parcel = msgspec.structs.replace(sale.parcel, sale_id=UNKNOWN_SALE)
    asked = await session.caller.ask(
        msgspec.structs.replace(sale, parcel=parcel), "certify-unknown"
    )
    assert asked is not None, "a reference is known"
    match asked.result:
        case Accepted():
            return Amiss("a sale that never came is accepted", (asked,))
        case Refused():
            return Amiss("a sale that never came is refused: its post may be on its way", (asked,))
    return Fine(asked.said)


def reference_of(posted: Seen) -> str | None:
    """Return what the buyer called a sale in its answer."""
    result = posted.result
    return result.reference if isinstance(result, Accepted | InDoubt) else None


STATUS = (
    Check(
        id="status.told", level=Level.MUST, run=told,
        title="The status URL says of a sale what its post was answered",
        why="In doubt the exchange believes it: a lead is sold, or goes to the next, by its word.",
        mend="Look the sale up where you keep its answer, and give the same one.",
    ),
    Check(
        id="status.unknown", level=Level.MUST, run=unknown,
        title="Of a sale that you do not know it decides nothing",
        why="The post may still be on its way: refused, the lead goes to another, and you have it.",
        mend="Answer 404 without `accepted`.",
    ),
)  # fmt: skip
