"""A record that can be verified: each entry's digests chained to the last one's, chains sealed.

An entry is a moment of a lead with all rows that were written with it. Of each table it touches a
part is kept, a letter and 16 bytes of SHA-256 over the rows as they are stored; the parts and the
head before them make the entry's head, and the heads of a minute, with the seal before it, make a
seal. Heads and seals are HMACs under a key that follows from the master key: whoever can write to
the ledger, and does not have that key, can make neither.

What sealed texts are opened with is digested apart, so that a person can be erased: an entry whose
keys are gone is erased, one with other keys was changed. So are captures, which end by themselves.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

HEAD_BYTES = 32
PART_BYTES = 16
NO_HEAD = bytes(HEAD_BYTES)
"""Before a lead's first entry, and before the first seal."""

TABLES = {
    "m": "moment",
    "l": "lead",
    "q": "quote",
    "r": "record",
    "a": "award",
    "s": "sale_end",
    "t": "transfer",
    "e": "lead_end",
    "u": "submission",
}
"""Which table a part is of, in their order."""


class Verdict(StrEnum):
    """What happened to an entry since it was sealed."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry's digests, as they were sealed or as they are now."""

    lead_id: str
    number: int
    parts: bytes
    """Empty where the entry is not there."""
    keys: bytes | None
    """What its sealed texts are opened with; None: nothing is, or the person was erased."""
    capture: bytes | None
    """Of the captured calls, then of what they are opened with; None: there are none."""
    capture_until_us: int | None
    """When the captured calls are deleted."""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """All that was sealed at one time."""

    number: int
    at_us: int
    first: int
    last: int
    """Moments with a serial number above `first`, up to `last`."""
    entries: int
    root: bytes
    """Over all heads, in the order of leads and numbers."""
    versions: int
    paid_in: int
    """Up to which version of the market, and which transfer of money paid in."""
    market: bytes
    """Over the versions and transfers since the seal before."""
    mac: bytes


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was sealed."""

    verdict: Verdict
    what: str
    """A table, `link`, `seal`, or `market`."""
    lead_id: str | None
    number: int | None
    seal: int
    detail: str = ""


def head(key: bytes, before: bytes, entry: Entry) -> bytes:
    """Return the head of a lead's chain after this entry."""
    until = b"" if entry.capture_until_us is None else str(entry.capture_until_us).encode()
    told = fields(
        entry.lead_id.encode(),
        str(entry.number).encode(),
        before,
        entry.parts,
        entry.keys or b"",
        entry.capture or b"",
        until,
    )
    return hmac.digest(key, told, "sha256")


class Root:
    """One digest of all heads of a seal, in their order."""

    def __init__(self) -> None:
        """Begin without any."""
        self._hash = hashlib.sha256()

    def add(self, heads: Iterable[bytes]) -> None:
        """Add the heads that come next."""
        self._hash.update(b"".join(heads))

    def digest(self) -> bytes:
        """Return the digest of all that were added."""
        return self._hash.digest()


def root(heads: Iterable[bytes]) -> bytes:
    """Return one digest of all heads of a seal, in their order."""
    whole = Root()
    whole.add(heads)
    return whole.digest()


def seal_mac(key: bytes, before: bytes, seal: Seal) -> bytes:
    """Return what proves a seal, and that it follows the one before it."""
    numbers = (
        *(seal.number, seal.at_us, seal.first, seal.last, seal.entries),
        *(seal.versions, seal.paid_in),
    )
    told = fields(b"seal", *(str(one).encode() for one in numbers), seal.root, seal.market, before)
    return hmac.digest(key, told, "sha256")


def fields(*values: bytes) -> bytes:
    """Return bytes from which no other values could have come: each with its length."""
    return b"".join(len(value).to_bytes(4) + value for value in values)


def split(parts: bytes) -> dict[str, bytes]:
    """Return the digest of each table of an entry."""
    width = 1 + PART_BYTES
    return {chr(parts[at]): parts[at + 1 : at + width] for at in range(0, len(parts), width)}


def differences(sealed: Entry, now: Entry, now_us: int) -> Iterator[tuple[Verdict, str]]:
    """Yield how an entry differs from what was sealed of it, and in which table."""
    was, found = split(sealed.parts), split(now.parts)
    if "m" not in found:
        yield Verdict.REMOVED, TABLES["m"]
    for letter, table in TABLES.items():
        if letter == "m" and letter not in found:
            continue
        if letter in was and letter not in found:
            yield Verdict.REMOVED, table
        elif letter in found and letter not in was:
            yield Verdict.INSERTED, table
        elif letter in found and found[letter] != was[letter]:
            yield Verdict.CHANGED, table
    if now.keys is not None and now.keys != sealed.keys and found.keys() == was.keys():
        yield Verdict.CHANGED, "key"
    verdict = of_capture(sealed, now, now_us)
    if verdict is not None:
        yield verdict, "capture"


def of_capture(sealed: Entry, now: Entry, now_us: int) -> Verdict | None:
    """Return what happened to the captured calls before their time was over, if anything."""
    if now.capture is None:
        ended = sealed.capture_until_us is None or sealed.capture_until_us <= now_us
        return None if ended else Verdict.REMOVED
    if sealed.capture is None:
        return Verdict.INSERTED
    text, key = now.capture[:PART_BYTES], now.capture[PART_BYTES:]
    same_key = not key or key == sealed.capture[PART_BYTES:]
    return None if text == sealed.capture[:PART_BYTES] and same_key else Verdict.CHANGED


def is_erased(sealed: Entry, now: Entry) -> bool:
    """Tell whether the person of an entry was erased since it was sealed."""
    return sealed.keys is not None and now.keys is None and bool(now.parts)


def chained(
    key: bytes, entries: Sequence[Entry], heads: dict[str, bytes]
) -> Iterator[tuple[Entry, bytes]]:
    """Yield each entry with its head; `heads` has, and gets, each lead's last one."""
    for entry in entries:
        heads[entry.lead_id] = made = head(key, heads.get(entry.lead_id, NO_HEAD), entry)
        yield entry, made
