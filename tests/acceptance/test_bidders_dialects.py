"""Simulated buyers who speak dialects of their own, heard on the wire as they are there."""

import json
from decimal import Decimal

import aiohttp
import pytest

from bidders.fleet import Belief, BuyerSpec, Fixed, Fleet, PostFault, SpecError

PING = {"apiId": "77", "zip": "78701"}


def foreign(speaks, **spec):
    return BuyerSpec(id="acme", speaks=speaks, price=Fixed(12.5), **spec)


async def ask(url, *, sale=None, **how):
    headers = {"Idempotency-Key": sale} if sale else {}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers, **how) as got:
        return got.status, await got.text()


async def test_a_promise_is_kept_at_its_price():
    """The post that names the promise pays what the ping's answer said, as a text this time."""
    async with Fleet([foreign("phonexa")], seed=1) as fleet:
        _, bid = await ask(fleet.ping_url("acme"), data=PING)
        assert '"price":12.50' in bid
        promise = json.loads(bid)["promise"]
        status, said = await ask(fleet.post_url("acme"), sale="s-1", data={"promise": promise})
        assert (status, json.loads(said)["status"], json.loads(said)["price"]) == (
            200,
            1,
            "12.5000",
        )
        assert fleet.books["acme"].accepted() == {"s-1": Decimal("12.5")}


async def test_a_match_is_told_in_xml():
    """Both answers are XML, whatever was sent, and the lead's id ties them together."""
    async with Fleet([foreign("boberdoo")], seed=1) as fleet:
        _, bid = await ask(fleet.ping_url("acme"), data=PING)
        assert "<status>Matched</status>" in bid
        token = bid.partition("<lead_id>")[2].partition("<")[0]
        _, said = await ask(fleet.post_url("acme"), sale="s-1", data={"Lead_ID": token})
        assert "<status>Matched</status>" in said
        assert fleet.books["acme"].sales["s-1"].belief is Belief.ACCEPTED


@pytest.mark.parametrize(
    ("speaks", "how", "yes", "no"),
    [
        ("leadexec", {"data": b"<Lead><Zip>78701</Zip></Lead>"}, (200, "true"), (200, "false")),
        ("crm", {"json": {"title": "Ann"}}, (201, '"id"'), (422, "error")),
    ],
)
async def test_who_is_never_asked_takes_or_refuses(speaks, how, yes, no):
    """At the price agreed on; a ping is no request of theirs."""
    refusing = foreign(speaks, post_faults={PostFault.REFUSING: 1.0})
    async with Fleet([foreign(speaks)], seed=1) as fleet:
        for spec, (status, word) in ((foreign(speaks), yes), (refusing, no)):
            fleet.change(spec)
            got, said = await ask(fleet.post_url("acme"), sale=f"s-{status}-{word}", **how)
            assert got == status
            assert word in said
        assert list(fleet.books["acme"].accepted().values()) == [Decimal("12.5")]
        assert (await ask(fleet.ping_url("acme"), **how))[0] == 400


@pytest.mark.parametrize("speaks", ["phonexa", "boberdoo", "leadexec", "crm"])
async def test_what_cannot_be_read_is_refused(speaks):
    """And counted; a post that names no sale is none."""
    async with Fleet([foreign(speaks)], seed=1) as fleet:
        for sale in ("s-1", None):
            status, _ = await ask(fleet.post_url("acme"), sale=sale, data=b"\x00<")
            assert status == 400
        assert (fleet.books["acme"].unreadable, fleet.books["acme"].sales) == (2, {})


async def test_an_undecided_promise_is_in_progress():
    """Status 3, as there."""
    pending = foreign("phonexa", post_faults={PostFault.PENDING: 1.0})
    async with Fleet([pending], seed=1) as fleet:
        _, bid = await ask(fleet.ping_url("acme"), data=PING)
        promise = json.loads(bid)["promise"]
        _, said = await ask(fleet.post_url("acme"), sale="s-1", data={"promise": promise})
        assert json.loads(said)["status"] == 3
        assert fleet.books["acme"].accepted() == {}


def test_a_foreign_buyer_has_no_faults_of_the_standard():
    """A negative JSON bid cannot come from who answers in XML."""
    with pytest.raises(SpecError, match="negative is a fault of buyers of the standard format"):
        foreign("boberdoo", ping_faults={"negative": 0.1})
