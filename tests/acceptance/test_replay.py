"""Recorded leads are sold again: unchanged they come to the same, changed to what the change is."""

from datetime import UTC, datetime, timedelta

import pytest

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from bidders.fleet.reply import message
from exchange import app
from exchange.commands.market import plan
from exchange.commands.replay import replay_command
from exchange.errors import CommandError
from tests.acceptance.buyers import bidding, let_answer
from tests.acceptance.conftest import settings_of
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.replaying import LONG_AGO, NOTHING, ZERO, all_of

LONG_AHEAD = datetime(2999, 1, 1, tzinfo=UTC)
PRICES = {"acme": "14.00", "bravo": "12.00", "cargo": "9.00"}
PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}


def the_market(fleet, floor="5.00", margin=15):
    """An auction of three, one of whom refuses, another may buy three; then a house buyer."""
    house_buyer = buyer("house", offer="price = 3.00")
    return market(
        buyer("acme", fleet.base_url, ping_ms=2000, offer="where = 'state == \"TX\"'"),
        buyer("bravo", fleet.base_url, ping_ms=2000, offer='caps = [{ leads = 3, per = "day" }]'),
        buyer("cargo", fleet.base_url, ping_ms=2000),
        house_buyer,
        campaign(
            lines=f"""
floor = {floor}
auction_deadline_ms = 5000
qualify = 'age >= 18'
duplicates = {{ window_hours = 24, on = ["phone"] }}
""",
            stages=[
                'method = "auction"\noffers = ["acme", "bravo", "cargo"]',
                'method = "waterfall"\noffers = ["house"]\nfloor = 2.00',
            ],
        ).replace("percent = 15", f"percent = {margin}"),
    )


async def sold_leads(house, fleet):
    """Sell a dozen leads in every way there is here; return each answer's status and price."""
    await house.apply(the_market(fleet))
    await house.open()
    told = [(await house.post(person(number))).body for number in range(6)]
    fleet.change(bidding({"acme": "14.00"}, post_faults={PostFault.REFUSING: 1.0})[0])
    told.append((await house.post(person(10))).body)  # acme refuses, the next one takes it
    told.append((await house.post(person(10))).body)  # a duplicate
    told.append((await house.post(person(11, birth_date="2015-01-01"))).body)  # not qualified
    for name in PRICES:
        fleet.change(bidding({name: "4.00"})[0])
    told.append((await house.post(person(12))).body)  # below the floor: the house buyer
    told.append((await house.post(person(13), min_price=8.0)).body)  # nobody pays so much
    for name, price in PRICES.items():
        fleet.change(bidding({name: price})[0])
    token = (await house.post(PING, path="/v1/pings")).body["ping_id"]
    path = f"/v1/pings/{token}/post"
    told.append((await house.post(IDENTITY, path=path, campaign=None, source=None)).body)
    told.append((await house.post(person(14, zip="90210"))).body)  # not for acme

    async def all_ended():
        rows = await house.fetch("SELECT FROM lead LEFT JOIN lead_end e USING (lead_id)"
                                 " WHERE e.lead_id IS NULL")  # fmt: skip
        return not rows

    await until(all_ended)
    return told


async def test_with_nothing_changed_the_difference_is_exactly_zero(house, printed):
    """Refusals, stages, a full cap, a duplicate, a quote: all end as they were written, twice."""
    async with Fleet(bidding(PRICES)) as fleet:
        told = await sold_leads(house, fleet)
        paid = sum(one["price"] or 0 for one in told)
        assert [one["status"] for one in told].count("sold") == 10
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (13, {})
        assert (found["changed"], found["unrecorded"]) == (0, NOTHING)
        row = all_of(found)
        assert row["difference"] == ZERO
        assert row["before"] == row["after"]
        for name in ("leads", "sold", "sales", "revenue", "payout", "margin"):
            assert row["recorded"][name] == row["before"][name]
        assert row["recorded"]["sold"] == 10
        assert row["recorded"]["payout"] == pytest.approx(paid)
        assert await printed(replay_command, since=LONG_AGO, until=LONG_AGO) | {"campaigns": []}
        again = await printed(replay_command, since=LONG_AGO)
        assert again | {"until": ""} == found | {"until": ""}


