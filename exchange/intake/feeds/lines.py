"""NDJSON: every line one JSON object; blank lines and carriage returns do not matter."""

from collections.abc import Iterator

from exchange.domain.json_text import BOM
from exchange.intake.feeds.defaults import Defaults
from exchange.intake.feeds.row import BLANK, JSON, Limits, Part, Row

NEWLINE = b"\n"


class Lines:
    """Splits NDJSON; a line that is too long is thrown away as it comes, never held."""

    def __init__(self, limits: Limits, defaults: Defaults) -> None:
        self.limits = limits
        self.defaults = defaults
        self.buffer = bytearray()
        self.searched = 0
        """How much of the buffer is known to hold no end of a line."""
        self.too_long = False
        """The beginning of this line was thrown away."""
        self.ended = False
        self.lines = 0
        self.rows = 0

    def take(self, chunk: bytes) -> None:
        """Take what came next."""
        self.buffer += chunk

    def end(self) -> None:
        """Know that nothing more comes; the last line needs no end."""
        self.ended = True

    def parts(self) -> Iterator[Part]:
        """Return the rows that are whole by now."""
        while (line := self.next_line()) is not None:
            yield self.part(line)

    def next_line(self) -> bytes | None:
        """Return the next line without its end; None where it is not whole yet."""
        found = self.buffer.find(NEWLINE, self.searched)
        if found >= 0:
            line = bytes(self.buffer[:found])
            del self.buffer[: found + 1]
            self.searched = 0
            return line
        if self.ended and (self.buffer or self.too_long):
            line = bytes(self.buffer)
            self.buffer.clear()
            return line
        if len(self.buffer) > self.limits.row_max_bytes:
            self.too_long = True
            self.buffer.clear()
        self.searched = len(self.buffer)
        return None

    def part(self, line: bytes) -> Part:
        """Return the row in a line."""
        self.lines += 1
        too_long = self.too_long or len(line) > self.limits.row_max_bytes
        self.too_long = False
        body = (line.removeprefix(BOM) if self.lines == 1 else line).strip()
        if not body and not too_long:
            return BLANK
        self.rows += 1
        if too_long:
            return self.limits.too_long(self.rows, self.lines)
        return Row(self.rows, self.lines, self.defaults.into_json(body), JSON)
