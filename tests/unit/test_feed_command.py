"""`exchange feed` without an exchange: its results file, what it goes on from, what it refuses."""

import csv
from decimal import Decimal

import msgspec
import pytest

from exchange.commands.feed import key_of_seller, layout
from exchange.commands.feed_results import Results
from exchange.commands.feed_sending import Course
from exchange.commands.feed_showing import FAULTS_SHOWN_MAX, Bar, show
from exchange.contract.feeds import (
    COLUMNS,
    FeedEnd,
    FeedRow,
    FeedTotals,
    as_cell,
    end_line,
    row_line,
)
from exchange.contract.seller import FieldError, LeadAnswer, Problem, SaleOut
from exchange.errors import CommandError
from exchange.intake.feeds.naming import shown_ref
from exchange.intake.feeds.splitting import Format, Layout
from exchange.intake.request import Request


def an_end(number, status="sold"):
    answer = LeadAnswer(
        lead_id=f"lead-{number}",
        status=status,
        price=Decimal("11.05"),
        currency="USD",
        sales=(SaleOut("s", Decimal("11.05"), "=Acme", "https://a.example/?x=1,2"),),
        reason=None,
        score=71,
        duration_ms=1.5,
    )
    return FeedRow(row=number, line=number + 1, answer=answer, key=f"k{number}")


def a_failure(number):
    errors = (FieldError("lead.phone", "required", "must be there"),)
    problem = Problem(type="/problems/fields", title="Some", status=422, errors=errors)
    return FeedRow(row=number, line=number, problem=problem, key=f"k{number}")


@pytest.fixture(params=["results.ndjson", "results.csv"])
def path(request, tmp_path):
    return tmp_path / request.param


def write(path, *rows, resume=False):
    with Results.open(path, resume=resume) as results:
        for row in rows:
            results.keep(row)


def known(path):
    with Results.open(path, resume=True) as results:
        return results.known


def test_rows_that_are_leads_are_known_again_and_all_others_are_not(path):
    """Failed rows are tried again; pending ones are asked for by their lead."""
    write(path, an_end(1), a_failure(2), an_end(3, "pending"), an_end(4, "unsold"))
    assert known(path).ended == {"k1", "k4"}
    assert known(path).pending == {"k3": "lead-3"}
    write(path, an_end(2), an_end(3), resume=True)
    assert known(path).ended == {"k1", "k2", "k3", "k4"}
    assert known(path).pending == {}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_cut_off_and_written_anew(path, cut):
    """Whatever a crash left of it: the file goes on with whole lines only."""
    write(path, an_end(1), an_end(2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert known(path).ended == {"k1"}
    write(path, an_end(2), resume=True)
    assert path.read_bytes() == whole


def test_a_file_torn_in_its_first_line_begins_anew(path):
    write(path, an_end(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:9])
    write(path, an_end(1), resume=True)
    assert path.read_bytes() == whole


def test_results_are_never_written_over(path):
    """Nor is a file that holds something else taken for results."""
    write(path, an_end(1))
    with pytest.raises(CommandError, match="--resume"):
        Results.open(path, resume=False)
    path.write_text("first_name,phone\nAnn,5125550123\n")
    with pytest.raises(CommandError, match="no line of results") as caught:
        Results.open(path, resume=True)
    assert "Ann" not in str(caught.value)


def test_two_runs_do_not_share_results(path):
    with Results.open(path, resume=True), pytest.raises(CommandError, match="another feed"):
        Results.open(path, resume=True)


def test_a_table_is_whole_and_computes_nothing():
    """One line a row, whatever a buyer says; a cell that looks like a formula is text."""
    assert row_line(an_end(1)) == (
        '1,2,,sold,lead-1,11.05,USD,,71,\'=Acme,"https://a.example/?x=1,2",200,,,k1\r\n'
    )
    assert row_line(a_failure(2)) == ("2,2,,failed,,,,,,,,422,lead.phone:required,Some,k2\r\n")
    assert as_cell("a\r\nb") == "a b"
    end = FeedEnd(totals=FeedTotals(rows=2, sold=1, failed=1), complete=True)
    assert end_line(end).startswith("end,,,complete,")


def test_the_key_never_stands_in_the_command_line(tmp_path, monkeypatch):
    """It is in a file or in a variable, and it is said which one lacks it."""
    file = tmp_path / "key"
    file.write_text("from-file\n")
    monkeypatch.setenv("MY_KEY", "from-variable")
    monkeypatch.delenv("EXCHANGE_KEY", raising=False)
    assert key_of_seller(file, "MY_KEY") == "from-file"
    assert key_of_seller(None, "MY_KEY") == "from-variable"
    with pytest.raises(CommandError, match="EXCHANGE_KEY"):
        key_of_seller(None, "EXCHANGE_KEY")
    with pytest.raises(CommandError, match="cannot be read"):
        key_of_seller(tmp_path / "none", "MY_KEY")


def test_a_files_name_tells_its_format_unless_it_is_said(tmp_path):
    assert layout(tmp_path / "a.CSV", None, None) == Layout(Format.CSV)
    assert layout(tmp_path / "a.tsv", None, None) == Layout(Format.CSV, b"\t")
    assert layout(tmp_path / "a.jsonl", None, None) == Layout(Format.NDJSON)
    assert layout(tmp_path / "a.txt", Format.CSV, "pipe") == Layout(Format.CSV, b"|")
    for name, wanted, delimiter in (
        ("a.txt", None, None),
        ("a.csv", None, "colon"),
        ("a.jsonl", None, "tab"),
    ):
        with pytest.raises(CommandError):
            layout(tmp_path / name, wanted, delimiter)


def test_bad_rows_that_were_not_told_one_by_one_are_counted(capsys, tmp_path):
    """Whoever sees ten sentences knows that there are more, and where."""
    file = tmp_path / "leads.csv"
    file.touch()
    with file.open("rb") as opened, Bar(opened) as bar:
        for number in range(1, 14):
            bar.ended(a_failure(number))
    show(Course(totals=bar.totals), as_json=False)
    said = capsys.readouterr().err
    assert said.count("lead.phone must be there") == FAULTS_SHOWN_MAX
    assert "… and 3 more that failed; --results FILE has them all" in said


def test_a_row_is_told_with_its_own_reference():
    """So that results can be joined with what was sent; bounded, and no formula."""
    row = an_end(1)
    named = msgspec.structs.replace(row, seller_ref="=A-1001")
    assert named_cells(named)["seller_ref"] == "'=A-1001"
    assert named_cells(row)["seller_ref"] == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [(" A-1 ", "A-1"), ("", None), (7, None), ("x" * 201, None), ("a\u202eb", "ab")],
)
def test_a_reference_is_shown_if_it_is_one(said, shown):
    assert shown_ref(Request({"seller_ref": said})) == shown


def named_cells(row):
    return dict(zip(COLUMNS, next(csv.reader([row_line(row)])), strict=True))
