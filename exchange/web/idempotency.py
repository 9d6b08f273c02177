"""An Idempotency-Key makes a post safe to repeat: one runs, all others hear its answer.

Whatever a first request left behind, by its own failure or its worker's, is settled by the next
one: what the ledger knows is answered, what it does not know is made impossible and run again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from exchange.domain.ids import LeadId
from exchange.domain.keyed import hmac_sha256
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from exchange.market.once import Done, New, OnceKey, OtherBody, Running
from exchange.web.answers import encode
from exchange.web.doors import Doors
from exchange.web.heads import IDEMPOTENCY_KEY
from exchange.web.problems import DeniedError, Kind
from exchange.web.under_way import ClosingError

logger = structlog.get_logger()

KEY_LENGTH_MAX = 255
OTHER_BODY = (
    "this key came with another body before: take another key for another lead;"
    " a repetition is the first request, byte for byte"
)
BROKEN_OFF_MAX = 10_000
OUTAGES = (LedgerUnavailable, MarketUnavailable)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One post that carries an Idempotency-Key."""

    key: OnceKey
    body: bytes
    """Digest of the raw body and its content type."""
    owner: LeadId
    """Of this one request alone; of a direct post its lead's id."""
    until_s: float
    """Its answer deadline, by the loop's clock."""
    is_lead: bool
    """The ledger knows its answer by the lead; otherwise the answer itself is kept."""
    quote_id: LeadId | None = None
    """Of the post of a quote: the lead that all its repetitions share."""

    @property
    def sells_once_anyway(self) -> bool:
        """Running it again sells nothing twice: a ping sells nothing, a quote is used once."""
        return not self.is_lead or self.quote_id is not None

    def lead_of(self, owner: LeadId) -> LeadId:
        """Return which lead the ledger knows for the request of this owner."""
        return self.quote_id or owner


def once_key(path: str, account: str, text: str | None, secret: bytes) -> OnceKey | None:
    """Return what stands for the text of this account's key for a path; None where it has none."""
    return None if text is None else named(account, path, checked_key(text), secret)


def checked_key(text: str) -> str:
    """Return the text of a key; raise 400 where it can be none."""
    if not 0 < len(text) <= KEY_LENGTH_MAX or not text.isprintable():
        raise DeniedError(
            Kind.UNREADABLE, f"{IDEMPOTENCY_KEY} must be 1 to {KEY_LENGTH_MAX} printable characters"
        )
    return text


def named(account: str, path: str, text: str, secret: bytes) -> OnceKey:
    """Return what stands for a key of this account and path."""
    told = f"{account}\0{path}\0{text}".encode(errors="surrogateescape")
    return OnceKey(f"seller:{account}", hmac_sha256(secret, told))


