"""What a benchmark sends its leads to: an exchange of its own, or one that the user names."""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import UsageError
from bench.load import EMAIL, PHONE, Load, Loaded
from bench.market import LEAD, buyer_name, market
from bench.processes import core_busy_s
from bench.progress import Bars, Tick
from bench.serving import OTHER_CORE, Serving, lean_buyers, sent, serving
from bench.signing import sign_for

WARM_RATE = 50.0
WARM_S, WARM_QUICKLY_S = 3.0, 0.5


class Measured(msgspec.Struct, frozen=True):
    """One load, and what it cost."""

    loaded: Loaded
    cpu_us: float | None
    """Of the exchange, for one lead; None where it is not ours."""
    exchange_busy: float | None
    """How much of its core the exchange itself used."""
    other_busy: float
    """How much of the other core was used, by whomever."""


class Target:
    """An exchange under test; each load carries leads that were not there before."""

    def __init__(self, url: str, key: str, lead: dict[str, Any], own: Serving | None) -> None:
        self.url = url
        self.key = key
        self.lead = lead
        self.own = own
        # A stranger's exchange may remember the last run.
        self.next_number = 0 if own else random.randrange(5_000_000)

    def send(
        self, rate: float, seconds: float, tick: Tick, *, every_s: float = 0.5, **more: Any
    ) -> Measured:
        """Send a load and measure; `more` is the rest of a `Load`."""
        load = Load(
            url=self.url, key=self.key, lead=self.lead, rate=rate, seconds=seconds,
            first=self.next_number, seed=self.next_number, **more,
        )  # fmt: skip
        begun, busy_s = time.perf_counter(), core_busy_s(OTHER_CORE)
        cpu_s = self.own.cpu_s() if self.own else 0.0
        loaded = sent(load, tick, every_s)
        self.next_number += loaded.sent
        wall_s = time.perf_counter() - begun
        used_s = self.own.cpu_s() - cpu_s if self.own else None
        return Measured(
            loaded,
            None if used_s is None else used_s / max(1, loaded.sent) * 1e6,
            None if used_s is None else used_s / loaded.seconds,
            (core_busy_s(OTHER_CORE) - busy_s) / wall_s,
        )

    def warm(self, bars: Bars, *, quick: bool = False) -> None:
        """Open connections, load what is loaded once, fill caches."""
        seconds = WARM_QUICKLY_S if quick else WARM_S
        self.send(WARM_RATE, seconds, bars.timed("warming up", seconds))


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what says where leads go, and who is asked for bids."""
    parser.add_argument("--buyers", type=int, default=10, help="that are asked for each lead")
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, help="that the built-in buyers take to answer"
    )
    parser.add_argument("--deadline-ms", type=int, default=300, help="of the auction")
    parser.add_argument("--workers", type=int, default=1, help="of the exchange")
    parser.add_argument(
        "--signed", action="store_true", help="each buyer has a secret: pings and posts are signed"
    )
    others = parser.add_argument_group(
        "against others",
        "Only ever name addresses that are your own: these send as much as they can bear.",
    )
    others.add_argument("--target", metavar="URL", help="an exchange of yours, instead of ours")
    others.add_argument("--key", help="a seller's key there")
    others.add_argument("--campaign", help="of that seller; the built-in lead is auto insurance")
    others.add_argument(
        "--lead", type=Path, help="a JSON file with a body of POST /v1/leads to send instead"
    )
    others.add_argument(
        "--live", action="store_true", help="send real leads to the target, not tests"
    )
    others.add_argument(
        "--endpoint", metavar="URL",
        help="a buyer's endpoint of yours that our exchange asks, at URL/ping and URL/post",
    )  # fmt: skip


@contextmanager
def target(
    options: argparse.Namespace,
    *,
    offers: int | None = None,
    buyers: Callable[[int], str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Target]:
    """Have what the options name for as long as the block lasts. Errors: UsageError."""
    if options.target:
        yield remote(options)
        return
    if options.endpoint or buyers:
        with serving_to(options, buyers or (lambda _: options.endpoint), offers, settings) as own:
            yield own
        return
    with (
        lean_buyers(options.buyers, options.latency_ms) as url_of,
        serving_to(options, url_of, offers, settings) as own,
    ):
        yield own


@contextmanager
def serving_to(
    options: argparse.Namespace,
    url_of: Callable[[int], str],
    offers: int | None,
    settings: Mapping[str, str] | None,
) -> Iterator[Target]:
    """Have an exchange of our own that asks these buyers."""
    text = market(options.buyers, url_of, deadline_ms=options.deadline_ms, offers=offers)
    around = dict(settings or {})
    if options.endpoint:
        # It may lie in any network of the user's own.
        around["EXCHANGE_ALLOW_NETWORKS"] = "0.0.0.0/0,::/0"
    with serving(text, workers=options.workers, settings=around) as own:
        if options.signed:
            sign_for(map(buyer_name, range(1, options.buyers + 1)), own.environment)
        yield Target(own.url, own.key, LEAD, own)


def remote(options: argparse.Namespace) -> Target:
    """Return somebody's exchange as a target. Errors: UsageError."""
    if not options.key:
        raise UsageError("--target needs --key, a seller's key there")
    if options.signed:
        raise UsageError("--signed is for buyers of our own: those of --target have their secrets")
    lead = dict(LEAD)
    if options.lead:
        lead = numbered(json.loads(options.lead.read_text(encoding="utf-8")))
    if options.campaign:
        lead["campaign"] = options.campaign
    if not options.live:
        lead = {"test": True, **lead}
    return Target(options.target, options.key, lead, None)


def numbered(lead: dict[str, Any]) -> dict[str, Any]:
    """Return a lead whose phone and e-mail are its own each time it is sent. Errors: UsageError."""
    person = lead.get("lead")
    if not isinstance(person, dict):
        raise UsageError("--lead: a body of POST /v1/leads with a `lead` in it")
    rest = {name: value for name, value in person.items() if name not in {"phone", "email"}}
    return {**lead, "lead": {"phone": PHONE, "email": EMAIL, **rest}}
