"""Which splitter a feed needs, by its media type or by the ending of its file's name."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from multipart import parse_options_header

from exchange.intake.feeds.columns import DELIMITERS
from exchange.intake.feeds.defaults import Defaults
from exchange.intake.feeds.lines import Lines
from exchange.intake.feeds.row import Limits, Splitter
from exchange.intake.feeds.table import Table
from exchange.intake.request import Unparsable


class Format(StrEnum):
    """How rows are written."""

    NDJSON = "ndjson"
    CSV = "csv"


class Layout(msgspec.Struct, frozen=True):
    """How a feed is written."""

    format: Format
    delimiter: bytes | None = None
    """Of CSV; None: as the header shows."""

    def splitter(self, limits: Limits, defaults: Defaults) -> Splitter:
        """Return a splitter for one feed."""
        if self.format is Format.NDJSON:
            return Lines(limits, defaults)
        return Table(limits, defaults, self.delimiter)


TAB = DELIMITERS["tab"]

MEDIA_TYPES: Mapping[str, Layout] = {
    "application/x-ndjson": Layout(Format.NDJSON),
    "application/ndjson": Layout(Format.NDJSON),
    "application/jsonl": Layout(Format.NDJSON),
    "application/x-jsonlines": Layout(Format.NDJSON),
    "text/csv": Layout(Format.CSV),
    "application/csv": Layout(Format.CSV),
    "text/tab-separated-values": Layout(Format.CSV, TAB),
}
ENDINGS: Mapping[str, Layout] = {
    ".ndjson": Layout(Format.NDJSON),
    ".jsonl": Layout(Format.NDJSON),
    ".csv": Layout(Format.CSV),
    ".tsv": Layout(Format.CSV, TAB),
    ".tab": Layout(Format.CSV, TAB),
}
"""Of the names of files."""


def layout_of(content_type: str) -> Layout | Unparsable:
    """Return how a feed of this content type is written; 415 where it is not taken."""
    kind, options = parse_options_header(content_type)
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        return Unparsable(415, "the charset must be UTF-8")
    if options.get("header", "present").lower() == "absent":
        return Unparsable(415, "a CSV feed needs a header that names its columns")
    layout = MEDIA_TYPES.get(kind.lower())
    return layout or Unparsable(415, "the content type must be application/x-ndjson or text/csv")
