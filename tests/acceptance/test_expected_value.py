"""Ranking by expected value over HTTP: learned from posts, shown in the timeline, reported."""

from decimal import Decimal
from typing import Any

from bidders.fleet import Fleet, PostFault
from tests.acceptance.buyers import bidding
from tests.acceptance.house import House, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, offers, verdicts

REFUSING = {PostFault.REFUSING: 1.0}
TAUGHT = 6
TERMS = "prior_posts = 2, returns_after_days = 0, days = 9"
VALUE = f'rank_by = "expected_value"\nexpected_value = {{ {TERMS} }}'
SOON = {"seal_every_s": 1.0, "learn_every_s": 0.1}
REPORT = "/v1/admin/reports/expected-value"


def market_of(fleet: Fleet, lines: str = VALUE) -> str:
    buyers = (buyer(name, fleet.base_url, ping_ms=900) for name in fleet.specs)
    return market(*buyers, campaign(lines=lines))


async def report(house: House, path: str = REPORT) -> dict[str, Any]:
    """Return the report's only campaign."""
    answer = await house.call("GET", path, key=await house.key("operator", "tests"))
    assert answer.status == 200, answer.body
    [campaign] = answer.body["campaigns"]
    return campaign


async def learned(house: House, posts: int) -> dict[str, dict[str, Any]]:
    """Return what is known of each offer, once so many posts are."""

    async def enough() -> bool:
        return sum(one["posts"] for one in (await report(house))["offers"]) >= posts

    await until(enough)
    return {one["offer"]: one for one in (await report(house))["offers"]}


