"""Whatever a dead worker left behind is found, and ended once: leads, sales, holds, claims."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from exchange.delivery.parcels import unpacked
from exchange.domain.events import Event, EventName
from exchange.domain.moment import LeadEnd, MomentKind, SaleEnd, Transfer
from exchange.domain.money import Micros
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.errors import LedgerUnavailable
from tests.acceptance.audit import audit, by_state, keys_of, posts_of, settled, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.ghost import a_ghost, now_us
from tests.acceptance.house import person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of

CAP = 'caps = [ { leads = 1, per = "day" }, { spend = 50, per = "day" } ]'
ONCE = 'duplicates = { window_hours = 24, on = ["phone"] }'
LOWER = Micros(7_000_000)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Recovery looks ten times a second, so that these tests are short."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


async def prepare(house, text):
    """Apply the market and make the keys: a ghost swaps to no other version later on."""
    await house.apply(text)
    await house.key("seller", "fastquotes")
    await house.key("operator", "tests")


def acme(fleet, **more):
    return buyer("acme", fleet.base_url, offer=CAP, **more)


async def end_of(house, left, base=0):
    """The lead as its seller sees it once it has an end."""
    key = await house.key("seller", "fastquotes")
    path = f"/v1/leads/{left.lead_id}?wait_s=15"
    return (await house.call("GET", path, key=key, base=base)).body


async def nothing_is_held(house, name):
    """Wait until no hold of this buyer is left."""

    async def true():
        return not (await standing(house, name)).holds

    await until(true)
    assert not any((await standing(house, name)).held.values())


# Nobody was awarded it


async def test_a_lead_without_an_award_is_closed_and_its_person_may_come_again(house):
    """Unsold with a reason; its claim and the hold of an award never written are given back."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            await left.claim()
            assert await left.write()
            await left.hold("acme", 9)
        await house.open()
        end = await end_of(house, left)
        assert (end["status"], end["reason"]["reason"]) == ("unsold", "deadline")
        timeline = await house.timeline(left.lead_id)
        assert [line["event"] for line in timeline] == ["received", "recovered", "unsold"]
        await nothing_is_held(house, "acme")
        assert (await house.post(person(1))).body["status"] == "sold"
        assert fleet.books["acme"].posts == 1
        await audit(house, fleet)


async def test_a_hold_of_a_lead_that_never_came_is_given_back_and_it_never_comes(house):
    """The sweeper takes the lead's first number before it lets go: a slow worker is fenced."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house, lease_s=30.0) as alive:
            left = alive.lead(1)
            await left.hold("acme", 9)
            await house.open()
            await nothing_is_held(house, "acme")
            assert not await left.write()
        assert (await house.post(person(1))).body["status"] == "sold"
        rows = await house.fetch("SELECT kind FROM moment WHERE lead_id = $1", left.lead_id)
        assert [row["kind"] for row in rows] == ["void"]


async def test_a_hold_of_a_lead_that_is_still_being_sold_stands(house):
    """However long an award takes: only the lead's end, or its never coming, frees a hold."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house, lease_s=30.0) as alive:
            left = alive.lead(1)
            assert await left.write()
            await left.hold("acme", 9)
            await house.open()
            other = await house.post(person(3))
            assert of(await house.timeline(other.body["lead_id"]), "offer_left_out")
            await asyncio.sleep(0.5)
            assert set((await standing(house, "acme")).holds) == {left.sale_id}


# Somebody was


