"""What a feed is answered with: a line for each row as it ends, and a last one with totals."""

import csv
import io
from collections.abc import Sequence

import msgspec

from exchange.contract.seller import LeadAnswer, Problem


class FeedRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one row: the answer that a post of it gets, or the problem."""

    row: int
    """From 1; headers and blank lines are not counted."""
    line: int
    """Where the row begins, from 1, as an editor counts."""
    seller_ref: str | None = None
    """The row's own, as far as it can be read and is no longer than one may be."""
    answer: LeadAnswer | None = None
    problem: Problem | None = None
    key: str | None = None
    """The row's Idempotency-Key, where it was posted by itself."""


class FeedTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows ended how."""

    rows: int = 0
    sold: int = 0
    unsold: int = 0
    duplicate: int = 0
    rejected: int = 0
    pending: int = 0
    failed: int = 0
    """Got a problem: they are no leads, or it is not known yet what became of them."""

    def with_row(self, row: FeedRow) -> "FeedTotals":
        """Return the totals with one more row."""
        ended = "failed" if row.answer is None else row.answer.status
        counts = msgspec.structs.asdict(self)
        counts["rows"] += 1
        counts[ended] = counts.get(ended, 0) + 1
        return FeedTotals(**counts)


class FeedEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last line: without it the feed was broken off, and is to be sent again."""

    totals: FeedTotals
    complete: bool
    """Every row that was sent stands in a line above."""
    problem: Problem | None = None
    """Why reading stopped before the feed's end."""


COLUMNS = (
    *("row", "line", "seller_ref", "status", "lead_id", "price", "currency", "reason", "score"),
    *("buyer", "redirect_url", "http_status", "errors", "detail", "key"),
)
"""Of the answer in CSV."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell."""


def header_line() -> str:
    """Return the line that names the columns."""
    return as_line(COLUMNS)


def row_line(row: FeedRow) -> str:
    """Return a row as a line of CSV."""
    cells: dict[str, object] = {
        "row": row.row,
        "line": row.line,
        "seller_ref": row.seller_ref,
        "key": row.key,
    }
    if row.answer is not None:
        cells |= answer_cells(row.answer)
    if row.problem is not None:
        cells |= {"status": "failed", **problem_cells(row.problem)}
    return as_line([cells.get(name) for name in COLUMNS])


def end_line(end: FeedEnd) -> str:
    """Return the last line: its `row` says `end`."""
    counts = msgspec.structs.asdict(end.totals)
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    cells: dict[str, object] = {"row": "end", "status": "complete" if end.complete else "broken"}
    if end.problem is not None:
        cells |= problem_cells(end.problem)
        told = f"{told}: {cells['detail']}"
    cells["detail"] = told
    return as_line([cells.get(name) for name in COLUMNS])


def answer_cells(answer: LeadAnswer) -> dict[str, object]:
    """Return what became of a lead; of several sales the first one's buyer."""
    sale = answer.sales[0] if answer.sales else None
    redirects = [one.redirect_url for one in answer.sales if one.redirect_url]
    return {
        "status": answer.status,
        "lead_id": answer.lead_id,
        "price": answer.price,
        "currency": answer.currency,
        "reason": None if answer.reason is None else answer.reason.reason,
        "score": answer.score,
        "buyer": None if sale is None else sale.buyer,
        "redirect_url": redirects[0] if redirects else None,
        "http_status": 200,
    }


def problem_cells(problem: Problem) -> dict[str, object]:
    """Return what was wrong; fields and codes, never values."""
    return {
        "http_status": problem.status,
        "errors": " ".join(f"{error.field}:{error.code}" for error in problem.errors),
        "detail": problem.detail or problem.title,
    }


def as_line(cells: Sequence[object]) -> str:
    """Return cells as one line; none of them is a formula, or has a line of its own."""
    told = io.StringIO()
    csv.writer(told, lineterminator="\r\n").writerow([as_cell(cell) for cell in cells])
    return told.getvalue()


def as_cell(value: object) -> str:
    """Return a value as a cell that a spreadsheet shows and does not compute."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(FORMULA) else text
