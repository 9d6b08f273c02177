"""What the benchmarks reckon with is right, so that what they tell can be."""

import asyncio
import re
import subprocess
import time
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.alarm import Alarm
from bench.arrivals import DAY, dues, read_shape
from bench.comparing import changes, last_object, table
from bench.histogram import PERCENTS, Histogram, curve, highest_of, slot_of
from bench.load import EMAIL, PHONE, template
from bench.market import LEAD
from bench.origin import commit_of, sentence
from bench.page import blocks
from bench.plots import Bars, Curves, Line, steps, svg
from bench.profile import LOOP, part_of, profile_of
from bench.rounds import spread
from exchange.contract.seller import TimelineEntry
from exchange.contract.timeline import buyers_ms

# Histograms


@given(st.integers(0, 10**12))
def test_a_duration_is_kept_to_a_thousandth(us):
    """The slot's highest is what is told: never less than what was counted, hardly more."""
    told = highest_of(slot_of(us))
    assert us <= told <= us * (1 + 1 / 1024)


@given(st.integers(0, 10**12))
def test_slots_follow_each_other(us):
    """A longer duration is in the same slot or a later one, and none is left out."""
    assert slot_of(us + 1) - slot_of(us) in {0, 1}
    assert slot_of(highest_of(slot_of(us)) + 1) == slot_of(us) + 1


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_that_of_the_sorted_durations(us, percent):
    """To a thousandth, for any durations."""
    histogram = Histogram()
    for one in us:
        histogram.record(one / 1e6)
    place = next(i for i, _ in enumerate(us, 1) if i >= len(us) * percent / 100)
    true_ms = sorted(us)[place - 1] / 1000
    assert histogram.at(percent) == pytest.approx(true_ms, rel=1 / 1024, abs=0.002)
    assert histogram.count == len(us)


def test_histograms_add_up():
    """Two processes' counts are one's that had seen all; nothing seen is zero."""
    one, other = Histogram(), Histogram()
    one.record(0.010)
    other.record(0.020)
    one.add(Histogram(other.slots))
    assert one.at_all([50, 100]) == [pytest.approx(10, rel=0.001), pytest.approx(20, rel=0.001)]
    assert one.longest == pytest.approx(20, rel=0.001)
    assert Histogram().at(99) == Histogram().longest == 0.0
    assert [percent for percent, _ in curve(one)] == [one for one in PERCENTS if one <= 50]


# Arrivals


def test_leads_are_due_by_chance_at_the_rate_asked_for():
    """A Poisson process: as many as asked for, gaps whose spread is their mean."""
    due = list(dues(200.0, 100.0, (), 7))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    assert len(due) == pytest.approx(20_000, rel=0.03)
    assert mean(gap * gap for gap in gaps) == pytest.approx(2 * mean(gaps) ** 2, rel=0.06)
    assert due == list(dues(200.0, 100.0, (), 7)) != list(dues(200.0, 100.0, (), 8))


def test_a_day_is_as_busy_as_it_was():
    """Each hour of a day compressed into a minute has its part of the leads."""
    due = list(dues(2000.0, 24.0, DAY, 1))
    for hour, weight in enumerate(DAY):
        share = sum(hour <= one < hour + 1 for one in due) / len(due)
        assert share == pytest.approx(weight / sum(DAY), rel=0.25)
    assert mean(DAY) == pytest.approx(1, abs=0.01)


def test_a_recorded_day_is_read_from_a_file(tmp_path):
    """One number a line; what cannot be a day is told."""
    path = tmp_path / "day"
    path.write_text("3\n0\n1.5\n")
    assert read_shape(path) == (3.0, 0.0, 1.5)
    path.write_text("0\n0\n")
    with pytest.raises(ValueError, match="above it"):
        read_shape(path)


async def test_an_alarm_rings_when_it_is_set_for_and_not_before():
    """Once for each setting, at once for a moment that is past."""
    rung = asyncio.Event()
    at = []
    alarm = Alarm(asyncio.get_running_loop(), lambda: (at.append(time.perf_counter()), rung.set()))
    for set_for in (time.perf_counter() + 0.03, time.perf_counter() - 1.0):
        rung.clear()
        alarm.set(set_for)
        await rung.wait()
        assert at[-1] >= set_for
    assert len(at) == 2
    alarm.close()


def test_every_lead_has_a_phone_and_an_email_of_its_own():
    """A template falls apart around them; the parts make the body again."""
    before, between, after = template(LEAD)
    assert b"phone" in before
    assert b"email" in between
    assert PHONE.encode() not in before + between + after
    assert EMAIL.encode() not in before + between + after


# What buyers had


def line(event, ms=None):
    return TimelineEntry(seq=1, at="", event=event, ms=ms)


def test_buyers_had_the_lead_for_the_slowest_answer_of_each_stage_and_every_post():
    """What is published of a timeline is enough to tell; whose stages ended, and what was late."""
    told = [
        line("stage"), line("bid", 20.0), line("no_bid", 35.0), line("bid"),
        line("stage"), line("bid", 10.0), line("refused", 5.0), line("accepted", 7.0),
        line("sold", 99.0),
    ]  # fmt: skip
    assert buyers_ms(told) == 35.0 + 10.0 + 5.0 + 7.0


# Comparing, drawing, telling


