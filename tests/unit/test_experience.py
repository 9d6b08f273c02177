"""What the record teaches: each post, auction, ranking and sum of money is counted once."""

from typing import Any

import pytest

from exchange.domain.events import Event, EventName
from exchange.domain.expected import PPM, Expected, Expecting, RankBy
from exchange.domain.experience import (
    ExpectedDay,
    Experience,
    FloorDay,
    Happened,
    TrackDay,
    auctions_in,
    day_of,
    ends_of_posts,
)
from exchange.domain.learned_floors import Segment
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.reserve import NO_BID, Cell, bid_step, floor_step
from tests.making import DOLLAR, NOW_US, a_campaign, a_stage
from tests.making_learning import a_rule

DAY = day_of(NOW_US)
BUYERS = {"acme-1": "acme", "acme-2": "acme", "bravo": "bravo", "cargo": "cargo"}


def event(name: EventName, **what: Any) -> Event:
    return Event(at_us=NOW_US, event=name, **what)


def dollars(amount: float) -> Micros:
    return Micros(round(amount * DOLLAR))


def bid(offer: str, price: float, floor: float = 0, reason: Reason | None = None) -> Event:
    what = {"price": dollars(price), "floor": dollars(floor), "reason": reason}
    return event(EventName.BID, offer=offer, **what)


def floor(amount: float, model: str = "learned") -> Event:
    return event(EventName.FLOOR, stage=1, floor=dollars(amount), segment="TX 12-18", model=model)


def ranked(*of: tuple[str, int]) -> Event:
    return event(
        EventName.RANKED,
        offers=tuple(offer for offer, _ in of),
        expected=tuple(Expected(share, 0, Micros(0)) for _, share in of),
    )


STAGE = event(EventName.STAGE, stage=1, detail="auction")
QUOTED = event(EventName.QUOTED, stage=1)


def sale(offer: str, sale_id: str, price: float, stage: int = 1) -> tuple[Event, ...]:
    return (
        event(EventName.AWARDED, offer=offer, sale_id=sale_id, stage=stage, price=dollars(price)),
        event(EventName.POSTED, offer=offer, sale_id=sale_id),
        event(EventName.ACCEPTED, offer=offer, sale_id=sale_id, price=dollars(price)),
    )


def experience(**changes: Any) -> Experience:
    stage = a_stage(*BUYERS, rank_by=RankBy.EXPECTED_VALUE)
    plain = {"stages": (stage,), "expecting": Expecting(), "learn_floor": a_rule(days=28)}
    return Experience(a_campaign(**{**plain, **changes}), BUYERS)


# Posts


def test_the_end_of_every_post_is_counted_for_its_offer_and_day():
    """Accepted, refused, and void after doubt."""
    learned = experience()
    learned.take(Happened(events=sale("bravo", "s-1", 9)))
    refused = event(EventName.REFUSED, offer="bravo", sale_id="s-2")
    doubt = event(EventName.IN_DOUBT, offer="cargo", sale_id="s-3")
    void = event(EventName.VOIDED, offer="cargo", sale_id="s-3")
    learned.take(Happened(events=[refused, doubt, event(EventName.ADVANCED), void]))
    assert learned.tracks == {
        ("bravo", DAY): TrackDay(posts=2, accepted=1),
        ("cargo", DAY): TrackDay(posts=1),
    }


def test_a_void_that_no_post_came_before_says_nothing_of_its_buyer():
    """Such as one whose hold was lost with market state."""
    assert list(ends_of_posts([event(EventName.VOIDED, offer="cargo", sale_id="s-3")])) == []


def test_a_return_counts_on_the_day_of_its_sale_and_takes_its_money_back():
    """Later than the sale, in a moment of its own."""
    learned = experience()
    before = [STAGE, floor(2), bid("bravo", 9), ranked(("bravo", PPM)), *sale("bravo", "s-1", 9)]
    learned.take(Happened(events=before))
    learned.take(Happened(events=[], earlier=before, returned={"s-1": dollars(9)}))
    assert learned.tracks["bravo", DAY] == TrackDay(posts=1, accepted=1, returned=1)
    assert learned.rankings[False, DAY].realized == 0
    assert learned.floors["learned", DAY] == FloorDay(auctions=1, sold=1, revenue=0)


# Auctions


@pytest.mark.parametrize(
    ("bids", "best", "second"),
    [
        ([], 0, 0),
        ([bid("bravo", 4)], 4, 0),
        ([bid("bravo", 4), bid("cargo", 7), bid("acme-1", 5)], 7, 5),
        ([bid("bravo", 1, 2, Reason.BELOW_FLOOR), bid("cargo", 7)], 7, 1),
        ([bid("acme-1", 6), bid("acme-2", 5), bid("bravo", 4)], 6, 4),
        ([bid("bravo", 3, 5, Reason.BELOW_FLOOR), bid("cargo", 4, 2)], 4, 0),
        ([bid("bravo", 6, 5), bid("cargo", 4, 2)], 6, 4),
    ],
    ids=["none", "one", "three", "below the floor", "two of one buyer", "below its own", "above"],
)
def test_the_two_best_bids_are_those_that_would_count_under_another_floor(bids, best, second):
    """Of two buyers; below the learned floor too, but not below the floor of the offer itself."""
    [one] = auctions_in([STAGE, floor(2), *bids], BUYERS)
    assert (one.best, one.second) == (dollars(best), dollars(second))
    assert (one.segment, one.floor) == (Segment("TX", "12-18"), dollars(2))


