"""Who gets a lead together: the best set, exactly, whoever has it already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain import rivals
from exchange.domain.choice import (
    Choice,
    Sharing,
    Taken,
    among_rivals,
    are_rivals,
    at_price,
    candidates,
    choose,
    in_turn,
)
from tests.making import an_offer
from tests.making_choice import a_bid, best_of_all, made, may_share, plain_rows, rows, sharings


def is_exact(bids, sharing, worth=at_price):
    """Check a choice against all there are."""
    choice = choose(bids, sharing, worth)
    best = best_of_all(bids, sharing, worth)
    if choice is None:
        assert best is None
        return
    assert sum(worth(bid, choice.price_of(bid)) for bid in choice.bids) == best
    if choice.alone:
        assert len(choice.bids) == 1
        assert not sharing.taken
        assert not sharing.elsewhere
        assert not sharing.is_let_out
    else:
        assert may_share(choice.bids, sharing)


@given(st.lists(rows, max_size=8).map(made), sharings)
def test_no_set_brings_more(bids, sharing):
    """Against all sets of up to eight bids, whoever has the lead already, and named competitors."""
    is_exact(bids, sharing)


@given(st.lists(rows, max_size=8).map(made), sharings, st.lists(st.integers(0, 9), min_size=8))
def test_no_set_is_expected_to_bring_more(bids, sharing, chances):
    """The same where each bid is worth its price times a chance of its own, rounded down."""

    def worth(bid, price):
        return price * chances[int(bid.offer.id[-1])] // 9

    is_exact(bids, sharing, worth)


@given(st.lists(rows, max_size=8).map(made), sharings)
def test_no_set_brings_more_where_groups_are_searched_apart(bids, sharing):
    """As with room for many: each group that rivalry connects by itself, then put together."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rivals, "APART_FROM", 0)
        is_exact(bids, sharing)


def test_room_for_many_does_not_make_it_a_search_without_end():
    """Thirty rings of five, each minding the next: two of each, and no product of all there are."""
    rings = [
        a_bid(f"r{ring}n{n}-1", 1000 - ring, not_with=frozenset({f"r{ring}n{(n + 1) % 5}"}))
        for ring in range(30)
        for n in range(5)
    ]
    choice = choose(rings, Sharing(buyers_max=100))
    assert sum(bid.price for bid in choice.bids) == sum(2 * (1000 - ring) for ring in range(30))
    few = choose(rings, Sharing(buyers_max=20))
    assert sum(bid.price for bid in few.bids) == sum(2 * (1000 - ring) for ring in range(10))


@given(st.lists(plain_rows, max_size=8).map(made), sharings)
def test_no_set_brings_more_without_competitors(bids, sharing):
    """The short way: limits alone."""
    is_exact(bids, sharing)


@given(st.lists(plain_rows, max_size=12).map(made), sharings)
def test_the_short_way_and_the_search_agree(bids, sharing):
    """Where nobody names a competitor both ways bring the same."""
    ranked = sorted(candidates(bids, sharing, at_price), key=lambda one: -one.worth)
    choice = choose([m for m in bids if m.price], sharing)
    if choice is not None and not choice.alone:
        searched = among_rivals([one for one in ranked if one.worth], sharing.room)
        assert sum(one.worth for one in searched) == sum(bid.price for bid in choice.bids)


@given(st.lists(rows, max_size=8).map(made), sharings)
def test_in_turn_nobody_is_passed_over_who_could_share(bids, sharing):
    """A waterfall's set is allowed, and whoever stands before its last and is not in it cannot."""
    choice = in_turn(bids, sharing)
    chosen = choice.bids if choice else ()
    if chosen:
        assert may_share(chosen, sharing)
    for place, bid in enumerate(bids):
        before = tuple(one for one in bids[:place] if one in chosen)
        if bid not in chosen:
            assert not may_share((*before, bid), sharing)


def test_alone_or_together_whichever_brings_more():
    """Three share for 18, one alone pays 17, then 20."""
    bids = [a_bid("acme-1", 7, 17), a_bid("bravo-1", 6), a_bid("cargo-1", 5), a_bid("delta-1", 4)]
    sharing = Sharing(buyers_max=3)
    assert choose(bids, sharing) == Choice(tuple(bids[:3]))
    more = [a_bid("acme-1", 7, 20), *bids[1:]]
    assert choose(more, sharing) == Choice((more[0],), alone=True)
    assert choose(more, sharing).price_of(more[0]) == 20


def test_an_offer_that_shares_with_few_keeps_the_set_small_only_where_that_brings_more():
    """Twelve with one beside it, or three others."""
    few = a_bid("acme-1", 12, share_with_max=1)
    others = [a_bid("bravo-1", 6), a_bid("cargo-1", 6), a_bid("delta-1", 5)]
    assert choose([few, *others], Sharing(buyers_max=3)) == Choice((few, others[0]))
    dear = [a_bid("bravo-1", 8), a_bid("cargo-1", 8), a_bid("delta-1", 8)]
    assert choose([few, *dear], Sharing(buyers_max=3)) == Choice(tuple(dear))


def test_who_has_the_lead_keeps_its_terms():
    """A second buyer came in under a limit of two: nobody else does, and nobody is alone."""
    taken = Taken(an_offer("acme-1"), 2)
    bids = [a_bid("bravo-1", 5, 90), a_bid("cargo-1", 4)]
    assert choose(bids, Sharing(buyers_max=4, taken=(taken,))) == Choice((bids[0],))
    both = (taken, Taken(an_offer("delta-1"), 4))
    assert choose(bids, Sharing(buyers_max=4, taken=both)) is None


def test_where_the_seller_sold_it_already_nobody_is_alone():
    """`already_sold` counts against every limit."""
    bids = [a_bid("acme-1", 5, 90, share_with_max=0), a_bid("bravo-1", 4, share_with_max=1)]
    assert choose(bids, Sharing(buyers_max=3, elsewhere=1)) == Choice((bids[1],))
    assert choose(bids, Sharing(buyers_max=3, elsewhere=2)) is None
    assert choose(bids, Sharing(buyers_max=2, elsewhere=2)) is None


def test_rivals_are_rivals_whoever_of_the_two_says_so():
    """Named once is enough."""
    one = an_offer("acme-1", not_with=frozenset({"bravo"}))
    assert are_rivals(one, an_offer("bravo-1"))
    assert are_rivals(an_offer("bravo-1"), one)
    assert not are_rivals(one, an_offer("cargo-1"))
    assert are_rivals(one, an_offer("acme-2"))


def test_a_price_of_nothing_is_sold_only_where_there_is_no_other():
    """Nobody is let in who brings nothing; alone it is better than nobody."""
    free, paid = a_bid("acme-1", 0), a_bid("bravo-1", 3)
    assert choose([paid, free], Sharing(buyers_max=2)) == Choice((paid,))
    assert choose([free], Sharing(buyers_max=2)) == Choice((free,))
