"""`exchange try-door`: what becomes of a request at a seller's door, field by field."""

import asyncio
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from exchange.clock import now_us
from exchange.commands.showing import plain, tell
from exchange.configuration.reading import read_market
from exchange.configuration.snapshots import Compiler, Stored, read_stored
from exchange.contract.trying_door import DoorTry, TriedDoor, TriedFault, TriedField, Untried
from exchange.domain.door import Outcome
from exchange.domain.snapshot import Snapshot
from exchange.errors import CommandError
from exchange.intake.geography import Geography
from exchange.intake.intake import Intake
from exchange.ledger.vault import Vault
from exchange.opening import database, ledger_key
from exchange.settings import Settings
from exchange.trying.door_trying import DoorTrying

FORM = "application/x-www-form-urlencoded"
BEGINNINGS = ((b"{", "application/json"), (b"[", "application/json"), (b"<", "application/xml"))
STANDARD_INPUT = Path("-")
BYTES_MAX = 1024 * 1024
ENCODER = msgspec.json.Encoder(decimal_format="number")
File = Annotated[Path, Parameter(allow_leading_hyphen=True)]  # for `-`
Texts = Annotated[tuple[str, ...], Parameter(negative=())]
Files = Annotated[tuple[Path, ...], Parameter(negative=(), consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asking:
    """The options that say who asks, at which door, and in what."""

    seller: str
    """Who sends it."""
    door: str | None = None
    """The door it comes to; without one the door that is this seller's alone, or the native way."""
    call: str | None = None
    """Which of the door's calls; without one the first that sells. Without a door: leads, pings."""
    content_type: str | None = None
    """What the request says that it is; without one it is seen from its first characters."""
    header: Texts = ()
    """A header that comes with it, 'NAME: VALUE'; may be repeated."""

    def with_body(self, body: bytes) -> DoorTry:
        """Return the whole request. Errors: CommandError."""
        return DoorTry(
            seller=self.seller,
            door=self.door,
            call=self.call,
            body=body,
            content_type=self.content_type or kind_of(body),
            headers=dict(map(parted, self.header)),
        )


async def try_door(
    file: File,
    /,
    *,
    asking: Asking,
    outcome: Outcome | None = None,
    market: Files = (),
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Show what becomes of a request at a seller's door: each field, each mistake, each answer.

    Nothing is booked or sold; identity is shown as ***. The exit status is 1 where it is no lead.

    Parameters
    ----------
    file:
        What the seller sends: JSON, XML, a form, or what stands behind the ? of an address.
        Standard input where it is -.
    outcome:
        Show the answer to this outcome alone.
    market:
        Try it against these files, the whole market, in place of the present one.
    as_json:
        Print one JSON object.
    """
    asked = asking.with_body(read(file))
    snapshot = await (present(settings) if not market else proposed(market))
    geography = await asyncio.to_thread(Geography.load, settings.data_dir)
    trying = DoorTrying(Intake(geography), now_us=now_us, entropy=os.urandom)
    tried = trying.run(asked, snapshot, None if outcome is None else (outcome,))
    if isinstance(tried, Untried):
        raise CommandError(tried.why)
    if as_json:
        sys.stdout.write(ENCODER.encode(tried).decode() + "\n")
    else:
        sys.stdout.write("\n".join(lines(tried)) + "\n")
    tell(*(() if tried.note is None else (f"Note: {tried.note}.",)), ending(tried))
    return 1 if tried.errors else 0


def read(path: Path) -> bytes:
    """Return what a seller sends; raise CommandError where it cannot be read."""
    try:
        body = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if len(body) > BYTES_MAX:
        raise CommandError(f"{path} is larger than a request may be")
    # A form in a file ends with the editor's line feed, what is copied of an address begins so.
    plain = body.strip()
    return plain.removeprefix(b"?") if kind_of(plain) == FORM else body


def kind_of(body: bytes) -> str:
    """Return the content type that a body looks like."""
    plain = body.removeprefix(b"\xef\xbb\xbf").strip()
    first = plain.partition(b"\n")[0].strip()
    if first.startswith(b"--"):
        boundary = first.removeprefix(b"--").decode("latin-1")
        return f"multipart/form-data; boundary={boundary}"
    return next((kind for begin, kind in BEGINNINGS if plain.startswith(begin)), FORM)


def parted(header: str) -> tuple[str, str]:
    """Return a header's name, in lower case, and its value."""
    name, colon, value = header.partition(":")
    if not colon or not name.strip():
        raise CommandError("a header is written as 'NAME: VALUE'")
    return name.strip().lower(), value.strip()


async def present(settings: Settings) -> Snapshot:
    """Return the market that is sold under."""
    async with database(settings) as connection:
        vault = Vault(await ledger_key(connection, settings))
        return Compiler(vault.derive).snapshot(await read_stored(connection, vault))


async def proposed(files: Iterable[Path]) -> Snapshot:
    """Return the market of files, as far as sellers meet it; no key opens anything there."""
    whole = (await asyncio.to_thread(read_market, files)).market
    campaigns = [msgspec.structs.replace(part, stage=()) for part in whole.campaign]
    market = msgspec.structs.replace(whole, buyer=(), mapping=(), campaign=tuple(campaigns))
    stored = Stored(version=0, market=market, keys={}, signing={}, credited={})
    return Compiler(lambda name: name.encode()).snapshot(stored)


# As people read it


def lines(tried: TriedDoor) -> list[str]:
    """Return a try, part by part."""
    shown = [headline(tried), f"key: {tried.key}", ""]
    width = max((len(field.field) for field in tried.fields), default=0)
    places = max((len(place(field)) for field in tried.fields), default=0)
    shown += [field_line(field, width, places) for field in tried.fields]
    for title, names in (
        ("kept as extra", tried.extra),
        ("no part of the lead", tried.passed_over),
        ("noticed", tried.flags),
    ):
        shown += ["", f"{title}: {', '.join(names)}"] if names else []
    shown += ["", "missing or wrong:", *map(fault_line, tried.errors)] if tried.errors else []
    for answer in tried.answers:
        shown += ["", f"{answer.outcome}: {answer.status} {answer.content_type}"]
        shown += [f"< {line}" for line in answer.body.splitlines()]
    return [plain(line) for line in shown]


def headline(tried: TriedDoor) -> str:
    """Return what is asked for, where, by whom."""
    where = "the native way" if tried.door is None else f"/doors/{tried.door}/{tried.call}"
    campaign = tried.campaign or "no campaign"
    vertical = "" if tried.vertical is None else f" ({tried.vertical})"
    return f"{tried.does} by {tried.seller} at {where} into {campaign}{vertical}"


def place(field: TriedField) -> str:
    """Return where a value stood."""
    return " + ".join(field.found) or "the door says it"


def field_line(field: TriedField, width: int, places: int) -> str:
    """Return what became of one value."""
    value = shown(field.value) if field.error is None else f"WRONG: {field.error}"
    return f"{field.field:<{width}}  < {place(field):<{places}}  {value}"


def shown(value: object) -> str:
    """Return a value as one line."""
    return value if isinstance(value, str) else ENCODER.encode(value).decode()


def fault_line(fault: TriedFault) -> str:
    """Return a mistake in both words."""
    native = "" if fault.field == fault.native else f" ({fault.native})"
    return f"  {fault.field}{native} {fault.message}"


def ending(tried: TriedDoor) -> str:
    """Return what it came to, in a sentence."""
    if tried.does == "status":
        return "It asks for the status of a lead."
    if not tried.errors:
        return "It is a lead. Nothing was booked or sold."
    count = len(tried.errors)
    return f"It is no lead: {'one mistake' if count == 1 else f'{count} mistakes'}."
