"""Market state that was lost is noticed before anything is sold by it, and put right."""

import asyncio
import base64
import shutil
from contextlib import AsyncExitStack

import msgspec
import pytest

from bidders.fleet import Fixed, Fleet
from exchange.commands.reconcile import DIFFERS, reconcile
from exchange.stores.embedded import StoreUrls
from tests.acceptance.audit import settled, standing
from tests.acceptance.buyers import bidding
from tests.acceptance.house import MASTER_KEY, a_house, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.integration.market.conftest import Server
from tests.places import store_folder

RULE = "duplicates = { window_hours = 24 }\nauction_deadline_ms = 20000"
KEY = {"Idempotency-Key": "once and for all"}
UNHURRIED = {
    "loop_lag_target_ms": 9000.0,
    "loop_lag_max_ms": 9000.0,
    "database_timeout_ms": 9000.0,
    "market_timeout_ms": 9000.0,
}


def capped(fleet, leads, *, own=""):
    """A market whose one buyer takes so many leads a day, spends money, and knows its persons."""
    lines = f'caps = [ {{ leads = {leads}, per = "day" }}, {{ spend = 900, per = "month" }} ]'
    one = buyer("acme", fleet.base_url, offer=lines, own=own, ping_ms=20_000, post_ms=20_000)
    return market(one, campaign(lines=RULE))


async def statuses(house, numbers):
    """Post these persons at once; how many answers had which status."""
    answers = await asyncio.gather(*(house.post(person(number)) for number in numbers))
    words = [answer.body["status"] for answer in answers]
    return {word: words.count(word) for word in set(words)}


async def sold_before_and_after(house, lose):
    """Sell two of three, lose what market state held, and see that no more than one is sold."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        await house.apply(capped(fleet, 3))
        await house.open(**UNHURRIED)
        first = await house.post(person(1), headers=KEY)
        second = await house.post(person(2))
        assert (first.body["status"], second.body["status"]) == ("sold", "sold")
        await lose()
        again = await repeated(house, person(1), KEY)
        assert again.body["lead_id"] == first.body["lead_id"], "the key is known still"
        told = await house.post(person(2))
        assert told.body["status"] == "duplicate", "so is the person"
        told = await statuses(house, range(3, 9))
        assert told == {"sold": 1, "unsold": 5}
        assert len(fleet.books["acme"].accepted()) == 3
        assert settled(await standing(house, "acme"), "leads") == 3
        assert (await compared(house))["differences"] == []


async def repeated(house, lead, headers):
    """Post until the store is there again: until then it is 503, and sells nothing."""
    async with asyncio.timeout(30):
        while (answer := await house.post(lead, headers=headers)).status == 503:  # noqa: ASYNC110 - as a seller would
            await asyncio.sleep(0.05)
    return answer


async def look_ahead(house):
    """Let every worker read what is left of caps, as it does four times a second."""
    await asyncio.gather(*(one._state.market.read_rooms() for one in house.workers))


async def compared(house, *, repair=False, differs=None):
    """Return what `exchange reconcile --json` prints of the stores of this house."""
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout.write", written.append)
        patch.setattr("exchange.commands.reconcile.configure_logging", lambda _level: None)
        settings = msgspec.structs.replace(
            house.settings,
            database_url=house.urls.database_url,
            market_url=house.urls.market_url,
            master_key=base64.b64encode(MASTER_KEY).decode(),
        )
        status = await reconcile(repair=repair, as_json=True, settings=settings)
    (line,) = (text for text in written if text.startswith("{"))  # workers log there, too
    report = msgspec.json.decode(line)
    assert status == (DIFFERS if report["left"] else 0)
    if differs is not None:
        assert {(one["part"], one["whose"]) for one in report["differences"]} == differs
    return report


async def test_an_emptied_market_is_rebuilt_before_selling_goes_on(house):
    """FLUSHDB under a selling worker: caps, keys and persons are known, and no cap is passed."""

    async def flush():
        async with house.market() as client:
            await client.flushdb()

    await sold_before_and_after(house, flush)


@pytest.mark.parametrize("how", ["empty", "older"])
async def test_a_server_that_comes_back_with_less_is_rebuilt(how, database_url, tmp_path, tables):
    """Restarted without its data, or with an older copy of them: it is known by its run id."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(store_folder())
        data, copy = folder / "data", folder / "copy"
        data.mkdir()
        server = Server(data)
        server.start()
        stack.callback(server.kill)
        await until(lambda: is_there(server))
        house = await stack.enter_async_context(
            a_house(StoreUrls(database_url, server.url), tmp_path, tables)
        )

        async def lose():
            server.kill()
            shutil.rmtree(data / "appendonlydir")
            if how == "older":
                shutil.copytree(copy, data / "appendonlydir")
            server.start()

        async def older():
            shutil.copytree(data / "appendonlydir", copy)

        await older()
        await sold_before_and_after(house, lose)


