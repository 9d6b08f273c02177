"""A person is erased: nobody reads it again, and what was sold, paid and sealed stays as it was."""

import hashlib

import msgspec
import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from bidders.fleet.fleet import Desk
from bidders.fleet.reply import Reply, message
from exchange.clock import now_us
from exchange.commands.erase import NOT_YET, erase
from exchange.commands.verify import verify
from exchange.domain.ids import uuid7
from exchange.errors import CommandError
from tests.acceptance.buyers import bidding
from tests.acceptance.conftest import settings_of
from tests.acceptance.house import ANN, all_is_sealed, person, until
from tests.acceptance.market import buyer, campaign, market

ADDRESS = "https://acme.example/thanks?lead=ann"


async def erased_over_http(house, lead_id, role="operator", **options):
    key = await house.key(role, "fastquotes" if role == "seller" else "tests")
    return await house.call("DELETE", f"/v1/admin/leads/{lead_id}/person", key=key, **options)


async def test_an_operator_erases_a_person_and_the_record_stays_whole(house, typed):
    """No name, no number, no address where its buyer sent it on; the sale and the seals stand."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        taken = Reply(message(msgspec.json.encode({"accepted": True, "redirect_url": ADDRESS})))
        fleet.desks["/acme/post"] = Desk(fleet.books["acme"], lambda *_: taken)
        await house.apply(market(buyer("acme", fleet.base_url), campaign()))
        worker = await house.open()
        sold = (await house.post()).body
        lead_id = sold["lead_id"]
        assert sold["sales"][0]["redirect_url"] == ADDRESS
        assert (await house.admin(lead_id))["captures"]
        await all_is_sealed(house, worker)

        first = await erased_over_http(house, lead_id)
        assert (first.status, first.body["lead_id"]) == (200, lead_id)
        assert first.body["erased_by"] == "operator/tests"
        again = await erased_over_http(house, lead_id)
        assert again.body == first.body

        async with house.ledger() as ledger:
            assert await ledger.record(lead_id) is None
        seen = await house.admin(lead_id)
        assert (seen["status"], seen["captures"]) == ("sold", [])
        assert "redirect_url" not in seen["sales"][0]
        key = await house.key("seller", "fastquotes")
        told = (await house.call("GET", f"/v1/leads/{lead_id}", key=key)).body
        assert (told["status"], told["price"]) == ("sold", sold["price"])
        assert told["sales"][0].get("redirect_url") is None
        status, found = await typed(verify)
        assert (status, found["faults"]) == (0, [])
        assert found["erased"] == 3
        async with house.ledger() as ledger:
            assert await ledger.sums() == {"USD": 0}


async def test_who_may_not_erase_and_what_cannot_be(house):
    """Sellers may not; of what nobody sent nothing is erased."""
    await house.apply(market(buyer("acme", offer="price = 1.00"), campaign()))
    await house.open()
    nobody = uuid7(now_us(), b"n" * 10)
    assert (await erased_over_http(house, nobody, role="seller")).status == 403
    assert (await erased_over_http(house, nobody)).status == 404
    assert (await erased_over_http(house, "none")).status == 404


async def test_a_lead_in_doubt_is_erased_only_after_its_end(house):
    """Its post may have to be repeated, word for word."""
    mute = BuyerSpec(id="acme", price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0})
    async with Fleet([mute]) as fleet:
        acme = buyer("acme", fleet.base_url, post_ms=100, in_doubt_s=2)
        await house.apply(market(acme, campaign()))
        await house.open()
        told = (await house.post(timeout_ms=300)).body
        assert told["status"] == "pending"
        refused = await erased_over_http(house, told["lead_id"])
        assert (refused.status, refused.body["type"]) == (409, "/problems/being-sold")

        async def has_ended():
            return bool(await house.fetch("SELECT FROM lead_end"))

        await until(has_ended)
        assert (await erased_over_http(house, told["lead_id"])).status == 200


async def test_what_comes_after_the_person_was_erased_is_not_readable_either(house, typed):
    """The answer to a post that was given up: with it the whole request would be kept again."""
    late = BuyerSpec(
        id="acme", price=Fixed(13.0), post_faults={PostFault.LATE: 1.0}, late_ms=1500.0
    )
    async with Fleet([late, *bidding({"bravo": "12.00"})]) as fleet:
        hasty = buyer("acme", fleet.base_url, post_ms=100, no_answer="advance")
        await house.apply(market(hasty, buyer("bravo", fleet.base_url), campaign()))
        await house.open()
        sold = (await house.post()).body
        lead_id = sold["lead_id"]
        assert sold["price"] == 10.2
        assert (await erased_over_http(house, lead_id)).status == 200
        assert "late_acceptance" not in {one["event"] for one in await house.timeline(lead_id)}

        async def is_recorded():
            return "late_acceptance" in {one["event"] for one in await house.timeline(lead_id)}

        await until(is_recorded)
        async with house.ledger() as ledger:
            assert await ledger.captures(lead_id) == []
        status, found = await typed(verify)
    assert (status, found["faults"]) == (0, [])


async def test_a_quote_whose_person_was_erased_is_posted_no_more(house, typed):
    """Its fields are unreadable, its token is used up, and the same ping is asked anew."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        limited = 'id = "fastquotes"\ncaps = [ { leads = 5, per = "day" } ]'
        text = market(buyer("acme", fleet.base_url), campaign())
        await house.apply(text.replace('id = "fastquotes"', limited, 1))
        worker = await house.open()
        lead = {"zip": "78701", "currently_insured": True}
        first = await house.post(lead, path="/v1/pings")
        [row] = await house.fetch("SELECT lead_id FROM quote")
        lead_id = str(row["lead_id"])
        assert (await erased_over_http(house, lead_id)).status == 200
        async with house.ledger() as ledger:
            assert await ledger.records(lead_id) == [None]
        post = await house.post(path=f"/v1/pings/{first.body['ping_id']}/post")
        assert (post.status, post.body["title"]) == (409, "The quote was used already")
        assert fleet.books["acme"].posts == 0
        again = await house.post(lead, path="/v1/pings")
        assert again.body["ping_id"] != first.body["ping_id"]
        sold = await house.post(path=f"/v1/pings/{again.body['ping_id']}/post")
        assert sold.body["status"] == "sold"
        assert (await erased_over_http(house, sold.body["lead_id"])).status == 200

        async def one_counts():
            now = await worker._state.market.standing("seller:fastquotes")
            return not now.holds and list(now.settled.values()) == [1]

        await until(one_counts)
        await all_is_sealed(house, worker)
        status, found = await typed(verify)
        assert (status, found["faults"]) == (0, [])


