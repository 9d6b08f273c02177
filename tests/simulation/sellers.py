"""Simulated sellers: they post leads to whichever worker they reach, and repeat themselves.

Every word that a seller was told is written down the moment it is said.
"""

from collections.abc import Callable
from random import Random

import msgspec

from exchange.domain.ids import ENTROPY_BYTES
from tests.simulation.history import History
from tests.simulation.loop import World
from tests.simulation.requests import Request, Way
from tests.simulation.scenery import a_submission
from tests.simulation.worker import Worker

PATIENCE_S = 3.0
"""How much longer than its answer deadline a seller waits before it asks where its lead stands."""

LOOK_EVERY_S = 2.0
LOOKS_MAX = 40
"""Longer than any doubt lasts."""


class Habits(msgspec.Struct, frozen=True):
    """How a seed's sellers behave."""

    gap_s: float
    """Between two leads, in the mean."""
    again: float = 0.15
    """How often a lead is of a person who came before."""
    twice: float = 0.1
    """How often a lead is sent to two workers at once: as two leads, or under one key."""
    quoted: float = 0.15
    keyed: float = 0.5
    """How often a post carries an Idempotency-Key."""
    repeats: float = 0.2
    """How often who was answered under a key sends it again, for its own books lost the answer."""
    retries: float = 0.6
    """How often who heard nothing, or of an outage, sends it again: under its key, if it had one,
    else as another lead of the same person."""


class Sellers:
    """All sellers of one world."""

    def __init__(
        self,
        world: World,
        history: History,
        habits: Habits,
        chance: Random,
        workers: Callable[[], list[Worker]],
        answer_ms: int,
    ) -> None:
        self.sent = 0
        self.asking = 0
        """Who still waits for a word."""
        self.answer_ms = answer_ms
        self.history = history
        self.chance = chance
        self._world = world
        self._habits = habits
        self._workers = workers
        self._persons = 0
        self._keys = 0
        self._left = 0

    def begin(self, leads: int, after_s: float) -> None:
        """Send so many leads, the first one after a while."""
        self._left = leads
        self._world.call_later(after_s, self._next)

    @property
    def is_done(self) -> bool:
        return self._left <= 0 and not self.asking

    def _next(self) -> None:
        if self._left <= 0:
            return
        if self.ready() is None:
            self._world.call_later(0.2, self._next)  # doors are closed: people come later
            return
        chance, habits = self.chance.random, self._habits
        if self._persons and chance() < habits.again:
            person = self.somebody()
        else:
            person = self._persons
            self._persons += 1
        key = 0
        if chance() < habits.keyed:
            self._keys += 1
            key = self._keys
        for _ in range(2 if chance() < habits.twice else 1):
            self.send(person, key)
        self._world.call_later(self.chance.expovariate(1 / habits.gap_s), self._next)

    def somebody(self) -> int:
        """Return a person who came before, not long ago."""
        return self.chance.randrange(max(0, self._persons - 40), self._persons)

    def ready(self) -> Worker | None:
        """Return some worker that takes leads."""
        ready = [worker for worker in self._workers() if worker.is_ready]
        return ready[self.chance.randrange(len(ready))] if ready else None

    def send(self, person: int, key: int) -> None:
        """Send one lead of this person, under a key where it is not 0."""
        worker = self.ready()
        if worker is None:
            self._world.call_later(1.0, self.send, person, key)
            return
        self._left -= 1
        self.sent += 1
        self.asking += 1
        entropy = self.chance.randbytes(ENTROPY_BYTES)
        submission = a_submission(person, worker.now_us(), self.answer_ms, entropy)
        way = Way.QUOTE if not key and self.chance.random() < self._habits.quoted else Way.POST
        request = Request(self, worker, submission, person, key)
        self.history.add("sent", submission.lead.lead_id, person, key)
        worker.process.create_task(request.run(way))
        self._world.call_later(self.answer_ms / 1000 + PATIENCE_S, self._look, request)

    def _look(self, request: Request) -> None:
        """See to it that a request ends that nobody answered, or that was told to wait."""
        if request.heard in {"pending", "nothing"} and request.looks < LOOKS_MAX:
            request.looks += 1
            worker = self.ready()
            if request.heard == "nothing" and request.looks == 1:
                self.send_again(request, after_s=0)
            elif worker is not None:
                worker.process.create_task(request.inquire(worker))
            self._world.call_later(LOOK_EVERY_S, self._look, request)
            return
        self.asking -= 1

    def repeat(self, request: Request) -> None:
        """Send what was answered once more, sometimes, in its time."""
        if request.key and self.chance.random() < self._habits.repeats:
            after_s = self.chance.choice((0.5, 3.0, 12.0)) * self.chance.random()
            self._world.call_later(after_s, self.send, request.person, request.key)

    def send_again(self, request: Request, after_s: float) -> None:
        """Send a person once more, sometimes."""
        if self.chance.random() < self._habits.retries:
            self._world.call_later(after_s, self.send, request.person, request.key)
