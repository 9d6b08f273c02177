"""The ledger: what it says was written is on disk, once, and nobody else wrote in its place."""

import asyncio
import os

from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.moment import Moment
from exchange.ledger.archive import Archive
from exchange.ledger.connections import Connections, problem
from exchange.ledger.entry import Doubtful, Entry
from exchange.ledger.errors import LedgerError, MomentRefused, RejectionRefused
from exchange.ledger.keys import LeadKeys
from exchange.ledger.lanes import GroupCommit
from exchange.ledger.rows import Rejection, pack, pack_rejection
from exchange.ledger.unheard import Unheard
from exchange.ledger.vault import Vault

US_PER_S = 1_000_000
DOUBTFUL_MAX = 10_000

UNENCODABLE = (TypeError, ValueError, OverflowError)
"""What encoders raise for half a surrogate pair, or a number beyond all bounds."""


class Ledger(Archive):
    """Writes moments and reads them back; open it before use, after its worker was registered."""

    def __init__(
        self,
        connections: Connections,
        worker_id: str,
        vault: Vault,
        unheard: Unheard | None = None,
    ) -> None:
        """Write as this worker; `unheard` is its leases', where somebody is to take over."""
        super().__init__(connections, vault)
        limits = connections.limits
        self._keys = LeadKeys(vault)
        self._capture_keep_us = limits.capture_keep_s * US_PER_S
        self._group = GroupCommit(connections.dsn, worker_id, limits)
        self._unheard = unheard or Unheard()
        self._doubtful = Doubtful(DOUBTFUL_MAX)

    @property
    def is_up(self) -> bool:
        """Tell whether a commit would be tried now; False at once fails every call."""
        return self._group.is_up

    @property
    def waiting_ms(self) -> float:
        """For how long the oldest moment has waited for a flush; 0 where none does."""
        return self._group.waiting_s * 1000

    async def until_up(self) -> None:
        """Return as soon as a commit would be tried."""
        await self._group.up.wait()

    @property
    def flushes(self) -> int:
        """How many statements were sent for all commits so far."""
        return self._group.flushes

    async def open(self) -> None:
        """Connect; raise LedgerUnavailable where that fails."""
        await self._group.open()

    async def close(self) -> None:
        """Finish all commits under way, then disconnect."""
        await self._group.close()

    def commit(self, moment: Moment) -> "asyncio.Future[bool]":
        """Tell once the moment is durable, or False if somebody else wrote that number.

        Goes on if its caller is cancelled. Raises LedgerUnavailable when the time is over, after
        which the moment may or may not be written: commit the same value again to learn it, or
        read `open_lead`. Raises MomentRefused for what no database can hold; nothing is written.
        """
        try:
            return self._group.put(self._doubtful.take(moment) or self._entry(moment))
        except LedgerError as error:
            failed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    async def reject(self, rejection: Rejection) -> None:
        """Return once the rejection is durable; raises like `commit`."""
        rejection_id = uuid7(rejection.at_us, os.urandom(ENTROPY_BYTES))
        try:
            packed = pack_rejection(rejection_id, rejection)
        except UNENCODABLE as error:
            raise RejectionRefused(problem=problem(error)) from None
        await self._group.put(Entry(self._unheard.count(), None, packed, self._doubtful))

    def _entry(self, moment: Moment) -> Entry:
        write = self._unheard.count()
        if moment.lead_end is not None:
            self._unheard.ends(moment.lead_id, write)
        try:
            packed = pack(moment, write, self._keys, self._capture_keep_us)
        except UNENCODABLE as error:
            raise MomentRefused(
                lead_id=moment.lead_id, number=moment.number, problem=problem(error)
            ) from None
        return Entry(write, moment, packed, self._doubtful)
