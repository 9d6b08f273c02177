"""What a replay knows, what it must suppose, and which leads it cannot compare: told, by why."""

import asyncio
from datetime import UTC, datetime

from bidders.fleet import Fixed, Fleet
from exchange import app
from exchange.commands.replay import replay_command
from tests.acceptance.buyers import bidding
from tests.acceptance.ghost import a_ghost
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.replaying import LONG_AGO, all_of, as_recorded

PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
CARGO = "offer.cargo.where=age > 18"
LONG = "auction_deadline_ms = 5000"


async def ended(house, leads):
    """Wait until so many leads have their ends."""

    async def all_did():
        [row] = await house.fetch("SELECT count(*) FROM lead_end")
        return row["count"] == leads

    await until(all_did)


async def test_room_that_pings_held_is_held_again_posted_or_not(house, printed):
    """A ping that nobody posts takes the last place; one that is posted keeps its own.

    Also where both came before the time that is looked at, and from the first second there is.
    """
    prices = {"acme": "9.00", "bravo": "7.00"}
    async with Fleet(bidding(prices)) as fleet:
        few = 'caps = [ { leads = 2, per = "day" } ]'
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=2000, offer=few),
                buyer("bravo", fleet.base_url, ping_ms=2000),
                campaign(lines=f"{LONG}\nhold_quotes = true"),
            )
        )
        await house.open()
        kept = (await house.post(PING, path="/v1/pings")).body
        await house.post(PING, path="/v1/pings", min_price=1.0)  # nobody posts it
        asked = datetime.now(UTC)
        assert (await house.post(person(1))).body["price"] == 5.95  # acme has no place left
        path = f"/v1/pings/{kept['ping_id']}/post"
        sold = await house.post(IDENTITY, path=path, campaign=None, source=None)
        assert sold.body["price"] == 7.65
        await ended(house, 2)
        for since in (datetime.fromtimestamp(0, UTC), LONG_AGO, asked):
            found = await printed(replay_command, since=since)
            assert (found["leads"], found["left_out"]) == (2, {})
            as_recorded(found)
        sets = ("offer.acme.caps.1.leads=3",)
        found = await printed(replay_command, since=LONG_AGO, sets=sets)
        [why] = found["unrecorded"]["reasons"]  # now there is a place for everybody
        assert why == {"reason": "cap", "pings": 1, "leads": 1}


async def test_a_ping_is_quoted_under_the_market_of_its_own_time(house, printed):
    """A buyer who pays more came between ping and post: no quote knows it, then or now."""
    async with Fleet(bidding({"acme": "10.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, ping_ms=2000)
        await house.apply(market(acme, campaign(lines=LONG)))
        await house.open()
        quoted = (await house.post(PING, path="/v1/pings")).body
        await house.apply(market(acme, buyer("late", offer="price = 12.00"), campaign(lines=LONG)))
        path = f"/v1/pings/{quoted['ping_id']}/post"
        sold = await house.post(IDENTITY, path=path, campaign=None, source=None)
        assert (sold.body["status"], sold.body["price"]) == ("sold", 8.5)
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (1, {})
        as_recorded(found)


async def test_a_lead_that_met_a_limit_of_the_moment_is_left_out_and_takes_what_it_took(
    house, printed
):
    """Two at once on the only place: the second one went to another, as no replay can know.

    Its own sale still counts, and a cap that fills later fills for the same lead.
    """
    slow = bidding({"acme": "9.00"}, post_latency_ms=Fixed(600.0))
    async with Fleet([*slow, *bidding({"bravo": "7.00"})]) as fleet:
        caps = 'caps = [ { concurrent = 1 }, { leads = 2, per = "day" } ]'
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=2000, offer=caps),
                buyer("bravo", fleet.base_url, ping_ms=2000),
                campaign(lines=LONG),
            )
        )
        await house.open()
        first = asyncio.ensure_future(house.post(person(1)))
        posted = "SELECT FROM award"

        async def under_way():
            return bool(await house.fetch(posted))

        await until(under_way)
        second = await house.post(person(2))
        assert [(await first).body["price"], second.body["price"]] == [7.65, 5.95]
        third = (await house.post(person(3))).body["price"]
        assert [third, (await house.post(person(4))).body["price"]] == [7.65, 5.95]
        await ended(house, 4)
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (3, {"room differed": 1})
        as_recorded(found)