def test_a_change_is_told_from_noise():
    """Of every figure that both runs have, by how far rounds of both lay apart; no curves."""
    old = {"p50": 10.0, "p99": 20.0, "gone": 1, "curve": [[1, 2]], "spread": {"p50": 1.0}}
    new = {"p50": 11.5, "p99": 10.0, "parts": {"x": 1}, "curve": [[1, 3]], "spread": {"p50": 0.6}}
    p50, p99 = changes(old, new)
    assert (p50.name, p50.percent, p50.noise, p50.verdict) == ("p50", 15.0, 1.6, "within noise")
    assert (p99.name, p99.percent, p99.noise, p99.verdict) == ("p99", -50, None, "noise not known")
    assert changes(old, {**new, "p50": 12.0})[0].verdict == "changed"
    assert "| p50 | 10 | 11.5 | +15.0 % | ±1.6 | within noise |" in table([p50, p99])


def test_the_last_line_of_a_saved_run_is_what_is_compared_with(tmp_path):
    """What a person reads may stand before it."""
    path = tmp_path / "old.json"
    path.write_text('| a | table |\n{"p50": 1}\n')
    assert last_object(path) == {"p50": 1}
    path.write_text("nothing\n[]\n")
    with pytest.raises(ValueError, match="no result"):
        last_object(path)


def test_figures_name_the_commit_that_they_are_of(tmp_path):
    """A plus says that files differ from it; a folder inside a repository is no checkout."""

    def git(*words):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)

    assert commit_of(tmp_path) is None
    git("init")
    assert commit_of(tmp_path) is None, "nothing was committed"
    (tmp_path / "inside").mkdir()
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    commit = commit_of(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", commit)
    (tmp_path / "file").write_text("two")
    assert commit_of(tmp_path) == f"{commit}+"
    assert commit_of(tmp_path / "inside") is None
    told = {"measured_at": "2026-11-26T12:00Z", "commit": commit, "machine": "two cores"}
    assert sentence(told) == f"Measured 2026-11-26T12:00Z, commit {commit}, on two cores."
    assert "commit" not in sentence({**told, "commit": None})


def test_rounds_that_lie_apart_are_noise():
    """Half of the whole range; one round tells nothing."""
    assert spread({"p50": [1.0, 3.0, 2.0], "p99": [5.0]}) == {"p50": 1.0}


@given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
def test_axes_have_round_numbers_inside(first, span):
    """A few of them, in order, none beyond the end."""
    marks = steps(first, first + span)
    assert 2 <= len(marks) <= 8
    assert marks == sorted(marks)
    assert all(first - 1e-6 <= mark <= first + span * 1.000001 for mark in marks)


def test_plots_are_pictures_without_a_script():
    """Numbers become places inside the picture; names are escaped; nothing is one too."""
    drawn = svg(
        Curves(
            title="a <b>", x="percentile", y="ms", percentiles=True,
            lines=(Line("<i>", ((0.0, 1.0), (99.9, 40.0), (100.0, 50.0))),),
        )
    )  # fmt: skip
    assert "<b>" not in drawn
    assert "<i>" not in drawn
    (path,) = re.findall(r'points="([^"]*)"', drawn)
    places = [tuple(map(float, place.split(","))) for place in path.split()]
    assert all(0 <= x <= 720 and 0 <= y <= 320 for x, y in places)
    assert places == sorted(places)
    bars = svg(Bars(title="parts", unit="µs", bars=(("intake", 30.0), ("ledger", 10.0))))
    assert "30 µs, 75%" in bars
    for empty in (Bars(title="", unit="", bars=()), Curves(title="", x="", y="", lines=())):
        assert svg(empty).endswith("</svg>")


def test_a_report_in_markdown_becomes_paragraphs_and_tables():
    """A table's first row is its head, the rule under it is gone."""
    told = list(blocks("One\nline.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"))
    assert told[0].text == "One line."
    assert told[1].rows == (("a", "b"), ("1", "2"))


# Profiles

MAIN = "main (/x/exchange/cli.py:1);run (/l/asyncio/runners.py:118)"
STACKS = {
    "intake": f"{MAIN};edge (/x/exchange/web/edge.py:2);accept (/x/exchange/intake/intake.py:9)",
    "fan-out and posts": f"{MAIN};compete (/x/exchange/story/competing.py:2);"
    "run (/x/exchange/auction/auction.py:1);begin (/x/exchange/wire/wire.py:3);hmac (/l/hmac.py:1)",
    "ledger": f"{MAIN};flush (/x/exchange/ledger/lanes.py:1);fetch (/l/asyncpg/connection.py:5)",
    "market": f"{MAIN};read (/l/redis/asyncio/connection.py:7)",
    "the story between them": f"{MAIN};run (/x/exchange/story/sale.py:1);wait (/l/tasks.py:4)",
    "answer": f"{MAIN};edge (/x/exchange/web/edge.py:2);encode (/x/exchange/web/answers.py:3)",
    LOOP: MAIN,
}  # fmt: skip


@pytest.mark.parametrize("part", STACKS)
def test_a_moment_belongs_to_the_innermost_part_that_was_at_work(part):
    """Whoever called it, and whatever library it was in."""
    assert part_of(STACKS[part].split(";")) == part


def test_shares_of_a_profile_add_up_and_leave_out_who_waits():
    """A pool's thread that waits for work is no work."""
    idle = "run (/l/threading.py:1);_worker (/l/concurrent/futures/thread.py:81)"
    found = profile_of([f"{STACKS['ledger']} 3", f"{STACKS['market']} 1", f"{idle} 500"])
    assert found.shares == {"ledger": 0.75, "market": 0.25}
    assert found.samples == 4
