"""Buyers as lean as Python goes: every ping is bid for, every post taken, after a set time.

Started as `python -m bench.buyers COUNT LATENCY_MS`; writes its port on standard output, runs until
SIGTERM. They are there to cost little of the core that they share; faults and prices by chance are
the simulated fleet's (`python -m bidders fleet`).
"""

import asyncio
import random
import signal
import socket
import sys
from typing import cast

import uvloop

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
BACKLOG = 4096


def answer(body: bytes) -> bytes:
    """Return a whole answer with this body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


BIDS = [
    answer(b'{"bid":%.2f,"bid_id":"bid-%03d"}' % (min(60.0, price), number))
    for number, price in enumerate(
        random.Random(f"price/{number}").lognormvariate(2.5, 0.3) for number in range(997)
    )
]
"""As many as no number of buyers divides, so that no buyer wins more than its part."""
TAKEN = answer(b'{"accepted":true,"reference":"bench"}')


class Buyer(asyncio.Protocol):
    """One connection; requests on it come one after the other."""

    turn = 0

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport's write."""
        self.write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        data = self.rest + data if self.rest else data
        while (end := data.find(HEAD_END)) >= 0:
            head = data[:end].lower()
            at = head.find(LENGTH) + len(LENGTH)
            whole = end + len(HEAD_END) + int(head[at:].partition(b"\r\n")[0])
            if len(data) < whole:
                break
            self.reply(TAKEN if data[: data.find(b" HTTP/")].endswith(b"/post") else bid())
            data = data[whole:]
        self.rest = data

    def reply(self, whole: bytes) -> None:
        """Answer, after the time that it takes."""
        if self.latency_s:
            asyncio.get_running_loop().call_later(self.latency_s, self.write, whole)
        else:
            self.write(whole)


def bid() -> bytes:
    """Return the next price."""
    Buyer.turn = (Buyer.turn + 1) % len(BIDS)
    return BIDS[Buyer.turn]


async def serve(count: int, latency_s: float) -> None:
    """Serve so many buyers on one free port, each at its own address, until told to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    first = socket.create_server((host_of(1), 0), backlog=BACKLOG)
    port = first.getsockname()[1]
    rest = [
        socket.create_server((host_of(number), port), backlog=BACKLOG)
        for number in range(2, count + 1)
    ]
    for listening in (first, *rest):
        await loop.create_server(lambda: Buyer(latency_s), sock=listening)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stop.wait()


def host_of(number: int) -> str:
    """Return a buyer's own address: to the exchange it is a host of its own, as in life."""
    return f"127.0.1.{number}"


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
