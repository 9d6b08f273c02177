"""The page on running it names all that an operator may meet."""

import re
from pathlib import Path

from exchange.domain.events import EventName
from exchange.telemetry.metrics import ShedCause

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
EVENTS = PAGE[PAGE.index("## The events of a timeline") :]


def test_every_event_of_a_timeline_is_explained_once():
    """None is missing, none is left over from earlier."""
    firsts = [line.split("|")[1] for line in EVENTS.splitlines() if line.startswith("| `")]
    told = [name for first in firsts for name in re.findall(r"`([a-z_]+)`", first)]
    assert sorted(told) == sorted(EventName)


def test_every_cause_of_shedding_is_named():
    """An alert on it can be written from the page."""
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `exchange_shed_total`")]
    assert set(re.findall(r"`([a-z_]+)`", line)) >= set(ShedCause)
