"""`exchange erase`: makes persons unreadable for good, by lead or by who they are."""

import hashlib
import re
import sys
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Annotated

import msgspec
from cyclopts import Parameter

from exchange.commands.showing import tell
from exchange.contract.operator import ErasedOut
from exchange.contract.timeline import utc_text
from exchange.domain.counting import counted, is_or_are
from exchange.domain.ids import LeadId
from exchange.domain.lead import Fingerprint
from exchange.errors import CommandError
from exchange.intake.email import normalize_email
from exchange.intake.errors import Bad
from exchange.intake.phone import hashed_digits, normalize_phone
from exchange.ledger.archive import Archive
from exchange.ledger.connections import Connections, Limits
from exchange.ledger.vault import Vault
from exchange.opening import author, database_at, ledger_key, store_urls
from exchange.settings import Settings
from exchange.story.record import read

NOT_YET = 3
"""The exit status where something could not be erased."""
TIMEOUT_S = 30.0
LEAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
DIGEST = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?\Z")


class Erasing(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    found: tuple[str, ...]
    """The leads that were asked for, or are of who was."""
    erased: tuple[ErasedOut, ...]
    left: tuple[str, ...]
    """Those that are still being sold, or were never written."""


async def erase(
    *lead_ids: str,
    phone: str | None = None,
    email: str | None = None,
    digest: str | None = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> int:
    """Erase persons for good: what was sealed of their leads cannot be read again by anybody.

    Timelines, money and the sealed chain stay; `exchange verify` finds all as it was sealed. By
    telephone, e-mail or digest every record is opened and looked at, for no table knows who is in
    which: some tens of thousands a second. Without --yes it only says which leads are meant. The
    exit status is 3 where a lead is still being sold, or was never written.

    Parameters
    ----------
    lead_ids:
        Leads, or pings that became none.
    phone:
        All leads of whoever has this number, however it is written.
    email:
        All leads of whoever has this address.
    digest:
        The same by SHA-256 or MD5 in hex, of the ten national digits or of the lower-case address.
    yes:
        Do it.
    as_json:
        Print one JSON object.
    """
    wanted = digests_of(phone, email, digest)
    known = [checked(lead_id) for lead_id in lead_ids]
    if not known and not wanted:
        raise CommandError("name a lead, or whose leads: --phone, --email or --digest")
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(store_urls(settings))
        async with database_at(urls.database_url) as connection:
            vault = Vault(await ledger_key(connection, settings))
        connections = Connections(urls.database_url, Limits(timeout_s=TIMEOUT_S))
        await connections.open()
        stack.push_async_callback(connections.close)
        archive = Archive(connections, vault)
        found = dict.fromkeys([*known, *(await leads_of(archive, wanted) if wanted else ())])
        done = await erased_of(archive, tuple(found)) if yes else {}
    result = Erasing(
        found=tuple(found),
        erased=tuple(one for one in done.values() if one is not None),
        left=tuple(lead_id for lead_id, one in done.items() if one is None),
    )
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        show(result, done=yes)
    return NOT_YET if result.left else 0


def digests_of(phone: str | None, email: str | None, digest: str | None) -> frozenset[str]:
    """Return the digests of who is meant, as records have them. Raises CommandError."""
    texts = []
    if phone is not None:
        number = normalize_phone(phone)
        if isinstance(number, Bad):
            raise CommandError(f"--phone: {number.message}")
        texts.append(hashed_digits(number))
    if email is not None:
        address = normalize_email(email)
        if isinstance(address, Bad):
            raise CommandError(f"--email: {address.message}")
        texts.append(address.lower())
    found = {sum_of(text.encode()).hexdigest() for text in texts for sum_of in (sha256, md5)}
    if digest is not None:
        if not DIGEST.match(digest.lower()):
            raise CommandError("--digest: 64 or 32 hexadecimal digits")
        found.add(digest.lower())
    return frozenset(found)


def sha256(text: bytes) -> "hashlib._Hash":
    """Return the digest that records have of a telephone number or an address."""
    return hashlib.sha256(text)


def md5(text: bytes) -> "hashlib._Hash":
    """Return the one that they have where a seller's ping brought no other."""
    return hashlib.md5(text, usedforsecurity=False)


def checked(text: str) -> LeadId:
    """Return a lead's id. Raises CommandError."""
    if not LEAD_ID.match(text.lower()):
        raise CommandError(f"{text}: not the id of a lead")
    return LeadId(text.lower())


async def leads_of(archive: Archive, digests: Collection[str]) -> list[LeadId]:
    """Return the leads and pings whose record has one of these digests."""
    return [
        lead_id
        async for lead_id, record in archive.records_of_all()
        if is_of(read(record).fingerprint, digests)
    ]


def is_of(fingerprint: Fingerprint, digests: Collection[str]) -> bool:
    """Tell whether a record's person is known by one of these digests."""
    known = (*fingerprint.sha256.values(), *fingerprint.md5.values())
    return any(digest in digests for digest in known)


async def erased_of(
    archive: Archive, lead_ids: Collection[LeadId]
) -> dict[LeadId, ErasedOut | None]:
    """Erase these, one by one; None for one that cannot be (yet)."""
    done: dict[LeadId, ErasedOut | None] = {}
    for lead_id in lead_ids:
        one = await archive.erase(lead_id, time.time_ns() // 1000, author())
        done[lead_id] = None
        if one is not None:
            done[lead_id] = ErasedOut(
                lead_id=lead_id, erased_at=utc_text(one.at_us), erased_by=one.by
            )
    return done


def show(result: Erasing, *, done: bool) -> None:
    """Print each lead and what became of it, and say how many there were."""
    for lead_id in result.found if not done else ():
        sys.stdout.write(f"{lead_id}\n")
    for one in result.erased:
        sys.stdout.write(f"{one.lead_id} erased {one.erased_at} by {one.erased_by}\n")
    for lead_id in result.left:
        sys.stdout.write(f"{lead_id} not erased\n")
    if not result.found:
        tell("No lead of this person can be read: there was none, or all of them are erased.")
    elif not done:
        meant = f"{counted(len(result.found), 'lead')} {is_or_are(len(result.found))} meant"
        tell(f"{meant}; nothing was erased: say --yes to do it.")
    elif result.left:
        left = counted(len(result.left), "lead")
        tell(
            f"{left} could not be erased: still being sold or in doubt (ask again once it has "
            "ended), or never written."
        )
