"""The read-ahead: what every buyer has left, known without asking."""

import asyncio

from exchange.domain.caps import Hold, full, hold_lines
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.reason import Reason
from exchange.market import rooms
from tests.integration.market.making import a_hold, a_line, until
from tests.making import DOLLAR, NOW_US, a_buyer, an_offer

DAY = "offer/a|leads|day|0"
DAY_US = 86_400_000_000


async def test_what_this_worker_moved_is_known_at_once(market):
    """Held, refused, settled, released: the very next line of code sees it."""
    market.watch(["acme"])
    first, second, third = (a_hold(a_line(DAY, limit=2)) for _ in range(3))
    await market.hold(first)
    assert market.used("acme") == {DAY: 1}
    await market.hold(second)
    await market.hold(third)
    assert market.used("acme") == {DAY: 2}
    await market.release("acme", first.sale_id)
    assert market.used("acme") == {DAY: 1}
    await market.settle("acme", second.sale_id)
    assert market.used("acme") == {DAY: 1}
    await market.give_back(second)
    assert market.used("acme") == {DAY: 0}


async def test_what_another_worker_moved_is_read_within_the_interval(market, other):
    """Nobody tells this worker, it reads on by itself."""
    market.watch(["acme"])
    hold = a_hold(a_line(DAY))
    await other.hold(hold)
    await until(lambda: market.used("acme") == {DAY: 1})
    await other.release("acme", hold.sale_id)
    await until(lambda: market.used("acme") == {DAY: 0})


async def test_a_refusal_tells_what_others_used(market, other):
    """The counter that had no room is full for this worker from then on, before any read."""
    market.watch(["acme"])
    market._reading.cancel()
    await other.hold(a_hold(a_line(DAY, limit=1)))
    assert market.used("acme").get(DAY, 0) == 0
    await market.hold(a_hold(a_line(DAY, limit=1)))
    assert market.used("acme") == {DAY: 1}


async def test_an_older_reading_never_covers_a_newer_hold(market):
    """Asked for in one turn, taken in the order of the replies, whoever wakes up first."""
    market.watch(["acme"])
    await market.hold(a_hold(a_line(DAY, limit=100)))
    for count in range(2, 30):
        await asyncio.gather(market.read_rooms(), market.hold(a_hold(a_line(DAY, limit=100))))
        assert market.used("acme") == {DAY: count}


async def test_the_same_reading_again_is_taken_over_a_newer_note(market, other):
    """One's own hold, given back by another worker: it reads as before, and so it is."""
    market.watch(["acme"])
    await market.hold(a_hold(a_line(DAY)))
    await market.read_rooms()
    hold = a_hold(a_line(DAY))
    await market.hold(hold)
    await other.release("acme", hold.sale_id)
    await market.read_rooms()
    assert market.used("acme") == {DAY: 1}


async def test_what_is_settled_is_known_apart_from_what_is_held(market, other):
    """A hold may be given back at any moment; what counts comes back by a return alone."""
    market.watch(["acme"])
    held, settled, more = (a_hold(a_line(DAY)) for _ in range(3))
    for hold in (held, settled, more):
        await other.hold(hold)
    await other.settle("acme", settled.sale_id)
    await other.settle("acme", more.sale_id)
    await market.read_rooms()
    assert (market.used("acme"), market.settled("acme")) == ({DAY: 3}, {DAY: 2})
    market._reading.cancel()
    await market.give_back(settled)
    await market.give_back(more)
    assert (market.used("acme"), market.settled("acme")) == ({DAY: 1}, {DAY: 1})
    await market.read_rooms()
    assert market.settled("acme") == {DAY: 0}


async def test_what_is_settled_is_not_known_for_long(market, other, monkeypatch):
    """While nothing can be read, as in an outage, nobody is passed over by what was read before."""
    assert market.settled("acme") == {}
    hold = a_hold(a_line(DAY))
    await other.hold(hold)
    await other.settle("acme", hold.sale_id)
    market.watch(["acme"])
    await until(lambda: market.settled("acme") == {DAY: 1})
    monkeypatch.setattr(rooms, "KNOWN_FOR_S", 0.02)
    market._reading.cancel()
    await until(lambda: market.settled("acme") == {})
    assert market.used("acme") == {DAY: 1}


