"""A simulated Valkey: the very same .lua files over a small store, behind RESP on a simulated wire.

The exchange's real link speaks to it, byte by byte: what is coalesced, repeated after a break or
given up is the product's own doing. Commands of one connection are done in their order. Faults
are arranged from outside: a server that hangs and does later what its callers gave up, a
connection that breaks before or after the server did what it was asked, data lost or older.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import hiredis

from tests.simulation.loop import Process, World

STORE = (Path(__file__).parent / "store.lua").read_text(encoding="utf-8")
LUA = "luajit21"
"""Speaks Lua 5.1 as a Valkey's own does, in less time: the interpreter alone, it compiles nothing.

Under `lua51`, the very code that is in a Valkey, a seed has the same history; a test says so.
"""

HELLO = b"%2\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
OK = b"+OK\r\n"
INFO = b"run_id:%d\r\nmaster_replid:one\r\n"
NOSCRIPT = b"-NOSCRIPT No matching script.\r\n"


class Transport(asyncio.Transport):
    """The client's end of one connection to the server."""

    def __init__(self, server: "Valkey", process: Process, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.server = server
        self.process = process
        self.protocol = protocol
        self.requests = hiredis.Reader(notEnoughData=server)
        self.channels: set[bytes] = set()
        self.is_open = True
        self.is_broken = False
        self.arrives_at = self.replied_at = 0.0
        self.sent: deque[bytes] = deque()
        self._answered: deque[bytes] = deque()
        # Streams: whatever is run first brings what was sent first.

    def write(self, data: bytes) -> None:
        if self.is_open and not self.process.is_dead:
            self.arrives_at = max(self.arrives_at, self.server.world.now + self.server.delay_s())
            self.sent.append(bytes(data))
            self.server.world.call_at(self.arrives_at, self.server.hear, self)

    def abort(self) -> None:
        """End the connection; what was written is still heard by the server."""
        if self.is_open:
            self.is_open = False
            self.server.connections.discard(self)
            self.process.call_soon(self.protocol.connection_lost, None)

    close = abort

    def is_closing(self) -> bool:
        return not self.is_open

    def break_off(self) -> None:
        """Let the connection end from the server's side."""
        self.is_broken = True
        if self.is_open:
            self.is_open = False
            self.server.connections.discard(self)
            self.process.call_soon(self.protocol.connection_lost, ConnectionResetError("reset"))

    def answer(self, data: bytes) -> None:
        """Send the client something, after all that was sent before."""
        world = self.server.world
        self.replied_at = max(self.replied_at, world.now + self.server.delay_s())
        self._answered.append(data)
        self.process.call_at(self.replied_at, self._receive)

    def _receive(self) -> None:
        if self.is_open:
            self.protocol.data_received(self._answered.popleft())

    # A set of connections is walked in the order of their numbers.
    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class Valkey:
    """One server. `now_us` gives its own clock, `delay_s` how long a packet takes."""

    def __init__(
        self,
        world: World,
        now_us: Callable[[], int],
        delay_s: Callable[[], float],
        lua: str = LUA,
    ) -> None:
        self.world = world
        self.now_us = now_us
        self.delay_s = delay_s
        self.chance = Random(world.chance.random())
        self.connections: set[Transport] = set()
        self.is_up = True
        self.hangs_until = 0.0
        self.cuts = 0
        """So many of the next packets meet a connection that breaks, before or after they count."""
        self.life = 1
        """Counts its processes; each has a run id of its own."""
        self.runtime = import_module(f"lupa.{lua}").LuaRuntime(
            encoding=None, register_eval=False, unpack_returned_tuples=False
        )
        self.store = self.runtime.execute(STORE.encode())
        self._call = self.store[b"call"]
        self._command = self.store[b"command"]
        self._served = 0

    async def connect(self, process: Process, factory: Callable[[], Any]) -> tuple[Any, Any]:
        await asyncio.sleep(self.delay_s())
        if not self.is_up:
            raise ConnectionRefusedError("nobody listens")
        protocol = factory()
        transport = Transport(self, process, protocol)
        self._served += 1
        transport.number = self._served
        self.connections.add(transport)
        protocol.connection_made(transport)
        return transport, protocol

    # What the server does

    def hear(self, transport: Transport) -> None:
        """Do what arrived, and reply; a hanging server does it when it goes on."""
        if self.world.now < self.hangs_until:
            self.world.call_at(self.hangs_until, self.hear, transport)
            return
        data = transport.sent.popleft()
        if not self.is_up or transport.is_broken:
            return
        cut_before, cut_after = False, False
        if self.cuts:
            self.cuts -= 1
            cut_before = self.chance.random() < 1 / 2
            cut_after = not cut_before
        if cut_before:
            transport.break_off()
            return
        transport.requests.feed(data)
        replies = []
        while (request := transport.requests.gets()) is not self:
            replies.append(self._serve(transport, request))
        if cut_after:
            transport.break_off()
        elif replies and transport.is_open:
            transport.answer(b"".join(replies))

    def _serve(self, transport: Transport, request: list[bytes]) -> bytes:
        match request[0]:
            case b"EVALSHA":
                reply = self._call(self.now_us() // 1000, request[1], int(request[2]), *request[3:])
                return NOSCRIPT if reply is None else self._announced(reply)
            case b"SCRIPT":
                return self._load(request[2])
            case b"HELLO":
                return HELLO
            case b"SELECT":
                return OK
            case b"INFO":
                info = INFO % self.life
                return b"$%d\r\n%s\r\n" % (len(info), info)
            case b"SUBSCRIBE":
                transport.channels.update(request[1:])
                return b"".join(
                    b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(one), one)
                    for one in request[1:]
                )
        return self._announced(self._command(self.now_us() // 1000, *request))

    def _load(self, source: bytes) -> bytes:
        digest = digest_of(source)
        self.store[b"load"](digest, source)
        return b"$%d\r\n%s\r\n" % (len(digest), digest)

    def _announced(self, reply: Any) -> bytes:
        """Return the reply alone, having told who listens of what was published with it."""
        if isinstance(reply, tuple):
            reply, published = reply
            self._announce(published)
        assert isinstance(reply, bytes), "the store replies in RESP"
        return reply

    def _announce(self, published: Any) -> None:
        for pair in published.values():
            channel, message = pair[1], pair[2]
            push = b">3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
                len(channel), channel, len(message), message,
            )  # fmt: skip
            for transport in sorted(self.connections, key=lambda one: one.number):
                if channel in transport.channels:
                    transport.answer(push)

    # What may befall it

    def hang(self, for_s: float) -> None:
        """Do nothing for a while; then do all that was asked meanwhile."""
        self.hangs_until = max(self.hangs_until, self.world.now + for_s)

    def cut(self, packets: int) -> None:
        """Let so many of the next packets meet a connection that breaks."""
        self.cuts += packets

    def go_down(self) -> None:
        """Refuse everybody, until it comes up again."""
        self.is_up = False
        for transport in sorted(self.connections, key=lambda one: one.number):
            transport.break_off()
        self.store[b"forget_functions"]()

    def come_up(self) -> None:
        self.life += not self.is_up
        self.is_up = True

    def lose_all(self) -> None:
        """Be as empty as a new one."""
        self.store[b"clear"]()

    def keep(self) -> Callable[[], None]:
        """Return what makes it as it is now: a replica that did not hear of what came since."""
        kept = self.store[b"copy"]()
        return partial(self._go_back, kept)

    def _go_back(self, kept: Any) -> None:
        self.store[b"restore"](kept)

    # What an auditor may look at

    def hashes(self, ending: str) -> dict[str, dict[str, str]]:
        """Return all hashes whose keys end so."""
        flat = list(self.store[b"dump"](self.now_us() // 1000, ending.encode()).values())
        found = {}
        for key, pairs in zip(flat[::2], flat[1::2], strict=True):
            parts = [part.decode() for part in pairs.values()]
            found[key.decode()] = dict(zip(parts[::2], parts[1::2], strict=True))
        return found


def digest_of(source: bytes) -> bytes:
    """Return the name that a Valkey gives a function."""
    import hashlib

    return hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
