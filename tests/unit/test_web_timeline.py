"""What a timeline tells an operator, and what of it a seller may see."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exchange.contract.timeline import operator_timeline, seller_timeline, utc_text
from exchange.domain import places
from exchange.domain.events import Event, EventName
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from tests.making import NOW_US

RIVAL = "zyxrival"
PRICE = Micros(77_777_777)
OWN = "own-sale"


def names(text):
    """Any event that names a rival, its price, its caps or another seller's lead somewhere."""
    return st.builds(
        Event,
        at_us=st.integers(0, 4_000_000_000_000_000),
        event=st.sampled_from(EventName),
        offer=st.sampled_from([None, text]),
        reason=st.sampled_from([None, *Reason]),
        ms=st.one_of(st.none(), st.floats(0, 1000)),
        price=st.sampled_from([None, PRICE]),
        payout=st.sampled_from([None, PRICE]),
        floor=st.sampled_from([None, PRICE]),
        sale_id=st.sampled_from([None, f"{text}-sale"]),
        detail=st.none(),
        left_out=st.sampled_from([None, {201: (text, f"{text}-2"), 203: (text,)}]),
        places=st.sampled_from([None, {207: places.pack(7)}]),
        version=st.sampled_from([None, 7]),
    )


@given(st.lists(names(RIVAL)))
def test_no_rival_is_named_to_a_seller_and_none_of_its_prices(events):
    """Whatever an event holds, a seller reads no offer, buyer, price, floor or foreign sale."""
    told = msgspec.json.encode(seller_timeline(events, {OWN})).decode()
    assert RIVAL not in told
    for entry in seller_timeline(events, {OWN}):
        assert entry.offer is entry.buyer is entry.price is entry.floor is entry.sale_id is None
        if entry.payout is not None:
            assert entry.event in {"quoted", "sold", "unsold"}


@given(st.lists(names(RIVAL)))
def test_every_line_has_its_number(events):
    """Lines are numbered from 1 without a gap, for both readers."""
    for entries in (
        seller_timeline(events, ()),
        operator_timeline(events, lambda _offer: None),
    ):
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))


def test_details_about_buyers_are_not_for_sellers():
    """A filter's clause, a full counter, an original lead: only what the seller sent is told."""
    secret = "buyer/zyxrival|spend|day"
    for name in EventName:
        events = [
            Event(at_us=0, event=name, offer=RIVAL, detail=secret),
            Event(at_us=0, event=name, detail="undeclared_source"),
        ]
        about_offer, about_lead = seller_timeline(events, ())
        assert about_offer.detail is None
        assert (about_lead.detail is not None) == (name in {"received", "validated", "rejected"})


def test_a_seller_sees_what_it_is_paid_for_its_own_sale():
    """The payout of the sale that it is paid for, from the award on; never the buyer's price."""
    events = [
        Event(
            at_us=0,
            event=EventName.AWARDED,
            offer="acme-tx",
            sale_id=sale_id,
            price=PRICE,
            payout=Micros(8_500_000),
        )
        for sale_id in (OWN, "refused-sale")
    ]
    own, refused = seller_timeline(events, {OWN})
    assert (own.sale_id, own.payout, own.price) == (OWN, Decimal("8.50"), None)
    assert (refused.sale_id, refused.payout) == (None, None)


def test_offers_left_out_are_a_number_to_sellers_and_names_to_operators():
    """One line for each reason with its count; one line for each offer with its buyer."""
    left_out = {Reason.FILTERED: ("acme-tx", "acme-ok"), Reason.CAP: ("beta",)}
    event = Event(at_us=NOW_US, event=EventName.OFFER_LEFT_OUT, stage=1, left_out=left_out)
    for_seller = seller_timeline([event], ())
    assert [(entry.reason.reason, entry.detail) for entry in for_seller] == [
        ("filtered", "2 offers"),
        ("cap", "1 offer"),
    ]
    for_operator = operator_timeline([event], {"acme-tx": "acme", "acme-ok": "acme"}.get)
    assert [(entry.offer, entry.buyer, entry.reason.code) for entry in for_operator] == [
        ("acme-tx", "acme", 201),
        ("acme-ok", "acme", 201),
        ("beta", None, 203),
    ]
    assert {entry.at for entry in for_operator} == {"2026-11-18T11:06:40.000000Z"}


def test_who_is_left_out_with_words_of_its_own_counts_with_the_others():
    """Two caps that are full are two offers to a seller, not one line for each cap."""
    stage = {"at_us": NOW_US, "event": EventName.OFFER_LEFT_OUT, "stage": 1}
    events = [
        Event(**stage, left_out={Reason.FILTERED: ("acme-tx",), Reason.CAP: ("gamma",)}),
        Event(**stage, offer="beta", reason=Reason.CAP, detail="buyer/beta|leads|day|1795586400"),
        Event(**stage, offers=("delta", "eta"), reason=Reason.DEADLINE),
        Event(at_us=NOW_US, event=EventName.PINGED, offers=("zeta",)),
        Event(**stage, offer="zeta", reason=Reason.DEADLINE),
        Event(**{**stage, "stage": 2}, offer="acme-tx", reason=Reason.DEADLINE),
    ]
    lines = seller_timeline(events, ())
    told = [(line.event, line.reason and line.reason.reason, line.detail) for line in lines]
    assert told == [
        ("offer_left_out", "filtered", "1 offer"),
        ("offer_left_out", "cap", "2 offers"),
        ("offer_left_out", "deadline", "2 offers"),
        ("pinged", None, "1 offer"),
        ("offer_left_out", "deadline", "1 offer"),
        ("offer_left_out", "deadline", "1 offer"),
    ]
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5, 6]


def test_many_offers_left_out_are_a_number_to_sellers_too():
    """Whose places they are is nothing that a seller has to know."""
    left_out, many = {Reason.CAP: ("beta",)}, {Reason.FILTERED: places.pack((1 << 960) - 1)}
    event = Event(
        at_us=NOW_US,
        event=EventName.OFFER_LEFT_OUT,
        left_out=left_out,
        places=many,
        version=7,
        detail="offer|leads|day|1795",
    )
    told = [(entry.reason.reason, entry.detail) for entry in seller_timeline([event], ())]
    assert told == [("cap", "1 offer"), ("filtered", "960 offers")]


@given(st.integers(0, 4_000_000_000_000_000))
def test_moments_are_exact(at_us):
    """A moment's text is RFC 3339 in UTC and keeps every microsecond."""
    past = datetime.fromisoformat(utc_text(at_us)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert past // timedelta(microseconds=1) == at_us
    assert utc_text(at_us).endswith("Z")
