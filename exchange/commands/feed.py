"""`exchange feed`: the leads of a file, sold row by row over HTTP, as their seller."""

import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from cyclopts import Parameter

from exchange.client.awaited import AsyncClient
from exchange.commands.feed_results import Known, Results
from exchange.commands.feed_sending import Course, Pace, Sending
from exchange.commands.feed_showing import Bar, show
from exchange.commands.showing import tell
from exchange.contract.feeds import FeedRow
from exchange.errors import CommandError
from exchange.intake.feeds.columns import DELIMITERS
from exchange.intake.feeds.defaults import Defaults
from exchange.intake.feeds.row import Limits, Part, Splitter
from exchange.intake.feeds.splitting import ENDINGS, Format, Layout

ROW_MAX_BYTES = 65_536
CHUNK_BYTES = 4096
"""Small, for the bar moves with what was read."""
KEPT_S = 24 * 3600
"""For how long an exchange knows a row again."""
FOLLOWS = Path("-")
KEY_VARIABLE = "EXCHANGE_KEY"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchange, and who asks it."""

    url: str
    key: str
    answer_deadline_s: float
    deadline_s: float
    ca_file: Path | None

    def __repr__(self) -> str:
        """Do not show the key."""
        return f"Goal({self.url})"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asking:
    """The options that say which exchange is asked, as whom, and how patiently."""

    url: Annotated[str, Parameter(env_var="EXCHANGE_URL")]
    """The exchange's address; EXCHANGE_URL says it, too."""
    key_file: Path | None = None
    """A file that holds the seller's key alone."""
    key_env: str = KEY_VARIABLE
    """The variable that holds it where no file is given."""
    answer_deadline_s: float = 30.0
    """Within which the campaign answers."""
    deadline_s: float = 90.0
    """For how long a row is tried again where no answer comes."""
    ca_file: Path | None = None
    """Who signed the exchange's certificate, where that is no public authority."""

    def goal(self) -> Goal:
        """Return it with the key. Errors: CommandError."""
        return Goal(
            url=self.url,
            key=key_of_seller(self.key_file, self.key_env),
            answer_deadline_s=self.answer_deadline_s,
            deadline_s=self.deadline_s,
            ca_file=self.ca_file,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reading:
    """The options that say how the file is written, and what holds where it is silent."""

    format: Format | None = None
    """How rows are written, where the file's name does not tell."""
    delimiter: str | None = None
    """Of CSV, where its header does not show it: comma, semicolon, tab or pipe."""
    campaign: str | None = None
    """Of rows that name none."""
    source: str | None = None
    """Of rows that name none."""
    test: Annotated[bool, Parameter(negative=())] = False
    """Rows that do not say are tests."""

    def splitter(self, file: Path) -> Splitter:
        """Return what splits the file into rows. Errors: CommandError."""
        texts = {"campaign": self.campaign, "source": self.source}
        defaults = Defaults({name: text for name, text in texts.items() if text}, self.test)
        found = layout(file, self.format, self.delimiter)
        return found.splitter(Limits(ROW_MAX_BYTES), defaults)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Going:
    """The options that say how fast it goes, and what is kept of it."""

    results: Path | None = None
    """Where to write what became of each row: CSV if its name ends so, else NDJSON. It is never
    written over."""
    resume: Annotated[bool, Parameter(negative=())] = False
    """Go on with the results of an earlier run: rows that became leads are left out."""
    rows_per_s: float = 20.0
    """How many rows are begun in a second."""
    at_once: int = 8
    """How many rows are under way at once."""
    feed_key: str = ""
    """Under another one the same rows are new posts."""

    def check(self) -> None:
        """Raise CommandError for what cannot be."""
        if self.rows_per_s <= 0 or self.at_once < 1:
            raise CommandError("--rows-per-s must be above 0, and --at-once at least 1")
        if self.resume and self.results is None:
            raise CommandError("--resume goes on with --results FILE")


async def feed(
    file: Path,
    /,
    *,
    asking: Asking,
    reading: Reading = Reading(),
    going: Going = Going(),
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Sell the leads of a file, each row as a post of its own; docs/feeds.md says how to write it.

    The same row is sold once, however often it is sent within a day. The exit status is 1 where a
    row failed or was not begun: mend what is wrong and run it again.

    Parameters
    ----------
    file:
        CSV with a header, or NDJSON; `-` is standard input.
    as_json:
        Print the totals as one JSON object.
    """
    going.check()
    goal, splitter = asking.goal(), reading.splitter(file)
    pace = Pace(going.rows_per_s, going.at_once)
    warn_of_age(going.results)
    with rows_of(file) as rows, kept(going.results, resume=going.resume) as kept_results:
        course = await sent(rows, splitter, goal, pace, kept_results, going.feed_key)
    show(course, as_json=as_json)
    return 0 if course.stopped is None and not course.totals.failed else 1


def key_of_seller(path: Path | None, variable: str) -> str:
    """Return the key; it never stands in the command line, which others can read."""
    try:
        key = os.environ.get(variable, "") if path is None else path.read_text()
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"{path} cannot be read") from None
    if not key.strip():
        where = f"the variable {variable}" if path is None else path
        raise CommandError(f"there is no key in {where}: give --key-file, or set {KEY_VARIABLE}")
    return key.strip()


def layout(path: Path, wanted: Format | None, delimiter: str | None) -> Layout:
    """Return how the file is written, by what is said or by its name."""
    if delimiter is not None and delimiter not in DELIMITERS:
        raise CommandError(f"--delimiter is one of {', '.join(DELIMITERS)}")
    found = ENDINGS.get(path.suffix.lower()) if wanted is None else Layout(wanted)
    if found is None:
        raise CommandError(f"{path}: say --format csv or --format ndjson")
    if delimiter is None:
        return found
    if found.format is not Format.CSV:
        raise CommandError("--delimiter is for CSV")
    return Layout(Format.CSV, DELIMITERS[delimiter])


def warn_of_age(results: Path | None) -> None:
    """Tell of rows that an exchange may not know again."""
    if results is None or not results.exists():
        return
    if time.time() - results.stat().st_mtime > KEPT_S:
        tell(
            f"warning: {results} is older than a day: rows that were under way then, and have"
            " no line in it, are sent as new ones"
        )


@contextmanager
def rows_of(path: Path) -> Iterator[BinaryIO]:
    """Lend the file, or standard input."""
    if path == FOLLOWS:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def kept(path: Path | None, *, resume: bool) -> Iterator[Results | None]:
    """Lend the file of results, if one is wanted."""
    with nullcontext() if path is None else Results.open(path, resume=resume) as results:
        yield results


async def sent(
    file: BinaryIO,
    splitter: Splitter,
    goal: Goal,
    pace: Pace,
    results: Results | None,
    feed_key: str,
) -> Course:
    """Send the whole file, visibly."""
    try:
        tls = None if goal.ca_file is None else ssl.create_default_context(cafile=goal.ca_file)
        client = AsyncClient(
            goal.url,
            goal.key,
            answer_deadline_s=goal.answer_deadline_s,
            deadline_s=goal.deadline_s,
            tls=tls,
        )
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from None
    known = Known() if results is None else results.known
    with Bar(file) as bar:

        def ended(row: FeedRow) -> None:
            if results is not None:
                results.keep(row)
            bar.ended(row)

        async with client:
            sending = Sending(client, pace, known, feed_key, ended)
            return await sending.run(parts_of(file, splitter, bar.has_read))


async def parts_of(
    file: BinaryIO, splitter: Splitter, has_read: Callable[[int], None]
) -> AsyncIterator[Part]:
    """Return the parts of a file as they are asked for; it is never held whole."""
    read: Any = getattr(file, "read1", file.read)
    while chunk := await asyncio.to_thread(read, CHUNK_BYTES):
        has_read(len(chunk))
        splitter.take(chunk)
        for part in splitter.parts():
            yield part
    splitter.end()
    for part in splitter.parts():
        yield part
