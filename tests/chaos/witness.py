"""The buyers' book: every post as it was received and what was decided, kept beside the fleet's."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from bidders.fleet import Fleet
from bidders.fleet.fleet import Desk
from bidders.fleet.reply import Reply
from tests.chaos.books import Post

Ask = Callable[[Mapping[str, str], bytes], Reply | None]
MICROS = 1_000_000


class Person(msgspec.Struct):
    """What of a lead tells who it is."""

    phone: str


class Body(msgspec.Struct):
    """What of a post this book keeps."""

    sale_id: str
    price: Decimal
    lead: Person


class Witness:
    """Stands behind every buyer of a fleet and writes down its posts.

    `trap` holds the answer to the next post back that a buyer would have accepted, and tells of
    it: whoever is killed then is killed between post and outcome.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.posts: list[Post] = []
        self.read = msgspec.json.Decoder(Body).decode
        self.trapped: asyncio.Future[Post] | None = None
        for path, desk in list(fleet.desks.items()):
            buyer, _, what = path.strip("/").partition("/")
            if what == "post":
                fleet.desks[path] = Desk(desk.book, self.watched(fleet, buyer, desk.ask))

    def trap(self) -> "asyncio.Future[Post]":
        """Hold back the answer to the next post that is accepted; return that post, once it is."""
        assert self.trapped is None or self.trapped.done(), "one trap at a time"
        self.trapped = asyncio.get_running_loop().create_future()
        return self.trapped

    def watched(self, fleet: Fleet, buyer: str, ask: Ask) -> Ask:
        """Return what a buyer answers, with its own book kept and traps set."""

        def asked(headers: Mapping[str, str], body: bytes) -> Reply | None:
            reply = ask(headers, body)
            told = self.read(body)
            belief = str(fleet.books[buyer].sales[told.sale_id].belief)
            is_first = all(post.sale_id != told.sale_id for post in self.posts)
            trap = self.trapped
            holds = trap is not None and not trap.done() and is_first and belief == "accepted"
            post = Post(
                at=time.monotonic(),
                buyer=buyer,
                sale_id=told.sale_id,
                phone=told.lead.phone,
                price=int(told.price * MICROS),
                digest=hashlib.sha256(body).hexdigest(),
                belief=belief,
                answered=reply is not None and not holds,
            )
            self.posts.append(post)
            if holds and trap is not None:
                trap.set_result(post)
                return None
            return reply

        return asked
