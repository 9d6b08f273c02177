"""Decisions on simulated books: the contract of exchange.ledger.decisions."""

from functools import partial
from typing import Any

from exchange.domain.ids import SaleId
from exchange.ledger.connections import Limits
from exchange.ledger.decisions import Decision, SaleWord
from tests.simulation.connections import asked
from tests.simulation.loop import Process
from tests.simulation.server import Server


class SimulatedDecisions:
    """Reads and writes them as one worker does; each call is one statement."""

    def __init__(self, process: Process, server: Server) -> None:
        self._process = process
        self._server = server
        self._timeout_s = Limits().timeout_s

    async def decide(self, sale_id: SaleId, decision: Decision) -> bool:
        return bool(await self._ask(partial(self._decide, sale_id, decision)))

    def _decide(self, sale_id: SaleId, decision: Decision) -> bool:
        """Run at the server."""
        made = self._server.books.decide(sale_id, decision)
        if made:
            self._server.announce(sale_id, "decision")
        return made

    async def of(self, sale_id: SaleId) -> Decision | None:
        found = await self._ask(partial(self._server.books.decisions.get, sale_id))
        return found if isinstance(found, Decision) else None

    async def sale(self, sale_id: SaleId) -> SaleWord | None:
        found = await self._ask(partial(self._server.books.sale_word, sale_id))
        return found if isinstance(found, SaleWord) else None

    async def _ask(self, do: Any) -> Any:
        return await asked(self._process, self._server, do, self._timeout_s)
