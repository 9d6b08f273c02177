"""Chance comes from the seed alone and follows the laws it is given."""

import math
from statistics import fmean, median

from hypothesis import given
from hypothesis import strategies as st

from bidders.fleet.books import Book
from bidders.fleet.buyer import Buyer
from bidders.fleet.chance import Dice, Fixed, LogNormal, Uniform, share
from bidders.fleet.misconduct import Stack
from bidders.fleet.spec import BuyerSpec, PingFault, PostFault

seeds = st.integers(0, 2**63)
ids = st.lists(st.uuids().map(str), unique=True, min_size=1, max_size=30)


@given(seeds, ids, st.randoms())
def test_the_order_in_which_pings_arrive_changes_no_luck(seed, pings, random):
    """Each ping has its own luck, whatever came before it."""
    dice = Dice(seed, "acme")
    in_order = {ping: dice.roll(ping) for ping in pings}
    shuffled = random.sample(pings, len(pings))
    again = Dice(seed, "acme")
    assert {ping: again.roll(ping) for ping in shuffled} == in_order


@given(seeds, st.uuids().map(str))
def test_another_seed_buyer_or_ping_is_other_luck(seed, ping):
    """Nothing of the three is ignored."""
    luck = Dice(seed, "acme").roll(ping)
    assert luck != Dice(seed + 1, "acme").roll(ping)
    assert luck != Dice(seed, "acme2").roll(ping)
    assert luck != Dice(seed, "acme").roll(ping + "0")


@given(st.integers(0, 2**64 - 1))
def test_a_share_never_reaches_its_ends(number):
    """Inverse distributions are finite strictly between 0 and 1 only."""
    assert 0.0 < share(number) < 1.0
    assert math.isfinite(LogNormal(10, 0.5).at(share(number)))


def test_the_extreme_numbers_are_finite_too():
    """The first and last of all 64-bit numbers do not overflow a log-normal."""
    for number in (0, 2**64 - 1):
        assert math.isfinite(LogNormal(1, 1).at(share(number)))


def test_prices_follow_their_distribution():
    """Over many pings the mean of a uniform and the median of a log-normal are as declared."""
    luck = [Dice(7, "acme").roll(str(n)).price for n in range(4000)]
    assert abs(fmean(Uniform(0, 1).at(u) for u in luck) - 0.5) < 0.02
    assert abs(median(LogNormal(20, 0.4).at(u) for u in luck) / 20 - 1) < 0.03
    assert {Fixed(3.5).at(u) for u in luck} == {3.5}
    assert max(LogNormal(20, 0.4, high=25).at(u) for u in luck) == 25


def test_faults_come_as_often_as_they_should():
    """Stacked shares pick each fault at its rate and nothing in what remains."""
    stack = Stack({PingFault.SLOW: 0.1, PingFault.NAN: 0.3})
    picked = [stack.pick(Dice(1, "acme").roll(str(n)).fault) for n in range(5000)]
    assert abs(picked.count(PingFault.SLOW) / 5000 - 0.1) < 0.02
    assert abs(picked.count(PingFault.NAN) / 5000 - 0.3) < 0.02
    assert picked.count(None) == 5000 - picked.count(PingFault.SLOW) - picked.count(PingFault.NAN)


def answers(seed, bodies, spec):
    buyer = Buyer(spec, seed, Book(keep=0))
    return {body: buyer.ping({}, body) for body in bodies}


@given(seeds, ids)
def test_one_seed_gives_one_set_of_answers(seed, pings):
    """Bids, latencies and faults of a whole run are the same again, in any order."""
    spec = BuyerSpec(
        id="acme",
        price=LogNormal(12, 0.5),
        latency_ms=LogNormal(30, 0.4),
        bids=0.7,
        ping_faults=dict.fromkeys(PingFault, 0.03),
    )
    bodies = [
        b'{"ping_id":"%b","vertical":"v","auction":{"tmax_ms":200},"lead":{}}' % ping.encode()
        for ping in pings
    ]
    assert answers(seed, bodies, spec) == answers(seed, bodies[::-1], spec)


@given(seeds, ids)
def test_posts_too_are_decided_by_their_sale_alone(seed, sales):
    """Which sale is refused, lost or accepted does not hang on the order of the posts."""
    spec = BuyerSpec(id="acme", post_faults=dict.fromkeys(PostFault, 0.06))

    def beliefs(order):
        book = Book(keep=0)
        buyer = Buyer(spec, seed, book)
        for sale in order:
            buyer.post({}, b'{"sale_id":"%b","price":9.5}' % sale.encode())
        return {sale: (kept.belief, kept.fault) for sale, kept in book.sales.items()}

    assert beliefs(sales) == beliefs(sales[::-1])
