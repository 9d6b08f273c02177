"""What must always hold is asked of the ledger itself, and what breaks it is found."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from exchange.domain.events import EventName
from exchange.domain.moment import LeadEnd, MomentKind, SaleEnd
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.check import STATEMENTS, Rules

HOUR_US = 3_600_000_000
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def rules(story):
    return Rules(
        ended_before_us=story.award.held_at_us - HOUR_US,
        decided_before_us=story.award.held_at_us - HOUR_US,
    )


@pytest.fixture
def write(ledger, story):
    """Write a whole sale, parts of it changed; return its lead and its sale."""

    async def write(
        *, award: dict | None = None, lead: dict | None = None, **outcome
    ) -> tuple[str, str]:
        lead_id, sale_id = story.new_id(), story.new_id()
        assert await ledger.commit(story.received(lead_id, **(lead or {})))
        assert await ledger.commit(story.awarded(lead_id, sale_id, **(award or {})))
        if "transfers" in outcome:
            outcome["transfers"] = story.transfers(sale_id, *outcome["transfers"])
        assert await ledger.commit(story.sold(lead_id, sale_id, **outcome))
        return lead_id, sale_id

    return write


async def found(ledger, rules) -> set[str]:
    return {violation.check for violation in await ledger.violations(rules)}


async def test_an_empty_ledger_and_one_of_sound_sales_break_nothing(ledger, story, rules, write):
    """No alarm without a fire."""
    assert await ledger.violations(rules) == []
    for _ in range(3):
        await write()
    lead_id = story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.unsold(lead_id))

    assert await ledger.violations(rules) == []


async def test_what_is_merged_into_no_lead_is_found(ledger, story, rules, write):
    """Into one that is not there, or into what was merged itself; into a lead it is sound."""
    first, _ = await write()
    part = story.new_id()
    await ledger.commit(story.merged(part, first))
    assert await ledger.violations(rules) == []

    await ledger.commit(story.merged(story.new_id(), part))
    await ledger.commit(story.merged(story.new_id(), story.new_id()))

    found = await ledger.violations(rules)
    assert [one.check for one in found] == ["part_of_no_lead"] * 2


async def test_a_violation_says_what_it_is_about(ledger, rules, write):
    """Enough to look it up."""
    lead_id, _ = await write(lead_end=LeadEnd(status=LeadStatus.SOLD, price=Micros(1)))

    [violation] = await ledger.violations(rules)

    assert violation.check == "told_otherwise"
    assert violation.subject == lead_id
    assert "sold at 1" in violation.detail


async def test_a_lead_sold_twice_is_found(ledger, story, rules, write):
    """Two accepted sales of one exclusive lead, here to one buyer."""
    lead_id, _ = await write(lead_end=None)
    again = story.new_id()
    await ledger.commit(story.awarded(lead_id, again, number=4))
    await ledger.commit(
        story.sold(
            lead_id,
            again,
            number=5,
            lead_end=LeadEnd(status=LeadStatus.SOLD, price=Micros(21_240_000)),
        )
    )

    assert await found(ledger, rules) == {"sold_too_often", "buyer_posted_twice"}


async def test_a_lead_is_shared_by_as_many_as_each_of_its_buyers_was_promised(ledger, story, rules):
    """Two under limits of two and three are right; under a limit of one, one is too many."""

    async def two(*limits):
        lead_id = story.new_id()
        first, second = story.new_id(), story.new_id()
        await ledger.commit(story.received(lead_id))
        await ledger.commit(story.awarded(lead_id, first, buyers_max=limits[0]))
        await ledger.commit(story.awarded(lead_id, second, number=3, buyers_max=limits[1]))
        await ledger.commit(story.sold(lead_id, first, number=4, lead_end=None))
        end = LeadEnd(status=LeadStatus.SOLD, price=Micros(21_240_000))
        await ledger.commit(story.sold(lead_id, second, number=5, lead_end=end))

    await two(2, 3)
    assert await found(ledger, rules) == {"buyer_posted_twice"}
    await two(3, 1)
    assert await found(ledger, rules) == {"sold_too_often", "buyer_posted_twice"}


async def test_a_charge_without_an_acceptance_is_found(ledger, story, rules):
    """Nobody pays for a refused sale."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))
    refused = SaleEnd(sale_id=sale_id, state=SaleState.REFUSED)
    unsold = LeadEnd(status=LeadStatus.UNSOLD)
    await ledger.commit(story.sold(lead_id, sale_id, sale_end=refused, lead_end=unsold))

    assert await found(ledger, rules) == {"charged_without_acceptance"}


