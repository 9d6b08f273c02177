"""One request of a rehearsal, as far as it is judged: never a value of a lead."""

import hashlib
from contextvars import ContextVar
from enum import Enum, StrEnum, auto

import msgspec

from bidders.rehearsal.acts import LOST, Way
from bidders.rehearsal.scenes import Scene
from exchange.domain.lead import Fingerprint


class Door(StrEnum):
    """What was asked for."""

    POST = "post"
    PING = "ping"
    LOOK = "look"
    OTHER = "other"
    """A page, or nothing that a seller's program needs."""


class Outcome(Enum):
    """What its seller knows after an answer."""

    FINAL = auto()
    PENDING = auto()
    REFUSED = auto()
    """It was told what to mend."""
    BUSY = auto()
    """Nothing was sold; it may come again."""
    OPEN = auto()
    """The lead may be sold."""


OK = 200
CONFLICT = 409
BUSY = frozenset({408, 429, 503})
SERVER_ERRORS = range(500, 600)


class Visit(msgspec.Struct, kw_only=True):
    """One request and its answer; filled in on its way."""

    number: int
    at_s: float
    door: Door
    method: str
    key: str | None = None
    """Its Idempotency-Key."""
    format: str = ""
    wait_s: str | None = None
    timeout_ms: int | None = None
    body: bytes | None = None
    """A digest."""
    person: bytes | None = None
    """A digest of what a person is recognized by."""
    scene: Scene | None = None
    unknown: tuple[str, ...] = ()
    """Fields of the lead that the vertical does not have, with the nearest that it has."""
    named: tuple[str, ...] = ()
    """Fields of a ping that say who it is."""
    lead_id: str | None = None
    lead_status: str | None = None
    reason: str | None = None
    price: str | None = None
    scripted: bool = False
    """The problem comes from the table, not from the request."""
    http: int = 0
    problem: str | None = None
    """The word that ends its type."""
    detail: str | None = None
    faults: tuple[tuple[str, str], ...] = ()
    """Bad fields and their codes."""
    retry_after_s: float | None = None
    way: Way = Way.WHOLE
    gone: bool = False
    """Whoever asked hung up before the answer was there."""
    ended_s: float = 0.0

    @property
    def lead(self) -> tuple[bytes | None, str]:
        """Return by what the same lead is known when it comes again."""
        return self.person or self.body, self.scene.zip if self.scene else ""

    @property
    def outcome(self) -> Outcome:
        """Return what its seller knows now."""
        if self.gone or self.way in LOST:
            return Outcome.OPEN
        if self.http == OK:
            return Outcome.PENDING if self.lead_status == "pending" else Outcome.FINAL
        if self.http in BUSY:
            return Outcome.BUSY
        if self.problem == "under-way" or self.http in SERVER_ERRORS:
            return Outcome.OPEN
        return Outcome.REFUSED


VISIT: ContextVar[Visit] = ContextVar("visit")
"""The request that is being answered."""


def digest_of(fingerprint: Fingerprint) -> bytes | None:
    """Return one digest for a person, None where nothing recognizes it."""
    told = sorted({**fingerprint.md5, **fingerprint.sha256}.items())
    return hashlib.sha256(repr(told).encode()).digest() if told else None
