"""Logs are lines of JSON, one event each, and hold nothing that was not meant for them.

A value is written only if its type says that it is plain: text, a number, a moment, a list of
such. A person, a submission, a frozen record of any kind is written as its type's name. Of an
exception stand its type and the places in the code; its words only where it is our own, since a
driver's words may quote what it was given.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import Enum
from traceback import extract_tb
from typing import Any, BinaryIO, cast

import orjson
import structlog

IDENTITY_KEYS = frozenset(
    {
        *("phone", "email", "first_name", "last_name", "full_name", "birth_date", "dob", "ssn"),
        *("address", "street", "city", "zip", "ip", "identity", "consent", "tracking", "extra"),
        *("lead", "body", "api_key", "key", "authorization", "token", "secret"),
    }
)
"""Names under which nothing is ever written, whatever the value."""

MASKED = "[masked]"
DEPTH_MAX = 4
ITEMS_MAX = 50
TEXT_MAX = 500
INTEGER_MAX = 2**63
FRAMES_MAX = 12

Processed = MutableMapping[str, Any]


def configure_logging(level: str = "INFO", stream: BinaryIO | None = None) -> None:
    """Send all logs, other libraries' too, as JSON lines to `stream` (standard error).

    A line that cannot be written is lost, and nothing else.
    """
    numeric = logging.getLevelNamesMapping()[level.upper()]
    target = Lossy(sys.stderr.buffer if stream is None else stream)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            describe_exception,
            mask,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", target)),
        # A logger made before this call would otherwise keep the old rules for ever.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, ForeignHandler):
            root.removeHandler(handler)
    root.addHandler(ForeignHandler())
    root.setLevel(max(numeric, logging.WARNING))


class Lossy:
    """A stream whose failures are nobody's: a full disk, a reader that went away.

    Whoever logs is often handling an outage already; it must not be ended by its own words.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def write(self, line: bytes) -> None:
        """Write a line, if that can be done."""
        with suppress(OSError, ValueError):
            self.stream.write(line)

    def flush(self) -> None:
        """Let it go out."""
        with suppress(OSError, ValueError):
            self.stream.flush()


class ForeignHandler(logging.Handler):
    """Carries other libraries' records over: their sentence, never what they put into it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record under its library's name."""
        try:
            logger = structlog.get_logger()
            exception = record.exc_info[1] if record.exc_info else None
            sentence = str(record.msg).split("\n", 1)[0]
            logger.log(record.levelno, sentence, library=record.name, exc_info=exception)
        except Exception:  # noqa: BLE001 - what a logging handler must do with any failure of its own
            self.handleError(record)


def describe_exception(_logger: object, _method: str, event: Processed) -> Processed:
    """Replace `exc_info` by the exception's type, its places and, if it is ours, its words."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = name_of(error)
        event["error_at"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in extract_tb(error.__traceback__)[-FRAMES_MAX:]
        ]
        if type(error).__module__.partition(".")[0] == "exchange":
            event["error_says"] = str(error)
        if error.__cause__ is not None:
            event["error_cause"] = name_of(error.__cause__)
    return event


def name_of(error: BaseException) -> str:
    """Return where an exception's class lives and what it is called."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def mask(_logger: object, _method: str, event: Processed) -> Processed:
    """Let through plain values under harmless names; all else becomes a word about itself."""
    return {
        name: MASKED if name.lower() in IDENTITY_KEYS else plain(value, DEPTH_MAX)
        for name, value in event.items()
    }


def plain(value: object, depth: int) -> object:
    """Return the value if it is plain, its type's name in brackets otherwise."""
    if isinstance(value, Enum):
        return value.name.lower()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < INTEGER_MAX else str(value)[:TEXT_MAX]
    if isinstance(value, str):
        # A lone surrogate is no UTF-8: a strange value must not cost the line.
        return value[:TEXT_MAX].encode(errors="replace").decode()
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth - 1) for item in list(value)[:ITEMS_MAX]]
    if depth and isinstance(value, Mapping):
        return {
            str(name): MASKED if str(name).lower() in IDENTITY_KEYS else plain(item, depth - 1)
            for name, item in list(value.items())[:ITEMS_MAX]
        }
    return f"[{type(value).__name__}]"
