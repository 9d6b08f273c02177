"""Duplicates that are merged: one lead, one record, one timeline, whoever posts again."""

import pytest

from bidders.fleet import Fleet
from exchange.commands.erase import erase
from exchange.commands.verify import verify
from exchange.domain.moment import MomentKind
from exchange.domain.states import LeadStatus
from exchange.ledger.errors import LedgerUnavailable
from tests.acceptance.audit import audit, court_of
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, all_is_sealed, person
from tests.acceptance.market import AUTO, buyer, campaign, market
from tests.acceptance.test_reconcile import compared, repeated

RULE = 'duplicates = { window_hours = 24, action = "merge" }'
KEY = {"Idempotency-Key": "the second time"}
PING = {name: ANN[name] for name in ("zip", "currently_insured")}
SELLERS = '"fastquotes", "other"'


def one_buyer() -> Fleet:
    return Fleet(bidding({"acme": "12.00"}))


async def opened(house, fleet, *, lines=RULE):
    """Make a market of one buyer and two sellers whose duplicates are merged; open a worker."""
    into = campaign(lines=lines, sellers=SELLERS)
    await house.apply(market(buyer("acme", fleet.base_url), into))
    return await house.open()


async def seen(house, lead_id, seller="fastquotes"):
    """What a seller sees of one of its own."""
    key = await house.key("seller", seller)
    return await house.call("GET", f"/v1/leads/{lead_id}", key=key)


def merged(timeline):
    """What was merged, as a timeline tells it."""
    return [one["submission"] for one in timeline if one["event"] == "merged"]


async def test_a_duplicate_is_part_of_the_first_lead_and_no_lead(house):
    """Row 13: it names the first one, both stand in one timeline, no second lead is anywhere."""
    async with one_buyer() as fleet:
        await opened(house, fleet)
        first = (await house.post()).body
        before = await house.written()
        again = (await house.post(seller_ref="A-2")).body
        others = (await house.post(seller="other", source="mail")).body
        assert [one["status"] for one in (first, again, others)] == ["sold", *["duplicate"] * 2]
        assert again["reason"] == others["reason"] == {"code": 503, "reason": "duplicate"}
        own = {"lead_id": first["lead_id"], "status": "sold", "price": 10.2, "redirect_url": None}
        assert again["original"] == own
        assert "original" not in others
        assert first["lead_id"] not in str(others)

        after = await house.written()
        assert {
            name: after[name] - before[name] for name in after if after[name] - before[name]
        } == {
            "moment": 2,
            "submission": 2,
        }
        async with house.ledger() as ledger:
            assert await ledger.counts() == {LeadStatus.SOLD: 1}
            assert await ledger.record(again["lead_id"]) is None
        async with court_of(house) as court:
            assert (await court.reading.sums()).statuses == {"sold": 1}
            heard = {name: told.status for name, told in (await court.reading.endings()).items()}
        assert [heard[one["lead_id"]] for one in (again, others)] == ["duplicate"] * 2

        whole = await house.admin(first["lead_id"])
        events = [one["event"] for one in whole["timeline"]]
        assert events[0] == "received"
        assert events[-2:] == ["merged", "merged"]
        assert [one["seq"] for one in whole["timeline"]] == list(range(1, len(events) + 1))
        assert merged(whole["timeline"]) == [
            {
                "lead_id": again["lead_id"],
                "seller": "fastquotes",
                "source": "search",
                "channel": "search",
            },
            {"lead_id": others["lead_id"], "seller": "other", "source": "mail"},
        ]
        for part in (again, others):
            assert await house.admin(part["lead_id"]) == whole
        assert fleet.books["acme"].pings == 1
        await audit(house, fleet)


async def test_each_seller_reads_its_own_submission_and_hears_of_no_other(house):
    """By its id; the first lead's seller sees what it posted again itself."""
    async with one_buyer() as fleet:
        await opened(house, fleet)
        first = (await house.post()).body
        again = (await house.post(seller_ref="A-2")).body
        others = (await house.post(seller="other")).body
        told = (await seen(house, again["lead_id"])).body
        assert (told["status"], told["seller_ref"], told["source"]) == (
            "duplicate",
            "A-2",
            "search",
        )
        assert (told["original"], told["reason"]) == (again["original"], again["reason"])
        assert [one["event"] for one in told["timeline"]] == ["received", "validated", "duplicate"]
        told = (await seen(house, others["lead_id"], "other")).body
        assert (told["status"], "original" in told) == ("duplicate", False)
        assert first["lead_id"] not in str(told)
        assert (await seen(house, others["lead_id"])).status == 404
        told = (await seen(house, first["lead_id"])).body
        assert merged(told["timeline"]) == [
            {"lead_id": again["lead_id"], "seller": "fastquotes", "source": "search"}
        ]
        assert others["lead_id"] not in str(told)