async def test_another_floor_margin_and_cap_are_what_they_would_have_been(house, printed):
    """A floor above one buyer, a margin of a quarter, a cap of one: counted by hand."""
    async with Fleet(bidding(PRICES)) as fleet:
        await sold_leads(house, fleet)
        base = all_of(await printed(replay_command, since=LONG_AGO))["before"]

        higher = await printed(replay_command, since=LONG_AGO, sets=("campaign.auto-us.floor=13",))
        row = all_of(higher)
        # What bravo bought after acme's refusal, and where acme may not buy, goes to the house.
        assert row["difference"]["sold"] == 0
        assert row["difference"]["revenue"] == 2 * (3 - 12)
        assert higher["changed"] >= 2

        margin = await printed(
            replay_command, since=LONG_AGO, sets=("campaign.auto-us.margin.percent=25",)
        )
        row = all_of(margin)
        assert (row["difference"]["sold"], row["difference"]["revenue"]) == (-0, 0)
        assert row["difference"]["margin"] > 0
        assert row["difference"]["margin"] == -row["difference"]["payout"]

        fewer = await printed(replay_command, since=LONG_AGO, sets=("offer.bravo.caps.1.leads=1",))
        row = all_of(fewer)
        assert row["difference"]["sold"] == 0
        assert row["difference"]["revenue"] == 9 - 12
        assert base["revenue"] + row["difference"]["revenue"] == row["after"]["revenue"]


async def test_a_changed_market_file_is_tried_before_it_is_applied(house, printed, tmp_path):
    """`plan --trial`: the file as it stands is no difference, another floor is one; N limits it."""
    async with Fleet(bidding(PRICES)) as fleet:
        await sold_leads(house, fleet)
        file = tmp_path / "next.toml"
        file.write_text(the_market(fleet))
        same = await printed(plan, [file], trial=1000)
        assert all_of(same["trial"])["difference"] == ZERO
        file.write_text(the_market(fleet, floor="13.00"))
        other = await printed(plan, [file], trial=1000)
        assert all_of(other["trial"])["difference"]["revenue"] == 2 * (3 - 12)
        few = await printed(plan, [file], trial=2)
        assert few["trial"]["leads"] == 2


async def test_what_was_erased_is_left_out_and_what_cannot_be_set_is_said(house, printed):
    """A person that nobody can read any more is no lead that can be sold again."""
    async with Fleet(bidding(PRICES)) as fleet:
        told = await sold_leads(house, fleet)
        async with house.ledger() as ledger:
            assert await ledger.erase(told[0]["lead_id"], 1, "test")
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"]) == (12, {"erased": 1})
        for wrong, word in (
            ("floor=8", "KIND.ID.KEY"),
            ("campaign.nobody.floor=8", "no such campaign"),
            ("campaign.auto-us.flor=8", "flor"),
            ("campaign.auto-us.floor=-8", "floor"),
            ("campaign.auto-us.stage.9.floor=1", "there is no 9"),
        ):
            with pytest.raises(CommandError, match=word):
                await printed(replay_command, since=LONG_AGO, sets=(wrong,))


async def test_a_time_without_a_lead_is_said(house, printed, capsys):
    """One that ends before it begins, and one in which nobody posted."""
    await house.apply(market(buyer("house", offer="price = 3.00"), campaign()))
    await house.open()
    await house.post(person(1))
    for times in ({"since": LONG_AHEAD, "until": LONG_AGO}, {"since": LONG_AHEAD}):
        with pytest.raises(CommandError, match="--since lies after"):
            await printed(replay_command, **times)
    earlier = LONG_AGO - timedelta(days=1)
    await replay_command(since=earlier, until=LONG_AGO, settings=settings_of(house))
    assert "No lead came from" in capsys.readouterr().err


