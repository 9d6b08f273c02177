"""The command line: a reference bidder to try the exchange with, and a fleet to try it on."""

import logging
import os
import sys
from dataclasses import asdict, dataclass
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Invented:
    """The options that say which buyers a fleet has."""

    count: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None
    """So many buyers, buyer-01 and on, invented from the seed (12 where nothing is said)."""
    profile: Path | None = None
    """A TOML file with the buyers instead, or `demo` for those of the demo."""
    seed: int | None = None
    """The seed; the profile's own where it is not given, else 0."""
    faults: str | None = None
    """Faults of invented buyers: `none`, `ping.slow=0.05,post.never=0.01`, `all=0.01` for that
    share of every fault, or `each` for one buyer per fault."""
    latency_ms: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None
    """The same latency for all invented buyers; else each has its own."""

    def buyers(self) -> tuple[tuple[BuyerSpec, ...], int]:
        """Return the buyers and the seed. Errors: SpecError."""
        if self.profile is None:
            seed = self.seed or 0
            return invented(self.count, seed, self.faults or "none", self.latency_ms), seed
        if (self.count, self.faults, self.latency_ms) != (None, None, None):
            raise SpecError(
                "--profile says all about its buyers: no --count, --faults, --latency-ms"
            )
        spec = load(DEMO if self.profile == Path("demo") else self.profile)
        return spec.buyer, spec.seed if self.seed is None else self.seed


@cli.command
def fleet(
    *,
    of: Invented = Invented(),
    port: Port = 9100,
    host: str = "127.0.0.1",
    json: bool = False,
    ready_fd: int | None = None,
) -> None:
    """Run any number of simulated buyers in one process until Ctrl-C.

    Every price, latency and fault comes from the seed, the buyer's id and the ping's or sale's
    id. GET /_fleet/books tells what each buyer received and believes.

    Args:
        of: Which buyers.
        port: Where it listens; 0 is any free port.
        host: The address it listens on.
        json: Write one JSON line on stdout when ready, and one with all counts at the end.
        ready_fd: Write the line on this file descriptor, then close it.
    """
    buyers, seed = of.buyers()
    uvloop.run(
        run_fleet(
            Fleet(buyers, seed, listening=Listening(host, port)),
            Telling(json=json, ready_fd=ready_fd),
        )
    )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Script:
    """The options that say what a scripted exchange asks for, and how it answers."""

    vertical: str = "auto_insurance"
    """Whose fields are asked for: one of this project's by id, or a market file's first."""
    campaign: str = "auto-us"
    """The campaign that leads are posted into."""
    key: str | None = None
    """The only key that is taken; else any is."""
    always_200: bool = False
    """Answer errors with status 200, for sellers that cannot read 4xx."""
    pace: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=10))] = 1.0
    """Multiplies whatever takes time, but for Retry-After."""


@cli.command
def rehearse(
    *,
    script: Script = Script(),
    port: Port = 9200,
    host: str = "127.0.0.1",
    json: bool = False,
) -> int:
    """Give a seller a scripted exchange until Ctrl-C, then say what was odd about its requests.

    What becomes of a lead is chosen by its ZIP code: see docs/rehearsal.md, or GET /. The exit
    status is 1 where a fault was found.

    Args:
        script: What is asked for, and how it is answered.
        port: Where it listens; 0 is any free port.
        host: The address it listens on.
        json: Write one JSON line on stdout when ready, and the report as one at the end.
    """
    from bidders.rehearsal.market import StageError
    from bidders.rehearsal.rehearsal import Stage
    from bidders.rehearsal.telling import run

    stage = Stage(**asdict(script), host=host, port=port)
    try:
        return 1 if uvloop.run(run(stage, json=json)).faults else 0
    except StageError as error:
        tell(f"bidders: {error}")
        return 2


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Called:
    """The options that say where an endpoint is called."""

    ping_url: str | None = None
    """Where pings go instead."""
    post_url: str | None = None
    """Where posts go instead."""
    status_url: str | None = None
    """Where it tells what became of a sale, such as URL/status/{sale.id}."""
    ca: Path | None = None
    """A PEM file of an authority that the certificate is verified by."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Spoken:
    """The options that say in which words, and signed by what."""

    mapping: str | None = None
    """Call by this mapping: one of this project's by id, or a market file's first. Secrets that it
    names come from BUYER_SECRET_NAME of the environment."""
    param: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """A parameter of the mapping, NAME=VALUE; may be given several times."""
    secret: str | None = None
    """The signing secret, `whsec_…`; better in BUYER_SECRET, where nobody sees it."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Offered:
    """The options that say which leads are offered, and under which terms."""

    vertical: str = "auto_insurance"
    """The vertical of the leads: one of this project's by id, or a market file's first."""
    lead: Path | None = None
    """A lead to ask about, as a seller sends it, instead of invented ones."""
    post: bool = True
    """Send posts too; --no-post for a buyer in production that cannot tell tests apart."""
    tmax_ms: Annotated[int, Parameter(validator=validators.Number(gte=50, lte=10_000))] = 300
    """What a ping may take."""
    post_timeout_ms: Annotated[
        int, Parameter(validator=validators.Number(gte=100, lte=120_000))
    ] = 10_000
    """What a post may take."""
    max_bid: Decimal = Decimal(1000)
    """More than this is no bid."""
    price: Decimal | None = None
    """What is paid where answers name no price."""


@cli.command
def certify(
    url: str | None = None,
    /,
    *,
    called: Called = Called(),
    spoken: Spoken = Spoken(),
    offered: Offered = Offered(),
    html: Path | None = None,
    json: bool = False,
) -> int:
    """Call a buyer's endpoint as the exchange would, and say what to mend.

    Only for endpoints of your own, or whose owner has asked for it: it sends some hundred pings
    and a dozen posts, as tests of invented people, some of them wrong on purpose.
    The exit status is 1 where a check of level must failed; docs/certify.md tells of each.

    Args:
        url: Where the endpoint is: pings go to URL/ping, posts to URL/post.
        called: Where it is called.
        spoken: In which words.
        offered: Which leads, under which terms.
        html: Write the whole certificate as one HTML file.
        json: Write it as one JSON line on stdout.
    """
    from bidders.certify.running import Output, run
    from bidders.certify.target import SECRET_VARIABLE, TargetError, Wanted, pairs_of

    secret = spoken.secret or os.environ.get(SECRET_VARIABLE) or None
    try:
        wanted = Wanted(
            url=url,
            ping_url=called.ping_url,
            post_url=called.post_url,
            status_url=called.status_url,
            mapping=spoken.mapping,
            params=pairs_of(spoken.param),
            secret=None if secret is None else decoded(secret),
            named=os.environ,
            **asdict(offered),
        )
        output = Output(html, json, None if called.ca is None else str(called.ca))
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
