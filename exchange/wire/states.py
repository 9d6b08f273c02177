"""What a connection may be, and what may become of it: docs/architecture.md draws the table."""

from enum import StrEnum


class State(StrEnum):
    """What a connection is; it follows from what it carries, nothing is kept twice."""

    OPENING = "opening"  # being dialled
    IDLE = "idle"  # stands, and may be given a call
    ASKED = "asked"  # a call is under way
    LATE = "late"  # its call has ended without it; the answer may still come, for nobody
    CLOSED = "closed"


class Event(StrEnum):
    """What happens to a connection."""

    STANDS = "stands"
    GIVEN = "given a call"
    ANSWERED = "answered"  # wholly, and the server keeps the connection
    ANSWERED_LAST = "answered for the last time"  # wholly, but it is not to be used again
    GIVEN_UP = "given up"  # the call's time is over, or its fan-out
    UNASKED = "spoken to unasked"
    UNREADABLE = "unreadable"  # no HTTP, or too much of it
    LOST = "lost"  # the server closed, or the network failed
    SHUT = "shut"  # by the wire: idle or late for too long, or the end of all


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.OPENING, Event.STANDS): State.IDLE,
    (State.IDLE, Event.GIVEN): State.ASKED,
    (State.IDLE, Event.UNASKED): State.CLOSED,
    (State.IDLE, Event.LOST): State.CLOSED,
    (State.IDLE, Event.SHUT): State.CLOSED,
    (State.ASKED, Event.ANSWERED): State.IDLE,
    (State.ASKED, Event.ANSWERED_LAST): State.CLOSED,
    (State.ASKED, Event.GIVEN_UP): State.LATE,
    (State.ASKED, Event.UNREADABLE): State.CLOSED,
    (State.ASKED, Event.LOST): State.CLOSED,
    (State.ASKED, Event.SHUT): State.CLOSED,
    (State.LATE, Event.ANSWERED): State.IDLE,
    (State.LATE, Event.ANSWERED_LAST): State.CLOSED,
    (State.LATE, Event.UNREADABLE): State.CLOSED,
    (State.LATE, Event.LOST): State.CLOSED,
    (State.LATE, Event.SHUT): State.CLOSED,
}
"""All that can happen; anything else cannot. A call that is sent once more is given anew."""
