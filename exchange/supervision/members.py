"""Who is on the roster: each worker, and what is remembered of those that failed."""

from enum import StrEnum

import msgspec


class Phase(StrEnum):
    """Where a worker is in its life."""

    STARTING = "starting"
    SELLING = "selling"
    LEAVING = "leaving"


class Member(msgspec.Struct, frozen=True):
    """One worker: which edition it is of, and since when it is in its phase."""

    edition: int
    phase: Phase
    since_s: float
    looks: int | None = None
    """How many saw it silent, one after the other; None: it could not sell yet, and need not speak.
    """


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """All workers, and what is remembered of those that failed."""

    wanted: int
    silent_max_s: float
    """A worker that says nothing for so long is killed."""
    look_from_s: float = 0.0
    members: dict[int, Member] = msgspec.field(default_factory=dict)
    edition: int = 0
    proven: int = 0
    """The newest edition of which a worker has sold."""
    restarting: bool = False
    failures: int = 0
    """Quick ends in a row."""
    failed_starts: int = 0
    """Of them, ends before the first sale, with nobody ready since."""
    start_from_s: float = 0.0
    ending: bool = False
    status: int = 0

    def of(self, *phases: Phase) -> dict[int, Member]:
        """Return the workers in these phases, by their slots."""
        return {slot: one for slot, one in self.members.items() if one.phase in phases}

    @property
    def live(self) -> dict[int, Member]:
        """Those that sell, or are about to."""
        return self.of(Phase.STARTING, Phase.SELLING)

    def with_member(self, slot: int, member: Member | None) -> "Roster":
        """Return this roster with another member in this slot, or nobody."""
        members = {**self.members}
        members.pop(slot, None)
        if member is not None:
            members[slot] = member
        return msgspec.structs.replace(self, members=members)
