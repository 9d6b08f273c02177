"""A sale in doubt is decided from outside its post: by its buyer, or an operator with a reason."""

import asyncio

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from exchange import app
from exchange.story import posting
from tests.acceptance.audit import at_rest, audit, by_state, keys_of
from tests.acceptance.buyers import bidding
from tests.acceptance.house import until
from tests.acceptance.market import buyer, campaign, market

LEASE_S = 1.0
MAPPING = """
[[mapping]]
id = "script"
idempotent = false
[mapping.post]
headers = { Idempotency-Key = "{sale.id}" }
accepted = { path = "accepted", equals = [true] }
refused = { path = "accepted", equals = [false] }
[mapping.post.body.json]
sale_id = "{sale.id}"
price = "{sale.price}"
"""


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    """Workers in this loop look ten times a second for what others left."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)


def silent(name="acme"):
    """A buyer that gets every post and never says a word on its line."""
    return BuyerSpec(id=name, price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0})


async def in_doubt(house, fleet, workers=1, *, offer="", doubt_s=60):
    """Open a shop, post a lead that comes into doubt; return its lead's id and its sale's."""
    cap = "caps = [ { concurrent = 1 } ]"
    acme = buyer("acme", fleet.base_url, post_ms=100, in_doubt_s=doubt_s, offer=f"{cap}\n{offer}")
    await house.apply(market(MAPPING, acme, campaign(), "[[buyer]]\nid = 'other'\nname = 'O'\n"))
    for _ in range(workers):
        await house.open()
    told = await house.post(timeout_ms=300)
    assert told.body["status"] == "pending"
    return told.body["lead_id"], keys_of(fleet, "acme")[0]


async def confirm(house, sale_id, role="buyer", account="acme", base=0, **word):
    """Say a word on a sale."""
    key = await house.key(role, account)
    path = f"/v1/sales/{sale_id}/confirm"
    return await house.call("POST", path, key=key, base=base, json=word)


async def listed(house, base=0):
    """What an operator sees that waits."""
    key = await house.key("operator", "desk")
    path = "/v1/admin/sales/in-doubt?older_than_s=0"
    return (await house.call("GET", path, key=key, base=base)).body["sales"]


async def seen(house, lead_id, base=0):
    """What the seller sees of its lead once it has its end."""
    key = await house.key("seller", "fastquotes")
    path = f"/v1/leads/{lead_id}?wait_s=10"
    return (await house.call("GET", path, key=key, base=base)).body


async def test_a_buyer_confirms_what_its_line_never_answered_at_any_worker(house):
    """Sold at the award's price; said again the same is 200, the contrary 409; no longer listed."""
    async with Fleet([silent()], keep=9) as fleet:
        lead_id, sale_id = await in_doubt(house, fleet, workers=2)
        (waiting,) = await listed(house, base=1)
        assert (waiting["sale_id"], waiting["buyer"], waiting["price"]) == (sale_id, "acme", 12)
        assert waiting["seconds"] > 0
        told = await confirm(house, sale_id, base=1, accepted=True, reference="A-77")
        assert (told.status, told.body["state"], told.body["decided_by"]) == (
            *(200, "accepted"),
            "buyer/acme",
        )
        end = await seen(house, lead_id)
        assert (end["status"], end["price"]) == ("sold", 10.2)
        assert await listed(house) == []
        again = await confirm(house, sale_id, accepted=True)
        assert (again.status, again.body["state"]) == (200, "accepted")
        contrary = await confirm(house, sale_id, accepted=False)
        assert (contrary.status, contrary.body["type"]) == (409, "/problems/decided")
        assert contrary.body["title"] == "The sale is decided otherwise already"
        (sale,) = (await house.admin(lead_id))["sales"]
        assert sale["reference"] == "A-77"
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_buyer_that_says_no_frees_its_place_and_the_lead_is_unsold(house):
    """The seller heard `pending`, so nobody else gets it; the hold is given back."""
    async with Fleet([silent()], keep=9) as fleet:
        lead_id, sale_id = await in_doubt(house, fleet)
        told = await confirm(house, sale_id, accepted=False, reason="no such person")
        assert (told.status, told.body["state"]) == (200, "refused")
        assert (await seen(house, lead_id))["status"] == "unsold"
        assert by_state(await at_rest(house)) == {"refused": 1}