async def test_a_ping_for_a_known_person_is_a_duplicate_and_merges_nothing(house):
    """It is told so, as ever, and no timeline but its own says of it."""
    async with one_buyer() as fleet:
        await opened(house, fleet)
        first = (await house.post()).body
        ping = await house.post({**PING, "phone": ANN["phone"]}, path="/v1/pings")
        assert ping.body["status"] == "duplicate"
        assert (await house.written())["submission"] == 0
        assert merged(await house.timeline(first["lead_id"])) == []


async def test_a_quote_whose_person_came_meanwhile_is_merged_once(house):
    """Its post is the submission; the quote is used, and what its ping kept is erased with her."""
    async with one_buyer() as fleet:
        worker = await opened(house, fleet)
        quote = (await house.post({**PING, "phone": ANN["phone"]}, path="/v1/pings")).body
        assert quote["status"] == "quoted"
        first = (await house.post(seller="other")).body
        path = f"/v1/pings/{quote['ping_id']}/post"
        posted = (await house.post(path=path)).body
        assert (posted["status"], "original" in posted) == ("duplicate", False)
        assert (await house.post(path=path)).status == 409
        assert [one["lead_id"] for one in merged(await house.timeline(first["lead_id"]))] == [
            posted["lead_id"]
        ]
        assert (await house.written())["lead"] == 1
        await audit(house, fleet)
        async with house.ledger() as ledger:
            assert await ledger.record(posted["lead_id"])  # the ping's: there is no post's
            assert await ledger.captures(posted["lead_id"])
            assert await erased(house, first["lead_id"]) == 200
            for one in (first, posted):
                assert await ledger.record(one["lead_id"]) is None
                assert await ledger.captures(one["lead_id"]) == []
        await all_is_sealed(house, worker)


async def test_a_quote_whose_person_was_erased_meanwhile_keeps_nothing_of_her(house, typed):
    """Its post is merged into a lead without a person, and what its ping kept goes with it."""
    async with one_buyer() as fleet:
        worker = await opened(house, fleet)
        quote = (await house.post({**PING, "phone": ANN["phone"]}, path="/v1/pings")).body
        first = (await house.post(seller="other")).body
        await all_is_sealed(house, worker)
        assert await erased(house, first["lead_id"]) == 200
        posted = (await house.post(path=f"/v1/pings/{quote['ping_id']}/post")).body
        assert posted["status"] == "duplicate"
        async with house.ledger() as ledger:
            assert await ledger.records(posted["lead_id"]) == [None]
            assert await ledger.captures(posted["lead_id"]) == []
        await all_is_sealed(house, worker)
        status, found = await typed(verify)
        assert (status, found["faults"]) == (0, [])


async def erased(house, lead_id):
    """Erase the person of this id as an operator; return the status."""
    key = await house.key("operator", "tests")
    path = f"/v1/admin/leads/{lead_id}/person"
    return (await house.call("DELETE", path, key=key)).status


async def test_the_person_is_erased_by_any_id_and_the_record_stays_whole(house, typed):
    """By the submission's own id it is the first lead's person, who else; by telephone, too."""
    async with one_buyer() as fleet:
        worker = await opened(house, fleet)
        first, again = [(await house.post()).body["lead_id"] for _ in range(2)]
        more, more_again = [(await house.post(person(2))).body["lead_id"] for _ in range(2)]
        await all_is_sealed(house, worker)
        status, found = await typed(verify)
        assert (status, found["faults"], found["erased"]) == (0, [], 0)

        assert await erased(house, again) == 200
        status, found = await typed(erase, phone=person(2)["phone"], yes=True)
        assert [one["lead_id"] for one in found["erased"]] == [more]
        async with house.ledger() as ledger:
            assert [await ledger.record(one) for one in (first, more)] == [None, None]
        assert merged(await house.timeline(first))[0]["lead_id"] == again
        assert (await house.admin(more_again))["lead_id"] == more
        status, found = await typed(verify)
        assert (status, found["faults"]) == (0, [])
        assert found["erased"] == 4  # of each its lead and its award


