"""The fleet: one listening socket, a buyer behind each path, all their books in one place."""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from bidders.fleet import books
from bidders.fleet.books import Book, Received
from bidders.fleet.buyer import Buyer
from bidders.fleet.connection import Connection, Request
from bidders.fleet.reply import NO_CONTENT, Reply, message
from bidders.fleet.spec import BuyerSpec, checked

BACKLOG = 4096
BOOKS_PATH = "/_fleet/books"
WEBHOOKS_PATH = "/_fleet/webhooks"
STATUS_PATH = re.compile(r"/(?P<buyer>[^/]+)/status/(?P<sale>[^/]+)")
WEBHOOKS_KEPT = 1000
HEARD = Reply(NO_CONTENT)
UNKNOWN = Reply(message(b'{"error":"no such buyer"}', 404))
WRONG_METHOD = Reply(message(b'{"error":"POST here"}', 405))


class Listening(msgspec.Struct, frozen=True):
    """Where a fleet listens; port 0 is any free one, `tls` makes it HTTPS."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None


ANY_PORT = Listening()


class Desk(msgspec.Struct, frozen=True):
    """Who answers at one path, and in whose book it is written."""

    book: Book
    ask: Callable[[Mapping[str, str], bytes], Reply | None]


class Fleet:
    """Buyers that answer at `{base_url}/{id}/ping` and `/post` while the `async with` lasts.

    What became of a sale they say at `{base_url}/{id}/status/{sale_id}`; notices of their bids
    they hear at `{base_url}/{id}/notices`.

    Every number and fault comes from the seed, the buyer's id and the ping's or sale's id.
    `books` has each buyer's record, with its last `keep` requests whole; `GET /_fleet/books`
    is all of it but the requests, as JSON.
    """

    def __init__(
        self,
        specs: Iterable[BuyerSpec],
        seed: int = 0,
        *,
        keep: int = 0,
        listening: Listening = ANY_PORT,
    ) -> None:
        self.specs = {spec.id: spec for spec in checked(specs)}
        self.seed = seed
        self.keep = keep
        self.listening = listening
        self.port = listening.port
        self.books = {name: Book(keep) for name in self.specs}
        self.desks: dict[str, Desk] = {}
        self.buyers: dict[str, Buyer] = {}
        self.webhooks: deque[bytes] = deque(maxlen=WEBHOOKS_KEPT)
        """What sellers were told at `WEBHOOKS_PATH`, the latest."""
        for spec in self.specs.values():
            self.change(spec)
        self.connections: set[Connection] = set()
        self.heard = asyncio.Event()

    @property
    def base_url(self) -> str:
        """Where the fleet is, without a slash at the end."""
        scheme = "http" if self.listening.tls is None else "https"
        return f"{scheme}://{self.listening.host}:{self.port}"

    def ping_url(self, buyer: str) -> str:
        """Return where this buyer hears pings."""
        return f"{self.base_url}/{self.specs[buyer].id}/ping"

    def post_url(self, buyer: str) -> str:
        """Return where this buyer hears posts."""
        return f"{self.base_url}/{self.specs[buyer].id}/post"

    def status_url(self, buyer: str) -> str:
        """Return where this buyer is asked about a sale, as the market file has it."""
        return f"{self.base_url}/{self.specs[buyer].id}/status/{{sale.id}}"

    def change(self, spec: BuyerSpec) -> None:
        """Let the buyer of this id behave otherwise from the next request on; its book goes on."""
        book = self.books[spec.id]
        self.specs[spec.id] = spec
        buyer = Buyer(spec, self.seed, book)
        self.buyers[spec.id] = buyer
        self.desks[f"/{spec.id}/ping"] = Desk(book, buyer.ping)
        self.desks[f"/{spec.id}/post"] = Desk(book, buyer.post)
        self.desks[f"/{spec.id}/notices"] = Desk(book, buyer.hear)

    async def received(self, buyer: str, *, pings: int = 0, posts: int = 0, asked: int = 0) -> Book:
        """Return this buyer's book as soon as it counts so many pings, posts and questions."""
        book = self.books[buyer]
        while book.pings < pings or book.posts < posts or book.asked < asked:
            self.heard.clear()
            await self.heard.wait()
        return book

    async def __aenter__(self) -> Self:
        """Listen; raises OSError where the port is taken."""
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.answer, self.connections),
            self.listening.host,
            self.listening.port,
            backlog=BACKLOG,
            ssl=self.listening.tls,
        )
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no connection behind, however little was answered."""
        self.server.close()
        lasting = [connection.closed for connection in self.connections]
        for connection in tuple(self.connections):
            connection.transport.abort()
        await asyncio.gather(*lasting)
        await self.server.wait_closed()

    def hear(self, request: Request) -> Reply:
        """Take what a seller is told; any seller, for the demo has no endpoints of theirs."""
        self.webhooks.append(request.body)
        self.heard.set()
        return HEARD

    def told(self, request: Request) -> Reply | None:
        """Return what is asked by GET: the books, or what became of a buyer's sale."""
        if request.path == BOOKS_PATH:
            return Reply(message(books.encode(self.seed, self.books)))
        asked = STATUS_PATH.fullmatch(request.path.partition("?")[0])
        buyer = None if asked is None else self.buyers.get(asked["buyer"])
        if asked is None or buyer is None:
            return UNKNOWN
        if self.keep:
            headers = tuple(request.headers.items())
            buyer.book.requests.append(Received(request.path, headers, request.body))
        reply = buyer.status(request.headers, asked["sale"])
        self.heard.set()
        return reply

    def answer(self, request: Request) -> Reply | None:
        """Return what the addressed buyer says, None where it says nothing."""
        desk = self.desks.get(request.path.partition("?")[0])
        if desk is None:
            return self.hear(request) if request.path == WEBHOOKS_PATH else self.told(request)
        if request.method != "POST":
            return WRONG_METHOD
        if self.keep:
            headers = tuple(request.headers.items())
            desk.book.requests.append(Received(request.path, headers, request.body))
        reply = desk.ask(request.headers, request.body)
        self.heard.set()
        return reply
