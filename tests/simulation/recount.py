"""What market state should be, by the simulated books: the contract of exchange.ledger.recount."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.recounting import Counter, OpenSale
from exchange.ledger.recount import COUNTED, TIMEOUT_S, ClaimRow, Epoch, PurchaseRow, RequestRow
from tests.simulation.books import Award, Lead
from tests.simulation.connections import Connection, SimulatedConnections

US_PER_S = 1_000_000
OF_BUYERS = ("buyer", "pilot")


class SimulatedRecount:
    """The books, on one connection; each method is one statement."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._server = connection.server
        self._books = connection.server.books

    async def _ask(self, do: Callable[..., Any], *arguments: Any) -> Any:
        return await self._connection.ask(partial(do, *arguments))

    # The epoch

    async def epoch(self) -> Epoch:
        return await self._ask(lambda: Epoch(*self._books.epoch))

    async def begin_epoch(self) -> int:
        def begin() -> int:
            self._books.epoch = self._books.epoch[0] + 1, None
            return self._books.epoch[0]

        return await self._ask(begin)

    async def finish_epoch(self, number: int, server: str) -> None:
        def finish() -> None:
            if self._books.epoch[0] == number:
                self._books.epoch = number, server

        await self._ask(finish)

    async def acknowledge(self, worker_id: str, number: int) -> None:
        def acknowledge() -> None:
            worker = self._books.workers.get(worker_id)
            if worker is not None:
                worker.epoch = number

        await self._ask(acknowledge)

    async def behind(self, number: int, *, and_dead: bool) -> list[str]:
        def behind() -> list[str]:
            return [
                one.id
                for one in self._books.workers.values()
                if one.epoch < number and (and_dead or one.lease_until_us > self._books.now_us())
            ]

        return await self._ask(behind)

    async def expire(self, worker_ids: Sequence[str]) -> None:
        def expire() -> None:
            for worker_id in worker_ids:
                worker = self._books.workers.get(worker_id)
                if worker is not None:
                    worker.lease_until_us = min(worker.lease_until_us, self._books.now_us())

        await self._ask(expire)

    async def try_turn(self) -> bool:
        return await self._ask(self._connection.lock_session, "market state")

    async def free_turn(self, idle_s: float) -> bool:
        return await self._ask(self._server.end_idle, "market state", idle_s)

    async def end_turn(self) -> None:
        await self._ask(self._server.unlock, self._connection)

    # What was sold

    @asynccontextmanager
    async def as_of_one_moment(self) -> AsyncIterator[None]:
        """Read the books as they were at the first statement of the block."""
        self._moment = await self._ask(self._books.as_now)
        yield
        del self._moment

    async def settled(self, counters: Sequence[Counter]) -> dict[tuple[str, str], int]:
        accepted = [one for one in self._moment.sales if one.state == "accepted"]
        found = {}
        for counter in counters:
            kind, _, name = counter.scope.partition("/")
            offer_id, buyer_id = name * (kind == "offer"), name * (kind in OF_BUYERS)
            counted = [
                one.charge if counter.counts_money else 1
                for one in accepted
                if (
                    one.row.offer_id in counter.offer_ids
                    or one.row.offer_id == offer_id
                    or one.row.buyer_id == buyer_id
                )
                and counter.began_s * US_PER_S <= one.row.held_at_us < counter.until_s * US_PER_S
                and not counter.test
            ]
            found[counter.buyer_id, counter.name] = sum(counted)
        return await self._ask(lambda: found)

    async def volume(self, counters: Sequence[Counter]) -> dict[tuple[str, str], int]:
        return await self._ask(
            lambda: {
                (one.buyer_id, one.name): sum(
                    amount
                    for at_us, amount in self._brought(one)
                    if one.began_s * US_PER_S <= at_us < one.until_s * US_PER_S and not one.test
                )
                for one in counters
            }
        )

    def _brought(self, counter: Counter) -> Iterator[tuple[int, int]]:
        """Yield when how much came of what a counter counts."""
        if counter.counts_money:
            is_paid = counter.buyer_id.startswith("seller:")
            for one in self._moment.sales:
                if one.state == "accepted":
                    yield one.row.held_at_us, one.row.payout if is_paid else one.charge
        else:
            yield from self._pings() if counter.counts_pings else self._taken_in()

    def _taken_in(self) -> Iterator[tuple[int, int]]:
        """Yield when each lead came."""
        for at_us in self._moment.taken_in.values():
            yield at_us, 1

    def _pings(self) -> Iterator[tuple[int, int]]:
        """Yield when how many pings were sent."""
        for _, at_us, pings in self._moment.pinged:
            yield at_us, pings

    async def counted(self, sale_ids: Sequence[SaleId]) -> dict[SaleId, str]:
        pinged = {f"{lead_id}/{at_us}" for lead_id, at_us, _ in self._moment.pinged}
        known = pinged | self._moment.taken_in.keys()
        found = {one: COUNTED for one in sale_ids if one in known}
        return await self._ask(lambda: found)

    async def open_sales(self) -> list[OpenSale]:
        found = [
            OpenSale(
                sale_id=one.row.sale_id,
                lead_id=LeadId(one.lead_id),
                offer_id=one.row.offer_id,
                buyer_id=one.row.buyer_id,
                seller_id="fastquotes",
                campaign_id="auto-us",
                price=one.row.price,
                payout=one.row.payout,
                held_at_us=one.row.held_at_us,
                test=False,
            )
            for one in self._moment.sales
            if one.state == "open"
        ]
        return await self._ask(lambda: found)

    async def states(self, sale_ids: Sequence[SaleId]) -> dict[SaleId, str]:
        wanted = set(sale_ids)
        found = {
            one.row.sale_id: one.state for one in self._moment.sales if one.row.sale_id in wanted
        }
        return await self._ask(lambda: found)

    # Who came first, who asked, who bought whom

    async def claims(self, since_us: int) -> list[ClaimRow]:
        def read(lead_id: str, lead: Lead) -> ClaimRow | None:
            status = None if lead.end is None else str(lead.end.status)
            if lead.row is None or lead.row.claim is None or status == "duplicate":
                return None
            since = lead.received_at_us if lead.ended_at_us is None else lead.ended_at_us
            return ClaimRow(lead.row.claim, LeadId(lead_id), since, status)

        return await self._leads(since_us, read)

    async def requests(self, since_us: int) -> list[RequestRow]:
        def read(lead_id: str, lead: Lead) -> RequestRow | None:
            if lead.row is None or lead.row.idempotency_key is None:
                return None
            return RequestRow(
                LeadId(lead_id),
                lead.row.seller_id,
                lead.worker_id,
                lead.row.idempotency_key,
                lead.received_at_us,
                lead.end is not None,
            )

        return await self._leads(since_us, read)

    async def _leads(self, since_us: int, read: Callable[[str, Lead], Any]) -> list[Any]:
        def found() -> list[Any]:
            leads = sorted(self._books.leads.items(), key=lambda one: one[1].received_at_us)
            rows = (read(*one) for one in leads if one[1].received_at_us >= since_us)
            return [row for row in rows if row is not None]

        return await self._ask(found)

    async def purchases(self, buyer_ids: Sequence[str], since_us: int) -> list[PurchaseRow]:
        def read(award: Award) -> PurchaseRow:
            record = self._books.records(award.lead_id)[-1]
            assert record is not None, "nobody is erased here"
            return PurchaseRow(award.row.buyer_id, award.ended_at_us or 0, record)

        def found() -> list[PurchaseRow]:
            return [
                read(one)
                for one in self._books.sales.values()
                if (one.state == "accepted" or one.is_duplicate)
                and one.row.buyer_id in buyer_ids
                and (one.ended_at_us or 0) >= since_us
            ]

        return await self._ask(found)


def recounting(
    connections: SimulatedConnections,
) -> Callable[[], AbstractAsyncContextManager[SimulatedRecount]]:
    """Return what lends the books, as exchange.ledger.recount does."""

    @asynccontextmanager
    async def lend() -> AsyncIterator[SimulatedRecount]:
        async with connections.use(TIMEOUT_S) as connection:
            yield SimulatedRecount(connection)

    return lend
