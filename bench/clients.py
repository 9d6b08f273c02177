"""HTTP clients that ping the same server with the same pings: how much CPU does each one take?

A measurement is one client's process time, user and system, while it does nothing but auctions,
some at a time: encode the pings of one, send them all, wait for all, read and check every bid.
wrk, written in C, sends one such ping again and again and reads nothing but the answer's end.
"""

import asyncio
import importlib
import importlib.util
import math
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench.answering import Answering
from bench.errors import UsageError
from bench.pings import Asking, bids, buyers, calls, is_bid, one_auction
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire

WARM_AUCTIONS = 20
DEADLINE_S = 5.0
WRK_STARTS_S = 0.75
"""So long it takes to read its script and open its connections."""
HEADERS = {"Content-Type": "application/json"}


class Load(msgspec.Struct, frozen=True):
    """What a client is to do."""

    connections: int
    buyers: int
    seconds: float
    secured: bool
    signed: bool
    core: int

    @property
    def auctions(self) -> int:
        """How many are under way at once."""
        return max(self.connections // self.buyers, 1)


class Used(msgspec.Struct, frozen=True):
    """What one measurement saw."""

    pings: int
    cpu_s: float
    unanswered: int = 0

    @property
    def ping_us(self) -> float:
        """CPU time of one ping."""
        return self.cpu_s / self.pings * 1e6


class UnansweredError(Exception):
    """Pings had no bid: what they cost says nothing."""


Auction = Callable[[list[Asking]], Awaitable[int]]
"""Runs one auction of these offers and returns how many bids there were."""


async def measure(auction: Auction, asking: list[Asking], load: Load) -> Used:
    """Run auctions for as long as the load says, after a few that open the connections."""

    async def line(until: float, at_least: int) -> tuple[int, int]:
        done = found = 0
        while done < at_least or time.perf_counter() < until:
            found += await auction(asking)
            done += 1
        return done, found

    async def together(until: float, at_least: int) -> list[tuple[int, int]]:
        return await asyncio.gather(*(line(until, at_least) for _ in range(load.auctions)))

    await together(0.0, WARM_AUCTIONS)
    began_cpu = time.process_time()
    ended = await together(time.perf_counter() + load.seconds, 1)
    cpu_s = time.process_time() - began_cpu
    pings = sum(done for done, _ in ended) * load.buyers
    return Used(pings, cpu_s, pings - sum(found for _, found in ended))


async def by_wire(answering: Answering, load: Load) -> Used:
    """Measure the exchange's own wire."""
    loop = asyncio.get_running_loop()
    resolver = Resolver(loop, Guard([ip_network("127.0.0.0/8")]))
    dialer = Dialer(loop, resolver, client_tls(authorities_file=answering.authorities_file))
    wire = Wire(loop, dialer, Limits(connections_per_host_max=load.connections))

    async def auction(asking: list[Asking]) -> int:
        pinged = calls(asking)
        await wire.fan_out(pinged, wire.clock() + DEADLINE_S)
        return bids(pinged)

    try:
        return await measure(auction, _asking(answering, load), load)
    finally:
        await wire.close()
        await resolver.close()


async def by_aiohttp(answering: Answering, load: Load) -> Used:
    """Measure aiohttp's client."""
    context = ssl.create_default_context(cafile=answering.authorities_file)
    connector = aiohttp.TCPConnector(limit=load.connections, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            async with session.post(url, data=body, headers=headers) as response:
                return response.status, await response.read()

        return await measure(_general(post), _asking(answering, load), load)


async def by_httpx(answering: Answering, load: Load) -> Used:
    """Measure httpx."""
    httpx: Any = importlib.import_module("httpx")
    context = ssl.create_default_context(cafile=answering.authorities_file)
    limits = httpx.Limits(
        max_connections=load.connections, max_keepalive_connections=load.connections
    )
    async with httpx.AsyncClient(verify=context, limits=limits, timeout=DEADLINE_S) as client:

        async def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            response = await client.post(url, content=body, headers=headers)
            return response.status_code, response.content

        return await measure(_general(post), _asking(answering, load), load)


async def by_pyreqwest(answering: Answering, load: Load) -> Used:
    """Measure pyreqwest, a client in Rust."""
    pyreqwest: Any = importlib.import_module("pyreqwest.client")
    authority = await asyncio.to_thread(Path(answering.authorities_file).read_bytes)
    builder = pyreqwest.ClientBuilder().add_root_certificate_pem(authority)
    async with builder.max_connections(load.connections).build() as client:

        async def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            response = await client.post(url).headers(headers).body_bytes(body).build().send()
            return response.status, bytes(await response.bytes())

        return await measure(_general(post), _asking(answering, load), load)


Post = Callable[[str, bytes, dict[str, str]], Awaitable[tuple[int, bytes]]]


def _general(post: Post) -> Auction:
    """An auction by a client that takes one request at a time."""

    async def auction(asking: list[Asking]) -> int:
        pings = one_auction(asking)

        async def ask(number: int) -> bool:
            ping = pings[number]
            lines = ping.signature.decode().splitlines()
            signature = dict(line.split(": ", 1) for line in lines)
            terms = ping.asked.offer.ping
            assert terms is not None, "every offer here is asked"
            status, body = await post(terms.url, ping.body, {**HEADERS, **signature})
            return is_bid(status, body, ping.asked)

        return sum(await asyncio.gather(*map(ask, range(len(pings)))))

    return auction


def _asking(answering: Answering, load: Load) -> list[Asking]:
    base_url = answering.secured if load.secured else answering.plain
    return buyers(base_url, load.buyers, signed=load.signed)


CLIENTS = {"aiohttp": by_aiohttp, "pyreqwest": by_pyreqwest, "httpx": by_httpx}
"""What the wire is compared with, wrk aside."""


def installed() -> list[str]:
    """Return which of them are there."""
    return [name for name in CLIENTS if importlib.util.find_spec(name) is not None]


class WrkMissingError(UsageError):
    """wrk is not installed, and it is the measure of all others: apt-get install wrk."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def by_wrk(answering: Answering, load: Load, folder: Path) -> Used:
    """Measure wrk once its connections stand: its CPU time against what the server has counted."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise WrkMissingError
    (one,) = _asking(answering, msgspec.structs.replace(load, buyers=1))
    (ping,) = one_auction([one])
    script = folder / "ping.lua"
    script.write_text(_script(ping.body, ping.signature), encoding="utf-8")
    assert one.offer.ping is not None, "every offer here is asked"
    command = [wrk, "--threads", "1", "--connections", str(load.connections)]
    command += ["--duration", f"{math.ceil(WRK_STARTS_S + load.seconds + 1)}s"]
    process = subprocess.Popen(  # noqa: S603 - found above
        [*command, "--script", str(script), one.offer.ping.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.sched_setaffinity(process.pid, {load.core})
    time.sleep(WRK_STARTS_S)
    cpu_s, answered = thread_cpu_s(process.pid), answering.answered()
    time.sleep(load.seconds)
    used = Used(answering.answered() - answered, thread_cpu_s(process.pid) - cpu_s)
    said = process.communicate()[0].decode()
    if "Non-2xx" in said or "Socket errors" in said or "requests in" not in said:
        raise UnansweredError(said)
    return used


def thread_cpu_s(pid: int) -> float:
    """Return the CPU time that all threads of a process have used, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text("ascii").split()[0]) for each in threads) / 1e9


def _script(body: bytes, signature: bytes) -> str:
    """Return what wrk sends, as it is told in Lua."""
    headers = [*HEADERS.items()]
    headers += [tuple(line.split(": ", 1)) for line in signature.decode().splitlines()]  # type: ignore[misc]
    lines = [f"wrk.headers[ {_lua(name)} ] = {_lua(value)}" for name, value in headers]
    return "\n".join(['wrk.method = "POST"', f"wrk.body = {_lua(body.decode())}", *lines, ""])


def _lua(text: str) -> str:
    return f"[==[{text}]==]"
