"""The server that a benchmark's pings are answered by: nginx where it is installed, else ours.

Both stand on loopback, plain and with TLS 1.3, keep connections, and answer every ping with the
same bid. Ours is the fleet's connection; it is slower than nginx, and the clients' own cost, which
is what is measured, is a little higher against it: replies come one by one, not in bursts.
"""

import argparse
import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import msgspec
import uvloop

from bench.authority import Certified, certify
from bidders.fleet.connection import Connection, Request
from bidders.fleet.reply import Reply, message

HOST = "127.0.0.1"
BID = b'{"bid":12.50,"bid_id":"b-7f3a9c5e1d","currency":"USD","ttl_s":60}'
READY_WITHIN_S = 10.0
ASK_AGAIN_S = 0.02

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  ssl_protocols TLSv1.3;
  ssl_certificate {chain};
  ssl_certificate_key {key};
  server {{
    listen {host}:{plain} backlog=4096;
    listen {host}:{secured} ssl backlog=4096;
    location = /count {{ stub_status; }}
    location / {{
      default_type application/json;
      return 200 '{bid}';
    }}
  }}
}}
"""


class Answering(msgspec.Struct, frozen=True):
    """A server that runs."""

    name: str
    plain: str
    secured: str
    authorities_file: str

    def answered(self) -> int:
        """Ask it how many requests it has answered, this one among them."""
        with urlopen(f"{self.plain}/count", timeout=READY_WITHIN_S) as answer:  # noqa: S310 - ours
            return int(answer.read().split()[-1 - COUNT_FROM_END])


COUNT_FROM_END = 6
"""In nginx's words for it: behind the count stand three more, each with its name."""


@contextmanager
def answering(core: int) -> Iterator[Answering]:
    """Run the server on this core for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        files = certify(HOST, folder)
        plain, secured = free_ports(2)
        command, server = _command(folder, files, plain, secured)
        process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own
        try:
            os.sched_setaffinity(process.pid, {core})
            for port in (plain, secured):
                _await_listening(process, port)
            yield Answering(
                server,
                f"http://{HOST}:{plain}",
                f"https://{HOST}:{secured}",
                str(files.authority),
            )
        finally:
            process.terminate()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return so many different ports that nobody has."""
    probes = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _command(folder: Path, files: Certified, plain: int, secured: int) -> tuple[list[str], str]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        own = [sys.executable, "-m", "bench.answering", str(plain), str(secured)]
        return [*own, str(files.chain), str(files.key)], "the fleet's connection"
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            folder=folder,
            chain=files.chain,
            key=files.key,
            host=HOST,
            plain=plain,
            secured=secured,
            bid=BID.decode(),
        ),
        encoding="utf-8",
    )
    error_log = str(folder / "error.log")
    version = subprocess.run([nginx, "-v"], check=True, capture_output=True)  # noqa: S603 - found above
    name = version.stderr.decode().rpartition("/")[2].split()[0]
    return [nginx, "-p", str(folder), "-e", error_log, "-c", str(configuration)], f"nginx {name}"


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once the port takes connections; raise where the server ended before."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            socket.create_connection((HOST, port), timeout=READY_WITHIN_S).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise
            time.sleep(ASK_AGAIN_S)  # nothing tells of it
        else:
            return


class Bidding:
    """Answers any ping with the same bid, and counts, in nginx's words."""

    def __init__(self) -> None:
        self.count = 0
        self.bid = Reply(message(BID))

    def answer(self, request: Request) -> Reply:
        """Bid, or tell the count."""
        self.count += 1
        if request.path != "/count":
            return self.bid
        return Reply(message(b"requests %d Reading: 0 Writing: 0 Waiting: 0" % self.count))


async def serve(plain: int, secured: int, chain: str, key: str) -> None:
    """Serve on both ports until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(chain, key)
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    answer = Bidding().answer
    servers = [
        await loop.create_server(lambda: Connection(answer, connections), HOST, port, ssl=tls)
        for port, tls in ((plain, None), (secured, context))
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Serve in a process of its own: `answering` starts it."""
    parser = argparse.ArgumentParser(description="Answer every ping with the same bid.")
    parser.add_argument("plain", type=int)
    parser.add_argument("secured", type=int)
    parser.add_argument("chain")
    parser.add_argument("key")
    uvloop.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