def test_bids_of_another_stage_are_of_another_auction():
    """Whatever follows in the same moment."""
    later = event(EventName.STAGE, stage=2, detail="waterfall")
    [one] = auctions_in([STAGE, floor(2), bid("bravo", 4), later, bid("cargo", 99)], BUYERS)
    assert one.best == dollars(4)


def test_an_auction_is_seen_in_its_segment_and_all_wider_ones():
    """Four segments, each with both bids in their steps, under the step of the floor."""
    learned = experience()
    learned.take(Happened(events=[STAGE, floor(2), bid("bravo", 4), bid("cargo", 7)]))
    learned.take(Happened(events=[STAGE, floor(2)]))
    period = NOW_US // (28 * 86_400_000_000)
    under = floor_step(dollars(2))
    cells = {key[3]: cell for key, cell in learned.cells.items() if key[0] == ("TX", "*")}
    assert cells == {
        bid_step(dollars(7)): Cell(1, dollars(7)),
        bid_step(dollars(4)): Cell(0, 0, 1, dollars(4)),
        NO_BID: Cell(1, 0, 1, 0),
    }
    assert {key[1:3] for key in learned.cells} == {(period, under)}
    assert len({key[0] for key in learned.cells}) == 4
    assert learned.floors["learned", DAY].auctions == 2


def test_under_first_price_a_bid_that_rose_to_its_floor_is_seen_as_sold():
    """Though both lie between the same two steps."""
    learned = experience(learn_floor=a_rule(second_price=False))
    learned.take(Happened(events=[STAGE, floor(5), bid("bravo", 5)]))
    learned.take(Happened(events=[STAGE, floor(5), bid("bravo", 4.99, 5, Reason.BELOW_FLOOR)]))
    under = floor_step(dollars(5))
    best = {key[3] for key, cell in learned.cells.items() if cell.best}
    assert best == {under, bid_step(dollars(4.99))}
    assert bid_step(dollars(5)) < under


# Rankings


def test_a_ranking_is_counted_with_its_first_award_and_its_money_when_it_comes():
    """Another came first than by price; what both orders were expected to bring is kept."""
    learned = experience()
    asked = [STAGE, bid("bravo", 12), bid("cargo", 9), ranked(("cargo", PPM), ("bravo", PPM // 2))]
    award, *rest = sale("cargo", "s-1", 9)
    learned.take(Happened(events=[*asked, award]))
    learned.take(Happened(events=rest, earlier=[*asked, award]))
    assert learned.rankings == {
        (True, DAY): ExpectedDay(
            leads=1, expected=dollars(9), by_price=dollars(10.5), realized=dollars(9)
        )
    }


def test_a_second_award_of_the_same_ranking_is_no_second_lead():
    """After a refusal the next of the same order is tried; its money counts all the same."""
    learned = experience()
    asked = [STAGE, bid("bravo", 12), bid("cargo", 9), ranked(("bravo", PPM), ("cargo", PPM))]
    first = event(EventName.AWARDED, offer="bravo", sale_id="s-1", stage=1)
    refused = event(EventName.REFUSED, offer="bravo", sale_id="s-1")
    award, *rest = sale("cargo", "s-2", 9)
    learned.take(Happened(events=[*asked, first]))
    learned.take(Happened(events=[refused, award], earlier=[*asked, first]))
    learned.take(Happened(events=rest, earlier=[*asked, first, refused, award]))
    assert learned.rankings == {
        (False, DAY): ExpectedDay(
            leads=1, expected=dollars(12), by_price=dollars(12), realized=dollars(9)
        )
    }


def test_a_quotes_ranking_counts_where_its_post_is_awarded():
    """A quote that nobody posts brings nothing and is no lead; its auction was one."""
    learned = experience()
    quote = [STAGE, floor(2), bid("bravo", 12), ranked(("bravo", PPM)), QUOTED]
    learned.take(Happened(events=quote))
    assert not learned.rankings
    assert learned.floors["learned", DAY] == FloorDay(auctions=1)
    again = [STAGE, event(EventName.RANKED, offers=("bravo",)), *sale("bravo", "s-1", 12)]
    learned.take(Happened(events=again, earlier=quote))
    assert learned.rankings[False, DAY].realized == dollars(12)
    assert learned.floors["learned", DAY] == FloorDay(auctions=1, sold=1, revenue=dollars(12))


def test_what_a_later_stage_brings_is_money_of_the_lead_but_not_of_the_ranking():
    """A floor is judged by the lead; an order by what it was an order of."""
    learned = experience(stages=(a_stage("bravo"), a_stage("house", number=2)))
    first = [STAGE, floor(5, "explored"), bid("bravo", 4, 5, Reason.BELOW_FLOOR)]
    later = event(EventName.STAGE, stage=2, detail="waterfall")
    learned.take(Happened(events=[*first, later, bid("house", 2), *sale("house", "s-1", 2, 2)]))
    assert not learned.rankings
    assert learned.floors["explored", DAY] == FloorDay(auctions=1, sold=1, revenue=dollars(2))


def test_where_several_buyers_share_a_lead_orders_are_not_compared():
    """What one order or another had brought is worked out for one buyer at a time."""
    learned = experience(stages=(a_stage("bravo", max_buyers=2),))
    asked = [STAGE, bid("bravo", 12), ranked(("bravo", PPM))]
    learned.take(Happened(events=[*asked, *sale("bravo", "s-1", 12)]))
    assert not learned.rankings
