"""A sale in doubt whose buyer can be asked: its status URL says what became of it."""

import asyncio

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from tests.acceptance.audit import at_rest, audit, by_state
from tests.acceptance.foreign import FORM, Says, foreign, offer
from tests.acceptance.house import until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_in_doubt import HURRY_MS, get
from tests.acceptance.test_mappings import YES
from tests.acceptance.timelines import events, of

SECRET_BYTES = 24


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


def faulty(fault, **more):
    return BuyerSpec(id="acme", price=Fixed(12.0), post_faults={fault: 1.0}, **more)


def at(fleet, **more):
    status = f'status = {{ url = "{fleet.status_url("acme")}" }}'
    return buyer("acme", fleet.base_url, post_ms=200, post=status, **more)


async def test_a_buyer_that_can_be_asked_is_asked_before_its_post_is_repeated(house):
    """`pending`, then the outcome: one post and one signed question, answered like a post."""
    async with Fleet([faulty(PostFault.NEVER)], keep=9) as fleet:
        await house.apply(market(at(fleet), campaign()))
        fleet.change(faulty(PostFault.NEVER, secret=await house.key("signing", "acme")))
        await house.open()
        told = await house.post(timeout_ms=HURRY_MS)
        assert told.body["status"] == "pending"
        end = await get(house, told.body["lead_id"])
        assert (end.body["status"], end.body["price"]) == ("sold", 10.2)
        view = await house.admin(told.body["lead_id"])
        book = fleet.books["acme"]
        assert (book.posts, book.asked, book.unsigned) == (1, 1, 0)
        way = ["posted", "in_doubt", "status_asked", "resolved", "accepted"]
        assert events(view["timeline"], "acme")[-5:] == way
        [asked] = [call for call in view["captures"] if call["kind"] == "status"]
        assert f"/acme/status/{view['sales'][0]['sale_id']}" in asked["request"]
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_buyer_that_does_not_know_the_sale_gets_its_post_again(house):
    """Its 404 decides nothing: the post may never have come. One that knows repetitions gets it."""
    async with Fleet([faulty(PostFault.UNREAD)], keep=9) as fleet:
        await house.apply(market(at(fleet), campaign()))
        await house.open()
        answer = await house.post()
        assert answer.body["status"] == "sold"
        way = ["posted", "in_doubt", "status_asked", "in_doubt", "repeated", "resolved", "accepted"]
        timeline = await house.timeline(answer.body["lead_id"])
        assert events(timeline, "acme")[-7:] == way
        assert of(timeline, "in_doubt")[1]["detail"] == "status 404 decides nothing"
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_whoever_goes_on_after_a_crash_asks_too(house):
    """The worker is killed with its sale in doubt; another one asks, and the buyer has it once."""
    async with Fleet([faulty(PostFault.NEVER)], keep=9) as fleet:
        lines = "auction_deadline_ms = 10000"
        await house.apply(market(at(fleet, ping_ms=10_000), campaign(lines=lines)))
        await house.key("seller", "fastquotes")
        killed = await house.start(worker_lease_s=1.0)
        post = asyncio.create_task(house.post())
        await fleet.received("acme", posts=1)
        await killed.kill()
        await asyncio.gather(post, return_exceptions=True)
        await house.open()

        async def sold():
            return bool(await house.fetch("SELECT FROM lead_end WHERE status = 'sold'"))

        await until(sold, 20)
        assert (fleet.books["acme"].posts, fleet.books["acme"].asked) == (1, 1)
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


ASKED_BY_REFERENCE = """
[mapping.status]
query = { key = "{param.api_id}", at = "{now|unix}" }
accepted = { path = "state", equals = ["sold"] }
refused = { path = "state", equals = ["rejected"], reason = { path = "why" } }
pending = { path = "state", equals = ["open"] }
reference = { path = "id" }
"""


def by_reference(server):
    """An offer that knows no repetition and is asked by what it called the sale itself."""
    status = f'status = {{ url = "{server.base_url}/form/status?id={{reference}}" }}'
    return market(FORM + ASKED_BY_REFERENCE, offer(server, "form", post=status), campaign())


async def test_a_buyer_that_knows_no_repetition_is_asked_by_its_own_reference(house):
    """Its answer to the post named one; `[mapping.status]` reads what it says, until it decides."""
    later = Says('{"status": 3, "lead_id": "W/77"}')
    said = [Says('{"state": "open"}'), Says('{"state": "sold", "id": "W/77"}')]
    async with foreign(form_ping=YES, form_post=later, form_status=said) as server:
        await house.apply(by_reference(server))
        await house.open()
        answer = await house.post()
        assert answer.body["status"] == "sold"
        view = await house.admin(answer.body["lead_id"])
        first, second = server.seen["/form/status"]
        assert len(server.seen["/form/post"]) == 1
    assert first.method == "GET"
    assert first.path.startswith("/form/status?id=W%2F77&key=77&at=1")
    assert second.path.startswith("/form/status?id=W%2F77&")
    assert view["sales"][0]["reference"] == "W/77"
    assert not of(view["timeline"], "repeated")
    await at_rest(house)


async def test_a_refusal_by_status_is_a_refusal(house):
    """With the buyer's words; nobody is charged, and in time the next would be tried."""
    later, said = Says('{"status": 3, "lead_id": 5}'), Says('{"state": "rejected", "why": "dup"}')
    async with foreign(form_ping=YES, form_post=later, form_status=said) as server:
        await house.apply(by_reference(server))
        await house.open()
        answer = await house.post()
        assert answer.body["reason"]["reason"] == "all_refused"
        timeline = await house.timeline(answer.body["lead_id"])
    assert of(timeline, "refused")[0]["detail"] == "dup"
    await at_rest(house)


async def test_a_buyer_that_named_no_reference_is_not_asked_and_not_posted_to_again(house):
    """A timeout names none: the sale waits, then it is void; the timeline has no question."""
    async with foreign(form_ping=YES, form_post=Says("?"), form_status=Says("?")) as server:
        await house.apply(by_reference(server).replace("timeout_ms = 400, ", WAITS))
        await house.open()
        answer = await house.post()
        assert answer.body["reason"]["reason"] == "void"
        timeline = await house.timeline(answer.body["lead_id"])
        assert (len(server.seen["/form/post"]), len(server.seen["/form/status"])) == (1, 0)
    assert not of(timeline, "status_asked")
    await at_rest(house)


WAITS = "timeout_ms = 400, in_doubt_max_s = 3, "


async def test_a_try_shows_the_question_and_sends_it_where_the_post_is_sent(house):
    """`POST /v1/admin/offers/{id}/try`: the same request that a sale in doubt would make."""
    async with Fleet([faulty(PostFault.PENDING)]) as fleet:
        await house.apply(market(at(fleet), campaign()))
        await house.open()
        key = await house.key("operator", "tests")
        path = "/v1/admin/offers/acme/try"
        shown = await house.call("POST", path, key=key, json={})
        assert shown.body["status"]["request"]["method"] == "GET"
        assert not shown.body["status"]["sent"]
        assert fleet.books["acme"].asked == 0
        sent = await house.call("POST", path, key=key, json={"send": "post"})
        assert sent.body["post"]["read"]["outcome"] == "in_doubt"
        assert sent.body["status"]["read"]["outcome"] == "accepted"
        assert fleet.books["acme"].asked == 1
