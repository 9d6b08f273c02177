"""Every lead's timeline says of every offer, once, why it did not get the lead, or that it did."""

import asyncio
from collections import Counter

import pytest

from bidders.fleet import BuyerSpec, Fleet, PingFault, PostFault, Uniform
from tests.acceptance.buyers import bidding
from tests.acceptance.house import Answer, House, person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import Timeline, of, reasons, verdicts

LEADS = 48
AT_ONCE = 12
ASKED = [f"buyer-{number:02}" for number in range(12)]
LINES = {
    "buyer-00": 'caps = [ { leads = 3, per = "day" } ]',
    "buyer-01": 'caps = [ { spend = 40.00, per = "day" } ]',
    "buyer-02": "where = 'state == \"TX\"'",
    "buyer-03": "where = 'currently_insured'\nfloor = 9.00",
    "buyer-04": "caps = [ { concurrent = 1 } ]\npriority = 1",
    "buyer-05": "paused = true",
    "buyer-06": "price = 7.00",
    "buyer-07": "prices = [ { when = 'state == \"NY\"', price = 6.00 } ]",
}
PLAN = {
    1: ASKED[:8],
    2: ["quiet", "pricey", "buyer-06", "buyer-07"],
    3: [*ASKED[8:], "buyer-00", "quiet"],
}
"""Some offers stand in two stages."""


def a_market(fleet: Fleet) -> str:
    """Return a market with every kind of offer, in three stages."""
    stages = [
        f'method = "{method}"\noffers = {PLAN[number]}\nfloor = {floor}'
        for number, method, floor in (
            (1, "auction", 8.0),
            (2, "waterfall", 5.0),
            (3, "auction", 2.0),
        )
    ]
    return market(
        *(called(fleet, name, LINES.get(name, "")) for name in ASKED),
        buyer("quiet", offer="price = 5.50\nwhere = 'state == \"NY\"'"),
        buyer("pricey", offer="price = 4.00"),
        campaign(
            lines="auction_deadline_ms = 600\nanswer_deadline_ms = 2500\nfloor = 1.00",
            stages=stages,
        ),
    )


def called(fleet: Fleet, name: str, lines: str) -> str:
    """Return a buyer; every third one is given up at once where it does not answer its post."""
    no_answer = "advance" if int(name[-1]) % 3 else "wait"
    post = (
        f'url = "{fleet.post_url(name)}", timeout_ms = 150, '
        f'on_no_answer = "{no_answer}", in_doubt_max_s = 1'
    )
    ping = f'url = "{fleet.ping_url(name)}", timeout_ms = 250'
    return buyer(name, offer=f"ping = {{ {ping} }}\npost = {{ {post} }}\n{lines}")


def a_fleet() -> Fleet:
    """Return twelve buyers that fail now and then in every way, by a fixed seed."""
    return Fleet(
        (
            BuyerSpec(
                id=name,
                price=Uniform(4.0, 14.0),
                latency_ms=Uniform(0.0, 60.0),
                bids=0.7,
                ping_faults=dict.fromkeys(PingFault, 0.02),
                post_faults={**dict.fromkeys(PostFault, 0.03), PostFault.REFUSING: 0.3},
                late_ms=400.0,
                drip_ms=5.0,
            )
            for name in ASKED
        ),
        seed=33,
    )


async def test_every_offer_has_exactly_one_word_for_every_lead(house):
    """Invariant 7: 48 leads, direct and quoted, through three stages and all faults of a fleet.

    In each stage where an offer was looked at it has one end; nothing is left standing.
    """
    async with a_fleet() as fleet:
        await house.apply(a_market(fleet))
        await house.key("seller", "fastquotes")
        await house.key("operator", "tests")
        await house.open()
        room = asyncio.Semaphore(AT_ONCE)
        lead_ids = await asyncio.gather(*(one_lead(house, n, room) for n in range(LEADS)))
        views = [await house.admin(lead_id) for lead_id in lead_ids if lead_id]
    assert len(views) > LEADS / 2
    seen: Counter[str] = Counter()
    for view in views:
        assert view["status"] in {"sold", "unsold"}
        seen[view["status"]] += 1
        seen.update(check(view["timeline"], is_sold=view["status"] == "sold"))
    assert seen.keys() >= REASONS_SEEN


REASONS_SEEN = {
    *("accepted", "outbid", "bid below_floor", "no_bid no_bid", "refused refused", "voided void"),
    *("offer_left_out filtered", "offer_left_out paused", "offer_left_out outbid"),
    *("no_bid timeout", "no_bid invalid_bid", "no_bid unreachable"),
}
"""What such a market must have met, or the test would show little."""


def check(timeline: Timeline, *, is_sold: bool) -> list[str]:
    """Hold one lead's timeline to the promise; return all the words in it."""
    assert [line["seq"] for line in timeline] == list(range(1, len(timeline) + 1))
    ended = verdicts(timeline)
    words = [word for said in ended.values() for word in said]
    assert "standing" not in words, ended
    planned = Counter(offer for stage in PLAN.values() for offer in stage)
    assert set(ended) == set(planned), set(planned) ^ set(ended)
    assert all(1 <= len(said) <= planned[offer] for offer, said in ended.items()), ended
    assert words.count("accepted") == is_sold
    failed = [line for line in of(timeline, "no_bid") if line["reason"]["reason"] != "no_bid"]
    assert all(line["ms"] > 0 for line in failed)
    return words


async def one_lead(house: House, number: int, room: asyncio.Semaphore) -> str | None:
    """Bring one lead to its end, every third by ping and post; None where no quote came."""
    async with room:
        answer = await posted(house, number)
    if answer is None:
        return None
    assert answer.status == 200, answer.body
    lead_id: str = answer.body["lead_id"]
    key = await house.key("seller", "fastquotes")
    ended = await house.call("GET", f"/v1/leads/{lead_id}?wait_s=20", key=key)
    assert ended.body["status"] != "pending"
    return lead_id