async def taught(house: House, fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Let acme refuse some leads that it bid most for."""
    await house.apply(market_of(fleet))
    await house.open(**SOON)
    for number in range(TAUGHT):
        answer = await house.post(person(number))
        timeline = await house.timeline(answer.body["lead_id"])
        assert offers(timeline, "ranked") == ["acme", "bravo"], "nothing is known yet"
        assert of(timeline, "ranked", "acme")[0]["expected"]["value"] == 12
    return await learned(house, 2 * TAUGHT)


async def by_value(house: House, number: int = 99) -> list[dict[str, Any]]:
    """Return the timeline of the first lead that bravo comes first for: what was learned holds."""
    last: list[list[dict[str, Any]]] = []

    async def ranked() -> bool:
        answer = await house.post(person(number + len(last)))
        last.append(await house.timeline(answer.body["lead_id"]))
        return offers(last[-1], "ranked") == ["bravo", "acme"]

    await until(ranked)
    return last[-1]


async def test_who_refuses_what_it_bids_for_comes_after_who_takes_it(house):
    """12 that are always refused are worth less than 9 that are not; the numbers are on record."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        known = await taught(house, fleet)
        # Half of twelve posts and one that is added: the mean, of which each offer has two more.
        mean = Decimal(7 * 1_000_000 // 13)
        assert known["acme"]["posts"] == known["bravo"]["posts"] == TAUGHT
        assert known["acme"]["accepted"] == float(2 * mean // 8 / 1_000_000)
        assert known["bravo"]["accepted"] == float((6_000_000 + 2 * mean) // 8 / 1_000_000)
        assert known["acme"]["returned"] == 0
        timeline = await by_value(house)
        assert verdicts(timeline) == {"acme": ["outbid"], "bravo": ["accepted"]}
    first, second = of(timeline, "ranked")
    for line, price in ((first, Decimal(9)), (second, Decimal(12))):
        told = line["expected"]
        exact = price * Decimal(str(told["accepted"])) * (1 - Decimal(str(told["returned"])))
        assert Decimal(str(told["value"])) == exact.quantize(Decimal("0.000001"), "ROUND_FLOOR")
    assert first["expected"]["value"] > second["expected"]["value"]


async def test_the_report_says_what_it_changed(house):
    """How often another came first, what that was expected to bring, and what came of it."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        await taught(house, fleet)
        await by_value(house)

        async def counted() -> bool:
            told = await report(house)
            all_paid = told["all"]["realized"] == 9 * told["all"]["leads"]
            return bool(told["changed"]["leads"] and all_paid)

        await until(counted)
        told = await report(house)
    assert told["campaign"] == "auto-us"
    changed, whole = told["changed"], told["all"]
    assert changed["leads"] >= 1
    assert changed["realized"] == 9 * changed["leads"]
    assert whole["realized"] == 9 * whole["leads"]
    assert whole["leads"] >= TAUGHT + changed["leads"]
    # Nothing is lost by a refusal, so trying the higher price first was expected to bring more.
    assert changed["by_price"] > changed["expected"] > 0


async def test_where_a_refusal_loses_nothing_the_higher_price_stays_first(house):
    """after_refusal = 100: whoever refuses only sends the lead to the next one."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        await taught(house, fleet)
        await by_value(house)
        await house.apply(market_of(fleet, VALUE.replace("days = 9", "after_refusal = 100")))
        answer = await house.post(person(9_000))
        timeline = await house.timeline(answer.body["lead_id"])
    assert offers(timeline, "ranked") == ["acme", "bravo"]
    assert of(timeline, "ranked", "acme")[0]["expected"]["value"] == 12


async def test_what_is_sent_back_is_worth_less(house):
    """Money of a sale that goes back to its buyer is a return, and the next ranking knows."""
    async with Fleet(bidding({"acme": "10.00", "bravo": "9.50"})) as fleet:
        await house.apply(market_of(fleet))
        await house.open(**SOON)
        leads = [(await house.post(person(number))).body["lead_id"] for number in range(TAUGHT)]
        await learned(house, TAUGHT)
        for lead_id in leads:
            await give_back(house, lead_id)

        async def known() -> bool:
            [acme] = [one for one in (await report(house))["offers"] if one["offer"] == "acme"]
            return bool(acme["returned"] > 0.8)

        await until(known)
        timeline = await by_value(house)
        assert offers(timeline, "accepted") == ["bravo"]

        async def reversed_() -> bool:
            told = (await report(house))["all"]
            return bool(told["realized"] == 9.5 * told["leads"] - 9.5 * TAUGHT)

        await until(reversed_)


async def give_back(house: House, lead_id: str) -> None:
    """Book a return as the ledger would: a moment of the lead, and every entry reversed."""
    async with house.connection() as connection, connection.transaction():
        number = await connection.fetchval(
            "INSERT INTO moment (lead_id, number, at, kind, worker, write, events)"
            " SELECT lead_id, max(number) + 1, now(), 'note', gen_random_uuid(), 0, '[]'"
            " FROM moment WHERE lead_id = $1 GROUP BY lead_id RETURNING number",
            lead_id,
        )
        await connection.execute(
            "INSERT INTO transfer (lead_id, sale_id, kind, debit, credit, amount, currency, at,"
            " in_moment) SELECT lead_id, sale_id, 'return of ' || kind, credit, debit, amount,"
            " currency, now(), $2 FROM transfer WHERE lead_id = $1",
            lead_id,
            number,
        )


async def test_a_campaign_that_begins_to_learn_knows_what_was_before(house):
    """The ledger has it: nothing is learned anew that was sold by price."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        await house.apply(market_of(fleet, lines=""))
        await house.open(**SOON)
        for number in range(TAUGHT):
            await house.post(person(number))
        await house.apply(market_of(fleet))
        known = await learned(house, 2 * TAUGHT)
        assert {name: (one["posts"], one["taken"]) for name, one in known.items()} == {
            "acme": (TAUGHT, 0),
            "bravo": (TAUGHT, TAUGHT),
        }
        await by_value(house)


async def test_two_workers_count_every_post_once(house):
    """Of all workers one at a time learns for a campaign; each knows what any of them learned."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        await house.apply(market_of(fleet))
        for _ in range(2):
            await house.open(**SOON)
        for number in range(2 * TAUGHT):
            await house.post(person(number), base=number % 2)
        await learned(house, 2 * TAUGHT)
        for base in range(2):
            first: list[str] = []

            async def ranked(base: int = base, first: list[str] = first) -> bool:
                answer = await house.post(person(100 * (base + 1) + len(first)), base=base)
                timeline = await house.timeline(answer.body["lead_id"], base)
                first.append(offers(timeline, "ranked")[0])
                return first[-1] == "bravo"

            await until(ranked)
        [(posts,)] = await house.fetch(
            "SELECT count(*) FROM sale_end JOIN award USING (sale_id) WHERE state <> 'void'"
        )
        known = await learned(house, posts)
        assert sum(one["posts"] for one in known.values()) == posts


async def test_a_quote_promises_the_bid_of_most_worth(house):
    """A ping is ranked alike, and its post keeps the order that the quote had."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        fleet.change(bidding({"acme": "12.00"}, post_faults=REFUSING)[0])
        await taught(house, fleet)
        await by_value(house)
        ping, before = {"zip": "78701", "currently_insured": True}, fleet.books["acme"].posts
        quote = await house.post(ping, path="/v1/pings")
        assert (quote.body["status"], quote.body["price"]) == ("quoted", 7.65)
        answer = await house.post(person(8_000), ping_id=quote.body["ping_id"])
        assert (answer.body["status"], answer.body["price"]) == ("sold", 7.65)
        assert fleet.books["acme"].posts == before


async def test_only_who_runs_the_exchange_reads_the_report(house):
    """Chances of buyers are no seller's business; a bad query is told."""
    await house.apply(market(buyer("quiet", offer="price = 9.00"), campaign(lines=VALUE)))
    await house.open()
    for path in (REPORT, "/v1/admin/reports/learned-floors"):
        answer = await house.call("GET", path, key=await house.key("seller", "fastquotes"))
        assert answer.status == 403
        key = await house.key("operator", "tests")
        answer = await house.call("GET", f"{path}?days=0", key=key)
        assert answer.status == 422
        assert answer.body["errors"][0]["field"] == "days"


async def test_where_price_ranks_nothing_is_learned_or_shown(house):
    """Off by default: no numbers in the timeline, nothing in the report."""
    async with Fleet(bidding({"acme": "12.00", "bravo": "9.00"})) as fleet:
        await house.apply(market_of(fleet, lines=""))
        await house.open(**SOON)
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        told = await house.call("GET", REPORT, key=await house.key("operator", "tests"))
    assert all("expected" not in line for line in of(timeline, "ranked"))
    assert not of(timeline, "floor")
    assert told.body["campaigns"] == []