async def test_an_acceptance_without_a_charge_is_found(ledger, rules, database, write):
    """Every sale is paid for, but for a test's."""
    await write()
    await database.execute("DELETE FROM transfer")

    assert await found(ledger, rules) == {"accepted_without_charge"}


async def test_a_test_lead_is_not_charged(ledger, rules, database, write):
    """A sound test sale has no transfers; one with them is found."""
    await write(lead={"test": True})

    assert await found(ledger, rules) == {"test_charged"}
    await database.execute("DELETE FROM transfer")
    assert await found(ledger, rules) == set()


@pytest.mark.parametrize(
    "amounts",
    [
        (10_620_000, 1_880_001),  # more than the bid
        (10_620_000, 1_879_999),  # less than was accepted
        (10_619_999, 1_880_001),  # the seller gets less than its payout
    ],
)
async def test_wrong_amounts_are_found(ledger, rules, write, amounts):
    """The price is payout and margin, to the micro."""
    await write(transfers=amounts)

    assert await found(ledger, rules) == {"wrong_charge"}


async def test_a_lower_price_that_was_accepted_is_no_violation(ledger, story, rules):
    """The timeline says at what price the buyer accepted; the margin bears the gap."""
    lead_id, sale_id = story.new_id(), story.new_id()
    accepted = story.event(EventName.ACCEPTED, sale_id=sale_id, price=Micros(11_000_000))
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))
    await ledger.commit(
        story.sold(
            lead_id,
            sale_id,
            events=(accepted,),
            transfers=story.transfers(sale_id, 10_620_000, 380_000),
        )
    )

    assert await ledger.violations(rules) == []


