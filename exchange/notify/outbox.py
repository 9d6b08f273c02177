"""The outbox: messages that wait to be delivered, and the log of every try."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exchange.domain.ids import LeadId
from exchange.ledger import sql
from exchange.ledger.connections import Connections

STATEMENTS = sql.beside(__file__, "outbox.sql")


COUNTED_MAX = 100_000


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A message that this worker is to deliver now."""

    id: str
    at_us: int
    recipient: str
    topic: str
    lead_id: LeadId | None
    """Whose end it tells; None: its body is written already."""
    body: bytes | None
    tries: int
    """This one included."""


class Written(msgspec.Struct, frozen=True):
    """A message whose body is made when it is written."""

    id: str
    at_us: int
    recipient: str
    body: bytes


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a recipient."""

    at_us: int
    ms: float
    status: int = 0
    """0 where nothing came back."""
    detail: str = ""
    """Why it counts as failed."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A message as operators see it: what it says is not among it."""

    id: str
    at_us: int
    recipient: str
    topic: str
    lead_id: LeadId | None
    state: str
    """waiting, delivered, failed."""
    tries: int
    due_us: int
    ended_at_us: int | None
    log: tuple[Try, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages an operator wants to see."""

    state: str | None = None
    recipient: str | None = None
    lead_id: str | None = None
    before: str | None = None
    """The id of the last one that was seen."""
    limit: int = 100


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """For how long messages are kept."""

    waiting_s: float = 2 * 86_400.0
    """One that nobody takes, as its recipient left the market, is given up after this."""
    delivered_s: float = 3 * 86_400.0
    failed_s: float = 30 * 86_400.0
    at_once: int = 20_000
    """Deleted at once."""


class Outbox:
    """Reads and writes them; every method raises LedgerUnavailable within the limit of a call."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to the ledger."""
        self._connections = connections

    async def put(
        self, messages: Sequence[Written], topic: str, waiting_max: int
    ) -> frozenset[str]:
        """Write messages with their bodies; return the ids of those that were taken.

        A recipient for whom `waiting_max` wait already gets no more. A message that was put before
        is there once, and taken.
        """
        rows = await self._fetch(
            "put",
            [message.id for message in messages],
            [message.at_us for message in messages],
            [message.recipient for message in messages],
            [message.body for message in messages],
            topic,
            waiting_max,
        )
        return frozenset(row["id"] for row in rows)

    async def take(self, rooms: Mapping[str, int], lease_s: float, limit: int) -> list[Due]:
        """Return due messages of these recipients, at most so many of each and in all.

        Nobody else has them: each is this worker's for `lease_s`; then it is due again, whatever
        became of it.
        """
        rows = await self._fetch("take", list(rooms), list(rooms.values()), lease_s, limit)
        return [
            Due(
                id=row["id"],
                at_us=row["at"],
                recipient=row["recipient"],
                topic=row["topic"],
                lead_id=row["lead_id"] and LeadId(row["lead_id"]),
                body=row["body"],
                tries=row["tries"],
            )
            for row in rows
        ]

    async def delivered(self, message_id: str, done: Try) -> None:
        """Write that the recipient has it."""
        await self._execute("delivered", message_id, done.at_us, done.ms, done.status)

    async def again(self, message_id: str, failed: Try, after_s: float) -> None:
        """Write that a try failed, and when the next one is due."""
        told = (failed.at_us, failed.ms, failed.status, failed.detail)
        await self._execute("again", message_id, *told, after_s)

    async def failed(self, message_id: str, last: Try) -> None:
        """Write that it is not tried any more."""
        await self._execute("failed", message_id, last.at_us, last.ms, last.status, last.detail)

    async def hasten(self, recipient: str) -> None:
        """Let what waits for a recipient that was away be tried at once."""
        await self._execute("hasten", recipient)

    async def replay(self, message_id: str) -> bool:
        """Let a message be delivered again, with all its tries; False where there is none."""
        if await self._fetch("replay", message_id) or await self._fetch("hurry", message_id):
            return True
        return await self.message(message_id) is not None

    async def message(self, message_id: str) -> Kept | None:
        """Return one message with its log."""
        return next(iter(await self._kept(await self._fetch("one", message_id))), None)

    async def messages(self, wanted: Wanted) -> list[Kept]:
        """Return messages with their logs, the newest first."""
        rows = await self._fetch(
            *("page", wanted.state, wanted.recipient, wanted.lead_id, wanted.before, wanted.limit)
        )
        return await self._kept(rows)

    async def waiting(self) -> tuple[int, int | None]:
        """Return how many messages wait, counted up to a bound, and since when the oldest does."""
        [row] = await self._fetch("waiting", COUNTED_MAX)
        return row["waiting"], row["since"]

    async def tidy(self, kept: Keeping) -> None:
        """Give up what nobody takes any more, and delete what ended long ago."""
        await self._execute("give_up", kept.waiting_s)
        await self._execute("expire", kept.delivered_s, kept.failed_s, kept.at_once)

    async def _kept(self, rows: list[Any]) -> list[Kept]:
        logs: dict[str, list[Try]] = {row["id"]: [] for row in rows}
        for row in await self._fetch("deliveries", list(logs)) if rows else ():
            logs[row["message_id"]].append(
                Try(at_us=row["at"], ms=row["ms"], status=row["status"], detail=row["detail"])
            )
        return [
            Kept(
                id=row["id"],
                at_us=row["at"],
                recipient=row["recipient"],
                topic=row["topic"],
                lead_id=row["lead_id"] and LeadId(row["lead_id"]),
                state=row["state"],
                tries=row["tries"],
                due_us=row["due"],
                ended_at_us=row["ended_at"],
                log=tuple(logs[row["id"]]),
            )
            for row in rows
        ]

    async def _fetch(self, name: str, *arguments: object) -> list[Any]:
        async with self._connections.use() as connection:
            rows: list[Any] = await connection.fetch(STATEMENTS[name], *arguments)
            return rows

    async def _execute(self, name: str, *arguments: object) -> None:
        async with self._connections.use() as connection:
            await connection.execute(STATEMENTS[name], *arguments)