async def test_nothing_of_the_person_stands_in_clear_anywhere_once_it_is_erased(house):
    """Not where an operator or a buyer wrote it beside a word on a sale, either."""
    mute = BuyerSpec(id="acme", price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0})
    async with Fleet([mute]) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, post_ms=100), campaign()))
        await house.open()
        told = (await house.post(timeout_ms=300)).body
        [sale] = await house.fetch("SELECT sale_id FROM award")
        key = await house.key("buyer", "acme")
        said = {"accepted": False, "reason": "Ann Lee, ann.lee@example.com, is ours"}
        path = f"/v1/sales/{sale['sale_id']}/confirm"
        assert (await house.call("POST", path, key=key, json=said)).status == 200
        assert (await erased_over_http(house, told["lead_id"])).status == 200
        tables = await house.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        for (table,) in tables:
            rows = await house.fetch(f'SELECT row::text AS told FROM "{table}" AS row')
            for row in rows:
                for word in ("Ann", "Lee", "ann.lee@", "5125550123"):
                    assert word not in row["told"], table


async def test_by_telephone_by_address_and_by_digest_all_leads_of_a_person_are_found(house, typed):
    """However it is written; first shown, then erased; nobody else is touched."""
    await house.apply(market(buyer("acme", offer="price = 1.00"), campaign()))
    await house.open()
    hers = [(await house.post()).body["lead_id"]]
    hers.append((await house.post({**ANN, "email": "other@example.com"})).body["lead_id"])
    hers.append((await house.post({**ANN, "phone": person(7)["phone"]})).body["lead_id"])
    others = [(await house.post(person(8))).body["lead_id"]]

    status, found = await typed(erase, phone="512-555-0123")
    assert (status, sorted(found["found"]), found["erased"]) == (0, sorted(hers[:2]), [])
    digest = hashlib.sha256(b"ann.lee@example.com").hexdigest()
    status, found = await typed(erase, digest=digest)
    assert sorted(found["found"]) == sorted([hers[0], hers[2]])
    status, found = await typed(
        erase, phone="+1 512 555 0123", email="Ann.Lee@Example.com", yes=True
    )
    assert sorted(one["lead_id"] for one in found["erased"]) == sorted(hers)
    async with house.ledger() as ledger:
        assert [await ledger.record(lead_id) for lead_id in hers] == [None] * 3
        assert await ledger.record(others[0])
    nobody = uuid7(now_us(), b"n" * 10)
    status, found = await typed(erase, others[0], nobody, yes=True)
    assert status == NOT_YET
    assert [one["lead_id"] for one in found["erased"]] == others
    assert found["left"] == [nobody]
    with pytest.raises(CommandError, match="--phone"):
        await typed(erase, phone="12")
    with pytest.raises(CommandError, match="name a lead"):
        await typed(erase)


async def test_who_types_is_told_that_nobody_is_left_and_why_a_lead_is(house, capsys):
    """A person who is erased already, or was never here; a lead that nobody wrote, or in doubt."""
    await house.apply(market(buyer("acme", offer="price = 1.00"), campaign()))
    await house.open()
    await house.post()
    for told in ("1 lead is meant", "", "No lead of this person can be read"):
        assert await erase(phone=ANN["phone"], yes=not told, settings=settings_of(house)) == 0
        assert told in capsys.readouterr().err
    nobody = uuid7(now_us(), b"n" * 10)
    assert await erase(nobody, yes=True, settings=settings_of(house)) == NOT_YET
    assert "ask again once it has ended" in capsys.readouterr().err