async def test_a_word_stands_though_the_post_is_answered_otherwise_later(house):
    """What its buyer was told is taken is what the sale becomes, whatever was under way."""
    slow = {"post_latency_ms": Fixed(1000 * posting.AT_ONCE_S + 300)}
    spec = BuyerSpec(id="acme", price=Fixed(12.0), post_faults={PostFault.REFUSING: 1.0}, **slow)
    async with Fleet([spec], keep=9) as fleet:
        acme = buyer("acme", fleet.base_url, post_ms=20_000)
        await house.apply(market(acme, campaign()))
        await house.open()
        await house.key("buyer", "acme")
        posted = asyncio.ensure_future(house.post())

        async def came():
            return fleet.books["acme"].posts == 1

        await until(came)
        (sale_id,) = keys_of(fleet, "acme")
        told = await confirm(house, sale_id, accepted=True)
        assert (told.status, told.body["state"]) == (200, "accepted")
        assert (await posted).body["status"] == "sold"


async def test_a_buyer_that_does_not_know_a_repetition_may_still_confirm(house):
    """One post, no repetition, one word: sold."""
    fault = BuyerSpec(id="acme", price=Fixed(12.0), post_faults={PostFault.NEVER: 1.0})
    async with Fleet([fault], keep=9) as fleet:
        post = f'url = "{fleet.base_url}/acme/post", timeout_ms = 100, on_no_answer = "wait"'
        acme = buyer("acme", offer=f'post = {{ {post} }}\nprice = 12.00\nformat = "script"')
        await house.apply(market(MAPPING, acme, campaign()))
        await house.open()
        told = await house.post(timeout_ms=300)
        assert told.body["status"] == "pending"
        (sale_id,) = keys_of(fleet, "acme")
        assert (await confirm(house, sale_id, accepted=True)).body["state"] == "accepted"
        assert (await seen(house, told.body["lead_id"]))["status"] == "sold"
        assert fleet.books["acme"].posts == 1


async def test_an_operator_decides_with_a_reason_and_only_so(house):
    """Without one 422; with one it is carried out, and the ledger keeps who and why."""
    async with Fleet([silent()], keep=9) as fleet:
        lead_id, sale_id = await in_doubt(house, fleet)
        refused = await confirm(house, sale_id, "operator", "desk", accepted=True)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "reason")
        why = "acme said so on the telephone"
        told = await confirm(house, sale_id, "operator", "desk", accepted=True, reason=why)
        assert (told.status, told.body["state"]) == (200, "accepted")
        assert (await seen(house, lead_id))["status"] == "sold"
        (row,) = await house.fetch("SELECT by, accepted, note FROM decision")
        assert tuple(row) == ("operator/desk", True, why)


async def test_a_word_that_comes_while_no_worker_lives_counts_for_the_next_one(house):
    """Killed in doubt; the buyer's word is written by another, which then ends the sale by it."""
    async with Fleet([silent()], keep=9) as fleet:
        cap = "caps = [ { concurrent = 1 } ]"
        acme = buyer("acme", fleet.base_url, post_ms=20_000, offer=cap)
        await house.apply(market(acme, campaign()))
        await house.key("seller", "fastquotes")
        killed, _ = await asyncio.gather(house.start(worker_lease_s=LEASE_S), house.open())
        first = house.bases.index(killed.base)
        cut = asyncio.create_task(house.post(base=first))
        await fleet.received("acme", posts=1)
        await killed.kill()
        await asyncio.gather(cut, return_exceptions=True)
        (sale_id,) = keys_of(fleet, "acme")
        told = await confirm(house, sale_id, base=1 - first, accepted=True)
        assert told.status == 200
        (row,) = await house.fetch("SELECT lead_id::text FROM lead")
        assert (await seen(house, row["lead_id"], base=1 - first))["status"] == "sold"
        assert by_state(await audit(house, fleet)) == {"accepted": 1}


