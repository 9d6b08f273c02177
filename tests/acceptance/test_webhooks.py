"""A seller that heard `pending` is told the outcome: exactly it, whatever breaks in between."""

import asyncio

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange.domain.moment import LeadEnd, MomentKind
from exchange.domain.states import LeadStatus
from exchange.notify import retrying
from tests.acceptance.audit import audit
from tests.acceptance.buyers import bidding
from tests.acceptance.ghost import a_ghost
from tests.acceptance.hooked import a_hook
from tests.acceptance.house import person, until
from tests.acceptance.market import AUTO, buyer, campaign
from tests.acceptance.test_in_doubt import HURRY_MS

DELIVERIES = "/v1/admin/webhooks/deliveries"
EVERY_END = '["lead.sold", "lead.unsold", "lead.resolved"]'


@pytest.fixture(autouse=True)
def _tries_again_soon(monkeypatch):
    """Workers in this loop try again soon."""
    monkeypatch.setattr(retrying, "PAUSES_S", (0.2,) * 20)
    monkeypatch.setattr(retrying, "AWAY_MAX_S", 0.2)


def never():
    """A buyer that takes its first post and never answers it; asked again it says so."""
    return BuyerSpec(id="never", price=Fixed(12.0), post_faults={PostFault.NEVER: 1.0})


def a_market(hook, fleet, *names, events=None):
    """A seller with a webhook, and a campaign for each buyer alone."""
    asked = "" if events is None else f", events = {events}"
    return "\n".join(
        (
            AUTO,
            f'[[seller]]\nid = "fastquotes"\nwebhook = {{ url = "{hook.url}"{asked} }}\n',
            *(buyer(name, fleet.base_url, post_ms=200) for name in names),
            *(
                campaign(name, stages=[f'method = "auction"\noffers = ["{name}"]'])
                for name in names
            ),
        )
    )


async def deliveries(house, query="", base=0):
    key = await house.key("operator", "tests")
    answer = await house.call("GET", DELIVERIES + query, key=key, base=base)
    assert answer.status == 200, answer.body
    return answer.body["deliveries"]


async def seen(house, lead_id, base=0):
    key = await house.key("seller", "fastquotes")
    return (await house.call("GET", f"/v1/leads/{lead_id}", key=key, base=base)).body


async def test_a_seller_that_heard_pending_is_told_the_outcome(house):
    """Once, signed so that the standard's library believes it, in the words of `GET`."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        await house.apply(a_market(hook, fleet, "never"))
        secret = await house.key("signing", "fastquotes")
        await house.open(webhook_look_every_s=0.1)
        answer = await house.post(campaign="never", timeout_ms=HURRY_MS, seller_ref="A-1001")
        assert answer.body["status"] == "pending"
        [told] = await hook.until_told(1)
        told.verify(secret)
        assert told.says["type"] == "lead.resolved"
        assert told.says["data"]["status"] == "sold"
        assert (told.says["data"]["seller_ref"], told.says["data"]["test"]) == ("A-1001", False)
        assert told.says["data"] == await seen(house, answer.body["lead_id"])
        [delivery] = await ended(house, "delivered")
        assert (delivery["id"], delivery["lead_id"]) == (told.id, answer.body["lead_id"])
        assert [one["status"] for one in delivery["tries"]] == [204]
        metrics = (await house.call("GET", "/metrics")).body
        assert 'exchange_messages_total{outcome="delivered",type="lead.resolved"} 1' in metrics
        await audit(house, fleet)


async def ended(house, state, base=0, within_s=20.0):
    """All deliveries, once each of them stands so."""
    found = []

    async def all_so():
        found[:] = await deliveries(house, base=base)
        return bool(found) and all(one["state"] == state for one in found)

    await until(all_so, within_s)
    return found


async def test_only_what_a_seller_asks_for_is_told_and_each_end_once(house):
    """By default the outcome of `pending` alone; every end for who wants it, under its own name."""
    async with a_hook() as hook, Fleet([never(), *bidding({"acme": "9.00"})]) as fleet:
        await house.apply(a_market(hook, fleet, "never", "acme"))
        await house.open(webhook_look_every_s=0.1)
        assert (await house.post(person(1), campaign="acme")).body["status"] == "sold"
        await house.apply(a_market(hook, fleet, "never", "acme", events=EVERY_END))
        sold = await house.post(person(2), campaign="acme")
        unsold = await house.post(person(3), campaign="acme", min_price=99.0)
        pending = await house.post(person(4), campaign="never", timeout_ms=HURRY_MS)
        told = await hook.until_told(3)
        await ended(house, "delivered")
        assert {one.says["data"]["lead_id"]: one.says["type"] for one in told} == {
            sold.body["lead_id"]: "lead.sold",
            unsold.body["lead_id"]: "lead.unsold",
            pending.body["lead_id"]: "lead.resolved",
        }
        assert len(hook.told) == 3
        assert "webhook-signature" not in told[0].headers, "no secret was made"


async def test_an_endpoint_that_is_down_for_a_while_is_told_when_it_is_back(house):
    """Each try is on record; the message keeps its id; whoever waited longest goes first."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        await house.apply(a_market(hook, fleet, "never"))
        await house.open(webhook_look_every_s=0.1)
        hook.status = 503
        posts = [
            house.post(person(number), campaign="never", timeout_ms=HURRY_MS) for number in range(3)
        ]
        leads = {answer.body["lead_id"] for answer in await asyncio.gather(*posts)}
        await hook.until_told(4)
        assert {one["state"] for one in await deliveries(house)} == {"waiting"}
        hook.status = 200
        found = await ended(house, "delivered")
        assert {one["lead_id"] for one in found} == leads
        for one in found:
            *failed, last = one["tries"]
            assert all(try_["error"] == "status 503" for try_ in failed)
            assert last["status"] == 200
        assert sum(len(one["tries"]) for one in found) == len(hook.told)
        assert len({one.id for one in hook.told}) == 3


