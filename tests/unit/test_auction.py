"""Each contender gets exactly one result, whatever became of its call."""

import json
from decimal import Decimal

import msgspec
import pytest

from exchange.auction.auction import Auction, AuctionLimits
from exchange.auction.health import Health, HealthLimits
from exchange.auction.ping import Showing
from exchange.auction.tender import Tender
from exchange.domain.bid import Contender
from exchange.domain.lead import ConsentMarks, Fingerprint
from exchange.domain.money import Micros
from exchange.domain.offer import PingTerms
from exchange.domain.reason import Reason
from exchange.wire.call import Detail, Outcome
from exchange.wire.endpoints import Endpoints
from tests.making import DOLLAR, NOW_US, an_offer

SHOWING = Showing(
    vertical_id="auto",
    test=False,
    fields={"state": "TX", "annual_miles": Decimal("12000.5"), "score": 71},
    consent=ConsentMarks(tcpa=True),
    currency="USD",
    channel=None,
)


class ScriptedWire:
    """Ends every call as the script says, by the offer it is for; keeps what was sent."""

    def __init__(self, script):
        self.script = script
        self.sent = {}

    async def fan_out(self, calls, deadline_at):
        del deadline_at
        for call in calls:
            name = call.tag.offer.id
            self.sent[name] = call.request.partition(b"\r\n\r\n")[2]
            call.outcome, call.detail, call.body = self.script[name]
            call.status, call.begun_at, call.ended_at = 200, 5.0, 5.025


def answered(body):
    return Outcome.ANSWERED, Detail.NONE, body


async def held(script, *offers, timeout_ms=300.0, floor=0):
    """Run one auction of these offers, all asked under one script."""
    wire = ScriptedWire(script)
    health = Health(HealthLimits(), lambda: 5.0)
    auction = Auction(
        wire,
        health,
        Endpoints({}),
        monotonic=lambda: 5.0,
        entropy=lambda count: b"e" * count,
        limits=AuctionLimits(),
    )
    contenders = tuple(Contender(offer, Micros(floor), offer.static_price({})) for offer in offers)
    tender = Tender(
        auction_id="lead/1",
        showing=SHOWING,
        fingerprint=Fingerprint(sha256={"phone": "a" * 64}),
        hashed=("phone",),
        seller_id="fastquotes",
        source_id="search",
        contenders=contenders,
        at_us=NOW_US,
        timeout_ms=timeout_ms,
    )
    result = await auction.run(tender)
    assert [one.offer_id for one in result.results] == [offer.id for offer in offers]
    assert all(of.in_flight == 0 for of in health.offers.values())
    return wire, result


@pytest.mark.parametrize(
    ("outcome", "detail", "reason"),
    [
        (Outcome.TIMEOUT, Detail.NONE, Reason.TIMEOUT),
        (Outcome.ABANDONED, Detail.WIRE_CLOSED, Reason.TIMEOUT),
        (Outcome.UNREACHABLE, Detail.CONNECT_REFUSED, Reason.UNREACHABLE),
        (Outcome.BROKEN, Detail.CLOSED_HALFWAY, Reason.UNREACHABLE),
        (Outcome.OVERSIZE, Detail.BODY_TOO_LARGE, Reason.INVALID_BID),
        (Outcome.BAD_HTTP, Detail.NONE, Reason.INVALID_BID),
    ],
)
async def test_a_call_without_an_answer_has_its_reason_and_its_time(outcome, detail, reason):
    """However it ended, the offer was pinged, lost, and others stand as they did."""
    script = {"bad-1": (outcome, detail, b""), "good-1": answered(b'{"bid":9}')}
    _, result = await held(script, an_offer("bad-1"), an_offer("good-1"))
    bad, good = result.results
    assert (bad.reason, bad.pinged, bad.ms, bad.bid) == (reason, True, 25.0, None)
    assert (bad.detail or "") == str(detail)
    assert (good.reason, good.bid.price) == (None, 9 * DOLLAR)
    assert [bid.offer.id for bid in result.ranked] == ["good-1"]


async def test_what_the_wire_did_not_send_was_no_ping():
    """An offer whose host has no connection free is left out, without a time."""
    script = {"full-1": (Outcome.THROTTLED, Detail.NONE, b"")}
    _, result = await held(script, an_offer("full-1"))
    [full] = result.results
    assert (full.reason, full.pinged, full.ms) == (Reason.THROTTLED, False, None)


async def test_who_is_not_asked_costs_no_call():
    """Too little time, neither ping nor price, and a static price: three results, no request."""
    hasty = an_offer("hasty-1", ping=PingTerms("http://127.0.0.1:9/", 5, Micros(DOLLAR)))
    mute = an_offer("mute-1", ping=None)
    wire, result = await held({}, hasty, mute)
    assert wire.sent == {}
    assert [one.reason for one in result.results] == [Reason.TOO_LATE_TO_PING, Reason.NO_BID]


async def test_a_ping_is_whole_json_with_the_offers_own_terms():
    """Head, shared part and tail make one body: ids, floor and time, fields, then the hash."""
    script = dict.fromkeys(("acme-1", "bravo-1"), answered(b'{"bid":9}'))
    less = an_offer("bravo-1", hidden=frozenset({"state", "phone"}), hash_key=b"b" * 32)
    wire, _ = await held(script, an_offer("acme-1"), less, floor=5 * DOLLAR)
    acme, bravo = (json.loads(wire.sent[name]) for name in ("acme-1", "bravo-1"))
    assert acme["auction"] == {
        "type": "first_price",
        "floor": 5,
        "currency": "USD",
        "tmax_ms": 299,
        "max_buyers": 1,
    }
    assert len(acme["lead"].pop("phone_hash")) == 64
    assert acme["lead"] == {"state": "TX", "annual_miles": 12000.5, "score": 71}
    assert bravo["lead"] == {"annual_miles": 12000.5, "score": 71}
    assert acme["consent"] == {"tcpa": True}
    assert acme["ping_id"] != bravo["ping_id"]
    assert set(acme["source"]) == {"id"}
    assert acme["source"] != bravo["source"]
    assert msgspec.json.decode(wire.sent["acme-1"])["test"] is False