async def test_an_award_without_an_end_is_posted_under_its_key_and_ends_once(house):
    """The same bytes, the same key; what follows a sale follows it too, as if nothing had been."""
    async with Fleet(bidding({"acme": "9.00"}), keep=9) as fleet:
        own = "duplicates = { window_hours = 24 }"
        await prepare(house, market(acme(fleet, own=own), campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            await left.claim()
            assert await left.write()
            award = await left.award("acme", 9)
        await house.open()
        end = await end_of(house, left)
        assert (end["status"], end["price"]) == ("sold", 4.5)
        assert keys_of(fleet, "acme") == [left.sale_id]
        assert posts_of(fleet, "acme")[0]["lead"] == left.who
        assert fleet.books["acme"].requests[-1].body == unpacked(award.post).body
        again = await house.post(person(1))
        assert again.body["status"] == "duplicate"
        assert again.body["original"]["lead_id"] == left.lead_id
        assert len(await house.market_keys("*person*")) == 1, "its buyer's own window has begun"
        assert settled(await standing(house, "acme"), "leads") == 1
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_buyer_that_refuses_when_asked_again_leaves_the_lead_unsold(house):
    """Its words are masked as ever, though the worker that knew the person is gone."""
    words = b'{"accepted": false, "reason": "we know 512-555-0001 already"}'
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        refusing = answering(fleet, "acme", words)
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            await left.claim()
            assert await left.write()
            await left.award("acme", 9)
        refusing()
        await house.open()
        end = await end_of(house, left)
        assert (end["status"], end["reason"]["reason"]) == ("unsold", "all_refused")
        (refused,) = of(await house.timeline(left.lead_id), "refused")
        assert refused["detail"] == "we know *** already"
        await nothing_is_held(house, "acme")
        assert (await house.post(person(1))).body["status"] != "duplicate"


async def test_a_sale_of_an_offer_that_is_retired_is_void(house):
    """Nobody is left to ask: unsold, 403, and the hold is given back."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "5.00"})) as fleet:
        bravo = buyer("bravo", fleet.base_url)
        await prepare(house, market(acme(fleet), bravo, campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            await left.award("acme", 9)
        await house.apply(market(bravo, campaign(lines=ONCE)))
        await house.open()
        end = await end_of(house, left)
        assert (end["status"], end["reason"]["code"]) == ("unsold", 403)
        await nothing_is_held(house, "acme")
        assert fleet.books["acme"].posts == fleet.books["bravo"].posts == 0


async def test_a_sale_that_was_booked_but_not_settled_counts_what_its_buyer_pays(house):
    """Died between the outcome and market state: the sweeper settles at the lower price taken."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            award = await left.award("acme", 9)
            accepted = Event(
                at_us=now_us(), event=EventName.ACCEPTED, sale_id=left.sale_id, price=LOWER
            )
            sale, rest = left.sale_id, Micros(LOWER - award.payout)
            assert await left.write(
                MomentKind.OUTCOME,
                events=(accepted,),
                sale_end=SaleEnd(sale_id=sale, state=SaleState.ACCEPTED),
                lead_end=LeadEnd(status=LeadStatus.SOLD, price=award.payout),
                transfers=(
                    Transfer(
                        "payout", "buyer/acme", "seller/fastquotes", award.payout, "USD", sale
                    ),
                    Transfer("margin", "buyer/acme", "margin/auto-us", rest, "USD", sale),
                ),
            )
        await house.open()
        await nothing_is_held(house, "acme")
        assert settled(await standing(house, "acme"), "spend") == LOWER
        async with house.ledger() as ledger:
            assert set((await ledger.sums()).values()) == {0}


async def test_a_refused_sale_whose_hold_was_not_given_back_frees_it(house):
    """Died between the refusal's moment and market state."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            await left.award("acme", 9)
            assert await left.write(
                MomentKind.OUTCOME,
                sale_end=SaleEnd(sale_id=left.sale_id, state=SaleState.REFUSED),
                lead_end=LeadEnd(status=LeadStatus.UNSOLD),
            )
        await house.open()
        await nothing_is_held(house, "acme")
        assert (await house.post(person(2))).body["status"] == "sold"


async def test_two_workers_share_what_a_third_left_and_end_each_lead_once(house):
    """Forty leads, half of them awarded: one end each, one post each, no violation."""
    specs = [BuyerSpec(id="acme", price=Fixed(9.0), post_faults={PostFault.REFUSING: 0.4})]
    async with Fleet(specs, seed=3) as fleet:
        await prepare(house, market(buyer("acme", fleet.base_url), campaign(lines=ONCE)))
        async with a_ghost(house, lease_s=2.0) as ghost:
            left = [ghost.lead(number) for number in range(40)]
            await asyncio.gather(*(one.write() for one in left))
            await asyncio.gather(*(one.award("acme", 9) for one in left[::2]))
            await house.open()
            await house.open()
        ends = await asyncio.gather(*(end_of(house, one, n % 2) for n, one in enumerate(left)))
        assert {end["status"] for end in ends} == {"sold", "unsold"}
        sales = await audit(house, fleet)
        assert len(sales) == fleet.books["acme"].posts == 20
        rows = await house.fetch("SELECT count(*) AS n FROM lead_end")
        assert rows[0]["n"] == 40


# Whatever befalls the looking itself


async def test_a_take_over_whose_answer_is_lost_loses_no_lead(house):
    """The database had done it when the connection broke: the leads are ours, and are ended."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        looking = await house.open()
        whole = looking._books.leases._connections
        looking._books.leases._connections = Torn(whole)
        async with a_ghost(house, lease_s=1.0) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            await left.award("acme", 9)
            await until(lambda: has_nobody(house, ghost))
        looking._books.leases._connections = whole
        end = await end_of(house, left)
        assert (end["status"], end["price"]) == ("sold", 4.5)
        assert by_state(await audit(house, fleet)) == {"accepted": 1}
        assert not looking._books.leases._open


async def test_a_look_that_fails_in_one_part_goes_on_in_the_others_and_again(house):
    """A lead that cannot be read costs no other lead, and no hold, its end."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        looking = await house.open()
        looking._story.left_open.add("no id at all")
        async with a_ghost(house) as ghost:
            left, held = ghost.lead(1), ghost.lead(2)
            assert await left.write()
            await held.hold("acme", 9)
        assert (await end_of(house, left))["status"] == "unsold"
        await nothing_is_held(house, "acme")


async def test_a_story_that_broke_off_takes_no_lead_from_another_worker(house):
    """A quote posted to two workers: the one that failed leaves the lead to the one that has it."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await prepare(house, market(acme(fleet), campaign(lines=ONCE)))
        looking = await house.open()
        async with a_ghost(house, lease_s=30.0) as alive:
            left = alive.lead(1)
            assert await left.write()
            looking._story.left_open.add(left.lead_id)

            async def looked():
                return not looking._story.left_open

            await until(looked)
            assert await left.write(MomentKind.NOTE), "its own next moment"


async def has_nobody(house, ghost):
    """The ghost's lease is gone, and with it its leads."""
    worker_id = ghost.ledger._group.worker_id
    return not await house.fetch("SELECT FROM worker WHERE id = $1::uuid", worker_id)


class Torn:
    """Connections that break after all is done and before anybody hears of it."""

    def __init__(self, whole):
        self.whole = whole

    @asynccontextmanager
    async def use(self, timeout_s=None):
        async with self.whole.use(timeout_s) as connection:
            yield connection
        if timeout_s is not None:
            raise LedgerUnavailable


# A worker that is not dead, only late


async def test_a_worker_that_was_taken_for_dead_writes_nothing_more(house):
    """Its renewals stop and its story goes on: the other one ends the lead, its seller hears so."""
    async with Fleet(bidding({"acme": "9.00"}), keep=9) as fleet:
        fleet.change(bidding({"acme": "9.00"}, post_latency_ms=Fixed(1500))[0])
        await prepare(house, market(acme(fleet, post_ms=5000), campaign(lines=ONCE)))
        late = await house.open(worker_lease_s=0.6)
        late._books.leases.renew = lambda: asyncio.sleep(60)
        waiting = asyncio.create_task(house.post(person(1)))
        await fleet.received("acme", posts=1)
        await house.open()
        await fleet.received("acme", posts=2)
        told = (await waiting).body
        assert told["status"] in {"pending", "sold"}
        key = await house.key("seller", "fastquotes")
        path = f"/v1/leads/{told['lead_id']}?wait_s=15"
        end = (await house.call("GET", path, key=key, base=1)).body
        assert (end["status"], end["price"]) == ("sold", 7.65)
        assert len(set(keys_of(fleet, "acme"))) == 1
        writers = await house.fetch(
            "SELECT worker FROM moment WHERE lead_id = $1 ORDER BY number", told["lead_id"]
        )
        by_late = [str(row["worker"]) == late.worker_id for row in writers]
        assert by_late == sorted(by_late, reverse=True), "nothing of it after the take-over"
        assert not by_late[-1]
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


def answering(fleet, name, body):
    """Return how to let this buyer answer every post with this body from then on."""
    from bidders.fleet.fleet import Desk
    from bidders.fleet.reply import Reply, message

    def begin():
        fleet.desks[f"/{name}/post"] = Desk(fleet.books[name], lambda *_: Reply(message(body)))

    return begin
