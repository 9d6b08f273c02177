"""What happens to workers, and what is done about it."""

from enum import StrEnum

import msgspec


class Ready(msgspec.Struct, frozen=True):
    """A worker can sell."""

    slot: int


class Spoke(msgspec.Struct, frozen=True):
    """A worker's event loop goes round."""

    slot: int


class Ended(msgspec.Struct, frozen=True):
    """A worker's process is gone, whyever."""

    slot: int


class Renewed(msgspec.Struct, frozen=True):
    """All workers are to be replaced, one by one, by so many of a new edition (SIGHUP)."""

    wanted: int
    silent_max_s: float


class Told(msgspec.Struct, frozen=True):
    """Everything is to end in order; told again, at once (SIGTERM, Ctrl-C)."""


class Woke(msgspec.Struct, frozen=True):
    """A moment that was waited for has come."""


Event = Ready | Spoke | Ended | Renewed | Told | Woke


class Start(msgspec.Struct, frozen=True):
    """Start a worker of this edition; the slot is free."""

    slot: int
    edition: int


class Retire(msgspec.Struct, frozen=True):
    """Let a worker accept nothing new and leave when its connections have: others go on."""

    slot: int


class Stop(msgspec.Struct, frozen=True):
    """Tell a worker to end in order: the whole exchange does."""

    slot: int


class Why(StrEnum):
    """Why a worker is killed."""

    LATE = "late"
    SILENT = "silent"
    TOLD = "told"


class Kill(msgspec.Struct, frozen=True):
    """End a worker at once."""

    slot: int
    why: Why


class GiveUp(msgspec.Struct, frozen=True):
    """The new edition does not start; the older one goes on selling."""


class Finish(msgspec.Struct, frozen=True):
    """Nobody is left: end with this status."""

    status: int


Action = Start | Retire | Stop | Kill | GiveUp | Finish
