"""Simulated buyers that say at the door what they did not say to a post: `POST …/confirm`.

Early or when nobody waits any longer, twice, or one thing and then the other; to whichever worker
they reach, again where they heard nothing.
"""

from collections.abc import Callable
from random import Random

import msgspec

from exchange.domain.ids import SaleId
from exchange.ledger.decisions import Decision
from exchange.ledger.errors import LedgerError
from exchange.web.deciding import carried_out, stands
from tests.simulation.history import History
from tests.simulation.loop import World
from tests.simulation.worker import Worker

LATEST_S = 24.0
"""Later than any sale stays in doubt."""
PATIENCE_S = 8.0
TRIES_MAX = 4


class Word(msgspec.Struct):
    """What a buyer says of one sale."""

    buyer: str
    sale_id: str
    accepted: bool
    tries: int = 0
    is_answered: bool = False


class Confirming:
    """All buyers of one world, at the exchange's door."""

    def __init__(
        self,
        world: World,
        history: History,
        chance: Random,
        workers: Callable[[], list[Worker]],
    ) -> None:
        self._world = world
        self._history = history
        self._chance = chance
        self._workers = workers

    def plan(self, buyer: str, sale_id: str, *, accepted: bool) -> None:
        """Let a buyer confirm a sale in its time; some say it twice, few the contrary, too."""
        chance = self._chance.random
        words = [accepted]
        if chance() < 1 / 4:
            words.append(accepted if chance() < 1 / 2 else not accepted)
        if len(set(words)) > 1 and chance() < 1 / 2:
            words.reverse()
        longest_s = self._chance.choice((0.3, 4.0, LATEST_S))
        at_s = 0.0
        for said in words:
            at_s += chance() * longest_s
            self._world.call_later(at_s, self._say, Word(buyer, sale_id, said))

    def _say(self, word: Word) -> None:
        """Say it to some worker, and again where nothing is heard."""
        if word.is_answered or word.tries >= TRIES_MAX:
            return
        ready = [worker for worker in self._workers() if worker.is_ready]
        self._world.call_later(PATIENCE_S, self._say, word)
        if ready:
            word.tries += 1
            worker = ready[self._chance.randrange(len(ready))]
            worker.process.create_task(self._confirm(word, worker))

    async def _confirm(self, word: Word, worker: Worker) -> None:
        """Say it as the door hears it, and write down what is answered."""
        self._history.add("confirming", word.buyer, word.sale_id, word.accepted)
        decision = Decision(at_us=worker.now_us(), by=f"buyer/{word.buyer}", accepted=word.accepted)
        try:
            sale = await worker.decisions.sale(SaleId(word.sale_id))
            assert sale is not None, "it was posted, so it is on the books"
            now = await carried_out(sale, decision, worker.doors)
        except LedgerError:
            return
        word.is_answered = True
        status = 200 if stands(now, decision) else 409
        state = "in_doubt" if now.state is None else str(now.state)
        self._history.add("confirmed", word.buyer, word.sale_id, word.accepted, status, state)
