"""The command line: a reference bidder to try the exchange with, and a fleet to try it on."""

import logging
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import App, Parameter, validators

from bidders.fleet.fleet import Fleet, Listening
from bidders.fleet.inventing import invent, one_of_each_fault, read_faults
from bidders.fleet.spec import BuyerSpec, SpecError, load
from bidders.serving import Telling, run_fleet, run_reference, tell
from bidders.signature import SecretError, decoded
from bidders.table import TableError
from bidders.table import load as load_table

DEMO = Path(__file__).with_name("demo.toml")
COUNT = 12
VERTICAL = Path("config/verticals/auto_insurance.toml")

Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))]

cli = App(
    name="bidders",
    help="A buyer's side of the exchange; docs/buyers.md tells how to write an endpoint.",
    version_flags=[],
)


@cli.command
def reference(*, config: Path, port: Port = 9000, host: str = "127.0.0.1") -> None:
    """Run a bidder with a price table until Ctrl-C.

    Args:
        config: The price table, a TOML file (docs/buyers.md has one to copy).
        port: Where it listens; 0 is any free port.
        host: The address it listens on.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    uvloop.run(run_reference(load_table(config), host, port))


@cli.command
def fleet(  # noqa: PLR0913 - each is an option of its own on the command line
    *,
    count: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    profile: Path | None = None,
    seed: int | None = None,
    faults: str | None = None,
    latency_ms: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None,
    port: Port = 9100,
    host: str = "127.0.0.1",
    json: bool = False,
    ready_fd: int | None = None,
) -> None:
    """Run any number of simulated buyers in one process until Ctrl-C.

    Every price, latency and fault comes from the seed, the buyer's id and the ping's or sale's
    id. GET /_fleet/books tells what each buyer received and believes.

    Args:
        count: So many buyers, buyer-01 and on, invented from the seed (12 where nothing is said).
        profile: A TOML file with the buyers instead, or `demo` for those of the demo.
        seed: The seed; the profile's own where it is not given, else 0.
        faults: Faults of invented buyers: `none`, `ping.slow=0.05,post.never=0.01`, `all=0.01`
            for that share of every fault, or `each` for one buyer per fault.
        latency_ms: The same latency for all invented buyers; else each has its own.
        port: Where it listens; 0 is any free port.
        host: The address it listens on.
        json: Write one JSON line on stdout when ready, and one with all counts at the end.
        ready_fd: Write the line on this file descriptor, then close it.
    """
    if profile is not None:
        if (count, faults, latency_ms) != (None, None, None):
            raise SpecError(
                "--profile says all about its buyers: no --count, --faults, --latency-ms"
            )
        spec = load(DEMO if profile == Path("demo") else profile)
        buyers, seed = spec.buyer, spec.seed if seed is None else seed
    else:
        seed = seed or 0
        buyers = invented(count, seed, faults or "none", latency_ms)
    uvloop.run(
        run_fleet(
            Fleet(buyers, seed, listening=Listening(host, port)),
            Telling(json=json, ready_fd=ready_fd),
        )
    )


@cli.command
def rehearse(  # noqa: PLR0913 - each is an option of its own on the command line
    *,
    vertical: Path = VERTICAL,
    campaign: str = "auto-us",
    key: str | None = None,
    always_200: bool = False,
    pace: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=10))] = 1.0,
    port: Port = 9200,
    host: str = "127.0.0.1",
    json: bool = False,
) -> int:
    """Give a seller a scripted exchange until Ctrl-C, then say what was odd about its requests.

    What becomes of a lead is chosen by its ZIP code: see docs/rehearsal.md, or GET /. The exit
    status is 1 where a fault was found.

    Args:
        vertical: A market file; the fields of its first vertical are asked for.
        campaign: The campaign that leads are posted into.
        key: The only key that is taken; else any is.
        always_200: Answer errors with status 200, for sellers that cannot read 4xx.
        pace: Multiplies whatever takes time, but for Retry-After.
        port: Where it listens; 0 is any free port.
        host: The address it listens on.
        json: Write one JSON line on stdout when ready, and the report as one at the end.
    """
    from bidders.rehearsal.market import StageError
    from bidders.rehearsal.rehearsal import Stage
    from bidders.rehearsal.telling import run

    stage = Stage(
        vertical=vertical, campaign=campaign, key=key, always_200=always_200, pace=pace,
        host=host, port=port,
    )  # fmt: skip
    try:
        return 1 if uvloop.run(run(stage, json=json)).faults else 0
    except StageError as error:
        tell(f"bidders: {error}")
        return 2


@cli.command
def certify(  # noqa: PLR0913 - each is an option of its own on the command line
    url: str | None = None,
    /,
    *,
    ping_url: str | None = None,
    post_url: str | None = None,
    status_url: str | None = None,
    vertical: str = "auto_insurance",
    mapping: str | None = None,
    param: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    secret: str | None = None,
    lead: Path | None = None,
    post: bool = True,
    tmax_ms: Annotated[int, Parameter(validator=validators.Number(gte=50, lte=10_000))] = 300,
    post_timeout_ms: Annotated[
        int, Parameter(validator=validators.Number(gte=100, lte=120_000))
    ] = 10_000,
    max_bid: Decimal = Decimal(1000),
    price: Decimal | None = None,
    ca: Path | None = None,
    html: Path | None = None,
    json: bool = False,
) -> int:
    """Call a buyer's endpoint as the exchange would, and say what to mend.

    Only for endpoints of your own, or whose owner has asked for it: it sends some hundred pings
    and a dozen posts, as tests of invented people, some of them wrong on purpose.
    The exit status is 1 where a check of level must failed; docs/certify.md tells of each.

    Args:
        url: Where the endpoint is: pings go to URL/ping, posts to URL/post.
        ping_url: Where pings go instead.
        post_url: Where posts go instead.
        status_url: Where it tells what became of a sale, such as URL/status/{sale.id}.
        vertical: The vertical of the leads: one of this project's by id, or a market file.
        mapping: Call by this mapping: one of this project's by id, or a market file. Secrets
            that it names come from BUYER_SECRET_NAME of the environment.
        param: A parameter of the mapping, NAME=VALUE; may be given several times.
        secret: The signing secret, `whsec_…`; better in BUYER_SECRET, where nobody sees it.
        lead: A lead to ask about, as a seller sends it, instead of invented ones.
        post: Send posts too; --no-post for a buyer in production that cannot tell tests apart.
        tmax_ms: What a ping may take.
        post_timeout_ms: What a post may take.
        max_bid: More than this is no bid.
        price: What is paid where answers name no price.
        ca: A PEM file of an authority that the certificate is verified by.
        html: Write the whole certificate as one HTML file.
        json: Write it as one JSON line on stdout.
    """
    from bidders.certify.running import Output, run
    from bidders.certify.target import SECRET_VARIABLE, TargetError, Wanted, pairs_of

    secret = secret or os.environ.get(SECRET_VARIABLE) or None
    try:
        wanted = Wanted(
            url=url, ping_url=ping_url, post_url=post_url, status_url=status_url,
            vertical=vertical, mapping=mapping, params=pairs_of(param),
            secret=None if secret is None else decoded(secret),
            named=os.environ, lead=lead, post=post, tmax_ms=tmax_ms,
            post_timeout_ms=post_timeout_ms, max_bid=max_bid, price=price,
        )  # fmt: skip
        output = Output(html, json, None if ca is None else str(ca))
        return 0 if uvloop.run(run(wanted, output)).certified else 1
    except (TargetError, SecretError) as error:
        tell(f"bidders: {error}")
        return 2


def invented(
    count: int | None, seed: int, faults: str, latency_ms: float | None
) -> tuple[BuyerSpec, ...]:
    """Return the buyers that the options ask for; raises `SpecError`."""
    if faults != "each":
        return invent(count or COUNT, seed, read_faults(faults), latency_ms)
    if count is not None:
        raise SpecError("--faults each makes one buyer per fault: no --count")
    return one_of_each_fault(invent(1, seed, latency_ms=latency_ms)[0])


def main() -> None:
    """Run the command line; what a person can mend ends with one line and status 2."""
    try:
        cli()
    except (SpecError, TableError) as error:
        tell(f"bidders: {error}")
        sys.exit(2)
    except OSError as error:
        tell(f"bidders: {error.strerror or error}")
        sys.exit(2)
