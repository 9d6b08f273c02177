"""When an auction is decided: never before nobody silent can change who wins, and then at once."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid, Contender, above
from exchange.domain.choice import Sharing, choose
from exchange.domain.closing import Closing, Race
from exchange.domain.expected import Chance, Chances, Valuing
from exchange.domain.money import Micros
from exchange.domain.offer import PingTerms
from exchange.domain.ranking import fitting, rank, worth
from tests.making import DOLLAR, a_buyer, an_offer

offers = st.lists(
    st.tuples(
        st.integers(1, 6),  # the most it may bid
        st.integers(0, 6),  # what it bids: more than that is no bid, and 0 is none
        st.integers(0, 3),  # its floor
        st.integers(1, 2),  # its priority
        st.integers(0, 2),  # how well the lead fits
    ),
    min_size=1,
    max_size=6,
)


def contender(number, most, floor, priority):
    ping = PingTerms("http://127.0.0.1:9/", 300, Micros(most * DOLLAR))
    offer = an_offer(f"o-{number}", ping=ping, priority=priority)
    one = Contender(offer, Micros(floor * DOLLAR))
    one.pinged = True
    return one


def expected(fits):
    """Return a ranking by expected value: the chances of an offer follow from any number of it."""
    chances = {name: Chance(10**6 - 300_000 * fit, 0) for name, fit in fits.items()}
    return Valuing(Chances(chances))


def bid_of(one, dollars):
    return Bid(offer=one.offer, price=Micros(dollars * DOLLAR))


@given(offers, st.randoms(use_true_random=False), st.sampled_from(["price", "fit", "value"]))
def test_it_is_decided_just_when_no_answer_that_may_come_changes_the_winner(told, chance, rule):
    """Checked against all that the silent could bid: none, and the most that each may."""
    contenders = [
        contender(n, most, floor, prio) for n, (most, _, floor, prio, _) in enumerate(told)
    ]
    fits = {f"o-{n}": fit for n, (*_, fit) in enumerate(told)}
    by = {"price": worth, "fit": fitting(fits), "value": expected(fits).worth}[rule]
    race = Race(contenders, Closing(by_bounds=True), by)
    order = list(range(len(told)))
    chance.shuffle(order)
    heard = []
    for at, number in enumerate(order[:-1]):
        one, (most, bids, *_) = contenders[number], told[number]
        if 0 < bids <= most:
            one.bid = bid_of(one, bids)
        heard.append(one)
        decided = race.heard(one)
        standing = [x.bid for x in heard if x.bid is not None and x.bid.price >= x.floor]
        now = rank(standing, "a", by)[:1]
        silent = [contenders[n] for n in order[at + 1 :]]
        could = [bid_of(x, told[int(x.offer.id[2:])][0]) for x in silent]
        could = [b for b, x in zip(could, silent, strict=True) if b.price >= x.floor]
        winners = {rank([*standing, b], "a", by)[0].offer.id for b in could}
        if decided is not None:
            assert winners <= {bid.offer.id for bid in now}
            assert [by(decided.bid)] == [by(now[0])] if now else decided.bid is None
            return
        # A bound as good as the best bid is waited for: the lot would decide.
        ties = {by(b) == by(now[0]) for b in could} if now else set()
        assert could
        assert not now or winners != {now[0].offer.id} or True in ties


def test_a_bid_that_reaches_its_buy_now_price_decides_at_once():
    """Not one below it, and not one below its floor, however high the price."""
    one, two, three = (contender(n, 50, floor, 1) for n, floor in ((0, 0), (1, 20), (2, 0)))
    race = Race([one, two, three], Closing(buy_now={"o-0": 12 * DOLLAR, "o-1": 12 * DOLLAR}), worth)
    one.bid = bid_of(one, 11)
    assert race.heard(one) is None
    two.bid = bid_of(two, 15)
    assert race.heard(two) is None
    three.bid = bid_of(three, 49)
    assert race.heard(three) is None  # it has no such price
    race = Race([one, two], Closing(buy_now={"o-0": 11 * DOLLAR}), worth)
    assert race.heard(one).bid == one.bid


def test_whoever_cannot_reach_its_floor_is_not_waited_for():
    """Nobody can stand any more: it is over, without a winner."""
    one, two = contender(0, 50, 0, 1), contender(1, 5, 8, 1)
    race = Race([one, two], Closing(by_bounds=True), worth)
    decided = race.heard(one)
    assert decided is not None
    assert decided.bid is None


sharers = st.lists(
    st.tuples(
        st.integers(1, 6),  # the most it may bid
        st.integers(0, 6),  # what it bids to share it, within that
        st.integers(0, 6),  # what it bids to be alone; 0: nothing
        st.sampled_from([None, None, 0, 1]),  # with how many it shares
        st.sampled_from(["", "", "o-0", "o-1"]),  # with whom it does not
    ),
    min_size=1,
    max_size=5,
)


def sharer(number, most, shares, names):
    ping = PingTerms("http://127.0.0.1:9/", 300, Micros(most * DOLLAR))
    rivals = frozenset({names} - {"", f"o-{number}"})
    offer = an_offer(f"o-{number}", ping=ping, share_with_max=shares, not_with=rivals)
    offer = msgspec.structs.replace(offer, buyer=a_buyer(f"o-{number}"))
    one = Contender(offer, Micros(DOLLAR))
    one.pinged = True
    return one


def said(one, most, together, alone):
    """Return what a contender bids, or None."""
    price, exclusive = min(together, most), min(alone, most)
    if not price and not exclusive:
        return None
    bid = Bid(
        offer=one.offer,
        price=Micros(price * DOLLAR),
        exclusive_price=Micros(exclusive * DOLLAR) if exclusive else None,
    )
    return above(bid, one.floor)


@given(sharers, st.integers(2, 3), st.randoms(use_true_random=False))
def test_of_a_shared_lead_it_is_decided_only_when_the_chosen_stay_the_chosen(told, most, chance):
    """Whatever the silent then say, the same buyers get it on the same terms."""
    contenders = [sharer(n, t[0], t[3], t[4]) for n, t in enumerate(told)]
    sharing = Sharing(buyers_max=most)
    race = Race(contenders, Closing(by_bounds=True, sharing=sharing), worth)
    order = list(range(len(told)))
    chance.shuffle(order)
    standing = []
    for at, number in enumerate(order[:-1]):
        one = contenders[number]
        one.bid = said(one, *told[number][:3])
        if one.bid is not None:
            standing.append(one.bid)
        decided = race.heard(one)
        if decided is None:
            continue
        rest = [said(contenders[n], *told[n][:3]) for n in order[at + 1 :]]
        everybody = rank([*standing, *(bid for bid in rest if bid is not None)], "a")
        now, then = choose(rank(standing, "a"), sharing), choose(everybody, sharing)
        assert now is not None
        assert then is not None
        assert sum(map(then.price_of, then.bids)) == sum(map(now.price_of, now.bids))
        silent = {f"o-{n}" for n in order[at + 1 :]}
        assert not silent & {bid.offer.id for bid in then.bids}
        return
