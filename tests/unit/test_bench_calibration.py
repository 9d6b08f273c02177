"""Predicted chances beside what came of them, in bins."""

import pytest

from bench.calibration import Bin, apart, binned


def told(offer, posts, taken, accepted):
    return {"offer": offer, "posts": posts, "taken": taken, "accepted": accepted}


def test_posts_lie_in_the_bin_of_the_chance_that_was_predicted_for_them():
    """Only those after the prediction count, each by its offer's; a certainty is in the last."""
    before = [told("a", 10, 5, 0.52), told("b", 10, 6, 0.58), told("c", 5, 5, 1.0)]
    after = [
        told("a", 30, 15, 0.51),
        told("b", 40, 27, 0.66),
        told("c", 15, 14, 0.97),
        told("new", 9, 0, 0.1),
    ]
    half, whole = binned(before, after)
    assert (half.low, half.posts) == (0.5, 50)
    assert half.predicted == pytest.approx((20 * 0.52 + 30 * 0.58) / 50)
    assert half.actual == pytest.approx(31 / 50)
    assert whole == Bin(low=0.9, posts=10, predicted=1.0, actual=0.9)
    assert binned(before, before) == ()


def test_bins_are_weighed_by_their_posts():
    """Nine posts that are right and one that is not at all."""
    right = Bin(low=0.5, posts=9, predicted=0.5, actual=0.5)
    wrong = Bin(low=0.9, posts=1, predicted=1.0, actual=0.0)
    assert apart([right, wrong]) == pytest.approx(0.1)
    assert apart([]) == 0
