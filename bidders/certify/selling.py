"""Checks of the sale: one key is one sale, another key is another, and nothing stays in doubt."""

import asyncio

import msgspec

from bidders.certify.check import Check, Level
from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.seen import Half, Seen
from bidders.certify.session import Session
from exchange.delivery.answer import Accepted, Refused
from exchange.domain.money import Micros

UNKNOWN_PING = "01890000-0000-7000-8000-000000000000"
UNKNOWN_TOKEN = "certify-unknown"  # noqa: S105 - nobody gave it
ONCE = Untried("the mapping says idempotent = false: a post in doubt is not repeated")


async def untried(session: Session, *, repeats: bool = False) -> Untried | None:
    """Say why nothing can be posted, or None."""
    unsound = await session.sound(Half.POST)
    if unsound is None and repeats and not session.target.repeatable:
        return ONCE
    return unsound


async def twice(session: Session) -> Found:
    """Post the same again under the same key: the same answer, the same reference."""
    why = await untried(session, repeats=True)
    if why is not None:
        return why
    sale = await session.sale()
    first = await session.caller.post(sale)
    again = await session.caller.post(sale, repeated=True)
    return compared(first, again)


def compared(first: Seen, again: Seen) -> Found:
    """Return whether two answers under one key tell of one sale."""
    both = (first, again)
    if not first.sound:
        return Amiss(f"first: {first.said}", both)
    match first.result, again.result:
        case Accepted(reference=one), Accepted(reference=other) if one != other:
            return Amiss("one key got two references: that is two sales", both)
        case Accepted(), Accepted():
            return Fine("the same reference" if first.result.reference else "accepted twice")
        case Accepted(), _:
            return Amiss(f"first accepted, then: {again.said}", both)
        case Refused(), Accepted():
            return Amiss("first refused, then accepted: the next buyer may have the lead", both)
        case Refused(), _ if first.call.status == again.call.status:
            return Fine("refused twice")
        case _ if again.sound:
            return Fine(f"first not decided, then: {again.said}")
    return Amiss(f"again: {again.said}", both)


async def at_once(session: Session) -> Found:
    """Post the same twice at one time: a race that a check before an insert loses."""
    why = await untried(session, repeats=True)
    if why is not None:
        return why
    sale = await session.sale()
    post = session.caller.post
    first, second = await asyncio.gather(post(sale), post(sale, repeated=True))
    results = (first.result, second.result)
    taken = [one for one in results if isinstance(one, Accepted)]
    if len({one.reference for one in taken}) > 1:
        return Amiss("one key at one time got two references: that is two sales", (first, second))
    if taken and any(isinstance(one, Refused) for one in results):
        return Amiss("one key at one time is accepted and refused", (first, second))
    bad = [one for one in (first, second) if not one.sound]
    if bad:
        return Amiss(f"{len(bad)} of 2: {bad[0].said}", tuple(bad))
    return Fine()


async def two_sales(session: Session) -> Found:
    """Compare the references of two sales."""
    posts = await session.posts()
    taken = [one for one in posts if isinstance(one.result, Accepted)]
    found = [one.result.reference for one in taken if isinstance(one.result, Accepted)]
    known = [one for one in found if one is not None]
    if len(known) < 2:  # noqa: PLR2004 - two sales
        return Untried("no two posts were accepted with a reference")
    if len(set(known)) < len(known):
        return Amiss(f"{len(known)} sales have one reference", tuple(taken[:2]))
    return Fine()


async def referenced(session: Session) -> Found:
    """Look whether acceptances name a reference."""
    posts = await session.posts()
    taken = [one for one in posts if isinstance(one.result, Accepted)]
    if not taken:
        return Untried("no post was accepted")
    bare = [
        one for one in taken if isinstance(one.result, Accepted) and one.result.reference is None
    ]
    if bare:
        return Amiss(f"{len(bare)} of {len(taken)} acceptances have none", tuple(bare[:1]))
    return Fine()


async def never_pinged(session: Session) -> Found:
    """Post a sale whose ping nobody made: it may be refused, it must be decided."""
    why = await untried(session)
    if why is not None:
        return why
    asking = session.other()
    unasked = session.caller.sale(asking, None).bid
    bid = msgspec.structs.replace(unasked, ping_id=UNKNOWN_PING, token=UNKNOWN_TOKEN)
    seen = await session.caller.post(session.caller.sale(asking, bid))
    return Fine(seen.said) if seen.sound else Amiss(seen.said, (seen,))


async def cheaper(session: Session) -> Found:
    """Post at less than was bid, as a second-price auction does."""
    if session.target.foreign:
        return Untried("by a mapping a buyer pays what it bids")
    why = await untried(session)
    if why is not None:
        return why
    if not any(one.taken for one in await session.posts()):
        return Untried("no post was accepted")
    asking = session.other()
    bid = (await session.caller.ping(asking)).bid if session.has_ping else None
    if bid is None:
        return Untried("no ping brought a bid")
    less = msgspec.structs.replace(bid, price=Micros(bid.price - bid.price // 10))
    seen = await session.caller.post(session.caller.sale(asking, less))
    if not seen.sound:
        return Amiss(seen.said, (seen,))
    return Fine() if seen.taken else Doubtful(f"it is not taken: {seen.said}", (seen,))


async def whole_price(session: Session) -> Found:
    """Look whether acceptances name another price than was posted."""
    posts = await session.posts()
    taken = [one for one in posts if isinstance(one.result, Accepted)]
    if not taken:
        return Untried("no post was accepted")
    for one in taken:
        price = one.result.price if isinstance(one.result, Accepted) else None
        if price is not None and one.price is not None and price < one.price:
            return Amiss("it is accepted at less than was posted", (one,))
    return Fine()


MUST, SHOULD = Level.MUST, Level.SHOULD

SALES = (
    Check(
        id="post.twice", level=MUST, run=twice,
        title="The same post under one key is one sale",
        why="In doubt the exchange asks again with the same Idempotency-Key.",
        mend="Keep each key with your answer, in a table with a unique index, and give it again.",
    ),
    Check(
        id="post.together", level=MUST, run=at_once,
        title="The same post twice at one time is one sale",
        why="A repetition may overtake the first, and two workers both find no such key.",
        mend="Insert the key first and let the unique index decide, then answer.",
    ),
    Check(
        id="post.two", level=MUST, run=two_sales,
        title="Two sales have two references",
        why="You are charged for both; with one reference you can return only one.",
        mend="Make a reference for every sale; the sale_id itself will do.",
    ),
    Check(
        id="post.unpinged", level=MUST, run=never_pinged,
        title="A post without a known ping is decided",
        why="Your memory of pings may be gone, or another process has it.",
        mend="Accept, or refuse with a reason; never a 500.",
    ),
    Check(
        id="post.reference", level=SHOULD, run=referenced,
        title="An acceptance names a reference",
        why="People who look for a lead on both sides need a number for it.",
        mend='`"reference": "…"`, your own number for the sale.',
    ),
    Check(
        id="post.price", level=SHOULD, run=whole_price,
        title="An acceptance pays the posted price",
        why="Less is flagged, and disputed where that was agreed on.",
        mend="Leave `price` out.",
    ),
    Check(
        id="post.cheaper", level=SHOULD, run=cheaper,
        title="A post below the bid is taken",
        why="In a second-price auction you pay less than you bid.",
        mend="Take `price` for what you pay, and do not compare it with your bid.",
    ),
)  # fmt: skip
