"""`python -m bench NAME`: measures, says what it found, and compares it with the last time."""

import argparse
import importlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bench.comparing import changes, last_object
from bench.comparing import table as changes_table
from bench.errors import UsageError
from bench.origin import Origin, origin, sentence
from bench.page import Page, blocks, drawn, rendered

NAMES = {
    "fanout": "CPU per ping: the wire against wrk and general HTTP clients, plain and TLS.",
    "auction": "The whole exchange under an open-loop load: how long a lead takes, and whose time.",
    "saturation": "The highest rate with answers in time, and what an auction costs, by part.",
    "deadline": "Answers in time while a third of the buyers is slow, silent, dripping, resetting.",
    "scale": "More buyers, more offers, more workers: cost, memory, time to ready.",
    "overload": "More leads than can be sold: what still is, and how soon the rest hear so.",
    "soak": "Minutes of load: memory, files, tasks, latencies, and whether they grow.",
    "eligibility": "CPU per lead to find who may compete, among ten offers and among thousands.",
    "choice": "CPU to choose who shares a lead, or has it alone, among ten bids and among 200.",
    "early_close": "CPU per auction that may end before all have answered, against any other.",
    "calibration": "Chances learned from posts against the true ones of simulated buyers.",
    "lead_cost": "CPU per lead by format, against another checkout of this project.",
    "features": "CPU per lead of everything that can be switched on, one at a time.",
}
"""Each is a module of this package; only the one that is named is imported."""


class Benchmark(Protocol):
    """A module that measures something; besides this it may have `QUICK` and `plots`.

    `QUICK` holds the options that make it short, for a first look and for tests; `plots` draws
    what was found.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what can be chosen."""

    def run(self, options: argparse.Namespace) -> msgspec.Struct:
        """Measure; return the figures, with a field `spread` where there were rounds."""

    def table(self, found: Any) -> str:
        """Return the figures in Markdown."""


def main(words: Sequence[str]) -> int:
    """Run one benchmark; return the exit status."""
    if not words or words[0] not in NAMES:
        sys.stdout.write(overview())
        return 0 if words in (["--help"], ["-h"]) else 2
    name, *rest = words
    benchmark = importlib.import_module(f"bench.{name}")
    options = parser_of(name, benchmark, quick="--quick" in rest).parse_args(rest)
    try:
        old = last_object(options.compare) if options.compare else None
        begun = origin()  # the checkout may go on while it is measured
        found = benchmark.run(options)
    except (UsageError, ValueError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    tell(benchmark, found, begun, options, words, old)
    return 0


def overview() -> str:
    """Return what there is."""
    width = max(map(len, NAMES))
    lines = [f"  {name:<{width}}  {what}" for name, what in NAMES.items()]
    return "\n".join(["python -m bench NAME [--help]", "", *lines, ""])


def parser_of(name: str, benchmark: Any, *, quick: bool) -> argparse.ArgumentParser:
    """Return the command line of one benchmark."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}", description=NAMES[name])
    benchmark.add_arguments(parser)
    common = parser.add_argument_group("as with all benchmarks")
    common.add_argument(
        "--quick", action="store_true", help="short: to see it work, not to measure"
    )
    common.add_argument("--json", action="store_true", help="end with one JSON object in a line")
    common.add_argument(
        "--html", type=Path, help="write a page with plots that needs no other file"
    )
    common.add_argument("--markdown", type=Path, help="write the table into a file, too")
    common.add_argument(
        "--compare", metavar="OLD.json", type=Path, help="tell what changed since that --json"
    )
    if quick:
        parser.set_defaults(**getattr(benchmark, "QUICK", {}))
    return parser


def tell(
    benchmark: Any,
    found: msgspec.Struct,
    begun: Origin,
    options: argparse.Namespace,
    words: Sequence[str],
    old: dict[str, Any] | None,
) -> None:
    """Say what was found in every way that was asked for."""
    told = {
        "benchmark": words[0],
        **msgspec.to_builtins(begun),
        **msgspec.to_builtins(found),
    }
    parts = [benchmark.table(found).strip()]
    if told.get("signed"):
        parts.append("Pings and posts were signed.")
    if old is not None:
        parts.append(compared(old, told))
    parts.append(sentence(told))
    text = "\n\n".join(parts)
    line = msgspec.json.encode(told).decode()
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.html:
        page = Page(
            title=f"{words[0]}: {NAMES[words[0]]}",
            command=f"python -m bench {shlex.join(without_key(words))}",
            blocks=tuple(blocks(text)),
            plots=drawn(benchmark.plots(found) if hasattr(benchmark, "plots") else ()),
            json=line,
        )
        options.html.write_text(rendered(page), encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    if options.json:
        sys.stdout.write(f"{line}\n")


def compared(old: dict[str, Any], told: dict[str, Any]) -> str:
    """Return what changed since an earlier run, and where that one comes from."""
    head = f"Before: {sentence(old)}\n\n" if "measured_at" in old else ""
    return head + changes_table(changes(old, told))


def without_key(words: Sequence[str]) -> list[str]:
    """Return a command line as it may be shown: without the key in it."""
    told, hidden = [], False
    for word in words:
        told.append("…" if hidden else "--key=…" if word.startswith("--key=") else word)
        hidden = word == "--key"
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
