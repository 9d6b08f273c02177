"""Expected value: shrunken chances, exact ranking, and what an order is expected to bring."""

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.bid import Bid
from exchange.domain.campaign import Campaign
from exchange.domain.expected import (
    CERTAIN,
    NOTHING_KNOWN,
    PPM,
    STRENGTH,
    STRENGTH_MAX,
    Chance,
    Chances,
    Expected,
    Expecting,
    RankBy,
    Track,
    Valuing,
    estimated,
    fitted,
    revenue,
    value,
)
from exchange.domain.lessons import Lessons
from exchange.domain.money import Micros
from exchange.domain.ranking import rank
from tests.making import DOLLAR, a_campaign, a_stage, an_offer

PRICES = st.integers(1, 500_000_000)
SHARES = st.integers(1, PPM)
CHANCES = st.builds(Chance, SHARES, st.integers(0, PPM))
TRACKS = st.integers(0, 400).flatmap(
    lambda posts: st.integers(0, posts).flatmap(
        lambda accepted: st.integers(0, accepted).flatmap(
            lambda matured: st.builds(
                Track,
                posts=st.just(posts),
                accepted=st.just(accepted),
                matured=st.just(matured),
                returned=st.integers(0, matured),
            )
        )
    )
)


def a_bid(name: str, dollars: int) -> Bid:
    return Bid(offer=an_offer(name), price=Micros(dollars * DOLLAR))


# Worth


@given(PRICES, CHANCES)
def test_worth_is_the_product_rounded_down_to_the_micro(price, chance):
    """Exactly: no float is anywhere near it."""
    exact = price * Fraction(chance.accepted_ppm, PPM) * (1 - Fraction(chance.returned_ppm, PPM))
    assert value(Micros(price), chance) == exact.numerator // exact.denominator


@given(PRICES, CHANCES)
def test_where_refusals_cost_nothing_acceptance_does_not_matter(price, chance):
    """Whoever refuses only sends the lead to the next one."""
    kept = price * (PPM - chance.returned_ppm) // PPM
    assert value(Micros(price), chance, PPM) == kept


@given(st.lists(st.tuples(PRICES, CHANCES), min_size=2, max_size=4), st.integers(0, PPM))
def test_no_other_order_brings_more_where_a_share_survives_each_refusal(bids, survives_ppm):
    """The index is the best order's, by brute force over all orders."""

    def brings(order):
        total, reached = Fraction(0), Fraction(1)
        for price, chance in order:
            accepted = Fraction(chance.accepted_ppm, PPM)
            kept = 1 - Fraction(chance.returned_ppm, PPM)
            total += reached * accepted * kept * price
            reached *= (1 - accepted) * Fraction(survives_ppm, PPM)
        return total

    ours = sorted(bids, key=lambda one: -value(Micros(one[0]), one[1], survives_ppm))
    best = max(brings(order) for order in itertools.permutations(bids))
    assert best - brings(ours) <= len(bids)  # the micros that rounding takes


def test_the_certain_bid_is_worth_its_price():
    """Before anything is known expected value is price."""
    assert value(Micros(7_123_456), CERTAIN) == 7_123_456


# Estimates


@given(st.dictionaries(st.sampled_from("abcdef"), TRACKS), st.none() | st.integers(0, 1000))
def test_estimates_are_shares_between_an_offers_own_and_its_campaigns(tracks, prior):
    """The mean of a Beta posterior lies between prior mean and what was seen."""
    chances = estimated(tracks, prior)
    for offer_id, track in tracks.items():
        chance = chances.of(offer_id)
        for estimate, hits, trials, mean in (
            (chance.accepted_ppm, track.accepted, track.posts, chances.others.accepted_ppm),
            (chance.returned_ppm, track.returned, track.matured, chances.others.returned_ppm),
        ):
            own = hits * PPM // trials if trials else mean
            assert min(own, mean) - 1 <= estimate <= max(own, mean)  # each rounded down
            assert 0 <= estimate <= PPM
    assert chances.of("unheard of") == chances.others


def test_an_offer_without_a_track_has_its_campaigns_mean():
    """And one with a long track nearly its own share."""
    tracks = {
        "good": Track(posts=10_000, accepted=9_500, matured=1000, returned=100),
        "new": Track(),
        "bad": Track(posts=10, accepted=0),
    }
    chances = estimated(tracks, prior_posts=20)
    mean = chances.others
    assert chances.of("new") == mean
    assert mean == Chance(9501 * PPM // 10_011, 100 * PPM // 1001)
    assert chances.of("good").accepted_ppm == pytest.approx(0.95 * PPM, abs=200)
    assert chances.of("bad").accepted_ppm == 20 * mean.accepted_ppm // 30


def test_the_prior_is_as_strong_as_offers_are_alike():
    """Drawn from a Beta of strength 30 it is some 30; all alike it is the strongest there is."""
    chance = random.Random(4)
    seen = []
    for _ in range(400):
        share = chance.betavariate(21, 9)
        seen.append((sum(chance.random() < share for _ in range(100)), 100))
    assert fitted(seen) == pytest.approx(30, rel=0.3)
    assert fitted([(70, 100)] * 10) == STRENGTH_MAX
    assert fitted([(0, 100), (100, 100), (0, 100), (100, 100)]) == 1


@pytest.mark.parametrize("seen", [[], [(3, 4)], [(30, 40), (20, 40)], [(1, 1)] * 9, [(50, 50)] * 9])
def test_where_too_few_tell_the_prior_has_a_strength_of_its_own(seen):
    """Two offers, a few posts, or shares that chance could not move."""
    assert fitted(seen) == STRENGTH


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=8))
def test_every_fitted_strength_is_within_its_bounds(pairs):
    """Whatever was seen."""
    assert 1 <= fitted([(min(pair), max(pair)) for pair in pairs]) <= STRENGTH_MAX


