"""A claim that stands though its lead has the person no more turns nobody away."""

import os
from types import SimpleNamespace

import msgspec
import pytest

from exchange.domain.campaign import Against, DuplicateRule, DuplicateScope, MatchOn
from exchange.domain.exclusivity import Claim, packed
from exchange.domain.moment import LeadEnd
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus
from exchange.ledger.errors import LedgerUnavailable
from exchange.ledger.stored import StoredLead
from exchange.story import claiming
from exchange.story.stations import Limits, Stations
from tests.making import NOW_US
from tests.making_story import Observer

WANTED = Claim(
    scope="campaign:auto", keys=("phone",), lead_id="second", window_s=3600, until_end=True
)


def row_of(keys):
    """What was written of the first lead, whose claim has these keys; None: it claimed nothing."""
    claim = keys and packed(msgspec.structs.replace(WANTED, lead_id="first", keys=keys))
    return SimpleNamespace(claim=claim)


class Stores:
    """Market state in which `first` has the person, and what the ledger says of that lead."""

    def __init__(self, status=None, *, is_written=True, keys=("phone",)):
        self.holder = "first"
        self.given_back = []
        self.moments = []
        end = None if status is None else LeadEnd(status=status, reason=Reason.DEADLINE)
        self.stored = StoredLead(
            lead_id="first", received_at_us=NOW_US, row=row_of(keys), last_number=2, pending=False,
            end=end, ended_at_us=NOW_US, sales=(),
        )  # fmt: skip
        self.is_written = is_written
        self.in_between = []
        self.stations = Stations(
            ledger=self, market=self, auction=self, delivery=self, tokens=self,
            observer=Observer(), now_us=lambda: NOW_US, monotonic=float, entropy=os.urandom,
            spawn=self, claim_secret=b"s", limits=Limits(written_within_s=(0.0, 0.0)),
        )  # fmt: skip

    async def claim(self, claim):
        if self.holder in {None, claim.lead_id}:
            self.holder = claim.lead_id
            return None
        return self.holder

    look_up = claim

    async def unclaim(self, claim):
        self.given_back += claim.keys
        if self.holder == claim.lead_id:
            self.holder = self.in_between.pop(0) if self.in_between else None

    async def lead(self, lead_id):
        return self.stored if self.is_written and lead_id == "first" else None

    async def quote(self, _lead_id):
        return None

    async def commit(self, moment):
        self.moments.append(moment)
        return True


@pytest.mark.parametrize("status", [LeadStatus.UNSOLD, LeadStatus.REJECTED])
async def test_a_claim_that_was_not_given_back_is_taken_over(status):
    """Market state was away when the first lead ended unsold: its person may come again."""
    stores = Stores(status)
    assert await claiming.claim(stores.stations, WANTED) is None
    assert stores.holder == "second"
    assert not stores.moments, "a lead that has its end needs no fence"


async def test_to_a_ping_such_a_person_is_new():
    """It sees what a post would."""
    assert await claiming.look_up(Stores(LeadStatus.UNSOLD).stations, WANTED) is None


@pytest.mark.parametrize("status", [None, LeadStatus.SOLD])
async def test_a_lead_that_is_sold_or_being_sold_keeps_its_person(status):
    """The second one is a duplicate."""
    stores = Stores(status)
    assert await claiming.claim(stores.stations, WANTED) == "first"
    assert await claiming.look_up(stores.stations, WANTED) == "first"
    assert stores.holder == "first"


async def test_where_every_lead_counts_an_unsold_one_keeps_its_person():
    """`against = "all"`: whoever came is known for the whole window."""
    wanted = msgspec.structs.replace(WANTED, until_end=False)
    assert await claiming.claim(Stores(LeadStatus.UNSOLD).stations, wanted) == "first"


async def test_a_lead_that_was_never_written_is_made_impossible_first():
    """Then its claim goes to whoever met it."""
    stores = Stores(is_written=False)
    assert await claiming.claim(stores.stations, WANTED) is None
    assert [moment.lead_id for moment in stores.moments] == ["first"]


