"""From TOML files to a market, with every mistake named by file, line and key."""

import re
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

import msgspec

from exchange.configuration.checking import check_market
from exchange.configuration.locate import Path, line_of, locate
from exchange.configuration.problem import Finding, MarketFileError, Problem, key_text
from exchange.contract.market_file import MarketFile

FILE_BYTES_MAX = 32 * 1024 * 1024


class Sheet(msgspec.Struct, frozen=True):
    """One file: what stands in it, and where."""

    name: str
    content: dict[str, Any]
    lines: dict[Path, int]
    opening: frozenset[int] = frozenset()
    """Lines at whose end a literal text of several lines opens, which begins below."""

    def line(self, path: Path, below: int = 0) -> int:
        """Return the line of a value, or of one below it in a text that stands as it is read."""
        first = line_of(self.lines, path)
        return first + 1 + below if below and first in self.opening else first


Origins = dict[Path, tuple[Sheet, Path]]
"""By the first one or two steps of a path: the file, and the path in it."""


class Reading(msgspec.Struct, frozen=True):
    """A market that was read, and what its author should know about it."""

    market: MarketFile
    warnings: tuple[Finding, ...]
    origins: Origins
    """Where each part was read, for what is found out later."""


def read_market(paths: Iterable[FilePath]) -> Reading:
    """Return the market of all these files together; raise MarketFileError with every mistake."""
    sheets: list[Sheet] = []
    findings: list[Finding] = []
    for path in paths:
        try:
            sheets.append(sheet_of(str(path), read_text(path)))
        except MarketFileError as error:
            findings += error.findings
    if findings:
        raise MarketFileError(tuple(findings))
    return read_sheets(sheets)


def read_sheets(sheets: Iterable[Sheet]) -> Reading:
    """Return the market of texts that were parsed; raise MarketFileError with all that is wrong."""
    merged: dict[str, Any] = {}
    origins: Origins = {}
    for sheet in sheets:
        for name, value in sheet.content.items():
            if not isinstance(value, list) or not isinstance(merged.get(name, []), list):
                # No table of its own: it is told as it is, with its first place.
                merged.setdefault(name, value)
                origins.setdefault((name,), (sheet, (name,)))
                continue
            together = merged.setdefault(name, [])
            for index, inner in enumerate(value):
                origins[name, len(together)] = (sheet, (name, index))
                together.append(inner)
            origins.setdefault((name,), (sheet, (name,)))
    checked = check_market(merged)
    found = {
        is_warning: tuple(
            finding_of(problem, origins)
            for problem in checked.problems
            if problem.is_warning is is_warning
        )
        for is_warning in (False, True)
    }
    if checked.market is None:
        raise MarketFileError(found[False])
    return Reading(checked.market, found[True], origins)


def finding_of(problem: Problem, origins: Origins) -> Finding:
    """Return a problem with the file, line and key where its author wrote it."""
    sheet, path = place_of(problem.path, origins)
    message = problem.message
    if problem.other is not None:
        other, there = place_of(problem.other, origins)
        message += f" at {other.name}:{line_of(other.lines, there)}"
    return Finding(sheet.name, sheet.line(path, problem.below), key_text(path), message)


def place_of(path: Path, origins: Origins) -> tuple[Sheet, Path]:
    """Return the file that a part of the market came from, and its path in that file."""
    for depth in (2, 1):
        if path[:depth] in origins:
            sheet, place = origins[path[:depth]]
            return sheet, (*place, *path[depth:])
    raise AssertionError("every part of a market came from somewhere")


def read_text(path: FilePath) -> str:
    """Return a file's text; raise MarketFileError where it is none."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise MarketFileError((Finding(str(path), 1, "", "is larger than 32 MiB"),))
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MarketFileError((Finding(str(path), line, "", "is not UTF-8"),)) from None
    except OSError as error:
        message = error.strerror or "cannot be read"
        raise MarketFileError((Finding(str(path), 1, "", message),)) from None


def sheet_of(name: str, text: str) -> Sheet:
    """Return one TOML text with its lines; raise MarketFileError where it is no TOML."""
    # A carriage return before a line feed is TOML's newline too, and counts as one.
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    try:
        return Sheet(name, tomllib.loads(text, parse_float=Decimal), locate(text), opening_of(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        words = message[: place.start()] if place else message
        raise MarketFileError((Finding(name, line, "", f"is no TOML: {words}"),)) from None
    except RecursionError:
        raise MarketFileError((Finding(name, 1, "", "is nested too deeply"),)) from None
    except ValueError:
        # The one thing that the parser leaves to int() without a place.
        raise MarketFileError((Finding(name, 1, "", "holds a number without end"),)) from None


def opening_of(text: str) -> frozenset[int]:
    """Return the lines, from 1, that end with the three quotes of a literal text."""
    lines = enumerate(text.split("\n"), 1)
    return frozenset(number for number, line in lines if line.rstrip("\r").endswith("= '''"))
