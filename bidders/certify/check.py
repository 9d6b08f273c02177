"""What a check is, and what it can find."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from bidders.certify.seen import Seen

if TYPE_CHECKING:
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


class Fine(msgspec.Struct, frozen=True):
    """All is well; what was seen, where that tells more."""

    said: str = ""


class Amiss(msgspec.Struct, frozen=True):
    """It is not as it should be, and the calls that show it."""

    said: str
    seen: tuple[Seen, ...] = ()


class Doubtful(msgspec.Struct, frozen=True):
    """It holds, but not as well as it could, whatever the level."""

    said: str
    seen: tuple[Seen, ...] = ()


class Untried(msgspec.Struct, frozen=True):
    """It could not be found out, and why."""

    said: str


Found = Fine | Amiss | Doubtful | Untried
Try = Callable[["Session"], Awaitable[Found]]


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
