"""Idempotency keys: of all requests with the same one, a single one runs, the others hear its end.

Whoever waits is woken up by the end of the first, from whichever worker it comes; nobody polls. The
key's owner is a lead id: what a worker finishes or forgets late, after another lead took the key
over, changes nothing.
"""

import asyncio
from collections import defaultdict
from typing import Any

import msgspec

from exchange.domain.ids import LeadId
from exchange.market import keys
from exchange.market.caller import Caller
from exchange.market.function import AWAIT, BEGIN, FINISH, FORGET
from exchange.market.insisting import Insist, any_epoch

CHANNEL = "once"


class OnceKey(msgspec.Struct, frozen=True):
    """An Idempotency-Key of one account and path, without its text."""

    account: str
    """`seller:fastquotes`; the hash tag."""
    digest: bytes
    """Of account, path and key."""


class New(msgspec.Struct, frozen=True):
    """This request is the first: it runs, and then finishes or forgets the key."""


class Running(msgspec.Struct, frozen=True):
    """The first request is under way, or was cut off: the ledger knows, by its lead."""

    lead_id: LeadId
    worker: str


class Done(msgspec.Struct, frozen=True):
    """The first request was answered."""

    lead_id: LeadId
    answer: bytes | None
    """The answer that was kept; None: the ledger knows it, by the lead."""


class OtherBody(msgspec.Struct, frozen=True):
    """The key was used for another request: 422."""


class Once:
    """The keys of all accounts, in market state, for a day from their first request."""

    def __init__(
        self, link: Caller, *, worker: str, kept_s: int, insist: Insist | None = None
    ) -> None:
        self._link = link
        self._insist = insist or any_epoch
        self._worker = worker
        self._kept_ms = kept_s * 1000
        # In the order in which they came: a set's would be that of their addresses.
        self._waiting: dict[bytes, dict[asyncio.Future[None], None]] = defaultdict(dict)
        link.listen(CHANNEL, self._hear)

    async def begin(
        self, key: OnceKey, body: bytes, lead_id: LeadId
    ) -> New | Running | Done | OtherBody:
        """Begin the first request of this key, or tell what became of it.

        `body` is a digest of the raw body and its content type; `lead_id` is what the request's
        lead will be called.
        """
        touched = name_of(key), keys.epoch(key.account)

        def ask(epoch: str) -> asyncio.Future[list[Any]]:
            arguments = (body, lead_id, self._worker, self._kept_ms, epoch)
            return self._link.call(BEGIN, touched, arguments)

        reply = await self._insist(ask)
        state = read(reply)
        assert state is not None, "a key that nobody knows is new"
        return state

    async def finish(self, key: OnceKey, lead_id: LeadId, answer: bytes = b"") -> bool:
        """Keep an answer, or that the ledger knows it; False where the key is not this lead's."""
        return bool(await self._link.call(FINISH, (name_of(key),), (lead_id, answer, CHANNEL)))

    async def forget(self, key: OnceKey, lead_id: LeadId) -> bool:
        """Let the next request begin anew: for answers that are not kept, and a first one lost."""
        return bool(await self._link.call(FORGET, (name_of(key),), (lead_id, CHANNEL)))

    async def ended(self, key: OnceKey, timeout_s: float) -> Running | Done | None:
        """Wait for the end of the first request: Done, or Running if it took too long.

        None where it was forgotten: begin again. Errors: MarketUnavailable.
        """
        name = name_of(key)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            woken: asyncio.Future[None] = loop.create_future()
            # Wait first, then ask: an end in between is announced to us already.
            waiting = self._waiting[name.encode()]
            waiting[woken] = None
            try:
                state = read(await self._link.call(AWAIT, (name,)))
                if not isinstance(state, Running) or loop.time() >= end:
                    assert not isinstance(state, (New, OtherBody)), "who waits has begun nothing"
                    return state
                await asyncio.wait((woken,), timeout=end - loop.time())
            finally:
                waiting.pop(woken, None)
                if not waiting:
                    self._waiting.pop(name.encode(), None)

    def _hear(self, message: bytes | None) -> None:
        names = tuple(self._waiting) if message is None else (message,)
        for name in names:
            for woken in self._waiting.get(name, ()):
                if not woken.done():
                    woken.set_result(None)


def name_of(key: OnceKey) -> str:
    """Return the name of the key's record."""
    return keys.once(key.account, key.digest)


def read(reply: list[Any]) -> New | Running | Done | OtherBody | None:
    """Return what a key's record says; None where there is none."""
    match reply:
        case [b"new"]:
            return New()
        case [b"running", lead_id, worker]:
            return Running(LeadId(lead_id.decode()), worker.decode())
        case [b"done", lead_id, answer]:
            return Done(LeadId(lead_id.decode()), answer or None)
        case [b"other_body"]:
            return OtherBody()
    return None
