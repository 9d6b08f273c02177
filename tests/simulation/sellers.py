"""Simulated sellers: they post leads and quotes to whichever worker they reach, and write down
every word that they were told, the moment it was said."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from exchange.contract.denial import Denial
from exchange.contract.seller import LeadAnswer
from exchange.domain.ids import ENTROPY_BYTES, LeadId
from exchange.domain.money import from_decimal
from exchange.domain.submission import Submission
from exchange.ledger.errors import LedgerError
from exchange.market.errors import MarketError
from tests.simulation.history import History
from tests.simulation.loop import World
from tests.simulation.scenery import a_submission
from tests.simulation.worker import Worker

PATIENCE_S = 3.0
"""How much longer than its answer deadline a seller waits before it asks where its lead stands."""


class Habits(msgspec.Struct, frozen=True):
    """How a seed's sellers behave."""

    gap_s: float
    """Between two leads, in the mean."""
    again: float = 0.15
    """How often a lead is of a person who came before."""
    twice: float = 0.1
    """How often a lead is sent to two workers at once, as two leads of one person."""
    quoted: float = 0.15
    retries: float = 0.5
    """How often who heard nothing, or of an outage, sends the person again."""


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
        self._world = world
        self._history = history
        self._habits = habits
        self._chance = chance
        self._workers = workers
        self._answer_ms = answer_ms
        self._persons = 0
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
        if not any(worker.is_ready for worker in self._workers()):
            self._world.call_later(0.2, self._next)  # doors are closed: people come later
            return
        chance, habits = self._chance.random, self._habits
        if self._persons and chance() < habits.again:
            person = self._chance.randrange(max(0, self._persons - 40), self._persons)
        else:
            person = self._persons
            self._persons += 1
        times = 2 if chance() < habits.twice else 1
        for _ in range(times):
            self.send(person)
        self._world.call_later(self._chance.expovariate(1 / habits.gap_s), self._next)

    def send(self, person: int) -> None:
        """Send one lead of this person to some worker that is ready."""
        ready = [worker for worker in self._workers() if worker.is_ready]
        if not ready:
            self._world.call_later(1.0, self.send, person)
            return
        self._left -= 1
        self.sent += 1
        worker = ready[self._chance.randrange(len(ready))]
        submission = a_submission(
            person, worker.now_us(), self._answer_ms, self._chance.randbytes(ENTROPY_BYTES)
        )
        self.asking += 1
        request = Request(self, worker, submission, person)
        if self._chance.random() < self._habits.quoted:
            worker.process.create_task(request.ask_first())
        else:
            worker.process.create_task(request.post())
        patience_s = self._answer_ms / 1000 + PATIENCE_S
        self._world.call_later(patience_s, self._look, request)

    def _look(self, request: "Request") -> None:
        """See to it that a request ends that nobody answered, or that was told to wait."""
        if request.heard in {"pending", "nothing"}:
            ready = [worker for worker in self._workers() if worker.is_ready]
            if request.heard == "nothing" and not request.is_sent_again:
                request.is_sent_again = True
                if self._chance.random() < self._habits.retries:
                    self.send(request.person)
            if ready:
                worker = ready[self._chance.randrange(len(ready))]
                worker.process.create_task(request.inquire(worker))
            request.looks += 1
            if request.looks < 40:
                self._world.call_later(2.0, self._look, request)
                return
        self.asking -= 1

    def told(self, request: "Request", answer: LeadAnswer, how: str = "told") -> None:
        """Write down an answer: told by a post, or learnt by an inquiry."""
        price = None if answer.price is None else int(from_decimal(answer.price))
        request.heard = answer.status
        self._history.add(how, answer.lead_id, answer.status, price, len(answer.sales))

    def sends_again(self, request: "Request") -> None:
        """An outage was told: the same person comes again, sometimes."""
        request.heard = "outage"
        if self._chance.random() < self._habits.retries:
            self._world.call_later(self._chance.random() * 3, self.send, request.person)


class Request:
    """One lead as its seller follows it."""

    def __init__(
        self, sellers: Sellers, worker: Worker, submission: Submission, person: int
    ) -> None:
        self.person = person
        self.heard = "nothing"
        self.looks = 0
        self.is_sent_again = False
        self._sellers = sellers
        self._worker = worker
        self._submission = submission
        self._lead = submission.lead
        sellers._history.add("sent", self._lead.lead_id, person)

    async def post(self) -> None:
        worker = self._worker
        self._sellers._history.add("asked", self._lead.lead_id, worker.name)
        try:
            answer = await worker.story.sell(self._submission, worker.snapshot)
        except (LedgerError, MarketError) as outage:
            self._outage(outage)
        else:
            self._sellers.told(self, answer)

    async def ask_first(self) -> None:
        """Ask for a quote, then post it; sometimes to two workers at once."""
        sellers, worker = self._sellers, self._worker
        try:
            quoted = await worker.story.quote(self._submission, worker.snapshot)
            if quoted.ping_id is None:
                self.heard = quoted.status
                return
            tokens = worker.story._stations.tokens
            quote = tokens.open(quoted.ping_id, "fastquotes", worker.now_us())
            if not hasattr(quote, "lead_id"):
                self.heard = "expired"
                return
            times = 2 if sellers._chance.random() < 1 / 4 else 1
            ready = [one for one in sellers._workers() if one.is_ready]
            for _ in range(times):
                if ready:
                    other = ready[sellers._chance.randrange(len(ready))]
                    other.process.create_task(self._post_quote(other, quote))
        except (LedgerError, MarketError) as outage:
            self._outage(outage)

    async def _post_quote(self, worker: Worker, quote: Any) -> None:
        at_us = worker.now_us()
        lead = msgspec.structs.replace(
            self._lead, received_at_us=at_us,
            answer_by_us=at_us + self._sellers._answer_ms * 1000,
        )  # fmt: skip
        submission = msgspec.structs.replace(self._submission, lead=lead)
        self._sellers._history.add("asked", lead.lead_id, worker.name)
        try:
            answer = await worker.story.sell_quoted(quote, submission, worker.snapshot)
        except (LedgerError, MarketError) as outage:
            self._outage(outage)
            return
        if not isinstance(answer, Denial):
            self._sellers.told(self, answer)
        elif self.heard == "nothing":
            self.heard = "denied"

    async def inquire(self, worker: Worker) -> None:
        """Ask where the lead stands."""
        try:
            standing = await worker.story.standing(LeadId(self._lead.lead_id))
        except (LedgerError, MarketError):
            return
        if standing is not None and standing.answer.status != "pending":
            self._sellers.told(self, standing.answer, "learnt")
        elif standing is None and self.heard == "nothing" and self.looks > 3:
            self.heard = "never came"

    def _outage(self, outage: Exception) -> None:
        if self.heard == "nothing":
            self._sellers._history.add("outage", self._lead.lead_id, type(outage).__name__)
            self._sellers.sends_again(self)
