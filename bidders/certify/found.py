"""What a check can find."""

import msgspec

from bidders.certify.seen import Seen


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
