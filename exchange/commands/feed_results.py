"""What became of each row, a line in a file as it ends: what a stopped feed goes on from."""

import csv
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from exchange.contract.feeds import COLUMNS, FeedRow, header_line, row_line
from exchange.errors import CommandError

PENDING = "pending"
FAILED = "failed"

ROWS = msgspec.json.Decoder(FeedRow)
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Known(msgspec.Struct, frozen=True):
    """What an earlier run wrote of its rows, by their keys."""

    ended: frozenset[str] = frozenset()
    """These are leads, and no longer pending: they are not sent again."""
    pending: dict[str, str] = msgspec.field(default_factory=dict)
    """These are leads, too, by their ids: their end is asked for."""


class Writing(Protocol):
    """How lines are written, and read again."""

    @property
    def head(self) -> bytes:
        """Return what stands before the first row."""

    def line(self, row: FeedRow) -> bytes:
        """Return a row's line."""

    def read(self, path: Path) -> Iterator[tuple[str, str, str]]:
        """Return key, status and lead id of every row; raise CommandError for another file."""


class Ndjson:
    """The lines of the answer to `POST /v1/feeds`, each with its row's key."""

    head = b""

    def line(self, row: FeedRow) -> bytes:
        """Return a row's line."""
        return ENCODER.encode(row) + b"\n"

    def read(self, path: Path) -> Iterator[tuple[str, str, str]]:
        """Return key, status and lead id of every row."""
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                try:
                    row = ROWS.decode(text)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    raise not_results(path, number) from None
                answer = row.answer
                told = (FAILED, "") if answer is None else (answer.status, answer.lead_id)
                yield (row.key or "", *told)


class Csv:
    """The same as a table."""

    head = header_line().encode()

    def line(self, row: FeedRow) -> bytes:
        """Return a row's line."""
        return row_line(row).encode()

    def read(self, path: Path) -> Iterator[tuple[str, str, str]]:
        """Return key, status and lead id of every row."""
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            for row in table:
                if len(row) != len(COLUMNS) or (table.line_num == 1 and tuple(row) != COLUMNS):
                    raise not_results(path, table.line_num)
                if table.line_num > 1:
                    named = dict(zip(COLUMNS, row, strict=True))
                    yield named["key"], named["status"], named["lead_id"]


def not_results(path: Path, number: int) -> CommandError:
    """Return what to tell of a file that is something else."""
    return CommandError(f"{path}:{number}: this is no line of results")


class Results:
    """A file of results, open for more; each line is on its way to the disk before the next."""

    def __init__(self, path: Path, file: BinaryIO, writing: Writing, known: Known) -> None:
        self.path = path
        self.file = file
        self.writing = writing
        self.known = known

    @classmethod
    def open(cls, path: Path, *, resume: bool) -> "Results":
        """Open a new file, or go on with one; raise CommandError where that cannot be."""
        writing = Csv() if path.suffix.lower() == ".csv" else Ndjson()
        file = opened(path, resume=resume)
        try:
            cut_torn_line(file)
            known = known_of(writing, path)
            if not file.tell():
                file.write(writing.head)
        except BaseException:
            file.close()
            raise
        return cls(path, file, writing, known)

    def keep(self, row: FeedRow) -> None:
        """Write a row's line; raise CommandError where that cannot be."""
        try:
            self.file.write(self.writing.line(row))
        except OSError as error:
            raise CommandError(f"{self.path}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.fsync(self.file.fileno())
        self.file.close()


def opened(path: Path, *, resume: bool) -> BinaryIO:
    """Return the file, locked; it is never written over."""
    try:
        file: Any = path.open("r+b" if resume and path.exists() else "xb", buffering=0)
    except FileExistsError:
        raise CommandError(f"{path} is there already: go on with it by --resume") from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CommandError(f"{path} is being written by another feed") from None
    return file  # type: ignore[no-any-return]  # unbuffered, yet a file for all that is done here


def cut_torn_line(file: BinaryIO) -> None:
    """Cut off what stands behind the last whole line, and stand at the end."""
    if not file.readable():
        return
    at = file.seek(0, os.SEEK_END)
    while at:
        begin = max(0, at - BLOCK_BYTES)
        file.seek(begin)
        found = file.read(at - begin).rfind(b"\n")
        if found >= 0:
            at = begin + found + 1
            break
        at = begin
    file.truncate(at)
    file.seek(at)


BLOCK_BYTES = 65_536


def known_of(writing: Writing, path: Path) -> Known:
    """Return what the file tells of its rows; of several lines of a row the last one counts."""
    ended: set[str] = set()
    pending: dict[str, str] = {}
    for key, status, lead_id in writing.read(path):
        if status == PENDING:
            pending[key] = lead_id
        elif status != FAILED:
            ended.add(key)
            pending.pop(key, None)
    return Known(frozenset(ended), pending)
