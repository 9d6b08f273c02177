"""A log line holds what was meant for it and nothing of a person, whoever writes it."""

import asyncio
import io
import json
import logging
import sys
from pathlib import Path

import msgspec
import pytest
import structlog

from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus
from exchange.market.errors import MarketUnavailable
from exchange.telemetry.logs import MASKED, configure_logging
from tests.making import a_submission

CANARIES = ("canary", "5125550123", "aaaaaaaa")


@pytest.fixture
def lines():
    stream = io.BytesIO()
    configure_logging("debug", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_a_line_that_cannot_be_written_ends_nobody():
    """A full disk, and a reader that went away: whoever handles an outage may speak of it."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        configure_logging("debug", full)
        structlog.get_logger().warning("lease not renewed")
    structlog.get_logger().warning("and the stream is closed")
    structlog.reset_defaults()


def test_a_line_is_json_with_its_sentence_and_moment(lines):
    """One event a line: its sentence, its level, its moment in UTC, and plain values."""
    structlog.get_logger().info(
        "lead sold",
        lead_id="019a",
        price_micros=Micros(8_500_000),
        reason=Reason.OUTBID,
        status=LeadStatus.SOLD,
        stages=(1, 2.5, None, True),
    )
    (line,) = lines()
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "lead sold",
        "level": "info",
        "lead_id": "019a",
        "price_micros": 8_500_000,
        "reason": "outbid",
        "status": "sold",
        "stages": [1, 2.5, None, True],
    }


def test_a_person_is_never_written(lines):
    """A submission, a person or any other record becomes its type's name, however deep it lies."""
    submission = a_submission()
    structlog.get_logger().info(
        "oops",
        submission=submission,
        person=submission.person,
        several=[submission.person, {"deep": {"deeper": submission}}],
        raw=msgspec.json.encode(submission.person),
        fingerprint=submission.fingerprint,
    )
    (line,) = lines()
    assert line["submission"] == "[Submission]"
    assert line["several"] == ["[Person]", {"deep": {"deeper": "[Submission]"}}]
    assert not [canary for canary in CANARIES if canary in str(line).lower()]


@pytest.mark.parametrize("name", ["phone", "Email", "first_name", "api_key", "body", "lead"])
def test_some_names_are_masked_whatever_they_hold(lines, name):
    """A value under the name of an identity field is masked, at the top and inside."""
    structlog.get_logger().info("oops", **{name: "Canary"}, inside={name: "Canary"})
    (line,) = lines()
    assert (line[name], line["inside"][name]) == (MASKED, MASKED)


def test_an_exception_is_its_type_and_places(lines):
    """Of a foreign exception no word is written: it may quote what it was given."""
    try:
        int("+15125550123 Canary")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
        structlog.get_logger().exception("failed again")
    for line in lines():
        assert line["error"] == "builtins.ValueError"
        assert line["error_at"][-1].endswith("test_an_exception_is_its_type_and_places")
        assert not [canary for canary in CANARIES if canary in str(line).lower()]


def test_our_own_exceptions_say_their_sentence(lines):
    """An exception of ours is written with its words: they hold facts, never values."""
    error = MarketUnavailable(address="unix:///v.sock", problem="the connection broke")
    structlog.get_logger().error("away", exc_info=error)
    (line,) = lines()
    assert "unix:///v.sock" in line["error_says"]


def test_other_libraries_write_into_the_same_log(lines):
    """Their sentence stands there under their name; what they put into it does not."""
    try:
        int("Canary")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error from %s", "Canary\nsecond")
    logging.getLogger("aiohttp.server").info("not important enough")
    (line,) = lines()
    assert (line["event"], line["library"]) == ("Error from %s", "aiohttp.server")
    assert line["error"] == "builtins.ValueError"
    assert "canary" not in str(line).lower()


def test_what_the_event_loop_could_not_deliver_is_written_once(lines):
    """A task's lost exception is a line with its type, without the task's repr."""
    context = {"message": "Task exception was never retrieved", "exception": ValueError("Canary")}
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({**context, "future": "<Task Canary>"})
    loop.close()
    (line,) = lines()
    assert (line["event"], line["error"]) == (context["message"], "builtins.ValueError")
    assert "canary" not in str(line).lower()


def test_no_value_can_cost_a_line(lines):
    """Half surrogates, huge numbers, endless texts and lists, cycles: the line is written."""
    endless = []
    endless.append(endless)
    structlog.get_logger().info(
        "strange", half="\ud800", huge=10**40, text="x" * 10_000, many=list(range(999)), own=endless
    )
    (line,) = lines()
    assert line["huge"] == str(10**40)
    assert len(line["text"]) == 500
    assert len(line["many"]) == 50


def test_a_level_silences_what_is_below_it():
    """Configured at `warning`, an info line is not written."""
    stream = io.BytesIO()
    configure_logging("warning", stream)
    structlog.get_logger().info("quiet")
    assert stream.getvalue() == b""
    structlog.get_logger().warning("loud")
    assert json.loads(stream.getvalue())["event"] == "loud"
    structlog.reset_defaults()


def test_an_unknown_level_is_an_error():
    """A level that logging does not know is told where it is set."""
    with pytest.raises(KeyError):
        configure_logging("shout", sys.stderr.buffer)
