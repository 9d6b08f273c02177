"""What one ping costs in CPU: fan-outs over kept connections to a server in another process.

    python -m bench.fanout_smoke [--offers 10] [--auctions 20000] [--concurrency 16] [--tls]
    [--loop uvloop|asyncio] [--core 0]

The client runs on one core, the server on the next. The figure is the whole process's CPU time,
so that it holds on a noisy machine; compare with `wrk -t1 -c16` on the same core.
"""

import argparse
import asyncio
import multiprocessing
import os
import ssl
import time
from ipaddress import ip_network
from multiprocessing.connection import Connection as Pipe
from typing import cast

import msgspec
import uvloop

from exchange.wire.call import Call, Outcome
from exchange.wire.connection import Limits
from exchange.wire.dialer import Dialer
from exchange.wire.endpoint import Endpoint, compile_endpoint
from exchange.wire.resolver import Guard, Resolver
from exchange.wire.tls import client_tls
from exchange.wire.wire import Wire

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 39\r\n"
    b"Date: Sat, 22 Nov 2025 13:00:00 GMT\r\nServer: bench\r\n\r\n"
    b'{"bid":12.50,"bid_id":"0123456789abcd"}'
)
SHARED = b'"vertical":"auto_insurance","lead":{' + b'"currently_insured":true,' * 22 + b'"x":1}'
HEAD = b'{"ping_id":"01890000-0000-7000-8000-000000000000",'
TAIL = b',"auction":{"floor":5.00,"tmax_ms":280}}'
SIGNATURE = (
    b"webhook-id: msg_1\r\nwebhook-signature: v1,0123456789012345678901234567890123456789\r\n"
)
TIMEOUT_MS = 300.0
DEADLINE_S = 5.0


class Plan(msgspec.Struct, frozen=True):
    """One measurement."""

    offers: int
    auctions: int
    concurrency: int
    tls: bool
    loop: str
    core: int


class Buyer(asyncio.Protocol):
    """Answers every read with the same bid: requests here fit into one read each."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport's write."""
        self.write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Bid."""
        if data.endswith(TAIL):
            self.write(ANSWER)


def serve(pipe: Pipe, core: int, context_files: tuple[str, str] | None) -> None:
    """Serve on a free port, told through the pipe, until the pipe is closed."""
    os.sched_setaffinity(0, {core})
    context = None
    if context_files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*context_files)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Buyer, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)
        server.close()

    uvloop.run(run())


async def auctions(wire: Wire, endpoint: Endpoint, offers: int, rounds: int) -> int:
    """Run fan-outs one after the other; return how many calls had no answer."""
    unanswered = 0
    for _ in range(rounds):
        calls = [
            Call(
                endpoint,
                endpoint.request(HEAD, SHARED, TAIL, headers=SIGNATURE),
                TIMEOUT_MS + i,
                repeatable=True,
            )
            for i in range(offers)
        ]
        await wire.fan_out(calls, wire.clock() + DEADLINE_S)
        unanswered += sum(call.outcome is not Outcome.ANSWERED for call in calls)
    return unanswered


async def together(wire: Wire, endpoint: Endpoint, plan: Plan, rounds: int) -> list[int]:
    """Run as many auctions at a time as the plan says."""
    return await asyncio.gather(
        *(auctions(wire, endpoint, plan.offers, rounds) for _ in range(plan.concurrency))
    )


async def measure(plan: Plan, port: int, authorities_file: str | None) -> str:
    """Warm up, then measure; one line for people."""
    loop = asyncio.get_running_loop()
    resolver = Resolver(loop, Guard([ip_network("127.0.0.0/8")]))
    dialer = Dialer(loop, resolver, client_tls(authorities_file=authorities_file))
    limits = Limits(connections_per_host_max=plan.offers * plan.concurrency)
    wire = Wire(loop, dialer, limits)
    scheme = "https" if plan.tls else "http"
    endpoint = compile_endpoint(
        f"{scheme}://127.0.0.1:{port}/ping", headers={"Content-Type": "application/json"}
    )
    while any(await together(wire, endpoint, plan, 20)):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(DEADLINE_S / 10)  # connections are still being opened
    rounds = plan.auctions // plan.concurrency
    began, began_cpu = time.perf_counter(), time.process_time()
    unanswered = await together(wire, endpoint, plan, rounds)
    cpu, wall = time.process_time() - began_cpu, time.perf_counter() - began
    pings = rounds * plan.concurrency * plan.offers
    opened = wire.opened_count
    await wire.close()
    await resolver.close()
    return (
        f"{scheme} {plan.loop}: {cpu / pings * 1e6:.2f} us CPU per ping, {pings / wall:,.0f} "
        f"pings/s, {opened} connections, {sum(unanswered)} of {pings} unanswered"
    )


def run(plan: Plan, files: tuple[str, str, str] | None = None) -> str:
    """Start the server on the next core and measure on this one."""
    here, there = multiprocessing.Pipe()
    cores = os.cpu_count() or 1
    server = multiprocessing.Process(
        target=serve, args=(there, (plan.core + 1) % cores, files[:2] if files else None)
    )
    server.start()
    try:
        os.sched_setaffinity(0, {plan.core})
        port = here.recv()
        runner = uvloop.run if plan.loop == "uvloop" else asyncio.run
        return str(runner(measure(plan, port, files[2] if files else None)))
    finally:
        here.send(None)
        server.join()


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What one ping costs in CPU.")
    parser.add_argument("--offers", type=int, default=10)
    parser.add_argument("--auctions", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--tls", action="store_true")
    plan = Plan(**vars(parser.parse_args()))
    if not plan.tls:
        print(run(plan))  # noqa: T201 - a command speaks on standard output
        return
    import tempfile
    from pathlib import Path

    import trustme

    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        key, chain, trusted = (Path(folder, name) for name in ("key.pem", "chain.pem", "ca.pem"))
        certificate.private_key_pem.write_to_path(str(key))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(chain), append=True)
        authority.cert_pem.write_to_path(str(trusted))
        print(run(plan, (str(chain), str(key), str(trusted))))  # noqa: T201 - as above


if __name__ == "__main__":
    main()
