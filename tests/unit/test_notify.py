"""Messages: who is told what, when the next try is due, and that a recipient can believe it."""

import time

import pytest
from standardwebhooks import Webhook as Reader
from standardwebhooks.webhooks import WebhookVerificationError

from exchange.configuration.problem import MarketFileError
from exchange.configuration.reading import read_sheets, sheet_of
from exchange.domain.message import Topic, Webhook, topic_of_end
from exchange.domain.states import LeadStatus
from exchange.notify.retrying import (
    ASKED_FOR_MAX_S,
    DELIVERED,
    PAUSES_S,
    SPREAD,
    Verdict,
    away_s,
    pause_s,
    verdict,
)
from exchange.notify.webhook import enveloped, signed_lines
from exchange.wire.call import Call, Detail, Outcome
from exchange.wire.endpoint import compile_endpoint

DAY_S = 86_400
ALL = frozenset(Topic)
RESOLVED = frozenset({Topic.LEAD_RESOLVED})
SOLD_ONLY = frozenset({Topic.LEAD_SOLD})


@pytest.mark.parametrize(
    ("asked", "status", "pending", "told"),
    [
        (ALL, LeadStatus.SOLD, False, Topic.LEAD_SOLD),
        (ALL, LeadStatus.UNSOLD, False, Topic.LEAD_UNSOLD),
        (ALL, LeadStatus.SOLD, True, Topic.LEAD_RESOLVED),
        (ALL, LeadStatus.UNSOLD, True, Topic.LEAD_RESOLVED),
        (ALL, LeadStatus.DUPLICATE, False, None),
        (ALL, LeadStatus.REJECTED, False, None),
        (RESOLVED, LeadStatus.SOLD, False, None),
        (RESOLVED, LeadStatus.UNSOLD, True, Topic.LEAD_RESOLVED),
        (SOLD_ONLY, LeadStatus.SOLD, True, Topic.LEAD_SOLD),
        (SOLD_ONLY, LeadStatus.UNSOLD, True, None),
    ],
)
def test_one_end_is_one_message_under_the_name_that_was_asked_for(asked, status, pending, told):
    """A seller that heard `pending` never waits in vain because it asked for the wrong word."""
    assert topic_of_end(Webhook("https://a.example", asked), status, pending=pending) is told


def test_who_has_no_webhook_is_told_nothing():
    """And costs nothing."""
    assert topic_of_end(None, LeadStatus.SOLD, pending=True) is None


def ended(outcome, status=0, head=b"", detail=Detail.NONE):
    call = Call(compile_endpoint("https://a.example/hook"), b"", 1000)
    call.outcome, call.status, call.head, call.detail = outcome, status, head, detail
    return call


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_only_a_2xx_is_delivered(status):
    """Whatever its body says."""
    assert verdict(ended(Outcome.ANSWERED, status)) is DELIVERED


@pytest.mark.parametrize(
    ("call", "means"),
    [
        (ended(Outcome.ANSWERED, 302), Verdict("status 302")),
        (ended(Outcome.ANSWERED, 410), Verdict("status 410", is_final=True)),
        (
            ended(Outcome.ANSWERED, 503, b"HTTP/1.1 503\r\nRetry-After: 120\r\n\r\n"),
            Verdict("status 503", asked_s=120.0),
        ),
        (
            ended(Outcome.ANSWERED, 429, b"HTTP/1.1 429\r\nRetry-After: tomorrow\r\n\r\n"),
            Verdict("status 429"),
        ),
        (ended(Outcome.TIMEOUT), Verdict("timeout")),
        (
            ended(Outcome.UNREACHABLE, detail=Detail.ADDRESS_NOT_ALLOWED),
            Verdict("address_not_allowed"),
        ),
    ],
)
def test_all_else_is_tried_again_but_what_is_gone(call, means):
    """With the reason as an operator reads it, and the pause that was asked for."""
    assert verdict(call) == means


def test_the_tries_spread_over_a_day_and_then_end():
    """The first soon, the last after a day; what is asked for is heeded, up to an hour."""
    assert DAY_S <= sum(PAUSES_S) <= DAY_S * 1.1
    assert pause_s(1, None, 0.5) == PAUSES_S[0]
    assert pause_s(1, 600.0, 0.5) == 600.0
    assert pause_s(1, 1e9, 0.5) == ASKED_FOR_MAX_S
    assert pause_s(len(PAUSES_S), None, 0.5) is not None
    assert pause_s(len(PAUSES_S) + 1, None, 0.5) is None
    low, high = pause_s(3, None, 0.0), pause_s(3, None, 1.0)
    assert (low, high) == (PAUSES_S[2] * (1 - SPREAD), PAUSES_S[2] * (1 + SPREAD))


def test_a_recipient_that_is_away_is_asked_ever_less_often_up_to_a_bound():
    """One message at a time finds out whether it is back."""
    pauses = [away_s(failures) for failures in range(1, 100)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, 30.0)


def test_a_message_is_signed_as_the_standard_says():
    """Its library believes it, and nothing else that was sent with it."""
    secret, now_us = b"s" * 32, int(time.time()) * 1_000_000
    body = enveloped("lead.sold", now_us, {"price": 1})
    lines = signed_lines(secret, "018f", now_us, body).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    assert Reader(secret).verify(body, headers)["type"] == "lead.sold"
    with pytest.raises(WebhookVerificationError):
        Reader(secret).verify(body.replace(b"1", b"2"), headers)
    assert b"signature" not in signed_lines(None, "018f", now_us, body)


MARKET = """
[[seller]]
id = "fastquotes"
webhook = { url = "URL", events = EVENTS }
"""


@pytest.mark.parametrize(
    ("url", "events", "told"),
    [
        ("ftp://a.example/", '["lead.sold"]', "must be a URL such as"),
        ("https://u:p@a.example/", '["lead.sold"]', "must not hold a user or a password"),
        ("https://a.example/", "[]", "is empty: name some of"),
        ("https://a.example/", '["lead.lost"]', 'must be "lead.sold", "lead.unsold" or'),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_at_its_line(url, events, told):
    """Before anything is applied."""
    text = MARKET.replace("URL", url).replace("EVENTS", events)
    with pytest.raises(MarketFileError) as caught:
        read_sheets([sheet_of("market.toml", text)])
    [finding] = caught.value.findings
    assert told in finding.message
    assert finding.line == 4


def test_a_webhook_on_this_machine_is_a_warning():
    """It is called only where the operator allows it, like a buyer."""
    text = MARKET.replace("URL", "http://127.0.0.1:9/hook").replace("EVENTS", '["lead.sold"]')
    [warning] = read_sheets([sheet_of("market.toml", text)]).warnings
    assert "EXCHANGE_ALLOW_NETWORKS" in warning.message
