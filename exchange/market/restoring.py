"""Market state put right from the books: what is there is closed, read, written anew, and opened.

A part of it (a buyer, the claims of a campaign, the requests of a seller) is sold by only while it
is of the epoch that the exchange knows; all of it is of that epoch once the key `epoch` says so.
What is closed under a name is opened by that name alone, in one step: if the data are lost between
the two, or are those of another server, so is the name, and nothing is opened that was emptied.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exchange.domain.caps import Hold
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId, SaleId
from exchange.market import function, keys
from exchange.market.caller import Caller
from exchange.market.holds import kind_of
from exchange.market.once import OnceKey, name_of
from exchange.market.standing import Standing, leads_by_sale, settled_and_held

CLOSED = "closed:"
"""What an epoch begins with that is being put right."""

ALL = "all"
"""Said where nothing of another lead is to stay."""

AT_ONCE = 200
"""Calls in one write: what is sold meanwhile never waits behind thousands."""


class Kept(msgspec.Struct, frozen=True):
    """A claim as it should stand: its lead has all its keys, for so long from now on."""

    claim: Claim
    left_ms: int


class Asked(msgspec.Struct, frozen=True):
    """A request as it should be remembered."""

    key: OnceKey
    lead_id: LeadId
    worker: str
    left_ms: int
    has_ended: bool


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer's counters and holds should be."""

    buyer_id: str
    settled: Mapping[str, int]
    holds: Sequence[Hold]
    """Sales that are awarded and have no end."""
    gone: Sequence[SaleId]
    """Held sales that have ended."""


class Restoring:
    """Reads and rewrites market state; every method raises MarketUnavailable."""

    def __init__(self, link: Caller, *, lease_s: int) -> None:
        """Take the link, and how long the lease of a hold is that is made anew."""
        self._link = link
        self._lease_us = lease_s * 1_000_000

    @property
    def server(self) -> str:
        """Return by what the server is known again; another one may not have what this had."""
        return self._link.server

    @property
    def generation(self) -> int:
        """Return how often the server was connected to."""
        return self._link.generation

    async def epoch(self) -> str:
        """Return of which epoch all of market state is; '' where it was lost, or never made."""
        found: bytes | None = await self._link.call(function.EPOCH, (keys.EPOCH,))
        return "" if found is None else found.decode()

    async def epochs(self, tags: Sequence[str]) -> list[str]:
        """Return of which epoch each part is; '' where it was lost, or never made."""
        calls = [(function.EPOCH, (keys.epoch(tag),), ()) for tag in tags]
        return ["" if one is None else one.decode() for one in await self._all(calls)]

    async def shut(self, tags: Sequence[str], name: str, for_s: float | None = None) -> None:
        """Close these parts, in which nothing is held, until they are opened by this name."""
        arguments = closed(name), milliseconds(for_s)
        await self._all([(function.SHUT, (keys.epoch(tag),), arguments) for tag in tags])

    async def open(self, tags: Sequence[str], name: str, epoch: str, server: str) -> bool:
        """Open what was shut by this name in this server; False where anything of it was lost."""
        arguments = closed(name), epoch
        calls = [(function.OPEN, (keys.epoch(tag),), arguments) for tag in tags]
        return all(await self._all(calls, server))

    async def shut_all(self, name: str) -> None:
        """Say that market state is being built, and is not whole."""
        await self._link.call(function.SHUT, (keys.EPOCH,), (closed(name), ""))

    async def open_all(self, name: str, epoch: str, server: str) -> bool:
        """Say that all of it is of this epoch; False where what was built meanwhile was lost."""
        call = function.OPEN, (keys.EPOCH,), (closed(name), epoch)
        return all(await self._all([call], server))

    async def standing(self, buyer_ids: Sequence[str]) -> dict[str, Standing]:
        """Return what is held and settled of each buyer, each as of one moment."""
        calls = [
            (function.STANDING, (keys.counters(one), keys.holds(one)), ()) for one in buyer_ids
        ]
        return dict(zip(buyer_ids, map(standing_of, await self._all(calls)), strict=True))

    async def close(
        self, buyer_ids: Sequence[str], name: str, for_s: float | None
    ) -> dict[str, Standing]:
        """Close these buyers, at most for so long, and return what stays as it is now."""
        for_ms = milliseconds(for_s)
        calls = [
            (
                function.CLOSE,
                (keys.counters(one), keys.holds(one), keys.epoch(keys.tag(one))),
                (closed(name), for_ms),
            )
            for one in buyer_ids
        ]
        return dict(zip(buyer_ids, map(standing_of, await self._all(calls)), strict=True))

    async def restore(
        self, wanted: Sequence[Restored], name: str, epoch: str, now_us: int
    ) -> list[str]:
        """Put buyers right that were closed by this name; return those that are so no more."""
        until_us = now_us + self._lease_us
        enrolling = [(function.ENROL, (keys.BUYERS,), (one.buyer_id,)) for one in wanted]
        await self._all(enrolling)
        calls = [restoring(one, name, epoch, until_us) for one in wanted]
        replies = await self._all(calls)
        return [one.buyer_id for one, done in zip(wanted, replies, strict=True) if not done]

    async def holders(self, claims: Sequence[Claim]) -> list[list[LeadId | None]]:
        """Return for each claim which lead has each of its keys."""
        calls = [(function.HOLDERS, keys.claims(claim), ()) for claim in claims]
        return [
            [None if holder is None else LeadId(holder.decode()) for holder in reply]
            for reply in await self._all(calls)
        ]

    async def keep(self, kept: Sequence[Kept], *, anew: bool = False) -> None:
        """Let these claims stand, the first first; what another lead has stays that lead's.

        `anew`: while nobody claims, so that a claim of any other lead is of an older copy.
        """
        if not anew:
            for_now = [
                (function.CLAIM, keys.claims(one.claim), (one.claim.lead_id, one.left_ms))
                for one in kept
            ]
            await self._all(for_now)
            return
        calls = [
            (function.KEEP_CLAIM, keys.claims(one.claim), (one.claim.lead_id, one.left_ms, ALL))
            for one in reversed(kept)
        ]
        await self._all(calls)

    async def owners(self, asked: Sequence[Asked]) -> list[LeadId | None]:
        """Return whose each request is."""
        calls = [(function.OWNER, (name_of(one.key),), ()) for one in asked]
        return [
            None if reply is None else LeadId(reply.decode()) for reply in await self._all(calls)
        ]

    async def recall(self, asked: Sequence[Asked], *, anew: bool = False) -> None:
        """Remember these requests, where they were lost; `anew`: or another's record stands."""
        other = ALL if anew else ""
        calls = [
            (
                function.RECALL,
                (name_of(one.key),),
                (one.lead_id, one.worker, one.left_ms, "done" if one.has_ended else "", other),
            )
            for one in asked
        ]
        await self._all(calls)

    async def _all(
        self, calls: Sequence[tuple[function.Function, Any, Any]], server: str = ""
    ) -> list[Any]:
        """Make these calls; where `server` names one, none of them is made in another: [0]."""
        replies: list[Any] = []
        for start in range(0, len(calls), AT_ONCE):
            if server not in {"", self._link.server}:
                return [0]
            part = calls[start : start + AT_ONCE]
            # What waits for a connection fails where that comes up to another server.
            replies += await asyncio.gather(*[self._link.call(*call) for call in part])
        return replies