async def test_a_lead_that_an_outage_cut_off_is_left_out(house, printed, monkeypatch):
    """What its buyers would have said nobody knows."""
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=2000), campaign(lines=LONG)))
        await house.key("seller", "fastquotes")
        async with a_ghost(house) as ghost:
            await ghost.lead(1).write()
        await house.open()
        assert (await house.post(person(2))).body["status"] == "sold"
        await ended(house, 2)
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (1, {"interrupted": 1})
        as_recorded(found)


async def test_what_an_erased_lead_took_of_a_cap_is_taken(house, printed):
    """It cannot be sold again; who came next met a full cap, and does so again."""
    async with Fleet(bidding({"acme": "9.00", "bravo": "7.00"})) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=2000,
                      offer='caps = [ { leads = 1, per = "day" } ]'),
                buyer("bravo", fleet.base_url, ping_ms=2000),
                campaign(lines=LONG),
            )
        )  # fmt: skip
        await house.open()
        sold = [(await house.post(person(number))).body for number in (1, 2)]
        assert [one["price"] for one in sold] == [7.65, 5.95]
        async with house.ledger() as ledger:
            assert await ledger.erase(sold[0]["lead_id"], 1, "test")
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (1, {"erased": 1})
        as_recorded(found)


async def test_answers_that_are_not_on_record_are_counted_by_why_there_are_none(
    house, printed, spoken
):
    """A cap, a condition, an earlier stage: no bid, told with how many leads that touches."""
    prices = {"acme": "9.00", "bravo": "7.00", "cargo": "8.00", "delta": "6.00"}
    async with Fleet(bidding(prices)) as fleet:
        url = fleet.base_url
        offers = {
            "acme": 'caps = [ { leads = 1, per = "day" } ]',
            "bravo": "",
            "cargo": "where = 'state == \"CA\"'",
            "delta": "",
        }
        first = 'method = "auction"\noffers = ["acme", "bravo", "cargo"]'
        await house.apply(
            market(
                *(buyer(name, url, ping_ms=2000, offer=line) for name, line in offers.items()),
                campaign(lines=LONG, stages=[first, 'method = "auction"\noffers = ["delta"]']),
            )
        )
        await house.open()
        for number in (1, 2, 3):
            assert (await house.post(person(number))).body["status"] == "sold"
        await ended(house, 3)

        async def why(*sets):
            found = await printed(replay_command, since=LONG_AGO, sets=sets)
            supposed = found["unrecorded"]
            told = {one["reason"]: (one["pings"], one["leads"]) for one in supposed["reasons"]}
            return told, supposed["leads"], supposed["posts"]

        assert await why("offer.acme.caps.1.leads=9") == ({"cap": (2, 2)}, 2, 0)
        assert await why(CARGO) == ({"filtered": (3, 3)}, 3, 0)
        # Nobody reaches the floor, so that acme's cap is never full either.
        none = {"not_reached": (3, 3), "cap": (2, 2)}
        assert await why("campaign.auto-us.stage.1.floor=50") == (none, 3, 0)
        both = ("offer.acme.caps.1.leads=9", CARGO)
        assert await why(*both) == ({"filtered": (3, 3), "cap": (2, 2)}, 3, 0)
        # The first went to acme: bravo bid then and was not posted.
        assert await why("offer.acme.paused=true") == ({}, 1, 1)
        sets = ("offer.acme.caps.1.leads=9",)
        _, told = await spoken(replay_command, since=LONG_AGO, sets=sets)
        assert "taken as no bid, a cap was full: 2 (leads: 2)" in told


async def test_who_was_cut_off_by_an_early_end_is_silent_and_counted(house, printed):
    """Decided early then, and now it is not: what the slow one would have bid nobody knows."""
    slow = bidding({"slow": "50.00"}, latency_ms=Fixed(1_500.0))
    async with Fleet([*bidding({"acme": "9.00"}), *slow]) as fleet:
        stage = 'method = "first_accept"\noffers = ["acme", "slow"]\nbuy_now = 8.00'
        await house.apply(
            market(
                *(buyer(name, fleet.base_url, ping_ms=2000) for name in ("acme", "slow")),
                campaign(lines=LONG, stages=[stage]),
            )
        )
        await house.open()
        assert (await house.post(person(1))).body["price"] == 7.65
        as_recorded(await printed(replay_command, since=LONG_AGO))
        sets = ("campaign.auto-us.stage.1.buy_now=20",)
        found = await printed(replay_command, since=LONG_AGO, sets=sets)
        [why] = found["unrecorded"]["reasons"]
        assert why == {"reason": "cut_off", "pings": 1, "leads": 1}
        assert all_of(found)["difference"]["revenue"] == 0
