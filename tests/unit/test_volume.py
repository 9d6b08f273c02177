"""What a seller may bring: which limit is full, how much room is left, when there is more."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain import volume
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.schedule import US_PER_S, window_end_s
from exchange.domain.seller import DeclaredSource, Seller
from exchange.domain.volume import Sent
from tests.making import NOW_US

CHICAGO = ZoneInfo("America/Chicago")
KINDS = st.sampled_from([CapKind.LEADS, CapKind.PINGS])


def a_cap(scope):
    return st.builds(Cap, st.just(scope), KINDS, st.integers(0, 20), st.sampled_from(Per))


def caps(scope):
    return st.lists(a_cap(scope), max_size=4, unique_by=lambda cap: (cap.kind, cap.per)).map(tuple)


@st.composite
def sent(draw):
    own = DeclaredSource("search", None, Micros(0), Micros(0), False, draw(caps("source/fast:s")))
    seller = Seller(
        id="fast",
        name="Fast",
        sources={"search": own},
        zone=CHICAGO,
        caps=draw(caps("seller/fast")),
        is_limited=True,
    )
    source = draw(st.sampled_from(["search", "another"]))
    at_us = NOW_US + draw(st.integers(0, 400 * 24 * 3600)) * US_PER_S
    return Sent(seller, source, at_us, draw(st.booleans()))


@given(sent(), KINDS, st.data())
def test_the_tightest_limit_says_what_is_left(one, kind, data):
    """Full where nothing is left of any; of what is left, each limit has so much at least."""
    named = list(volume.lines(one, kind, 1))
    used = {line.counter: data.draw(st.integers(0, 25)) for _, line in named}
    full = volume.full(one, {kind}, lambda _: used)
    if not named:
        assert full is None
        return
    room = volume.room(one, kind, used)
    assert (full is not None) == (room == 0)
    assert all(
        used[line.counter] + room <= max(cap.limit, used[line.counter]) for cap, line in named
    )


@given(sent())
def test_there_is_room_again_when_the_window_ends_and_not_before(one):
    """By the seller's own clock; nobody is told to wait for longer than a week."""
    for cap in one.limits:
        again_s = volume.again_in_s(cap, one)
        assert 1 <= again_s <= volume.AGAIN_MAX_S
        if cap.per in {Per.HOUR, Per.DAY}:
            end_s = window_end_s(cap.per, one.at_us, CHICAGO)
            assert one.at_us // US_PER_S + again_s == end_s


@given(sent())
def test_a_source_that_is_not_declared_has_its_sellers_limits_alone(one):
    """And a test counts by itself."""
    scopes = {cap.scope for cap in one.limits}
    assert scopes <= (
        {"source/fast:s", "seller/fast"} if one.source_id == "search" else {"seller/fast"}
    )
    for kind in (CapKind.LEADS, CapKind.PINGS):
        for _, line in volume.lines(one, kind, 1):
            assert line.counter.startswith("test/") == one.test