def milliseconds(for_s: float | None) -> int | str:
    """Return a time as the functions take it; '' where it has no end."""
    return "" if for_s is None else round(for_s * 1000)


def closed(name: str) -> str:
    """Return what the epoch of a part says while it is closed under this name."""
    return f"{CLOSED}{name}"


def restoring(
    restored: Restored, name: str, epoch: str, until_us: int
) -> tuple[function.Function, Sequence[str], Sequence[str | int]]:
    """Return the call that puts a buyer right, with leases until then."""
    buyer_id = restored.buyer_id
    arguments: list[str | int] = [closed(name), epoch, len(restored.settled), len(restored.gone)]
    for counter, amount in restored.settled.items():
        arguments += (counter, amount)
    arguments += restored.gone
    for hold in restored.holds:
        arguments += (hold.sale_id, record_of(hold, until_us), until_us)
    touched = (
        keys.counters(buyer_id),
        keys.holds(buyer_id),
        keys.leases(buyer_id),
        keys.epoch(keys.tag(buyer_id)),
        *(keys.ended(buyer_id, hold.sale_id) for hold in restored.holds),
    )
    return function.RESTORE, touched, arguments


def standing_of(reply: Sequence[Sequence[bytes]]) -> Standing:
    """Return what a buyer's counters and holds say, from both hashes."""
    settled, held = settled_and_held(reply[0])
    records = {
        SaleId(sale_id.decode()): record.decode().split("\n")
        for sale_id, record in zip(reply[1][::2], reply[1][1::2], strict=True)
    }
    return Standing(settled, held, leads_by_sale(reply[1]), records)


def record_of(hold: Hold, until_us: int) -> str:
    """Return a hold as hold.lua packs it."""
    lines = [
        part for line in hold.lines for part in (line.counter, str(line.amount), kind_of(line))
    ]
    return "\n".join((hold.lead_id, "", str(until_us), *lines))
