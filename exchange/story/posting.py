"""A post and its doubts: sent once, repeated or asked about until the buyer says what it is."""

import asyncio
from collections.abc import Callable

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused
from exchange.delivery.delivery import Delivered, Parcel
from exchange.domain.captured import Captured
from exchange.domain.events import EventName
from exchange.domain.moment import MomentKind
from exchange.ledger.errors import LedgerUnavailable
from exchange.story.asking import Asking
from exchange.story.chain import Chain
from exchange.story.deciding import OVER
from exchange.story.patience import any_done
from exchange.story.stations import Stations

MS = 0.001
LEDGER_AGAIN_S = 0.5
US_PER_MS = 1000
AT_ONCE_S = 2.0
"""An answer within this time comes before any word on the sale could have been taken unseen: who
says one at the door waits longer to hear what became of it."""


class Posting:
    """One sale's post with its repetitions. All calls carry the same key and the same bytes."""

    def __init__(
        self,
        stations: Stations,
        chain: Chain,
        parcel: Parcel,
        note_doubt: Callable[[InDoubt, float], None],
        asking: Asking | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        """Take the parcel, and what writes a doubt down without the person; nothing is sent yet.

        A buyer that does not know a repetition again would have the lead twice: it gets none.
        `asking`: how the buyer is asked, where it can be.
        """
        self._stations = stations
        self._chain = chain
        self._parcel = parcel
        self._note_doubt = note_doubt
        self.is_shared = is_shared
        """Others may have the lead beside this buyer."""
        self._repeats = parcel.offer.post is None or parcel.offer.post.repeatable
        self._asking = asking
        self._asked_last = False
        self._calls: set[asyncio.Task[Delivered]] = set()
        """Under way to the buyer; and, once it is in doubt, the wait for a word from elsewhere."""
        self._is_over = False
        """It was given up already, by a worker that could not write that down."""
        self.ms = 0.0
        """How long the call took that ended last."""

    async def first(self) -> PostResult:
        """Post, and return what came back within the offer's own time; silence is doubt."""
        self._chain.note(
            EventName.POSTED, offer=self._parcel.offer.id, sale_id=self._parcel.sale_id
        )
        post = self._parcel.offer.post
        sent_at = self._stations.monotonic()
        self._call(repeated=False)
        answer = await self._answer(None if post is None else post.timeout_ms * MS)
        if answer is None:
            self.ms = 0.0 if post is None else float(post.timeout_ms)
            return InDoubt("timeout")
        took_s = self._stations.monotonic() - sent_at
        if isinstance(answer, Accepted | Refused) and took_s >= AT_ONCE_S:
            return await self._standing(answer)
        return answer

    async def resolved(self, in_doubt_max_s: float) -> Accepted | Refused | None:
        """Ask the buyer or repeat the post, ever more slowly, until it decides; None: never.

        A buyer that can be asked is asked first; one that also knows a repetition again gets it in
        turn, for the post may never have come. Where neither is possible, only what was sent may
        still be answered. Whatever its buyer or an operator says elsewhere meanwhile counts like
        an answer.
        """
        limits = self._stations.limits
        if self._asking is not None and self._asking.reference:
            # At once: whoever goes on after a crash asks by it.
            await self._chain.write(MomentKind.NOTE)
        word = self._stations.word_on(self._parcel.sale_id)
        self._calls.add(asyncio.ensure_future(word))
        give_up_at = self._stations.monotonic() + in_doubt_max_s
        pause_s = limits.repeat_first_s
        while True:
            left_s = give_up_at - self._stations.monotonic()
            tries = self._repeats or self._asking is not None
            decided = await self._decision(min(pause_s, left_s) if tries else left_s)
            if decided is not None:
                return decided
            if self._is_over:
                return None
            if not tries or self._stations.monotonic() >= give_up_at:
                return await self._last_word()
            await self._try_again()
            pause_s = min(2 * pause_s, limits.repeat_longest_s)

    async def last_word(self) -> Accepted | Refused | None:
        """Return what was said of the sale elsewhere; None: nothing, and nothing counts any more.

        Errors: LedgerUnavailable.
        """
        return await self._stations.last_word(self._parcel.sale_id)

    async def _last_word(self) -> Accepted | Refused | None:
        """Return the same once the ledger says it; it may know already that nothing counts."""
        while True:
            try:
                return await self.last_word()
            except LedgerUnavailable:
                await asyncio.sleep(LEDGER_AGAIN_S)

    async def _try_again(self) -> None:
        """Ask, or repeat: in turns where both are possible."""
        asking = self._asking
        can_ask = asking is not None and asking.is_possible
        self._asked_last = can_ask and not (self._repeats and self._asked_last)
        if not self._asked_last and not self._repeats:
            return  # nothing to ask by: its reference may still come with the answer to the post
        event = EventName.STATUS_ASKED if self._asked_last else EventName.REPEATED
        self._chain.note(event, offer=self._parcel.offer.id, sale_id=self._parcel.sale_id)
        # Written as it happens: a doubt may last for minutes, and somebody may be watching.
        await self._chain.write(MomentKind.NOTE)
        if asking is not None and self._asked_last:
            self._calls.add(asyncio.ensure_future(asking.ask()))
        else:
            self._call(repeated=True)

    async def _standing(self, answer: Accepted | Refused) -> Accepted | Refused:
        """Return what counts of an answer that took long: a contrary word may have been taken.

        Its buyer, or an operator, was told that it stands, while nobody heard this answer: the
        worker stood still. Errors: LedgerUnavailable; the answer could not be written either.
        """
        said = await self._stations.said(self._parcel.sale_id)
        return answer if said is None or type(said) is type(answer) else said

    async def late_acceptance(self) -> Accepted | None:
        """Wait for what the first call still brings, after the sale was given up."""
        result = await self._answer(None)
        self.stop()
        return result if isinstance(result, Accepted) else None

    def stop(self) -> None:
        """Wait for no answer any more."""
        for call in self._calls:
            call.cancel()
        self._calls.clear()

    async def _decision(self, within_s: float) -> Accepted | Refused | None:
        """Return an explicit answer that comes within this time, from whichever call."""
        until = self._stations.monotonic() + within_s
        while (left_s := until - self._stations.monotonic()) > 0:
            if not self._calls:
                await asyncio.sleep(left_s)
                return None
            result = await self._answer(left_s)
            if isinstance(result, Accepted | Refused):
                standing = await self._standing(result)
                self.stop()
                return standing
            if result is OVER:
                self._is_over = True
                return None
            if isinstance(result, InDoubt):
                self._note_doubt(result, self.ms)
        return None

    async def _answer(self, within_s: float | None) -> PostResult | None:
        """Return the next answer of any call under way, or None where none comes in time."""
        if not self._calls:
            return None
        await any_done(self._calls, within_s)
        ended = [call for call in self._calls if call.done()]
        self._calls.difference_update(ended)
        results = [self._note(call.result()) for call in ended]
        decided = [one for one in results if isinstance(one, Accepted | Refused)]
        return (decided or results or [None])[0]

    def _note(self, delivered: Delivered) -> PostResult:
        """Keep the exact bytes of a call that ended."""
        self.ms = delivered.ms
        result = delivered.result
        if self._asking is not None and isinstance(result, InDoubt) and result.reference:
            self._asking.reference = result.reference
        if delivered.request:
            self._chain.captured(
                Captured(
                    self._parcel.offer.id,
                    delivered.kind,
                    delivered.request,
                    delivered.status,
                    delivered.answer,
                    at_us=self._stations.now_us() - int(delivered.ms * US_PER_MS),
                )
            )
        return result

    def _call(self, *, repeated: bool) -> None:
        coroutine = self._stations.delivery.post(self._parcel, repeated=repeated)
        self._calls.add(asyncio.ensure_future(coroutine))