async def test_a_doubt_takes_as_long_as_it_took_and_ends_as_it_ended(house, printed, monkeypatch):
    """Never answered and void, late and sold, left for the next: each ends so again."""
    specs = [
        BuyerSpec(id="mute", price=Fixed(12.0), post_faults={PostFault.MUTE: 1.0}),
        BuyerSpec(id="slow", price=Fixed(11.0), post_latency_ms=Fixed(400)),
        BuyerSpec(id="gone", price=Fixed(14.0), post_faults={PostFault.MUTE: 1.0}),
        BuyerSpec(id="next", price=Fixed(9.0)),
    ]
    monkeypatch.setattr(app, "RECOVER_EVERY_S", 0.1)
    async with Fleet(specs) as fleet:
        url, patient = fleet.base_url, {"ping_ms": 2000, "post_ms": 150}
        one = 'method = "auction"\noffers = ["{}"]'
        await house.apply(
            market(
                buyer("mute", url, **patient, in_doubt_s=1),
                buyer("slow", url, **patient),
                buyer("gone", url, **patient, no_answer="advance"),
                buyer("next", url, ping_ms=2000),
                campaign("a", stages=[one.format("mute")], lines="auction_deadline_ms = 5000"),
                campaign("b", stages=[one.format("slow")], lines="auction_deadline_ms = 5000"),
                campaign(
                    "c",
                    stages=[one.format('gone", "next')],
                    lines="auction_deadline_ms = 5000",
                ),
            )
        )
        await house.open()
        told = [(await house.post(person(n), campaign=name)).body for n, name in enumerate("abc")]
        assert [one["status"] for one in told] == ["unsold", "sold", "sold"]
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"], found["changed"]) == (3, {}, 0)
        by_name = {row["campaign"]: row for row in found["campaigns"]}
        assert by_name["a"]["before"]["p50_ms"] >= 1000
        assert by_name["b"]["before"]["p50_ms"] >= 400
        assert by_name["c"]["before"]["revenue"] == 9
        other = await printed(replay_command, since=LONG_AGO, sets=("offer.gone.paused=true",))
        [row] = [row for row in other["campaigns"] if row["campaign"] == "c"]
        assert row["difference"]["revenue"] == 0
        assert row["difference"]["p50_ms"] <= -150


async def test_a_shorter_time_to_answer_is_less_money_in_less_time(house, printed):
    """Who answered after 120 ms does not answer within 100: the second best pays."""
    slow = bidding({"acme": "14.00"}, latency_ms=Fixed(120))
    async with Fleet([*slow, *bidding({"bravo": "12.00"})]) as fleet:
        await house.apply(the_market_of(fleet, "acme", "bravo"))
        await house.open()
        assert (await house.post()).body["price"] == 11.9
        sets = ("offer.acme.ping.timeout_ms=100",)
        row = all_of(await printed(replay_command, since=LONG_AGO, sets=sets))
        assert row["difference"]["revenue"] == -2
        assert row["difference"]["p50_ms"] < 0


def the_market_of(fleet, *names):
    """One auction of these buyers, who have time."""
    buyers = (buyer(name, fleet.base_url, ping_ms=2000) for name in names)
    return market(*buyers, campaign(lines="auction_deadline_ms = 5000"))


async def test_leads_that_are_shared_or_sold_alone_are_so_again(house, printed):
    """Three buyers together, one who pays more to be alone, one refusal: the same sales again."""
    prices = {"acme": "7.00", "bravo": "6.00", "cargo": "5.00"}
    async with Fleet(bidding(prices)) as fleet:
        buyers = (buyer(name, fleet.base_url, ping_ms=2000) for name in prices)
        stage = 'method = "auction"\nmax_buyers = 3'
        await house.apply(
            market(*buyers, campaign(stages=[stage], lines="auction_deadline_ms = 5000"))
        )
        await house.open()
        together = (await house.post(person(1))).body
        fleet.change(bidding({"bravo": "6.00"}, post_faults={PostFault.REFUSING: 1.0})[0])
        fewer = (await house.post(person(2))).body
        fleet.change(bidding({"bravo": "6.00"})[0])
        let_answer(fleet, {"cargo": message(b'{"bid": 5.00, "exclusive_bid": 30.00}')})
        alone = (await house.post(person(3))).body
        assert [len(one["sales"]) for one in (together, fewer, alone)] == [3, 2, 1]
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["left_out"], found["changed"]) == ({}, 0)
        row = all_of(found)
        assert row["difference"] == ZERO
        assert (row["before"]["sales"], row["before"]["revenue"]) == (6, 18 + 12 + 30)
        sets = ("campaign.auto-us.stage.1.max_buyers=1",)
        row = all_of(await printed(replay_command, since=LONG_AGO, sets=sets))
        assert (row["after"]["sales"], row["after"]["revenue"]) == (3, 7 + 7 + 30)


