"""`exchange demo`: a whole market on this machine, with everything visible."""

import asyncio
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter, validators
from rich.console import Console

from exchange.demo.run import Demo
from exchange.demo.staging import Options
from exchange.settings import Settings

Positive = Parameter(validator=validators.Number(gt=0))
INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells expect it."""

JSON = msgspec.json.Encoder(decimal_format="number")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Play:
    """The options that say what is played, and for how long."""

    seconds: Annotated[float | None, Positive] = None
    """End after this time instead."""
    rate: Annotated[float, Positive] = 20.0
    """Leads a second, on average; they arrive at random times."""
    seed: int = 1
    """Another seed brings other people, prices and faults."""
    keep: Annotated[bool, Parameter(negative=())] = False
    """Keep the stores and logs of this run."""
    market: str = "demo"
    """Which market: a folder of config/, such as `everything`, or a path to one or to a file. Its
    offers are called at simulated buyers, whatever addresses it says."""


async def demo(
    *,
    play: Play = Play(),
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
    config: Annotated[Path | None, Parameter(parse=False)],
) -> int:
    """Sell invented leads to simulated buyers, and check that nothing went wrong.

    Starts a PostgreSQL, a Valkey, the exchange, a market's buyers with their faults and its
    sellers, all on this machine; shows how it goes, until Ctrl-C. At the end it compares what the
    stores, the buyers and the sellers believe; the exit status is 1 if they disagree or nothing was
    sold.

    Parameters
    ----------
    as_json:
        Write one JSON object as the last line of standard output; all else to standard error.
    """
    options = Options(**asdict(play), config=config)
    try:
        result = await Demo(settings, options, Console(stderr=as_json)).run()
    except asyncio.CancelledError:
        return INTERRUPTED
    if as_json:
        sys.stdout.write(JSON.encode(result).decode() + "\n")
    return 0 if result.is_good else 1