async def test_whoever_claims_in_between_is_asked_for_as_well():
    """Requests that hung in market state may claim one after another, and all come to nothing."""
    stores = Stores(LeadStatus.UNSOLD)
    stores.in_between = ["ghost", "another"]
    assert await claiming.claim(stores.stations, WANTED) is None
    assert stores.holder == "second"
    assert [moment.lead_id for moment in stores.moments] == ["ghost", "another"]


async def test_one_that_claims_in_between_and_is_being_sold_keeps_its_person():
    """The one that was first there is sold, and the second one is its duplicate."""
    stores = Stores(is_written=False)
    stores.holder, stores.in_between, stores.is_written = "ghost", ["first"], True
    stores.stored = msgspec.structs.replace(stores.stored, end=None)
    assert await claiming.claim(stores.stations, WANTED) == "first"
    assert [moment.lead_id for moment in stores.moments] == ["ghost"]


async def test_what_was_merged_into_another_lead_keeps_nobody():
    """It has no person of its own: the next lead is not merged into a part."""
    stores = Stores(LeadStatus.DUPLICATE)
    stores.stored = msgspec.structs.replace(stores.stored, part_of="zeroth")
    wanted = msgspec.structs.replace(WANTED, until_end=False)
    assert await claiming.claim(stores.stations, wanted) is None
    assert stores.holder == "second"


# Two posts of one quote


@pytest.mark.parametrize("keys", [("another",), None])
async def test_a_claim_of_whoever_was_posted_beside_a_leads_own_person_keeps_nobody(keys):
    """Two posts of a quote named two persons; the lead has one of them, and the other is free."""
    stores = Stores(LeadStatus.SOLD, keys=keys)
    assert await claiming.look_up(stores.stations, WANTED) is None
    assert await claiming.claim(stores.stations, WANTED) is None
    assert stores.holder == "second"


async def test_who_shares_a_telephone_with_a_leads_person_is_that_person():
    """The rest of its claim need not be the same."""
    stores = Stores(LeadStatus.SOLD, keys=("mail of hers", "phone"))
    wanted = msgspec.structs.replace(WANTED, keys=("phone", "another mail"))
    assert await claiming.claim(stores.stations, wanted) == "first"


RULE = DuplicateRule(3600, ("phone",), MatchOn.ANY, Against.SOLD, DuplicateScope.CAMPAIGN)


async def given_back(stores, *, is_fenced):
    """Return what a post gives back that claimed three keys for `first` and did not get through."""
    claims = claiming.Claims(stores.stations, RULE)
    keys = "phone", "mail", "more"
    claims.held = msgspec.structs.replace(WANTED, lead_id="first", keys=keys)
    await claims.give_back_others(is_fenced=is_fenced)
    return stores.given_back


@pytest.mark.parametrize("is_fenced", [True, False])
@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (("phone",), ["mail", "more"]),
        (("phone", "mail", "more"), []),
        (None, ["phone", "mail", "more"]),
    ],
)
async def test_a_post_that_came_too_late_gives_back_what_is_not_the_winners(keys, left, is_fenced):
    """Its person is free, unless that is the winner's, too; and the winner's stays."""
    assert await given_back(Stores(keys=keys), is_fenced=is_fenced) == left


async def test_a_post_that_broke_off_leaves_its_claim_to_a_winner_that_may_still_come():
    """Of a quote that is posted twice nobody knows that yet; of one that was voided it is sure."""
    assert await given_back(Stores(is_written=False), is_fenced=False) == []
    voided = await given_back(Stores(is_written=False), is_fenced=True)
    assert voided == ["phone", "mail", "more"]


async def test_where_the_ledger_is_away_a_claim_is_left_to_whoever_meets_it():
    """The seller hears of its post at once."""
    stores = Stores()

    async def away(_lead_id):
        raise LedgerUnavailable

    stores.lead = away
    assert await given_back(stores, is_fenced=True) == []