def test_of_nothing_nothing_bad_is_thought():
    """No posts at all: all are accepted and kept, so that price decides."""
    assert estimated({}, 20).others == CERTAIN
    assert NOTHING_KNOWN.of("anyone") == CERTAIN


@given(st.lists(st.tuples(PRICES, CHANCES), min_size=1, max_size=5))
def test_revenue_of_an_order_is_what_its_tree_of_answers_says(order):
    """Accepted at once, or after so many refusals, or never."""
    expected = Fraction(0)
    for place, (price, chance) in enumerate(order):
        reached = Fraction(1)
        for _, earlier in order[:place]:
            reached *= 1 - Fraction(earlier.accepted_ppm, PPM)
        kept = Fraction(chance.accepted_ppm * (PPM - chance.returned_ppm), PPM**2)
        expected += reached * kept * price
    slack = len(order) * (2 + 500_000_000 // PPM * len(order))
    assert abs(revenue(order) - expected) <= slack


@pytest.mark.parametrize("seed", range(3))
def test_what_is_predicted_comes_true_in_every_bin(seed):
    """Two thousand offers of known chances, ten posts and ten sales each.

    In each tenth of the predicted chances the true ones are, in the mean, what was predicted, of
    posts and of returns alike. Bare shares are not: the outer ones are chance.
    """
    chance = random.Random(seed)
    accepting = [chance.betavariate(6, 3) for _ in range(2000)]
    returning = [chance.betavariate(2, 8) for _ in range(2000)]

    def hits(share, trials):
        return sum(chance.random() < share for _ in range(trials))

    tracks = {}
    for number, (accepts, returns) in enumerate(zip(accepting, returning, strict=True)):
        sales = hits(returns, 10)
        tracks[str(number)] = Track(
            posts=10, accepted=hits(accepts, 10), matured=10, returned=sales
        )
    chances = estimated(tracks, None)
    for truth, estimate, bare in (
        (accepting, lambda one: one.accepted_ppm, lambda one: one.accepted / one.posts),
        (returning, lambda one: one.returned_ppm, lambda one: one.returned / one.matured),
    ):
        predicted = [estimate(chances.of(str(number))) / PPM for number in range(2000)]
        shares = [bare(tracks[str(number)]) for number in range(2000)]
        assert worst_bin(predicted, truth) < 0.05
        assert worst_bin(shares, truth) > 0.1


def worst_bin(predicted, truth):
    """How far mean prediction and truth lie apart in the worst tenth that has fifty offers."""
    bins = [[], [], [], [], [], [], [], [], [], []]
    for said, is_so in zip(predicted, truth, strict=True):
        bins[min(9, int(said * 10))].append(said - is_so)
    return max(abs(sum(one) / len(one)) for one in bins if len(one) >= 50)


# Ranking


def test_a_likely_bid_goes_before_a_higher_one():
    """12 accepted half the time is less than 9 always; the numbers are kept."""
    chances = Chances({"bravo-tx": Chance(500_000, 0), "acme-tx": Chance(PPM, 100_000)})
    valuing = Valuing(chances)
    bids = [a_bid("bravo-tx", 12), a_bid("acme-tx", 9)]
    ranked = rank(bids, "auction", valuing.worth)
    assert [bid.offer.id for bid in ranked] == ["acme-tx", "bravo-tx"]
    assert valuing.expected(ranked[0]) == Expected(PPM, 100_000, Micros(8_100_000))
    assert valuing.brings(ranked[0], Micros(20 * DOLLAR)) == 18 * DOLLAR
    assert [bid.offer.id for bid in rank(bids, "auction")] == ["bravo-tx", "acme-tx"]


def test_only_a_stage_that_ranks_by_it_knows_what_bids_are_worth():
    """Off by default: nothing is looked up."""
    plain = a_campaign()
    lessons = Lessons({"auto-us": Chances({}, Chance(1, 2))})
    assert lessons.valuing(plain, plain.stages[0]) is None
    stage = a_stage("acme-tx", rank_by=RankBy.EXPECTED_VALUE)
    campaign: Campaign = a_campaign(stages=(stage,), expecting=Expecting(after_refusal_ppm=3))
    valuing = lessons.valuing(campaign, stage)
    assert valuing is not None
    assert (valuing.chances.others, valuing.after_refusal_ppm) == (Chance(1, 2), 3)
    valuing = Lessons().valuing(campaign, stage)
    assert valuing is not None
    assert valuing.chances == NOTHING_KNOWN
