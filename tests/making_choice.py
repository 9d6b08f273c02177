"""Bids that share, for tests: how they are drawn, and what the best of all sets brings."""

from itertools import combinations

from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.choice import Sharing, Taken, at_price
from exchange.domain.money import Micros
from tests.making import an_offer

BUYERS = ("acme", "bravo", "cargo", "delta", "echo")


def a_bid(name, price, exclusive=None, **terms):
    """A bid of the buyer whose name stands before the dash."""
    own = None if exclusive is None else Micros(exclusive)
    return Bid(offer=an_offer(name, **terms), price=Micros(price), exclusive_price=own)


def made(rows):
    """Bids of these rows: buyer, price, exclusive price, limit, competitors."""
    return [
        a_bid(
            f"{buyer}-{number}",
            price,
            exclusive,
            share_with_max=limit,
            not_with=frozenset(rivals) - {buyer},
        )
        for number, (buyer, price, exclusive, limit, rivals) in enumerate(rows)
    ]


rows = st.tuples(
    st.sampled_from(BUYERS),
    st.integers(0, 12),
    st.none() | st.integers(1, 30),
    st.none() | st.integers(0, 4),
    st.just(()) | st.lists(st.sampled_from(BUYERS), max_size=2),
)
plain_rows = st.tuples(
    st.sampled_from(BUYERS),
    st.integers(0, 12),
    st.none() | st.integers(1, 30),
    st.none() | st.integers(0, 4),
    st.just(()),
)
takens = st.lists(
    st.builds(
        Taken,
        st.builds(
            lambda name, rivals: an_offer(f"{name}-t", not_with=frozenset(rivals) - {name}),
            st.sampled_from(("fox", "golf")),
            st.lists(st.sampled_from(BUYERS), max_size=1),
        ),
        st.integers(2, 5),
    ),
    max_size=2,
    unique_by=lambda one: one.offer.buyer.id,
).map(tuple)
sharings = st.builds(
    Sharing,
    buyers_max=st.integers(1, 6),
    elsewhere=st.integers(0, 2),
    elsewhere_to=st.frozensets(st.sampled_from(BUYERS), max_size=1),
    taken=takens,
    is_let_out=st.booleans(),
)


def may_share(bids, sharing):
    """What a set of newcomers must keep, written down a second time."""
    size = len(bids) + len(sharing.taken)
    total = size + sharing.elsewhere
    buyers = [bid.offer.buyer.id for bid in bids] + [t.offer.buyer.id for t in sharing.taken]
    if len(set(buyers)) < len(buyers) or total > sharing.buyers_max:
        return False
    if any(size > one.buyers_max for one in sharing.taken):
        return False
    for bid in bids:
        offer = bid.offer
        if not bid.price and bid.exclusive_price is not None:
            return False
        if offer.share_with_max is not None and total - 1 > offer.share_with_max:
            return False
        if sharing.is_let_out and (sharing.buyers_max == 1 or offer.share_with_max == 0):
            return False  # it would be alone, and is not
        if sharing.elsewhere and offer.not_with & sharing.elsewhere_to:
            return False
        if offer.not_with & set(buyers):
            return False
    return not any(one.offer.not_with & set(buyers) for one in sharing.taken)


def best_of_all(bids, sharing, worth=at_price):
    """What the best choice brings, by trying every one; None where there is none."""
    totals = [
        sum(worth(bid, bid.price) for bid in some)
        for size in range(1, len(bids) + 1)
        for some in combinations(bids, size)
        if may_share(some, sharing)
    ]
    if not sharing.taken and not sharing.elsewhere and not sharing.is_let_out:
        alone = [bid for bid in bids if bid.exclusive_price is not None]
        totals += [worth(bid, bid.exclusive_price) for bid in alone]
    return max(totals, default=None)
