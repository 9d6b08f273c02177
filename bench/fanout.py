"""What one ping costs in CPU: the exchange's wire against C, and against general HTTP clients.

    python -m bench.fanout [--rounds 5] [--seconds 2] [--connections 200] [--json]

The wire, wrk and the others take turns at the same server, so that a noisy machine is noisy for
all; medians and ratios of rounds are printed. Clients run on one core, the server on another. The
figures are process CPU time, user and system, of the client alone.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.progress import Progress

from bench.answering import Answering, answering
from bench.clients import (
    CLIENTS,
    Load,
    UnansweredError,
    Used,
    WrkMissingError,
    by_wire,
    by_wrk,
    installed,
)
from bench.plots import Bars, Plot
from bench.rounds import middle, spread

QUICK = {"rounds": 1, "seconds": 0.3}
FEW, MANY = 10, 100
"""Buyers of one auction."""
UNANSWERED_MAX_SHARE = 0.001

Turn = Callable[[], Used]

OWN = ("c", "ping", "signed", "many", "tls_c", "tls_ping", "tls_signed")
"""Who always takes a turn."""
FIGURES = {f"{name}_cpu_us": name for name in (*OWN, "aiohttp", "tls_aiohttp")}
RATIOS = {
    "ratio": ("ping", "c"),
    "signed_ratio": ("signed", "c"),
    "many_ratio": ("many", "ping"),
    "tls_ratio": ("tls_ping", "tls_c"),
    "tls_signed_ratio": ("tls_signed", "tls_c"),
}
"""Of whom to whom, in the same round."""


class Fanout(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds of CPU per ping, and ratios to wrk's in the same round; medians of rounds."""

    server: str
    rounds: int
    connections: int
    ping_cpu_us: float
    c_cpu_us: float
    ratio: float
    signed_cpu_us: float
    signed_ratio: float
    many_cpu_us: float
    many_ratio: float
    """A hundred buyers an auction, to ten."""
    aiohttp_cpu_us: float
    tls_ping_cpu_us: float
    tls_c_cpu_us: float
    tls_ratio: float
    tls_signed_cpu_us: float
    tls_signed_ratio: float
    tls_aiohttp_cpu_us: float
    others_cpu_us: dict[str, float]
    """Other clients that are installed, plain and with TLS."""
    spread: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what can be chosen."""
    parser.add_argument("--rounds", type=int, default=5, help="how often all take turns")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--connections", type=int, default=200, help="that each client keeps")
    parser.add_argument("--core", type=int, default=0, help="of the clients; the next one serves")


def run(options: argparse.Namespace) -> Fanout:
    """Measure as these options say."""
    before = os.sched_getaffinity(0)
    cores = os.cpu_count() or 1
    try:
        with (
            answering((options.core + 1) % cores) as server,
            tempfile.TemporaryDirectory() as folder,
        ):
            os.sched_setaffinity(0, {options.core})
            turns = _turns(server, options, Path(folder))
            return report(server.name, options, _take(turns, options.rounds))
    finally:
        os.sched_setaffinity(0, before)


def _turns(server: Answering, options: argparse.Namespace, folder: Path) -> dict[str, Turn]:
    plain = Load(options.connections, FEW, options.seconds, False, False, options.core)
    signed = msgspec.structs.replace(plain, signed=True)
    many = msgspec.structs.replace(plain, buyers=MANY)
    secured = msgspec.structs.replace(plain, secured=True)
    both = msgspec.structs.replace(secured, signed=True)
    turns: dict[str, Turn] = {
        "c": lambda: by_wrk(server, plain, folder),
        "ping": lambda: uvloop.run(by_wire(server, plain)),
        "signed": lambda: uvloop.run(by_wire(server, signed)),
        "many": lambda: uvloop.run(by_wire(server, many)),
        "tls_c": lambda: by_wrk(server, secured, folder),
        "tls_ping": lambda: uvloop.run(by_wire(server, secured)),
        "tls_signed": lambda: uvloop.run(by_wire(server, both)),
    }
    for name in installed():
        turns[name] = _other(server, name, plain)
        turns[f"tls_{name}"] = _other(server, name, secured)
    return turns


def _other(server: Answering, name: str, load: Load) -> Turn:
    return lambda: uvloop.run(CLIENTS[name](server, load))


def _take(turns: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Let all take turns, each round the other way round; return what a ping cost each."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("fanout", total=rounds * len(turns))
        for number in range(rounds):
            for name in list(turns) if number % 2 == 0 else list(turns)[::-1]:
                progress.update(task, description=name)
                used = turns[name]()
                if used.unanswered > used.pings * UNANSWERED_MAX_SHARE:
                    raise UnansweredError(f"{name}: {used.unanswered} of {used.pings}")
                found[name].append(used.ping_us)
                progress.advance(task)
    return found


def report(server: str, options: argparse.Namespace, found: dict[str, list[float]]) -> Fanout:
    """Return what the rounds say together; `found` is what a ping cost each client, by round."""
    others = [name for name in found if name not in OWN and "aiohttp" not in name]
    each = {figure: found[name] for figure, name in FIGURES.items()}
    each |= {
        figure: [mine / its for mine, its in zip(found[one], found[other], strict=True)]
        for figure, (one, other) in RATIOS.items()
    }
    mid = {name: middle(values, 2) for name, values in each.items()}
    return Fanout(
        server=server,
        rounds=options.rounds,
        connections=options.connections,
        ping_cpu_us=mid["ping_cpu_us"],
        c_cpu_us=mid["c_cpu_us"],
        ratio=mid["ratio"],
        signed_cpu_us=mid["signed_cpu_us"],
        signed_ratio=mid["signed_ratio"],
        many_cpu_us=mid["many_cpu_us"],
        many_ratio=mid["many_ratio"],
        aiohttp_cpu_us=mid["aiohttp_cpu_us"],
        tls_ping_cpu_us=mid["tls_ping_cpu_us"],
        tls_c_cpu_us=mid["tls_c_cpu_us"],
        tls_ratio=mid["tls_ratio"],
        tls_signed_cpu_us=mid["tls_signed_cpu_us"],
        tls_signed_ratio=mid["tls_signed_ratio"],
        tls_aiohttp_cpu_us=mid["tls_aiohttp_cpu_us"],
        others_cpu_us={name: middle(found[name], 2) for name in others},
        spread=spread(each | {f"others_cpu_us.{name}": found[name] for name in others}),
    )


def table(found: Fanout) -> str:
    """Return what was found for people to read, in Markdown."""
    rows = [
        ("wrk (C)", found.c_cpu_us, 1.0),
        (f"the wire, {FEW} buyers an auction", found.ping_cpu_us, found.ratio),
        ("the wire, signed, with keyed hashes", found.signed_cpu_us, found.signed_ratio),
        ("aiohttp's client", found.aiohttp_cpu_us, found.aiohttp_cpu_us / found.c_cpu_us),
        ("wrk (C), TLS 1.3", found.tls_c_cpu_us, 1.0),
        ("the wire, TLS 1.3", found.tls_ping_cpu_us, found.tls_ratio),
        ("the wire, TLS 1.3, signed", found.tls_signed_cpu_us, found.tls_signed_ratio),
        (
            "aiohttp's client, TLS 1.3",
            found.tls_aiohttp_cpu_us,
            found.tls_aiohttp_cpu_us / found.tls_c_cpu_us,
        ),
    ]
    for name, cpu_us in found.others_cpu_us.items():
        c_cpu_us = found.tls_c_cpu_us if name.startswith("tls_") else found.c_cpu_us
        rows.append((name.replace("tls_", "TLS 1.3, "), cpu_us, cpu_us / c_cpu_us))
    lines = [
        f"Answered by {found.server}; {found.rounds} rounds, {found.connections} connections.",
        "",
        "| client | CPU per ping | to wrk |",
        "| --- | --- | --- |",
        *(f"| {name} | {cpu_us:.2f} µs | {ratio:.2f} |" for name, cpu_us, ratio in rows),
        "",
        (
            f"{MANY} buyers an auction instead of {FEW}: {found.many_cpu_us:.2f} µs a ping, "
            f"{found.many_ratio:.2f} times as much."
        ),
    ]
    return "\n".join(lines)


def plots(found: Fanout) -> tuple[Plot, ...]:
    """Return what is worth a picture."""
    plain = {
        "wrk (C)": found.c_cpu_us,
        "the wire": found.ping_cpu_us,
        "the wire, signed": found.signed_cpu_us,
        "aiohttp's client": found.aiohttp_cpu_us,
    }
    secured = {
        "wrk (C)": found.tls_c_cpu_us,
        "the wire": found.tls_ping_cpu_us,
        "the wire, signed": found.tls_signed_cpu_us,
        "aiohttp's client": found.tls_aiohttp_cpu_us,
    }
    return (
        Bars(title="CPU per ping, plain", unit="µs", bars=tuple(plain.items())),
        Bars(title="CPU per ping, TLS 1.3", unit="µs", bars=tuple(secured.items())),
    )


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What one ping costs in CPU.")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    options = parser.parse_args()
    try:
        found = run(options)
    except WrkMissingError as missing:
        sys.exit(str(missing))
    sys.stdout.write(table(found) + "\n")
    if options.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main()
