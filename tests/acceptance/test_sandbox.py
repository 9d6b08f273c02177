"""The sandbox: a seller's test leads meet every outcome by their ZIP code, without any buyer."""

import asyncio
import re
from pathlib import Path

import pytest

from exchange.domain.sandbox import OUTCOMES, ROLES
from tests.acceptance.house import person
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_caps import UNHURRIED
from tests.acceptance.timelines import events, of, offers, reasons

DOCS = Path(__file__).parents[2] / "docs" / "methods" / "sandbox.md"
OPEN = campaign(lines="sandbox = true\nfloor = 2.00\ndisclose_buyer = true")
SOON = 3000


async def open_house(house, *parts, workers=1):
    await house.apply(market(OPEN, *parts))
    for _ in range(workers):
        await house.open(**UNHURRIED)


async def tried(house, zip_code, number=1, *, base=0, **control):
    """Post a test lead of this ZIP code; return its answer's body."""
    lead = person(number, zip=zip_code)
    answer = await house.post(lead, test=True, base=base, **control)
    assert answer.status == 200, answer.body
    return answer.body


def summed(body):
    """What a seller hears, in short."""
    return body["status"], body["reason"] and body["reason"]["reason"], body["price"]


AT_ONCE = [
    ("10001", ("sold", None, 8.5)),
    ("78705", ("sold", None, 8.5)),
    ("78721", ("sold", None, 10.2)),
    ("78722", ("sold", None, 6.8)),
    ("27524", ("sold", None, 8.5)),
    ("27507", ("unsold", "no_eligible_offer", None)),
    ("27508", ("unsold", "no_bid_above_floor", None)),
    ("27526", ("unsold", "no_bid_above_floor", None)),
    ("27521", ("unsold", "no_bid_above_floor", None)),
    ("27522", ("unsold", "no_bid_above_floor", None)),
    ("27525", ("unsold", "no_bid_above_floor", None)),
    ("27509", ("unsold", "all_refused", None)),
    ("75202", ("unsold", "all_refused", None)),
    ("27529", ("unsold", "all_refused", None)),
]
PENDING = [
    ("90001", ("sold", None, 8.5)),
    ("90002", ("unsold", "all_refused", None)),
    ("90003", None),
]


async def test_every_row_of_the_table_is_heard(house):
    """Over the wire, by the auction that sells real leads; nobody is charged."""
    await open_house(house)
    told = [await tried(house, zip_code, number) for number, (zip_code, _) in enumerate(AT_ONCE)]
    assert [summed(body) for body in told] == [wanted for _, wanted in AT_ONCE]
    by_zip = {zip_code: body for (zip_code, _), body in zip(AT_ONCE, told, strict=True)}
    assert by_zip["78705"]["sales"][0]["redirect_url"] == "https://sandbox.invalid/thank-you"
    assert by_zip["10001"]["sales"][0]["buyer"] == "Sandbox, first buyer"
    happened = {}
    for zip_code in ("78721", "78722", "27521", "27522", "27525", "27526", "27529"):
        timeline = await house.timeline(by_zip[zip_code]["lead_id"])
        happened[zip_code] = reasons(timeline, "no_bid") | reasons(timeline, "refused")
        happened[zip_code] |= {
            line["offer"]: line["reason"]["reason"]
            for line in timeline
            if line["event"] == "bid" and "reason" in line
        }
    assert {key: set(words.values()) for key, words in happened.items()} == {
        "78721": set(),
        "78722": {"refused"},
        "27521": {"timeout"},
        "27522": {"invalid_bid"},
        "27525": {"unreachable"},
        "27526": {"below_floor"},
        "27529": {"duplicate_for_buyer"},
    }
    outbid = await house.timeline(by_zip["78721"]["lead_id"])
    assert "outbid" in reasons(outbid, "ranked").values()
    sold = await house.timeline(by_zip["10001"]["lead_id"])
    assert offers(sold, "pinged") == ["sandbox.auto-us.sold"]
    assert events(sold, "sandbox.auto-us.sold")[-3:] == ["awarded", "posted", "accepted"]
    assert await house.fetch("SELECT * FROM transfer") == []