def body_digest(content_type: str, body: bytes, secret: bytes) -> bytes:
    """Return what two requests must share to be one: the raw body and its media type.

    A type's parameters do not count: libraries say a charset the one time and not the other.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    return hmac_sha256(secret, b"%b\0%b" % (media_type.encode(), body))


SELLS_WITHIN_S = 0.1
"""A story that is left less than this after a wait is not begun: it could ask nobody."""

LOOKS_EVERY_S = 1.0
"""How often whoever waits for a first request looks whether it was cut off."""


class Repeats:
    """Runs posts with an Idempotency-Key, each once."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.running: set[LeadId] = set()
        """What this worker runs now: a key of ours for anything else was cut off."""
        self.broken_off: deque[Attempt] = deque(maxlen=BROKEN_OFF_MAX)
        """Requests that an outage ended, whose keys are freed once it is over."""
        self.freeing: asyncio.Task[None] | None = None

    async def run(self, attempt: Attempt, first: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the encoded answer of the one request of this key that ran.

        Raises `DeniedError`: 422 for another body, 409 while the first is under way at the answer
        deadline, and whatever the first one itself ends with.
        """
        self.running.add(attempt.owner)
        try:
            while True:
                answer = await self.attempt(attempt, first)
                if answer is not None:
                    return answer
                if attempt.until_s - asyncio.get_running_loop().time() < SELLS_WITHIN_S:
                    # The key is free: the next try has its whole time, this one has waited it out.
                    raise self.under_way()
        finally:
            self.running.discard(attempt.owner)

    async def attempt(
        self, attempt: Attempt, first: Callable[[], Awaitable[bytes]]
    ) -> bytes | None:
        """Begin, repeat or follow; None where the key was freed meanwhile: try again."""
        asking = self.doors.story.asking
        asking[attempt.owner] = attempt.lead_of(attempt.owner)
        try:
            state = await self.ask(attempt)
            if isinstance(state, New):
                return await self.begin(attempt, first)
        finally:
            del asking[attempt.owner]
        match state:
            case Done():
                return await self.repeat(attempt, state)
            case Running():
                return await self.follow(attempt, state)
            case OtherBody():
                raise DeniedError(Kind.KEY_REUSED, OTHER_BODY)

    async def ask(self, attempt: Attempt) -> New | Running | Done | OtherBody:
        """Begin the first request of this key, or hear what became of it."""
        try:
            return await self.doors.once.begin(attempt.key, attempt.body, attempt.owner)
        except MarketUnavailable:
            self.free_later(attempt)  # it may have begun: a server that hangs does it afterwards
            raise

    async def begin(self, attempt: Attempt, first: Callable[[], Awaitable[bytes]]) -> bytes:
        """Run the first request and keep its answer, unless it is one that is not kept."""
        try:
            answer = await first()
        except OUTAGES:
            self.free_later(attempt)
            raise
        except Exception as error:
            await self.give_up(attempt, error)
            raise
        await self.keep(attempt, answer)
        return answer

    async def keep(self, attempt: Attempt, answer: bytes) -> None:
        """Keep the answer; where that fails, whoever repeats the request asks the ledger."""
        kept = b"" if attempt.is_lead else answer
        try:
            await self.doors.once.finish(attempt.key, attempt.owner, kept)
        except Exception as error:  # the answer is true and durable with or without it
            logger.warning("answer not kept", owner=attempt.owner, exc_info=error)

    async def give_up(self, attempt: Attempt, error: Exception) -> None:
        """Free the key for another try, if the first one cannot sell anything any more."""
        try:
            await self.release(attempt, attempt.owner)
        except Exception as failure:  # the request's own failure is the one to tell
            logger.warning(
                "key not freed", owner=attempt.owner, first=type(error).__name__, exc_info=failure
            )

    def free_later(self, attempt: Attempt) -> None:
        """Free the key when the stores are back: a seller hears of an outage without delay."""
        self.broken_off.append(attempt)
        if self.freeing is None or self.freeing.done():
            self.freeing = self.doors.under_way.spawn(self.free_broken_off())

    async def free_broken_off(self) -> None:
        """Free the keys of all that an outage ended, as soon as that works."""
        while self.broken_off:
            pause_s = self.doors.limits.retry_after_s / 2
            try:
                await self.doors.under_way.unless_closing(asyncio.sleep(pause_s))
            except ClosingError:
                return
            await self.free_what_can_be()

    async def free_what_can_be(self) -> None:
        """Free the keys one by one, up to the first that a store is not there for."""
        while self.broken_off:
            attempt = self.broken_off.popleft()
            try:
                await self.release(attempt, attempt.owner)
            except OUTAGES:
                self.broken_off.appendleft(attempt)
                return
            except Exception as failure:  # the next request of this key settles it
                logger.warning("key not freed", owner=attempt.owner, exc_info=failure)

    async def release(self, attempt: Attempt, owner: LeadId) -> bool:
        """Forget the key if nothing can come of its request; False where something may."""
        if not attempt.sells_once_anyway and not await self.doors.story.abandon(owner):
            return False
        await self.doors.once.forget(attempt.key, owner)
        return True

    async def repeat(self, attempt: Attempt, done: Done) -> bytes:
        """Return the kept answer, or the lead's, with its status as it is now."""
        if done.answer is not None:
            return done.answer
        standing = await self.doors.story.standing(attempt.lead_of(done.lead_id))
        if standing is None:
            raise self.under_way()
        return encode(standing.answer)

    async def follow(self, attempt: Attempt, first: Running) -> bytes | None:
        """Wait for the first request's answer; None where the key was freed for another try.

        Its end may come from elsewhere: from recovery, which knows of no key, where its worker is
        gone. So now and then the ledger is asked for both.
        """
        lead_id = attempt.lead_of(first.lead_id)
        while (answer := await self.known(attempt, lead_id)) is None:
            left_s = attempt.until_s - asyncio.get_running_loop().time()
            if left_s <= 0 or await self.was_cut_off(first):
                return await self.settle(attempt, first.lead_id)
            state = await self.wait(attempt, min(left_s, LOOKS_EVERY_S))
            if state is None:
                return None
            if isinstance(state, Done):
                return await self.repeat(attempt, state)
        return answer

    async def settle(self, attempt: Attempt, owner: LeadId) -> bytes | None:
        """Answer from the ledger, or free a key whose request left nothing there; 409 else."""
        lead_id = attempt.lead_of(owner)
        answer = await self.known(attempt, lead_id)
        if answer is not None:
            return answer
        nothing_there = not attempt.is_lead or await self.doors.story.standing(lead_id) is None
        if nothing_there and await self.release(attempt, owner):
            return None
        raise self.under_way()

    async def was_cut_off(self, first: Running) -> bool:
        """Tell whether nobody runs the first request any more: its worker is gone, or broke off."""
        if first.worker == self.doors.worker_id:
            return first.lead_id not in self.running
        return await self.doors.is_gone(first.worker)

    async def known(self, attempt: Attempt, lead_id: LeadId) -> bytes | None:
        """Return the answer of a lead that has ended though nobody finished its key."""
        if not attempt.is_lead:
            return None
        standing = await self.doors.story.standing(lead_id)
        if standing is None or standing.is_open:
            return None
        return encode(standing.answer)

    async def wait(self, attempt: Attempt, within_s: float) -> Running | Done | None:
        """Wait for the first request, so long; 409 if the worker closes."""
        try:
            return await self.doors.under_way.unless_closing(
                self.doors.once.ended(attempt.key, within_s)
            )
        except ClosingError:
            raise self.under_way() from None

    def under_way(self) -> DeniedError:
        """Return the 409 that asks for another try."""
        return DeniedError(Kind.UNDER_WAY, retry_after_s=self.doors.limits.retry_after_s)
