"""Checks of the signature: what is not rightly signed is let in nowhere."""

from collections.abc import Callable

from bidders.certify.caller import changed
from bidders.certify.check import Check, Level, Try
from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.requests import Change, resigned, tampered, unsigned
from bidders.certify.seen import CLIENT, Half, Seen
from bidders.certify.session import Session

OTHER_SECRET = b"certify: a secret that nobody agreed on"
OLD_S = -3600

Forge = Callable[[Session], Change]


def wrong(session: Session) -> Change:
    """Sign with another secret."""
    del session
    return resigned(OTHER_SECRET)


def old(session: Session) -> Change:
    """Sign rightly, an hour ago."""
    secret = session.target.offer.secret
    assert secret is not None, "only signed calls are forged"
    return resigned(secret, OLD_S)


def missing(session: Session) -> Change:
    """Sign nothing."""
    del session
    return unsigned


def changed_later(session: Session) -> Change:
    """Change the body after it was signed."""
    del session
    return tampered


async def untried(session: Session, half: Half) -> Untried | None:
    """Say why forgeries make no sense, or None."""
    if session.target.foreign:
        return Untried("a mapping proves in its own way who calls")
    if session.target.offer.secret is None:
        return Untried("no secret was given: --secret")
    return await session.sound(half)


def judged(seen: Seen) -> Found:
    """Return whether a forgery was refused."""
    if seen.taken:
        return Amiss(f"it is taken: {seen.said}", (seen,))
    if seen.call.status in CLIENT:
        return Fine(f"status {seen.call.status}")
    if seen.sound:
        return Doubtful(f"it is not taken, but not refused by 401 either: {seen.said}", (seen,))
    return Amiss(seen.said, (seen,))


def ping_with(forge: Forge) -> Try:
    """Return a check that pings with a forgery."""

    async def run(session: Session) -> Found:
        why = await untried(session, Half.PING)
        if why is not None:
            return why
        return judged(await session.caller.ping(session.other(), changed(forge(session))))

    return run


async def posted(session: Session) -> Found:
    """Post with a wrong signature."""
    why = await untried(session, Half.POST)
    if why is not None:
        return why
    return judged(await session.caller.post(await session.sale(), changed(wrong(session))))


MUST = Level.MUST
WHY = "Whoever finds the address could learn your prices, or fill your books with invented people."
MEND = "Answer 401; see docs/buyers.md, Signatures."

SIGNATURES = (
    Check(
        id="signature.wrong", level=MUST, run=ping_with(wrong),
        title="A wrong signature is refused", why=WHY, mend=MEND,
    ),
    Check(
        id="signature.old", level=MUST, run=ping_with(old),
        title="A signature that is an hour old is refused",
        why="Who once overheard a call could repeat it for ever.",
        mend="Refuse where webhook-timestamp is more than five minutes off.",
    ),
    Check(
        id="signature.missing", level=MUST, run=ping_with(missing),
        title="A call without a signature is refused", why=WHY, mend=MEND,
    ),
    Check(
        id="signature.body", level=MUST, run=ping_with(changed_later),
        title="A body that was changed after signing is refused",
        why="A signature that does not cover the body proves nothing about it.",
        mend="Sign over the bytes as they came, before parsing.",
    ),
    Check(
        id="signature.post", level=MUST, run=posted,
        title="A wrongly signed post is refused", why=WHY, mend=MEND,
    ),
)  # fmt: skip