async def test_a_word_after_the_end_is_409_and_changes_nothing(house):
    """The sale was void by then; nobody is charged."""
    async with Fleet([silent()], keep=9) as fleet:
        lead_id, sale_id = await in_doubt(house, fleet, doubt_s=1)
        assert (await seen(house, lead_id))["status"] == "unsold"
        late = await confirm(house, sale_id, accepted=True)
        assert late.status == 409
        assert "void" in late.body["detail"]
        (row,) = await house.fetch("SELECT by, accepted FROM decision")
        assert tuple(row) == ("exchange", False), "nobody waited any longer"
        assert by_state(await at_rest(house)) == {"void": 1}


async def test_of_contrary_words_at_once_one_stands(house):
    """Ten say yes and ten say no: all who said what stands hear 200, the others 409."""
    async with Fleet([silent()], keep=9) as fleet:
        _, sale_id = await in_doubt(house, fleet, workers=2)
        words = [number % 2 == 0 for number in range(20)]
        told = await asyncio.gather(
            *(
                confirm(house, sale_id, base=number % 2, accepted=word)
                for number, word in enumerate(words)
            )
        )
        heard = {
            word: {t.status for t, w in zip(told, words, strict=True) if w is word}
            for word in (True, False)
        }
        assert sorted(heard.values(), key=min) == [{200}, {409}]
        assert len(await at_rest(house)) == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_word_on_a_sale_stays_on_the_books_without_the_person(house, accepted):
    """Who is asked about a lead tells it by its name; only the redirect is its seller's."""
    async with Fleet([silent()], keep=9) as fleet:
        lead_id, sale_id = await in_doubt(house, fleet)
        said = {
            "accepted": accepted,
            "reference": "crm 512-555-0123",
            "reason": "duplicate: Ann Lee, ann.lee@example.com",
            "redirect_url": "https://acme.example/?n=Ann+Lee",
        }
        assert (await confirm(house, sale_id, **said)).status == 200
        [kept] = await house.fetch("SELECT reference, note FROM decision")
        assert tuple(kept) == ("crm ***", "duplicate: *** ***, ***")
        sales = (await seen(house, lead_id))["sales"]
        assert [one["redirect_url"] for one in sales] == [said["redirect_url"]] * accepted


async def test_who_may_not_speak_or_says_nothing_clear_is_told_so(house):
    """Another's sale and none are 404; a seller 403; no key 401; no word 422; no JSON 400."""
    async with Fleet([silent(), *bidding({"other": "1.00"})], keep=9) as fleet:
        _, sale_id = await in_doubt(house, fleet)
        path = f"/v1/sales/{sale_id}/confirm"
        key = await house.key("buyer", "acme")
        headers = {"Content-Type": "application/json"}
        assert (await confirm(house, sale_id, account="other", accepted=True)).status == 404
        assert (await confirm(house, "0" * 8, accepted=True)).status == 404
        unknown = "019a0000-0000-7000-8000-000000000001"
        assert (await confirm(house, unknown, accepted=True)).status == 404
        assert (await confirm(house, sale_id, "seller", "fastquotes", accepted=True)).status == 403
        assert (await house.call("POST", path, json={"accepted": True})).status == 401
        for said, fault in (
            ({"accepted": "yes"}, ("accepted", "wrong_type")),
            ({"reason": "bad number"}, ("accepted", "required")),
            ({"accepted": True, "reference": 77}, ("reference", "wrong_type")),
        ):
            unclear = await confirm(house, sale_id, **said)
            [error] = unclear.body["errors"]
            assert (unclear.status, error["field"], error["code"]) == (422, *fault)
        assert (await confirm(house, sale_id, accepted=True, reference="x" * 501)).status == 422
        bad = await house.call("POST", path, key=key, headers=headers, data=b"{")
        assert bad.status == 400
        form = await house.call("POST", path, key=key, data={"accepted": "true"})
        assert form.status == 415
        assert not await house.fetch("SELECT FROM decision")
        await confirm(house, sale_id, accepted=False)

        async def is_over():
            return await listed(house) == []

        await until(is_over)
