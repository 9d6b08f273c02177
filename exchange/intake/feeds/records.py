"""CSV as it is written by all who write it (RFC 4180), scanned as it comes, one record at a time.

A quote opens a field only at its beginning; inside, a doubled one is a quote. A record that breaks
the rules, or has no end within its limit, is blamed on its first line alone, and reading goes on
with the next line: a quote that nobody closed must not swallow the good rows behind it.
"""

import re
from enum import Enum, auto

import msgspec

QUOTE = ord('"')
RETURN, NEWLINE = ord("\r"), ord("\n")
LINE_END = re.compile(rb"[\r\n]")
# Possessive: in one pass, whatever comes.
INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')
FIELDS_MAX = 1000
"""No header is as wide as this; so many delimiters are something else."""


class Record(msgspec.Struct, frozen=True):
    """One record, and the line on which it began; its repr shows no value."""

    line: int
    fields: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Show how many fields it has."""
        return f"Record(line {self.line}, {len(self.fields)} fields)"


class Unread(Enum):
    """Why there is no record."""

    BAD_QUOTE = "a quotation mark stands where none can be, or is never closed"
    TOO_WIDE = "the row has more columns than any header may have"
    TOO_LONG = "too long"


class Broken(msgspec.Struct, frozen=True):
    """A line that begins no record."""

    line: int
    why: Unread


class State(Enum):
    """Where in a record the scanner is."""

    START = auto()
    """At the beginning of a field."""
    PLAIN = auto()
    QUOTED = auto()
    CLOSING = auto()
    """Behind a quote that closes its field, unless another one follows."""


class Step(Enum):
    """How far a scan came."""

    ON = auto()
    MORE = auto()
    """The rest has not come yet."""
    END = auto()
    BROKEN = auto()
    WIDE = auto()


class Records:
    """Scans records; holds no more than one of them and the last chunk."""

    def __init__(self, delimiter: bytes, record_max_bytes: int) -> None:
        self.delimiter = ord(delimiter)
        self.plain_end = re.compile(b"[\r\n" + re.escape(delimiter) + b"]")
        self.record_max_bytes = record_max_bytes
        self.buffer = bytearray()
        self.ended = False
        self.line = 1
        self.after_return = False
        """The last line ended with a return: a newline right behind it belongs to it."""
        self.skipping = False
        """The rest of a line that was given up is thrown away as it comes."""
        self.begin()

    def begin(self) -> None:
        """Stand at the beginning of a record."""
        self.state = State.START
        self.at = 0
        self.field_at = 0
        self.fields: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """Take what came next."""
        self.buffer += chunk

    def end(self) -> None:
        """Know that nothing more comes."""
        self.ended = True

    def next(self) -> Record | Broken | None:
        """Return the next record or broken line; None where it is not whole yet."""
        if (self.skipping and not self.skipped()) or (self.ended and not self.buffer):
            return None
        step = self.scan()
        # Judged by where it ends or breaks, or must at least: the same however it came.
        reached = len(self.buffer) if step is Step.MORE else self.at
        if reached > self.record_max_bytes:
            return self.give_up(Unread.TOO_LONG)
        match step:
            case Step.BROKEN:
                return self.give_up(Unread.BAD_QUOTE)
            case Step.WIDE:
                return self.give_up(Unread.TOO_WIDE)
            case Step.END:
                return self.finish()
        return None

    # Scanning

    def scan(self) -> Step:
        """Go on to where the record ends or breaks, or to where more is needed."""
        step = Step.ON
        while step is Step.ON:
            match self.state:
                case State.START:
                    step = self.open_field()
                case State.PLAIN:
                    step = self.end_plain()
                case State.QUOTED:
                    step = self.find_quote()
                case State.CLOSING:
                    step = self.end_quoted()
        return step

    def open_field(self) -> Step:
        """See whether a field is quoted."""
        if self.at == len(self.buffer) and not self.ended:
            return Step.MORE
        self.state = State.PLAIN
        if self.at < len(self.buffer) and self.buffer[self.at] == QUOTE:
            self.state = State.QUOTED
            self.at += 1
        return Step.ON

    def end_plain(self) -> Step:
        """Find the end of a field without quotes; those inside are part of it."""
        found = self.plain_end.search(self.buffer, self.at)
        self.at = len(self.buffer) if found is None else found.start()
        if found is None and not self.ended:
            return Step.MORE
        return self.close_field(bytes(self.buffer[self.field_at : self.at]))

    def find_quote(self) -> Step:
        """Find the next quote inside a quoted field that may close it."""
        inside = INSIDE.match(self.buffer, self.at)
        assert inside is not None, "it matches nothing at least"
        self.at = inside.end()
        if self.at == len(self.buffer):
            return Step.BROKEN if self.ended else Step.MORE
        self.at += 1
        self.state = State.CLOSING
        return Step.ON

    def end_quoted(self) -> Step:
        """See whether a quote closed its field, or stands for itself."""
        if self.at == len(self.buffer):
            return self.close_field(self.unquoted()) if self.ended else Step.MORE
        following = self.buffer[self.at]
        if following == QUOTE:
            self.at += 1
            self.state = State.QUOTED
            return Step.ON
        if following in {self.delimiter, RETURN, NEWLINE}:
            return self.close_field(self.unquoted())
        return Step.BROKEN

    def unquoted(self) -> bytes:
        """Return what a quoted field says."""
        return bytes(self.buffer[self.field_at + 1 : self.at - 1]).replace(b'""', b'"')

    def close_field(self, text: bytes) -> Step:
        """Keep a field; another one begins behind a delimiter."""
        self.fields.append(text)
        if self.at == len(self.buffer) or self.buffer[self.at] != self.delimiter:
            return Step.END
        if len(self.fields) == FIELDS_MAX:
            return Step.WIDE
        self.at += 1
        self.field_at = self.at
        self.state = State.START
        return Step.ON

    # What becomes of it

    def finish(self) -> Record:
        """Return the record that ends here."""
        record = Record(self.line, tuple(self.fields))
        self.consume(self.at)
        return record

    def give_up(self, why: Unread) -> Broken:
        """Give up the first line of what was scanned, and no more."""
        broken = Broken(self.line, why)
        found = LINE_END.search(self.buffer)
        if found is None:
            self.buffer.clear()
            self.skipping = True
            self.after_return = False
        else:
            self.consume(found.start())
        return broken

    def skipped(self) -> bool:
        """Throw away the rest of a line; False where its end has not come yet."""
        found = LINE_END.search(self.buffer)
        if found is None:
            self.buffer.clear()
            return False
        self.skipping = False
        self.consume(found.start())
        return True

    def consume(self, end: int) -> None:
        """Count the lines up to an end, let go of them, and begin anew behind it."""
        taken = self.buffer[:end]
        self.line += taken.count(b"\n") + taken.count(b"\r") - taken.count(b"\r\n")
        closed_by = self.buffer[end] if end < len(self.buffer) else None
        if not (end == 0 and closed_by == NEWLINE and self.after_return):
            self.line += 1
        self.after_return = closed_by == RETURN
        del self.buffer[: end + 1]
        self.begin()