async def test_turns_and_auctions_that_are_decided_early_come_out_as_they_did(house, printed):
    """Round robin with a refusal, and a buy-now price that cuts a slow rival off."""
    prices = {"acme": "9.00", "bravo": "8.00", "cargo": "7.00", "slow": "50.00"}
    async with Fleet(bidding(prices)) as fleet:
        fleet.change(bidding({"slow": "50.00"}, latency_ms=Fixed(5_000.0))[0])
        turns = 'method = "round_robin"\noffers = ["acme", "bravo", "cargo"]'
        first = 'method = "first_accept"\noffers = ["acme", "slow"]\nbuy_now = 8.00'
        lines = "auction_deadline_ms = 20000"
        await house.apply(
            market(
                *(
                    buyer(name, fleet.base_url, ping_ms=19_000, offer=f"price = {price}")
                    for name, price in prices.items()
                ),
                campaign("turns", stages=[turns], lines=lines),
                campaign("first", stages=[first], lines=lines),
            )
        )
        await house.open()
        for number in range(7):
            if number == 3:
                fleet.change(bidding({"acme": "9.00"}, post_faults={PostFault.REFUSING: 1.0})[0])
            assert (await house.post(person(number), campaign="turns")).body["status"] == "sold"
        fleet.change(bidding({"acme": "9.00"})[0])
        assert (await house.post(person(9), campaign="first")).body["price"] == 7.65
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["leads"], found["left_out"], found["changed"]) == (8, {}, 0)
        by_name = {row["campaign"]: row for row in found["campaigns"]}
        assert by_name["turns"]["before"] == by_name["turns"]["after"]
        assert by_name["first"]["before"]["revenue"] == 9
        assert by_name["first"]["before"]["p50_ms"] < 5000


async def test_a_post_that_chose_a_leg_of_its_quote_gets_that_leg_again(house, printed):
    """The second of two legs, for less; with another margin it is that leg still."""
    async with Fleet(bidding({"acme": "14.00", "bravo": "12.00"})) as fleet:
        stage = 'method = "auction"\nmax_buyers = 2'
        buyers = (buyer(name, fleet.base_url, ping_ms=2000) for name in fleet.specs)
        await house.apply(
            market(*buyers, campaign(stages=[stage], lines="auction_deadline_ms = 5000"))
        )
        await house.open()
        quoted = (await house.post(PING, path="/v1/pings")).body
        assert [leg["price"] for leg in quoted["legs"]] == [11.9, 10.2]
        path, leg_id = f"/v1/pings/{quoted['ping_id']}/post", quoted["legs"][1]["leg_id"]
        sold = await house.post(IDENTITY, path=path, campaign=None, source=None, legs=[leg_id])
        assert (sold.body["status"], sold.body["price"]) == ("sold", 10.2)
        found = await printed(replay_command, since=LONG_AGO)
        assert (found["left_out"], found["changed"]) == ({}, 0)
        assert all_of(found)["before"]["revenue"] == 12
        sets = ("campaign.auto-us.margin.percent=20",)
        row = all_of(await printed(replay_command, since=LONG_AGO, sets=sets))
        assert (row["after"]["revenue"], row["after"]["payout"]) == (12, 9.6)


async def test_leads_that_met_a_sellers_or_campaigns_pilot_are_left_out(house, printed):
    """What room such a pilot had then is not known: those it stopped are counted, not guessed."""
    pilots = "pilot = { spend = 30.00, leads = 100 }"
    await house.apply(market(buyer("acme", offer="price = 9.00"), campaign(lines=pilots)))
    worker = await house.open()

    async def not_now(_kind, _name):
        return False

    worker._piloting._end = not_now
    told = [(await house.post(person(number))).body["status"] for number in range(5)]
    assert told == ["sold"] * 3 + ["unsold"] * 2
    found = await printed(replay_command, since=LONG_AGO)
    assert found["left_out"] == {"room differed": 2}
    row = all_of(found)
    assert (row["difference"], row["recorded"]["sold"]) == (ZERO, 3)
