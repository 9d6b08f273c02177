"""What a check is, and what it can find."""

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.session import Session


class Level(StrEnum):
    """How much depends on it."""

    MUST = "must"
    """Without it the exchange and the buyer misunderstand each other."""
    SHOULD = "should"
    """Without it the buyer loses auctions, or its engineers lose time."""


class Verdict(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NOT_TRIED = "not tried"


Try = Callable[[Session], Awaitable[Found]]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an endpoint must or should do."""

    id: str
    level: Level
    title: str
    why: str
    mend: str
    run: Try

    def verdict(self, found: Found) -> Verdict:
        """Return what this finding means for this check."""
        match found:
            case Fine():
                return Verdict.PASSED
            case Doubtful():
                return Verdict.WARNED
            case Untried():
                return Verdict.NOT_TRIED
            case Amiss():
                return Verdict.FAILED if self.level is Level.MUST else Verdict.WARNED
