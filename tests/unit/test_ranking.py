"""The ranking is total and repeatable: any order of arrival gives the same winner."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.money import Micros
from exchange.domain.ranking import rank
from tests.making import an_offer

bids = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=8).map(
    lambda pairs: [
        Bid(offer=an_offer(f"b{n}-o", priority=priority), price=Micros(price))
        for n, (price, priority) in enumerate(pairs)
    ]
)


@given(bids, st.randoms(use_true_random=False), st.uuids())
def test_the_order_of_arrival_changes_nothing(made, chance, auction):
    """Replays and races end alike."""
    shuffled = made[:]
    chance.shuffle(shuffled)
    assert rank(shuffled, str(auction)) == rank(made, str(auction))


@given(bids, st.uuids())
def test_price_comes_first_and_priority_second(made, auction):
    """A higher price always stands better; among equal prices the lower priority number."""
    keys = [(-bid.price, bid.offer.priority) for bid in rank(made, str(auction))]
    assert keys == sorted(keys)


def test_41_40_41_has_one_winner_and_other_auctions_share_the_luck():
    """Equal bids are decided by auction and offer: fixed for one, fair over many."""
    made = [
        Bid(offer=an_offer(name), price=Micros(price))
        for name, price in (("a-1", 41), ("b-1", 40), ("c-1", 41))
    ]
    winners = [rank(made, f"auction {n}")[0].offer.id for n in range(400)]
    assert rank(made, "auction 7")[0].offer.id == winners[7]
    assert "b-1" not in winners
    assert 150 < winners.count("a-1") < 250