async def is_there(server):
    return server.socket.exists()


async def test_what_differs_is_shown_and_put_right(house):
    """Every kind of number, changed by hand: named by reconcile, and right after --repair."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        own = "duplicates = { window_hours = 24 }"
        await house.apply(capped(fleet, 9, own=own))
        await house.open(**UNHURRIED)
        await house.post(person(1), headers=KEY)
        report = await compared(house, differs=set())
        assert {one["part"] for one in report["lines"]} >= {"settled", "claim", "request", "epoch"}
        async with house.market() as client:
            counters = "{buyer:acme}:counters"
            for field in await client.hkeys(counters):
                await client.hincrby(counters, field, 5)
            await client.hset("{buyer:acme}:holds", "no sale", "no lead\nw\n0")
            await client.delete(*await client.keys("*:claim:*"))
            await client.delete(*await client.keys("*:once:*"))
            await client.delete(*await client.keys("{person:*"))
        await compared(
            house,
            differs={
                ("settled", "acme"),
                ("held", "acme"),
                ("claim", "campaign:auto-us"),
                ("request", "seller:fastquotes"),
                ("purchase", "acme"),
            },
        )
        report = await compared(house, repair=True)
        assert report["differences"]
        assert report["left"] == []
        assert settled(await standing(house, "acme"), "leads") == 1
        await look_ahead(house)
        assert (await house.post(person(1))).body["status"] == "duplicate"
        assert (await house.post(person(2))).body["status"] == "sold"
        await compared(house, differs=set())


async def test_a_limit_that_was_taken_away_is_not_compared_and_counts_anew_when_it_is_back(house):
    """Nothing moves its counter meanwhile: that is no difference that anybody must repair."""
    async with Fleet(bidding({"acme": "9.00"})) as fleet:
        unlimited = market(buyer("acme", fleet.base_url), campaign())
        await house.apply(capped(fleet, 3))
        worker = await house.open(**UNHURRIED)
        await house.post(person(1))
        await house.apply(unlimited)
        await house.post(person(2))
        assert not [
            one for one in (await compared(house, differs=set()))["lines"] if one["whose"] == "acme"
        ]
        await house.apply(capped(fleet, 3))

        async def all_count():
            return settled(await standing(house, "acme"), "leads") == 2

        await until(all_count)
        await worker._state.market.read_rooms()
        told = [(await house.post(person(number))).body["status"] for number in (3, 4)]
        assert told == ["sold", "unsold"]
        await compared(house, differs=set())


async def test_an_open_sale_is_held_again_and_an_ended_one_no_more(house):
    """A sale in doubt counts; a hold whose sale has ended does not, whatever market state says."""
    slow = bidding({"acme": "9.00"}, post_latency_ms=Fixed(4000.0))
    async with Fleet(slow) as fleet:
        await house.apply(capped(fleet, 2))
        await house.open(**UNHURRIED)
        posting = asyncio.ensure_future(house.post(person(1)))
        await fleet.received("acme", posts=1)
        async with house.market() as client:
            held = await client.hgetall("{buyer:acme}:holds")
            await client.delete("{buyer:acme}:holds", "{buyer:acme}:counters")
        report = await compared(house, repair=True, differs={("hold", "acme")})
        assert report["left"] == []
        assert len((await standing(house, "acme")).holds) == 1
        assert (await posting).body["status"] == "sold"
        async with house.market() as client:
            await client.hset("{buyer:acme}:holds", mapping=held)
        await compared(house, differs={("hold", "acme"), ("held", "acme"), ("settled", "acme")})
        await compared(house, repair=True)
        found = await standing(house, "acme")
        assert (settled(found, "leads"), found.holds) == (1, {})
        assert set(found.held.values()) == {0}


async def test_a_repair_stops_nobody_from_selling(house):
    """Counters put right again and again under steady sales: none fails, and the cap is exact."""
    async with Fleet(bidding({"acme": "1.00"})) as fleet:
        await house.apply(capped(fleet, 60))
        await asyncio.gather(house.open(**UNHURRIED), house.open(**UNHURRIED))

        async def spoil():
            for _ in range(3):
                async with house.market() as client:
                    for field in await client.hkeys("{buyer:acme}:counters"):
                        await client.hincrby("{buyer:acme}:counters", field, 7)
                assert (await compared(house, repair=True))["left"] == []

        async def sell(base):
            told = []
            for number in range(40):
                answer = await house.post(person(base * 100 + number), base=base)
                assert answer.status == 200, answer.body
                told.append(answer.body["status"])
            return told

        *told, _ = await asyncio.gather(sell(0), sell(1), spoil())
        await look_ahead(house)
        left = 60 - sum(words.count("sold") for words in told)
        more = await statuses(house, range(500, 500 + left + 5))
        assert more == ({"sold": left, "unsold": 5} if left else {"unsold": 5})
        assert len(fleet.books["acme"].accepted()) == 60