async def posted(house: House, number: int) -> Answer | None:
    """Post one lead, or ping it and post its quote."""
    lead = person(number, zip=("78701", "10001")[number % 2], currently_insured=bool(number % 5))
    if number % 3:
        return await house.post(lead)
    quoted = await house.post(lead, path="/v1/pings")
    if quoted.body["status"] != "quoted":
        return None
    return await house.post(lead, ping_id=quoted.body["ping_id"], min_price=0)


async def test_an_offer_that_stands_in_two_stages_is_told_of_once_when_it_won(house):
    """The winner's last word is that it accepted, though a later stage names it again."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "11.00"})) as fleet:
        stages = ['method = "auction"', 'method = "waterfall"\noffers = ["bravo", "acme", "last"]']
        await house.apply(
            market(
                *(buyer(n, fleet.base_url, ping_ms=900, offer="price = 3.00") for n in fleet.specs),
                buyer("last", offer="price = 2.00\nwhere = 'state == \"NY\"'"),
                campaign(stages=stages),
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
    assert verdicts(timeline) == {
        "acme": ["accepted"],
        "bravo": ["outbid"],
        "last": ["offer_left_out filtered"],
    }


async def test_a_static_price_in_a_waterfall_is_on_record_like_a_bid(house):
    """What each would have paid stands there, also of those who were not needed."""
    await house.apply(
        market(
            buyer("acme", offer="price = 5.00\npriority = 1"),
            buyer("bravo", offer="price = 9.00\npriority = 2"),
            buyer("cargo", offer="price = 0.50\npriority = 3"),
            campaign(lines="floor = 1.00", stages=['method = "waterfall"']),
        )
    )
    await house.open()
    answer = await house.post()
    timeline = await house.timeline(answer.body["lead_id"])
    assert {line["offer"]: line["price"] for line in of(timeline, "bid")} == {
        "acme": 5,
        "bravo": 9,
        "cargo": 0.5,
    }
    assert reasons(timeline, "bid") == {"acme": None, "bravo": None, "cargo": "below_floor"}


@pytest.mark.parametrize("refusing", [False, True])
async def test_a_quotes_post_asks_nobody_again(house, refusing):
    """Quoted from the second stage: the first is not asked a second time, whoever refuses."""
    faults = {PostFault.REFUSING: 1.0} if refusing else {}
    async with Fleet(bidding({"acme": "3.00", "bravo": "3.00"}, post_faults=faults)) as fleet:
        stages = [
            'method = "auction"\noffers = ["acme"]\nfloor = 4.00',
            'method = "auction"\noffers = ["bravo"]\nfloor = 2.00',
        ]
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, ping_ms=900) for name in fleet.specs),
                campaign(stages=stages),
            )
        )
        await house.open()
        quoted = await house.post(path="/v1/pings")
        assert quoted.body["price"] == 2.55
        answer = await house.post(ping_id=quoted.body["ping_id"])
        assert answer.body["status"] == ("unsold" if refusing else "sold")
        assert (fleet.books["acme"].pings, fleet.books["bravo"].pings) == (1, 1)
        assert verdicts(await house.timeline(answer.body["lead_id"])) == {
            "acme": ["bid below_floor"],
            "bravo": ["refused refused" if refusing else "accepted"],
        }


CROWD = 40
"""More than are ever listed in what is stored."""


def a_crowd(clause: str) -> str:
    """Return one buyer who asks, takes what it gets, and many who want something else."""
    others = (
        buyer(f"other-{number:02}", offer=f"price = 2.00\nwhere = '{clause} or score > {number}00'")
        for number in range(1, CROWD + 1)
    )
    return market(
        buyer("acme", offer='price = 3.00\nwhere = "age >= 18"'),
        buyer("young", offer='price = 3.00\nwhere = "currently_insured and age < 18"'),
        *others,
        campaign(stages=['method = "waterfall"']),
    )


@pytest.mark.parametrize("is_quoted", [False, True])
async def test_each_of_many_offers_is_told_its_clause_though_the_market_changed(house, is_quoted):
    """What is not stored of a lead is found in the market that it met; an erased one says so."""
    await house.apply(a_crowd('state == "NY"'))
    await house.open()
    quoted = await house.post(person(1), path="/v1/pings") if is_quoted else None
    sent = {} if quoted is None else {"ping_id": quoted.body["ping_id"]}
    answer = await house.post(person(1), **sent)
    lead_id = answer.body["lead_id"]
    assert answer.body["status"] == "sold"
    before = await house.timeline(lead_id)
    told = {line["offer"]: line["detail"] for line in of(before, "offer_left_out")}
    assert told == {
        "young": "age < 18",
        **{f"other-{n:02}": f'state == "NY" or score > {n}00' for n in range(1, CROWD + 1)},
    }
    assert len(of(before, "offer_left_out")) == CROWD + 1
    stored = await house.fetch("SELECT events::text AS events FROM moment")
    assert not any("score >" in row["events"] or "other-01" in row["events"] for row in stored)
    await house.apply(a_crowd('state == "FL"').replace("other-01", "another-01"))
    assert await house.timeline(lead_id) == before
    async with house.ledger() as ledger:
        assert await ledger.erase(lead_id, 1, "ann")
    after = await house.timeline(lead_id)
    assert verdicts(after) == verdicts(before)
    unknown = {line["detail"] for line in of(after, "offer_left_out")}
    assert unknown == {"which clause failed is not known any more: the record was erased"}
