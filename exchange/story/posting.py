"""A post and its doubts: sent once, repeated under the same key until the buyer says what it is."""

import asyncio
from collections.abc import Callable

from exchange.delivery.answer import Accepted, InDoubt, PostResult, Refused
from exchange.delivery.delivery import Delivered, Parcel
from exchange.domain.captured import CallKind, Captured
from exchange.domain.events import EventName
from exchange.domain.moment import MomentKind
from exchange.domain.reason import Reason
from exchange.story.chain import Chain
from exchange.story.patience import any_done
from exchange.story.stations import Stations

MS = 0.001
US_PER_MS = 1000


class Posting:
    """One sale's post with its repetitions. All calls carry the same key and the same bytes."""

    def __init__(
        self,
        stations: Stations,
        chain: Chain,
        parcel: Parcel,
        tell: Callable[[InDoubt], str],
    ) -> None:
        """Take the parcel, and how to tell of a doubt without the person; nothing is sent yet.

        A buyer that does not know a repetition again would have the lead twice: it gets none.
        """
        self._stations = stations
        self._chain = chain
        self._parcel = parcel
        self._tell = tell
        self._repeats = parcel.offer.post is None or parcel.offer.post.repeatable
        self._calls: set[asyncio.Task[Delivered]] = set()
        """Under way to the buyer; and, once it is in doubt, the wait for a word from elsewhere."""
        self.ms = 0.0
        """How long the call took that ended last."""

    async def first(self) -> PostResult:
        """Post, and return what came back within the offer's own time; silence is doubt."""
        self._chain.note(
            EventName.POSTED, offer=self._parcel.offer.id, sale_id=self._parcel.sale_id
        )
        post = self._parcel.offer.post
        self._call(repeated=False)
        answer = await self._answer(None if post is None else post.timeout_ms * MS)
        if answer is None:
            self.ms = 0.0 if post is None else float(post.timeout_ms)
            return InDoubt("timeout")
        return answer

    async def resolved(self, in_doubt_max_s: float) -> Accepted | Refused | None:
        """Repeat the post, ever more slowly, until the buyer decides; None: it never did.

        Where it must not be repeated, only what was sent may still be answered. Whatever its buyer
        or an operator says elsewhere meanwhile counts like an answer.
        """
        limits = self._stations.limits
        word = self._stations.word_on(self._parcel.sale_id)
        self._calls.add(asyncio.ensure_future(word))
        give_up_at = self._stations.monotonic() + in_doubt_max_s
        pause_s = limits.repeat_first_s
        while True:
            left_s = give_up_at - self._stations.monotonic()
            decided = await self._decision(min(pause_s, left_s) if self._repeats else left_s)
            if decided is not None:
                return decided
            if not self._repeats or self._stations.monotonic() >= give_up_at:
                return None
            self._chain.note(
                EventName.REPEATED, offer=self._parcel.offer.id, sale_id=self._parcel.sale_id
            )
            # Written as it happens: a doubt may last for minutes, and somebody may be watching.
            await self._chain.write(MomentKind.NOTE)
            self._call(repeated=True)
            pause_s = min(2 * pause_s, limits.repeat_longest_s)

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
                self.stop()
                return result
            if isinstance(result, InDoubt):
                self._undecided(result)
        return None

    def _undecided(self, doubt: InDoubt) -> None:
        """Note an answer to a repetition that decides nothing."""
        self._chain.note(
            EventName.IN_DOUBT,
            offer=self._parcel.offer.id,
            sale_id=self._parcel.sale_id,
            reason=Reason.IN_DOUBT,
            detail=self._tell(doubt),
            ms=round(self.ms, 3),
        )

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
        if delivered.request:
            self._chain.captured(
                Captured(
                    self._parcel.offer.id,
                    CallKind.POST,
                    delivered.request,
                    delivered.status,
                    delivered.answer,
                    at_us=self._stations.now_us() - int(delivered.ms * US_PER_MS),
                )
            )
        return delivered.result

    def _call(self, *, repeated: bool) -> None:
        coroutine = self._stations.delivery.post(self._parcel, repeated=repeated)
        self._calls.add(asyncio.ensure_future(coroutine))