async def test_what_is_in_doubt_is_pending_and_ends_later(house):
    """The seller hears pending at its own deadline, then what the buyer says to a repetition."""
    await open_house(house)
    told = await asyncio.gather(
        *(
            tried(house, zip_code, number, timeout_ms=SOON)
            for number, (zip_code, _) in enumerate(PENDING)
        )
    )
    assert {body["status"] for body in told} == {"pending"}
    key = await house.key("seller", "fastquotes")

    async def ended(body):
        path = f"/v1/leads/{body['lead_id']}?wait_s=25"
        return summed((await house.call("GET", path, key=key)).body)

    ends = await asyncio.gather(*(ended(body) for body in told[:2]))
    assert ends == [wanted for _, wanted in PENDING[:2]]


async def test_a_quote_is_tried_like_a_lead(house):
    """A ping of the ordinary ZIP code is quoted and its post sold; 75202's post is refused."""
    await open_house(house, workers=2)
    told = []
    for number, zip_code in enumerate(("10001", "75202", "27508")):
        lead = person(number, zip=zip_code)
        quoted = (await house.post(lead, path="/v1/pings", test=True)).body
        if quoted["ping_id"] is None:
            told.append((zip_code, quoted["status"]))
            continue
        path = f"/v1/pings/{quoted['ping_id']}/post"
        posted = (await house.post(lead, path=path, test=True, base=1)).body
        told.append((zip_code, float(quoted["price"]), *summed(posted)))
    assert told == [
        ("10001", 8.5, "sold", None, 8.5),
        ("75202", 8.5, "unsold", "all_refused", None),
        ("27508", "unsold"),
    ]


async def test_a_floor_is_reached_whatever_it_is(house):
    """Bids are 10.00, or the floor where that is higher: test leads sell in every campaign."""
    dear = campaign("dear", lines="sandbox = true\nfloor = 60.00")
    await house.apply(market(OPEN, dear))
    await house.open(**UNHURRIED)
    assert (await tried(house, "10001", campaign="dear"))["price"] == 51.0
    assert (await tried(house, "78721", 2, campaign="dear"))["price"] == 52.7


ODD_PLANS = {
    "a waterfall": ['method = "waterfall"\noffers = ["acme"]'],
    "a rule for others": ['method = "rule"\nwhen = \'state == "AK"\'\noffers = ["acme"]'],
    "second price": ['method = "auction"\nprice_rule = "second_price"'],
    "shared": ['method = "auction"\nmax_buyers = 3'],
    "turns": ['method = "round_robin"\noffers = ["acme"]', 'method = "waterfall"\noffers = ["*"]'],
}


@pytest.mark.parametrize("plan", ODD_PLANS.values(), ids=ODD_PLANS)
async def test_the_table_is_the_same_whatever_the_campaigns_plan_is(house, plan):
    """Answers are fixed by the ZIP code: test leads meet an auction of their own in the end."""
    tried_in = campaign(lines="sandbox = true\nfloor = 2.00", stages=plan)
    await house.apply(market(buyer("acme", offer="price = 9.00"), tried_in))
    await house.open(**UNHURRIED)
    told = [await tried(house, zip_code, number) for number, (zip_code, _) in enumerate(AT_ONCE)]
    assert [summed(body) for body in told] == [wanted for _, wanted in AT_ONCE]
    lines = of(await house.timeline((await house.post(person(50))).body["lead_id"]), "stage")
    assert len(lines) <= len(plan), "a real lead goes through the campaign's stages, and no other"


async def test_test_offers_of_the_campaign_come_before_the_sandbox(house):
    """What they do not buy meets it; what it refuses is a test lead that nobody buys."""
    mine = buyer("mine", offer="price = 3.00\ntest = true\nwhere = 'state == \"TX\"'")
    await open_house(house, mine)
    assert summed(await tried(house, "78705")) == ("sold", None, 2.55)
    assert summed(await tried(house, "10001", 2)) == ("sold", None, 8.5)
    assert summed(await tried(house, "27509", 3)) == ("unsold", "all_refused", None)


async def test_it_touches_neither_real_leads_nor_other_campaigns(house):
    """A real lead never meets a test offer; a campaign without a sandbox has none."""
    plain = campaign("plain")
    await open_house(house, buyer("acme", offer="price = 9.00"), plain)
    real = await house.post(person(1, zip="27508"))
    assert real.body["price"] == 7.65
    assert offers(await house.timeline(real.body["lead_id"]), "pinged") == []
    other = await tried(house, "10001", 2, campaign="plain")
    assert summed(other) == ("unsold", "no_eligible_offer", None)


