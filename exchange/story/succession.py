"""Who is tried after whom: asking for the next bid says that the one before came to nothing."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Self

from exchange.domain.bid import Bid
from exchange.story.ending import Course
from exchange.story.turning import Turning


class Succession:
    """Bids one after the other, in the order in which they stand."""

    def __init__(self, bids: Sequence[Bid]) -> None:
        """Take the bids, best first."""
        self._left = list(bids)

    @property
    def left(self) -> tuple[Bid, ...]:
        """Return those who stand after the one that was given out last."""
        return tuple(self._left)

    def __aiter__(self) -> Self:
        """Return itself: it is gone through once."""
        return self

    async def __anext__(self) -> Bid:
        """Return the next bid."""
        await self.renew()
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)

    async def renew(self) -> None:
        """Set right what is left, before the next one is taken."""


class InTurn(Succession):
    """Bids by whose turn it is: each attempt is a turn."""

    def __init__(
        self,
        bids: Sequence[Bid],
        turning: Turning,
        course: Course,
        posted_to: Collection[str],
        told: Callable[[Sequence[Bid]], None],
        *,
        is_promised: bool,
    ) -> None:
        """Take the bids; `is_promised`: a quote chose the first of them.

        `told` hears the order of the first turn.
        """
        super().__init__(bids)
        self._turning = turning
        self._course = course
        self._posted_to = posted_to
        self._told = told
        self._is_promised = is_promised
        self._tried: Bid | None = None

    async def renew(self) -> None:
        """Take a turn among those who can still have it; whose buyer was sent the lead cannot."""
        if self._course.out_of_time or self._course.voided:
            return
        refused = ""
        if self._tried is not None and self._was_sent(self._tried):
            refused = self._tried.offer.id
        if not self._left:
            if refused:
                await self._turning.ends_refused(refused)
            return
        if any(map(self._was_sent, self._left)):
            self._left.sort(key=lambda bid: not self._was_sent(bid))  # named next, without a turn
            return
        chosen = self._left[0].offer.id if self._is_promised and self._tried is None else ""
        self._left = list(await self._turning.take(self._left, refused=refused, chosen=chosen))
        if self._tried is None and not self._is_promised:
            self._told(tuple(self._left))
        self._tried = self._left[0]

    def _was_sent(self, bid: Bid) -> bool:
        return bid.offer.buyer.id in self._posted_to


class Joined(Succession):
    """Bids of an auction that was decided early: who answered since then joins those left."""

    def __init__(
        self,
        bids: Sequence[Bid],
        late: Callable[[Sequence[Bid]], Sequence[Bid]],
        hear_out: Callable[[], Awaitable[None]],
    ) -> None:
        """Take the bids; `late` puts those left and the new ones in their order."""
        super().__init__(bids)
        self._late = late
        self._hear_out = hear_out
        self._begun = False

    async def renew(self) -> None:
        """Let those join who answered meanwhile; where nobody is left, wait for the silent."""
        if not self._begun:
            self._begun = True
            if self._left:
                return
        self._left = list(self._late(self._left))
        if not self._left:
            await self._hear_out()
            self._left = list(self._late(()))