async def test_an_end_with_an_open_award_is_found(ledger, story, rules):
    """A lead ends after its sales."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.received(lead_id))
    await ledger.commit(story.awarded(lead_id, sale_id))
    await ledger.commit(story.unsold(lead_id, number=3))

    assert await found(ledger, rules) == {"open_award_of_ended_lead"}


async def test_a_post_before_its_award_is_found(ledger, story, rules):
    """No byte of a person leaves before the award is durable."""
    lead_id, sale_id = story.new_id(), story.new_id()
    posted = story.event(EventName.POSTED, sale_id=sale_id)
    await ledger.commit(msgspec.structs.replace(story.received(lead_id), events=(posted,)))
    await ledger.commit(story.awarded(lead_id, sale_id))
    await ledger.commit(story.sold(lead_id, sale_id))

    assert await found(ledger, rules) == {"posted_before_award"}


async def test_gaps_and_strays_are_found(ledger, story, rules, database):
    """What one statement wrote together, something else tore apart."""
    lead_id, sale_id = story.new_id(), story.new_id()
    await ledger.commit(story.moment(lead_id, 2, MomentKind.NOTE))
    assert await found(ledger, rules) == {"gap"}

    stray = SaleEnd(sale_id=sale_id, state=SaleState.VOID)
    await ledger.commit(story.moment(lead_id, 1, MomentKind.OUTCOME, sale_end=stray))
    assert await found(ledger, rules) == {"sale_end_without_award"}

    await ledger.commit(story.unsold(lead_id, number=3))
    assert await found(ledger, rules) == {"sale_end_without_award", "without_lead"}

    await database.execute("DELETE FROM moment")
    assert await found(ledger, rules) == {
        "sale_end_without_award",
        "without_lead",
        "without_moment",
    }


async def test_leads_without_an_end_are_found_when_their_time_is_over(ledger, story, rules):
    """One in doubt has another time than one that nobody sells any more."""
    lost, doubtful, sale_id = (story.new_id() for _ in range(3))
    await ledger.commit(story.received(lost))
    await ledger.commit(story.received(doubtful))
    await ledger.commit(story.awarded(doubtful, sale_id))
    late_us = story.award.held_at_us + HOUR_US

    assert await ledger.violations(rules) == []
    after = msgspec.structs.replace(rules, ended_before_us=late_us)
    assert [v.subject for v in await ledger.violations(after)] == [lost]
    after = msgspec.structs.replace(rules, decided_before_us=late_us)
    assert [(v.check, v.subject) for v in await ledger.violations(after)] == [
        ("in_doubt_too_long", sale_id)
    ]


async def test_a_buyer_over_a_cap_is_found_in_its_own_window(ledger, rules, write):
    """Sales count in the window of their holds, by the clock on the buyer's wall."""
    noon_us = 1_772_388_000_000_000  # 2026-03-01 12:00 in Chicago
    for hour in (0, 1, 13):  # the third is on the next day there
        await write(award={"held_at_us": noon_us + hour * HOUR_US})

    def over(kind, per, limit, scope="offer/acme-tx"):
        return msgspec.structs.replace(rules, caps=((Cap(scope, kind, limit, per), CHICAGO),))

    leads, spend = CapKind.LEADS, CapKind.SPEND
    assert await found(ledger, over(leads, Per.DAY, 2)) == set()
    assert await found(ledger, over(leads, Per.DAY, 1)) == {"over_cap"}
    assert await found(ledger, over(leads, Per.HOUR, 1)) == set()
    assert await found(ledger, over(leads, Per.TOTAL, 2)) == {"over_cap"}
    assert await found(ledger, over(leads, Per.MONTH, 2, "buyer/acme")) == {"over_cap"}
    assert await found(ledger, over(leads, Per.TOTAL, 2, "pilot/acme")) == {"over_cap"}
    assert await found(ledger, over(spend, Per.WEEK, 25_000_000)) == set()
    assert await found(ledger, over(spend, Per.WEEK, 24_999_999)) == {"over_cap"}
    assert await found(ledger, over(leads, Per.TOTAL, 0, "buyer/other")) == set()
    assert await found(ledger, over(CapKind.CONCURRENT, None, 0)) == set()


async def test_every_check_has_a_name_that_says_what_is_wrong(ledger, rules):
    """The names are what operators read."""
    assert len(STATEMENTS) == 18
    assert await ledger.violations(rules) == []


async def test_an_account_over_its_cap_is_found_by_the_sales_of_its_offers(ledger, rules, write):
    """All offers of the account count together, those of the buyer's other accounts do not."""
    for offer in ("acme-tx", "acme-ok", "acme-la"):
        await write(award={"offer_id": offer})
    scope, leads = "account/acme:west", CapKind.LEADS

    def over(limit, kind=leads, offers=("acme-tx", "acme-ok")):
        caps = ((Cap(scope, kind, limit, Per.DAY), CHICAGO),)
        return msgspec.structs.replace(rules, caps=caps, members={scope: offers})

    assert await found(ledger, over(2)) == set()
    assert await found(ledger, over(1)) == {"over_cap"}
    assert await found(ledger, over(1, offers=("acme-la",))) == set()
    assert await found(ledger, over(0, offers=("acme-ri",))) == set()
    each = 12_500_000
    assert await found(ledger, over(2 * each, CapKind.SPEND)) == set()
    assert await found(ledger, over(2 * each - 1, CapKind.SPEND)) == {"over_cap"}
