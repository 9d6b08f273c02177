"""CSV: a header, then a row for each lead, under the names that a form would have."""

from collections.abc import Iterator

from exchange.domain.counting import counted
from exchange.domain.json_text import BOM
from exchange.intake.feeds.columns import BadHeader, read_header, sniffed
from exchange.intake.feeds.defaults import Defaults
from exchange.intake.feeds.records import LINE_END, Broken, Record, Records, Unread
from exchange.intake.feeds.row import BLANK, FORM, Blank, Fault, Halt, Limits, Part, Row

NO_HEADER = "the feed has no header: its first line names the columns"
NOT_UTF8 = "the row is not UTF-8"


class Table:
    """Splits CSV; rows whose cells are all empty are blank lines."""

    def __init__(self, limits: Limits, defaults: Defaults, delimiter: bytes | None = None) -> None:
        """Take the delimiter, or None to find it in the header."""
        self.limits = limits
        self.defaults = defaults
        self.delimiter = delimiter
        self.beginning: bytearray | None = bytearray()
        """What came before the first line was whole; None once it was."""
        self.records: Records | None = None
        self.ended = False
        self.names: tuple[str, ...] | None = None
        self.halted = False
        self.rows = 0

    def take(self, chunk: bytes) -> None:
        """Take what came next."""
        if self.records is None:
            assert self.beginning is not None, "nothing else holds what came"
            self.beginning += chunk
        else:
            self.records.take(chunk)

    def end(self) -> None:
        """Know that nothing more comes."""
        self.ended = True
        if self.records is not None:
            self.records.end()

    def parts(self) -> Iterator[Part]:
        """Return the rows that are whole by now; the first part may be that there is no header."""
        records = self.records or self.opened()
        while records is not None and not self.halted:
            found = records.next()
            if found is None:
                break
            yield self.part(found)
        if self.ended and self.names is None and not self.halted:
            yield self.halt(NO_HEADER)

    def opened(self) -> Records | None:
        """Return what splits this feed, once its first line tells what separates it."""
        beginning = bytes(self.beginning or b"")
        # Judged by its first bytes alone, so that it is the same however they came.
        text = beginning[: self.limits.row_max_bytes].removeprefix(BOM).lstrip(b"\r\n")
        whole = LINE_END.search(text) is not None
        if not whole and len(beginning) <= self.limits.row_max_bytes and not self.ended:
            return None
        line = LINE_END.split(text, maxsplit=1)[0]
        delimiter = self.delimiter or sniffed(line)
        records = self.records = Records(delimiter, self.limits.row_max_bytes)
        self.beginning = None
        records.take(beginning.removeprefix(BOM))
        if self.ended:
            records.end()
        return records

    def part(self, found: Record | Broken) -> Part:
        """Return what a record is: a row, a fault, or nothing, such as a good header."""
        if self.names is None:
            return self.header(found)
        if isinstance(found, Record) and not any(cell.strip() for cell in found.fields):
            return BLANK
        self.rows += 1
        if isinstance(found, Record):
            return self.row(found, self.names)
        if found.why is Unread.TOO_LONG:
            return self.limits.too_long(self.rows, found.line)
        return Fault(self.rows, found.line, 400, found.why.value)

    def header(self, found: Record | Broken) -> Halt | Blank:
        """Keep the names of the columns, or end the feed here."""
        if isinstance(found, Broken):
            return self.halt(f"the header cannot be read: {found.why.value}")
        if not any(cell.strip() for cell in found.fields):
            return BLANK
        names = read_header(found.fields)
        if isinstance(names, BadHeader):
            return self.halt(names.detail)
        self.names = names
        return BLANK

    def halt(self, detail: str) -> Halt:
        """Read no further."""
        self.halted = True
        return Halt(400, detail)

    def row(self, record: Record, names: tuple[str, ...]) -> Row | Fault:
        """Return a record as a form; empty cells say nothing."""
        cells = record.fields
        if len(cells) != len(names):
            detail = f"the row has {counted(len(cells), 'column')}, the header has {len(names)}"
            return Fault(self.rows, record.line, 400, detail)
        try:
            pairs = [
                (name, cell.decode())
                for name, cell in zip(names, cells, strict=True)
                if cell.strip()
            ]
        except UnicodeDecodeError:
            return Fault(self.rows, record.line, 400, NOT_UTF8)
        return Row(self.rows, record.line, self.defaults.into_pairs(pairs), FORM)
