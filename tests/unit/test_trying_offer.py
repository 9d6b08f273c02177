"""An offer is tried: what `both` means, and what a person is told where nothing could be sent."""

import os
import time

import msgspec
import pytest

from exchange.commands.try_offer import listed, notes
from exchange.contract.trying import Sending, Tried
from exchange.domain.offer import PingTerms
from exchange.intake.request import Request
from exchange.trying.means import Means
from exchange.trying.trying import Trying
from exchange.wire.call import Detail, Outcome
from exchange.wire.endpoints import CALL_HEADERS, FOREIGN_HEADERS, Endpoints
from tests.making import NOW_US, an_offer
from tests.making_dialect import a_ping
from tests.making_doors import VERTICALS
from tests.making_intake import a_snapshot, intake

AUTO = {"vertical_id": "auto_insurance"}


class Walled:
    """A wire whose guard lets nothing out; keeps what was to be sent."""

    def __init__(self):
        self.calls = []

    async def fan_out(self, calls, deadline_at):
        del deadline_at
        for call in calls:
            self.calls.append(call)
            call.outcome, call.detail = Outcome.UNREACHABLE, Detail.ADDRESS_NOT_ALLOWED
            call.begun_at = call.ended_at = 5.0


class Answering:
    """A wire on which every call is answered alike."""

    def __init__(self, body):
        self.body = body
        self.calls = []

    async def fan_out(self, calls, deadline_at):
        del deadline_at
        for call in calls:
            self.calls.append(call)
            call.outcome, call.status, call.body = Outcome.ANSWERED, 200, self.body
            call.head = b"HTTP/1.1 200 OK\r\n\r\n"
            call.begun_at = call.sent_at = call.ended_at = 5.0


async def tried(offer, send, wire=None):
    wire = wire or Walled()
    trying = Trying(
        intake(),
        Means(
            wire,
            Endpoints(CALL_HEADERS, FOREIGN_HEADERS),
            now_us=lambda: NOW_US,
            monotonic=time.monotonic,
            entropy=os.urandom,
        ),
    )
    snapshot = a_snapshot(verticals=VERTICALS, offers={offer.id: offer})
    return await trying.run(offer, send, Request({}), snapshot), len(wire.calls)


@pytest.mark.parametrize("half", ["ping", "post"])
async def test_both_of_an_offer_with_one_half_is_that_half(half):
    """One command tries every preset, those that are never asked too."""
    other = {"ping": "post", "post": "ping"}[half]
    shown, calls = await tried(an_offer(**AUTO, **{other: None}), Sending.BOTH)
    assert calls == 1
    assert getattr(shown, half).read.outcome == "unreachable"
    assert getattr(shown, other) is None


@pytest.mark.parametrize(
    ("send", "lacking", "said"),
    [
        (Sending.PING, ("ping",), "the offer has no ping"),
        (Sending.POST, ("post",), "the offer has no post"),
        (Sending.BOTH, ("ping", "post"), "the offer has no ping and no post"),
    ],
)
async def test_what_an_offer_does_not_have_is_not_sent(send, lacking, said):
    """It is said of what was asked for, not of the lead."""
    errors, calls = await tried(an_offer(**AUTO, **dict.fromkeys(lacking)), send)
    assert calls == 0
    assert listed(errors) == f"nothing was tried:\n  send: {said}"


async def test_a_buyer_on_this_machine_is_named_with_what_allows_it():
    """The command calls from where it runs, whatever the exchange itself may call."""
    shown, _ = await tried(an_offer(**AUTO, ping=None), Sending.POST)
    assert isinstance(shown, Tried)
    [note] = notes(shown)
    assert "EXCHANGE_ALLOW_NETWORKS" in note


async def test_an_answer_that_meets_no_rule_is_told_place_by_place_without_the_person():
    """Who maps a buyer sees which word to name; bounded, secrets and the person masked."""
    dialect = a_ping("", vertical=VERTICALS["auto_insurance"])
    offer = an_offer(**AUTO, ping=PingTerms("http://a.example/ping", 1000, 50_000_000, dialect))
    shown, _ = await tried(offer, Sending.PING)
    person = {name: str(value) for name, value in shown.lead.items()}
    told = f"{person['last_name']} {person['email']} s3cr&t/+ {'x' * 100}"
    body = msgspec.json.encode({"ok": told})
    shown, _ = await tried(offer, Sending.PING, Answering(body))
    read = shown.ping.read
    assert read.outcome == "invalid_bid"
    assert read.detail.startswith("meets neither the rule for yes nor for no, status 200: `ok` is")
    assert read.detail.endswith("…`, wanted `true` or `false`")
    assert person["last_name"] not in read.detail
    assert person["email"] not in read.detail
    assert len(read.detail) < 250