async def test_only_watched_buyers_take_memory(market):
    """Others are held for, but not remembered; whoever is no longer watched is forgotten."""
    market.watch(["acme"])
    await market.hold(a_hold(a_line(DAY), buyer_id="best"))
    assert market.used("best") == {}
    await market.hold(a_hold(a_line(DAY)))
    market.watch(["best"])
    assert market.used("acme") == {}
    await market.read_rooms()
    assert market.used("best") == {DAY: 1}


async def test_hundreds_of_buyers_are_read_together(market, other):
    """More than one slice, each buyer's own figures."""
    names = [f"buyer-{number}" for number in range(100)]
    for number, name in enumerate(names[::10]):
        for _ in range(number):
            await other.hold(a_hold(a_line(DAY, limit=100), buyer_id=name))
    market.watch(names)
    await market.read_rooms()
    assert [market.used(name).get(DAY, 0) for name in names[::10]] == list(range(10))


async def test_a_full_buyer_is_seen_by_the_domain(market, other):
    """Counters by the domain's own names: the look-ahead and the hold agree."""
    caps = (
        Cap("offer/acme-tx", CapKind.LEADS, 2, Per.DAY),
        Cap("buyer/acme", CapKind.SPEND, 25 * DOLLAR, Per.MONTH),
        Cap("offer/acme-tx", CapKind.CONCURRENT, 2, None),
    )
    offer = an_offer("acme-tx", buyer=a_buyer("acme"), caps=caps)
    market.watch(["acme"])

    def look_ahead(price, at_us=NOW_US):
        return full(offer, price, at_us, market.used("acme"), credited=Micros(0), test=False)

    def sale(number, price):
        lines = hold_lines(offer, price, NOW_US, credited=Micros(0), test=False)
        return Hold(
            sale_id=SaleId(f"s{number}"),
            lead_id=LeadId(f"l{number}"),
            buyer_id="acme",
            held_at_us=NOW_US,
            lines=lines,
        )

    ten = Micros(10 * DOLLAR)
    assert look_ahead(ten) is None
    assert await market.hold(sale(1, ten)) is None
    assert look_ahead(Micros(16 * DOLLAR))[0] is Reason.BUDGET
    assert look_ahead(ten) is None
    assert await market.hold(sale(2, ten)) is None
    assert look_ahead(Micros(1))[0] is Reason.CAP
    assert (await other.hold(sale(3, Micros(1)))).reason is Reason.CAP_AT_AWARD
    await market.settle("acme", SaleId("s1"))
    await market.settle("acme", SaleId("s2"))
    assert look_ahead(Micros(1))[0] is Reason.CAP, "the day's two are sold"
    tomorrow = look_ahead(Micros(1), NOW_US + DAY_US)
    assert tomorrow is None, "a new day is a new counter"


async def test_counters_of_windows_long_past_are_forgotten(market, other):
    """Only those in which nothing is held; totals and the present stay."""
    now_s = NOW_US // 1_000_000
    old, present = f"offer/a|leads|day|{now_s - 3 * 86_400}", f"offer/a|leads|day|{now_s - 3600}"
    held_in_old = f"offer/a|leads|hour|{now_s - 9 * 3600}"
    total = "offer/a|leads|total|0"
    sold = a_hold(a_line(old), a_line(present), a_line(total))
    open_still = a_hold(a_line(held_in_old))
    await market.hold(sold)
    await market.settle("acme", sold.sale_id)
    await market.hold(open_still)
    await other.hold(a_hold(a_line(old), buyer_id="best"))
    await other.settle("best", a_hold().sale_id)
    assert await market.prune(NOW_US) == 1
    standing = await market.standing("acme")
    assert standing.settled == {present: 1, total: 1}
    assert standing.held == {present: 0, total: 0, held_in_old: 1}
    assert await market.prune(NOW_US) == 0
    await market.settle("acme", open_still.sale_id)
    assert await market.prune(NOW_US) == 1


async def test_thousands_of_past_counters_are_forgotten_in_bounded_calls(market):
    """More than one call's worth."""
    lines = [a_line(f"offer/{number}|leads|hour|0") for number in range(1200)]
    for start in range(0, 1200, 100):
        hold = a_hold(*lines[start : start + 100])
        await market.hold(hold)
        await market.settle("acme", hold.sale_id)
    assert await market.prune(NOW_US) == 1200
    assert (await market.standing("acme")).settled == {}