REST = """
[[campaign.stage]]
method = "auction"
when = 'state == "TX"'
offers = ["acme"]
[[campaign.stage]]
method = "waterfall"
offers = ["rest"]
"""
MINE = {f"sandbox.auto-us.{role.name}" for role in ROLES}


async def spoken_of(house, answer):
    """Which offers the timeline of a lead speaks of, and with which events."""
    timeline = await house.timeline(answer["lead_id"])
    return {line["offer"] for line in timeline if "offer" in line}


@pytest.mark.parametrize("zip_code", ["78701", "10001"], ids=["sold", "passed by"])
async def test_the_timeline_of_a_real_lead_speaks_of_no_test_offer_and_a_test_leads_of_all(
    house, zip_code
):
    """Sold in the stage of the sandbox, or past it; offers of the market are all explained."""
    parts = buyer("acme", offer="price = 9.00"), buyer("rest", offer="price = 4.00")
    own = buyer("own-test", offer="price = 1.00\ntest = true")
    lines = "sandbox = true" + REST.replace('["acme"]', '["acme", "own-test"]')
    await house.apply(market(campaign(lines=lines), *parts, own))
    await house.open(**UNHURRIED)
    real = (await house.post(person(1, zip=zip_code))).body
    assert real["status"] == "sold"
    assert await spoken_of(house, real) == {"acme", "own-test", "rest"}
    quoted = (await house.post(person(2, zip=zip_code), path="/v1/pings")).body
    path = f"/v1/pings/{quoted['ping_id']}/post"
    posted = (await house.post(person(2, zip=zip_code), path=path)).body
    assert await spoken_of(house, posted) == {"acme", "own-test", "rest"}
    test = await tried(house, zip_code, 3)
    assert await spoken_of(house, test) == {"acme", "own-test", "rest", *MINE}


CROWD = 40
"""With so many offers beside it, those left out of a stage are kept as a set of places."""


async def test_a_test_lead_is_explained_as_long_as_anybody_asks(house):
    """Under its own version of the market, whatever was applied since."""
    texas = "where = 'state == \"TX\"'"
    head = '[[buyer.offer]]\nid = "crowd-{}"\nvertical = "auto_insurance"\nprice = 1.00\n'
    crowd = [head.format(number) + texas for number in range(CROWD)]
    acme = buyer("acme", offer=f"price = 1.00\n{texas}\n" + "\n".join(crowd))
    await open_house(house, acme)
    lead_id = (await tried(house, "10001"))["lead_id"]

    async def told():
        lines = of(await house.timeline(lead_id), "offer_left_out")
        return {line["offer"]: line.get("detail") for line in lines}

    before = await told()
    assert before["sandbox.auto-us.declines"] == 'zip in ["27508"]'
    assert before["crowd-0"] == "test offers get test leads, and only they"
    assert len(before) == CROWD + len(ROLES)
    await house.apply(market(OPEN.replace("floor = 2.00", "floor = 3.00"), acme))
    assert await told() == before


async def test_the_posting_spec_tells_the_table_where_there_is_a_sandbox(house):
    """As a page, and as JSON; a campaign without one says nothing of it."""
    await open_house(house, campaign("plain"))
    key = await house.key("seller", "fastquotes")
    page = (await house.call("GET", "/v1/campaigns/auto-us/spec", key=key)).body
    assert "<code>27509</code>" in page
    assert "<code>all_refused</code>" in page
    told = {}
    for name in ("auto-us", "plain"):
        answer = await house.call("GET", f"/v1/campaigns/{name}/spec.json", key=key)
        told[name] = [row["zip"] for row in answer.body["x-exchange"]["sandbox"]]
    assert told == {"auto-us": [one.zip for one in OUTCOMES], "plain": []}


def test_the_page_tells_the_table():
    """Row by row as it is, and every row is tried here."""
    rows = re.findall(r"^\| (\d{5}) \| (.+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    assert rows == [(one.zip, one.heard, one.happened) for one in OUTCOMES]
    tested = {zip_code for zip_code, _ in (*AT_ONCE, *PENDING)}
    assert tested == {one.zip for one in OUTCOMES} | {"10001"}


@pytest.mark.parametrize("count", [2])
async def test_each_worker_has_a_sandbox_of_its_own(house, count):
    """Whichever worker a test lead comes to, it meets the same."""
    await open_house(house, workers=count)
    told = [await tried(house, "78722", base, base=base) for base in range(count)]
    assert {summed(body) for body in told} == {("sold", None, 6.8)}
