"""What a worker wrote and may not have heard of is known by a number of its own."""

from exchange.domain.ids import LeadId
from exchange.ledger.unheard import Unheard

A, B = LeadId("a"), LeadId("b")


def test_where_all_was_heard_it_is_what_comes_next():
    """Writes that end no lead are nobody's to be told."""
    unheard = Unheard()
    assert unheard.since == 1
    assert [unheard.count(), unheard.count()] == [1, 2]
    unheard.ends(A, 2)
    unheard.heard(A)
    unheard.heard(B)
    assert unheard.since == 3


def test_the_first_end_that_nobody_heard_of_holds_it_back():
    """In whatever order the others are heard of."""
    unheard = Unheard()
    for lead_id in (A, B):
        unheard.ends(lead_id, unheard.count())
    unheard.heard(B)
    unheard.count()
    assert unheard.since == 1
    unheard.heard(A)
    assert unheard.since == 4


def test_of_a_lead_whose_end_is_tried_again_the_first_try_counts():
    """It may be the one that is written."""
    unheard = Unheard()
    for _ in range(2):
        unheard.ends(A, unheard.count())
    assert unheard.since == 1
