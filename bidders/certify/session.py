"""One run: what several checks look at is asked for once."""

import asyncio

from bidders.certify.caller import Asking, Caller, Sale
from bidders.certify.found import Untried
from bidders.certify.seen import Half, Seen, Symptom
from bidders.certify.target import Target

PLAIN_PINGS = 6
PLAIN_POSTS = 2
LATE_MAX = 3
"""After so many pings without an answer, and none with one, no more is sent."""

NO_PING = Untried("no ping URL was named, or the mapping has no ping")
NO_POST = Untried("posts were not to be sent, or the mapping has none")
NOT_SOUND = Untried("plain pings are not answered soundly: mend that first")
NO_SOUND_POST = Untried("plain posts are not answered soundly: mend that first")


class Session:
    """What a run has seen so far, and who asks for more."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._pings: list[Seen] | None = None
        self._posts: list[Seen] | None = None
        self._numbers = PLAIN_PINGS

    @property
    def target(self) -> Target:
        """Return what is called."""
        return self.caller.target

    @property
    def has_ping(self) -> bool:
        """Tell whether the endpoint is asked."""
        return self.target.offer.ping is not None

    async def pings(self) -> list[Seen]:
        """Return the plain pings: well formed, one after the other, each another lead."""
        if self._pings is None:
            self._pings = []
            for number in range(PLAIN_PINGS if self.has_ping else 0):
                seen = await self.caller.ping(Asking(number=number, like=number))
                self._pings.append(seen)
                if [one.symptom for one in self._pings] == [Symptom.LATE] * LATE_MAX:
                    break
        return self._pings

    async def posts(self) -> list[Seen]:
        """Return the plain posts, of other persons each."""
        if self._posts is None:
            self._posts = []
            for _ in range(PLAIN_POSTS if self.target.post else 0):
                seen = await self.caller.post(await self.sale())
                self._posts.append(seen)
                if seen.symptom is Symptom.LATE:
                    break
        return self._posts

    async def plain(self) -> list[Seen]:
        """Return the plain calls of both kinds."""
        return [*await self.pings(), *await self.posts()]

    async def bidding(self) -> bool:
        """Tell whether a plain ping brought a bid."""
        return any(seen.bid is not None for seen in await self.pings())

    async def sound(self, half: Half) -> Untried | None:
        """Say why nothing more can be found out of this half, or None."""
        plain = await (self.pings() if half is Half.PING else self.posts())
        if not plain:
            return NO_PING if half is Half.PING else NO_POST
        if any(seen.sound for seen in plain):
            return None
        return NOT_SOUND if half is Half.PING else NO_SOUND_POST

    def other(self, **how: object) -> Asking:
        """Return another person's lead, of a kind that was bid for where any was."""
        self._numbers += 1
        bid = (n for n, seen in enumerate(self._pings or ()) if seen.bid is not None)
        return Asking(number=self._numbers, like=next(bid, 0), **how)  # type: ignore[arg-type]

    async def sale(self, asking: Asking | None = None) -> Sale:
        """Return a sale to another person: of a bid where one is made, else at the usual price."""
        asking = asking or self.other()
        if await self.sound(Half.PING) is not None:
            return self.caller.sale(asking, None)
        ping = await self.caller.ping(asking)
        return self.caller.sale(asking, ping.bid)

    async def at_once(self, count: int) -> list[Seen]:
        """Return so many pings sent together."""
        return list(await asyncio.gather(*(self.caller.ping(self.other()) for _ in range(count))))
