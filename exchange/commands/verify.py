"""`exchange verify`: whether the record is as it was sealed, and what first is not."""

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from exchange.commands.showing import tell
from exchange.contract.timeline import utc_text
from exchange.domain.counting import counted
from exchange.domain.sealing import Fault
from exchange.errors import CommandError
from exchange.ledger.connections import prepare
from exchange.ledger.seals import SEALS
from exchange.ledger.vault import Vault
from exchange.ledger.verifying import Verified, Verifier
from exchange.opening import database_at, ledger_key, store_urls
from exchange.settings import Settings

BROKEN = 3
"""The exit status where something is not as it was sealed."""
SEAL_DIGITS_MIN = 8


async def verify(
    *,
    since: datetime | None = None,
    seal: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Check the sealed record: name every entry that was changed, removed or inserted.

    The exit status is 0 where all is as it was sealed; 3 where something is not; 1 where the ledger
    cannot be read. It changes nothing, and the exchange may be selling.

    Parameters
    ----------
    since:
        Only what was sealed since then, such as 2026-11-01T00:00:00Z.
    seal:
        A seal that was kept elsewhere, as NUMBER:DIGITS of a line `record sealed` of the log: it
        must be there still, so that nobody cut the record off before it.
    as_json:
        Print one JSON object.
    """
    known = None if seal is None else seal_kept(seal)
    async with (
        store_urls(settings) as urls,
        database_at(urls.database_url) as connection,
    ):
        key = Vault(await ledger_key(connection, settings)).derive(SEALS)
        await prepare(connection)
        verifier = Verifier(connection, key, time.time_ns() // 1000)
        found = await verifier.verify(None if since is None else micros_of(since), known)
    if as_json:
        sys.stdout.write(msgspec.json.encode(told(found)).decode() + "\n")
    else:
        show(found)
    return BROKEN if found.faults else 0


def micros_of(at: datetime) -> int:
    """Return microseconds since 1970; a time without a zone is UTC."""
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1_000_000)


def seal_kept(text: str) -> tuple[int, str]:
    """Return number and first digits of a seal. Raises CommandError."""
    number, _, digits = text.partition(":")
    if not number.isdigit() or len(digits) < SEAL_DIGITS_MIN:
        raise CommandError(
            f"--seal {text}: NUMBER:DIGITS, at least {SEAL_DIGITS_MIN} hexadecimal digits of it"
        )
    return int(number), digits


def told(found: Verified) -> dict[str, object]:
    """Return what is printed as JSON."""
    last = found.last
    return {
        "ok": not found.faults,
        "seals": found.seals,
        "entries": found.entries,
        "erased": found.erased,
        "unsealed": found.unsealed,
        "last_seal": None
        if last is None
        else {"number": last.number, "at": utc_text(last.at_us), "seal": last.mac.hex()},
        "faults": found.faults,
    }


def show(found: Verified) -> None:
    """Print what is wrong, and say what was looked at."""
    console = Console(highlight=False, soft_wrap=True)
    for fault in found.faults:
        console.print(Text(sentence(fault), style="red"))
    if found.last is not None:
        last = f"{found.last.number}:{found.last.mac.hex()}"
        tell(f"The newest seal is {last}, of {utc_text(found.last.at_us)}.")
    tell(
        f"{counted(found.entries, 'entry', 'entries')} under {counted(found.seals, 'seal')}: "
        + ("not as they were sealed" if found.faults else "all as they were sealed")
        + f"; {counted(found.erased, 'entry', 'entries')} of persons erased since, "
        f"{found.unsealed:,} not sealed yet."
    )


def sentence(fault: Fault) -> str:
    """Return one fault as people read it."""
    if fault.lead_id is None:
        where = f"seal {fault.seal}"
    else:
        where = f"lead {fault.lead_id}, entry {fault.number}"
    detail = f": {fault.detail}" if fault.detail else ""
    return f"{fault.verdict} {fault.what} of {where}{detail}"