async def test_a_submission_that_was_changed_by_hand_is_found(house, typed):
    """It is sealed as everything is that was written with a moment."""
    async with one_buyer() as fleet:
        worker = await opened(house, fleet)
        _, again = [(await house.post()).body["lead_id"] for _ in range(2)]
        await all_is_sealed(house, worker)
        await house.fetch("UPDATE submission SET seller = 'other'")
        _, found = await typed(verify)
        assert [(one["what"], one["lead_id"]) for one in found["faults"]] == [("submission", again)]


async def test_the_same_key_hears_the_same_answer_and_adds_nothing(house):
    """From any worker, and after a loss of market state, which the books make whole again."""
    async with one_buyer() as fleet:
        await opened(house, fleet)
        await house.open()
        first = (await house.post()).body
        answers = [(await house.post(headers=KEY, base=base)).body for base in (0, 1)]
        async with house.market() as client:
            await client.flushdb()
        answers.append((await repeated(house, ANN, KEY)).body)
        assert {one["lead_id"] for one in answers} == {answers[0]["lead_id"]}
        assert {one["status"] for one in answers} == {"duplicate"}
        assert answers[0]["original"]["lead_id"] == first["lead_id"]
        assert (await house.post()).body["status"] == "duplicate", "the person is known, too"
        written = await house.written()
        assert (written["lead"], written["submission"]) == (1, 2)
        assert (await compared(house))["differences"] == []


async def test_a_submission_whose_worker_was_killed_is_known_to_its_key(house):
    """What was written before the kill is answered after it, and not written again."""
    async with one_buyer() as fleet:
        acme = buyer("acme", fleet.base_url, ping_ms=5000)
        await house.apply(market(acme, campaign(lines=RULE + "\nauction_deadline_ms = 6000")))
        await house.key("seller", "fastquotes")
        process = await house.start()
        assert (await house.post()).body["status"] == "sold"
        told = (await house.post(headers=KEY)).body
        await process.kill()
        await house.open()
        again = (await house.post(headers=KEY, base=1)).body
        assert (again["lead_id"], again["status"]) == (told["lead_id"], "duplicate")
        assert (await house.written())["submission"] == 1


async def test_a_submission_that_was_written_unseen_is_not_written_again(house, monkeypatch):
    """The ledger took it and its answer was lost: the seller hears 503, then what became of it."""
    async with one_buyer() as fleet:
        worker = await opened(house, fleet)
        await house.post()
        commit = worker._books.ledger.commit

        async def unseen(moment):
            written = await commit(moment)
            if moment.kind is MomentKind.MERGED:
                raise LedgerUnavailable
            return written

        monkeypatch.setattr(worker._books.ledger, "commit", unseen)
        assert (await house.post(headers=KEY)).status == 503
        told = (await repeated(house, ANN, KEY)).body
        assert told["status"] == "duplicate"
        (row,) = await house.fetch("SELECT lead_id FROM submission")
        assert str(row["lead_id"]) == told["lead_id"]


@pytest.mark.parametrize("lost", [False, True])
async def test_what_is_merged_counts_in_its_sellers_limit(house, lost):
    """It was sent and checked: a seller's limit is on what it brings, whatever becomes of it."""
    seller = '[[seller]]\nid = "fastquotes"\ncaps = [ { leads = 2, per = "total" } ]\n'
    async with one_buyer() as fleet:
        parts = (seller, buyer("acme", fleet.base_url), campaign(lines=RULE))
        await house.apply("\n".join((AUTO, *parts)))
        await house.open()
        assert [(await house.post()).body["status"] for _ in range(2)] == ["sold", "duplicate"]
        if lost:
            async with house.market() as client:
                await client.flushdb()
        assert (await repeated(house, person(3), {})).status == 429
        assert (await compared(house))["differences"] == []


async def test_test_leads_are_merged_among_themselves(house):
    """A test submission is part of a test lead; the real one of the same person stands alone."""
    async with Fleet(bidding({"acme": "12.00", "rehearsal": "9.00"})) as fleet:
        buyers = (
            buyer("acme", fleet.base_url),
            buyer("rehearsal", fleet.base_url, offer="test = true"),
        )
        await house.apply(market(*buyers, campaign(lines=RULE)))
        await house.open()
        tests = [(await house.post(test=True)).body for _ in range(2)]
        real = (await house.post()).body
        assert [one["status"] for one in (*tests, real)] == ["sold", "duplicate", "sold"]
        found = merged(await house.timeline(tests[0]["lead_id"]))
        assert [one["lead_id"] for one in found] == [tests[1]["lead_id"]]
        assert merged(await house.timeline(real["lead_id"])) == []
        async with house.ledger() as ledger:
            assert await ledger.counts(test=True) == {LeadStatus.SOLD: 1}