async def test_what_is_written_and_not_sent_when_its_worker_dies_is_sent_by_another(house):
    """kill -9 between commit and sending: the message is in the outbox with the outcome."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        await house.apply(a_market(hook, fleet, "never"))
        await house.key("operator", "tests")
        await house.key("seller", "fastquotes")
        silent = await house.start(webhook_look_every_s=600.0)
        answer = await house.post(campaign="never", timeout_ms=HURRY_MS)
        assert answer.body["status"] == "pending"
        await until(lambda: is_written(house))
        await silent.kill()
        assert hook.told == []
        await house.open(webhook_look_every_s=0.1)
        [told] = await hook.until_told(1)
        assert told.says["data"]["lead_id"] == answer.body["lead_id"]
        await ended(house, "delivered", base=1)
        assert len(hook.told) == 1


async def is_written(house):
    return bool(await house.fetch("SELECT FROM message"))


async def test_an_end_that_its_worker_died_without_having_heard_of_is_told_once(house):
    """It may have said `pending`, for its ledger did not answer, and owed the message."""
    async with a_hook() as hook, Fleet(bidding({"auto-us": "9.00"})) as fleet:
        await house.apply(a_market(hook, fleet, "auto-us"))
        await house.key("operator", "tests")
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            assert await left.write(MomentKind.OUTCOME, lead_end=LeadEnd(status=LeadStatus.UNSOLD))
        await house.open(webhook_look_every_s=0.1)
        [told] = await hook.until_told(1)
        assert told.says["type"] == "lead.resolved"
        assert told.says["data"] == await seen(house, left.lead_id)
        assert told.says["data"]["status"] == "unsold"
        await ended(house, "delivered")
        assert len(hook.told) == 1


async def test_what_was_sent_and_not_noted_when_its_worker_dies_is_sent_again_under_its_id(house):
    """At least once: the seller took it, and nobody could write that down."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        await house.apply(a_market(hook, fleet, "never"))
        await house.key("operator", "tests")
        await house.key("seller", "fastquotes")
        hook.is_mute = True
        killed = await house.start()
        await house.post(campaign="never", timeout_ms=HURRY_MS)
        [first] = await hook.until_told(1)
        await killed.kill()
        hook.is_mute = False
        async with house.connection() as connection:
            await connection.execute("UPDATE message SET due = now()")  # its lease is over
        await house.open(webhook_look_every_s=0.1)
        _, again = await hook.until_told(2)
        assert again.id == first.id
        await ended(house, "delivered", base=1)


async def test_an_operator_sees_what_failed_and_sends_it_again(house):
    """410 wants no more of it; a replay begins anew. Who asks for other things is told so."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        await house.apply(a_market(hook, fleet, "never"))
        await house.open(webhook_look_every_s=0.1)
        hook.status = 410
        await house.post(campaign="never", timeout_ms=HURRY_MS)
        [failed] = await ended(house, "failed")
        assert failed["tries"][0]["error"] == "status 410"
        assert [failed] == await deliveries(house, "?state=failed&recipient=seller/fastquotes")
        assert await deliveries(house, f"?before={failed['id']}") == []
        hook.status = 204
        key = await house.key("operator", "tests")
        path = f"{DELIVERIES}/{failed['id']}/replay"
        replayed = await house.call("POST", path, key=key)
        assert (replayed.status, replayed.body["state"]) == (200, "waiting")
        [delivered] = await ended(house, "delivered")
        assert [one.get("error") for one in delivered["tries"]] == ["status 410", None]
        nobody = f"{DELIVERIES}/{'0' * 8}-0000-7000-8000-{'0' * 12}/replay"
        assert (await house.call("POST", nobody, key=key)).status == 404
        wrong = await house.call("GET", f"{DELIVERIES}?state=lost&limit=x", key=key)
        assert wrong.status == 422
        seller = await house.key("seller", "fastquotes")
        assert (await house.call("GET", DELIVERIES, key=seller)).status == 403


async def test_an_address_outside_the_public_internet_is_not_called(house):
    """As with buyers': what the exchange may reach is its operator's to say."""
    async with a_hook() as hook, Fleet([never()]) as fleet:
        text = a_market(hook, fleet, "never").replace(hook.url, "http://10.1.2.3/hook")
        await house.apply(text)
        await house.open(webhook_look_every_s=0.1)
        await house.post(campaign="never", timeout_ms=HURRY_MS)

        async def tried():
            found = await deliveries(house)
            return bool(found and found[0]["tries"])

        await until(tried)
        assert (await deliveries(house))[0]["tries"][0]["error"] == "address_not_allowed"
