"""The sellers' client against a real exchange: sells, asks for prices, waits, repeats, refuses."""

import asyncio
import os
import re
import ssl
import sys
import threading
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from bidders.fleet import BuyerSpec, Fixed, Fleet, PostFault
from bidders.fleet.spec import PingFault
from exchange.client import (
    AsyncClient,
    Client,
    Denied,
    Expired,
    InvalidLead,
    KeyReused,
    LeadAnswer,
    Misdirected,
    NoAnswer,
    NotFound,
    Unavailable,
    Unreachable,
    Used,
)
from tests.acceptance.buyers import bidding
from tests.acceptance.house import ANN, free_port, person
from tests.acceptance.lines import line_to
from tests.acceptance.market import SELLERS, buyer, campaign, market

PING = {name: ANN[name] for name in ("zip", "birth_date", "currently_insured")}
IDENTITY = {name: ANN[name] for name in ("first_name", "last_name", "phone", "email")}
PAGE = Path(__file__).parents[2] / "docs" / "sellers.md"
PRICES = {"acme": "12.00", "bravo": "10.00"}


class Threaded:
    """The blocking client in the hands of a test that awaits."""

    def __init__(self, *args, **kwargs):
        self.client = Client(*args, **kwargs)

    def __getattr__(self, name):
        return lambda *args, **kwargs: asyncio.to_thread(
            getattr(self.client, name), *args, **kwargs
        )

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.client.close()


@pytest.fixture(params=[AsyncClient, Threaded], ids=["async", "sync"])
def client_of(request):
    """Either client; every promise is kept by both."""
    return request.param


@asynccontextmanager
async def selling(house, client_of, fleet, *, base=None, lines="", worker=None, **terms):
    """A market of all buyers of the fleet, a worker, and a client of its seller."""
    buyers = (buyer(name, fleet.base_url, post_ms=300) for name in fleet.specs)
    await house.apply(market(*buyers, campaign(lines=lines)))
    await house.open(**worker or {})
    key = await house.key("seller", "fastquotes")
    async with client_of(base or house.bases[0], key, **terms) as client:
        yield client


async def test_a_lead_is_sold_and_looked_at(house, client_of):
    """The answers are typed, and money is exact."""
    async with (
        Fleet(bidding(PRICES)) as fleet,
        selling(house, client_of, fleet) as exchange,
    ):
        sold = await exchange.post(campaign="auto-us", source="search", lead=ANN)
        assert isinstance(sold, LeadAnswer)
        assert (sold.status, sold.price, str(sold.price)) == ("sold", Decimal("10.2"), "10.20")
        seen = await exchange.lead(sold.lead_id)
        assert (seen.status, seen.campaign, seen.source) == ("sold", "auto-us", "search")
        assert seen.timeline[-1].event == "sold"
        assert (await exchange.wait(sold.lead_id)).status == "sold"
        dear = await exchange.post(campaign="auto-us", lead=person(2), min_price=Decimal("10.21"))
        assert (dear.status, dear.reason.reason) == ("unsold", "no_bid_above_floor")


async def test_a_price_is_asked_for_and_taken(house, client_of):
    """Ping, then post the quote: at no less than was quoted, once, and not when it is over."""
    async with (
        Fleet(bidding(PRICES)) as fleet,
        selling(house, client_of, fleet, lines="quote_ttl_s = 2") as exchange,
    ):
        quote = await exchange.ping(campaign="auto-us", source="search", lead=PING)
        assert (quote.status, quote.price) == ("quoted", Decimal("10.2"))
        sold = await exchange.post_quote(quote, lead=IDENTITY)
        assert (sold.status, sold.price) == ("sold", Decimal("10.2"))
        with pytest.raises(Used):
            await exchange.post_quote(quote, lead=IDENTITY)
        with pytest.raises(NotFound):
            await exchange.post_quote("forged", lead=IDENTITY)
        late = await exchange.ping(campaign="auto-us", lead=PING)
        await asyncio.sleep(2)  # only time ends it
        with pytest.raises(Expired):
            await exchange.post_quote(late, lead=IDENTITY)


async def test_a_pending_lead_is_waited_for(house, client_of):
    """The buyer accepts when it is asked again; the client hears of it in one long look."""
    slow = BuyerSpec(
        id="acme", price=Fixed(12.0), post_faults={PostFault.LATE: 1.0}, late_ms=60_000.0
    )
    async with Fleet([slow]) as fleet, selling(house, client_of, fleet) as exchange:
        told = await exchange.post(campaign="auto-us", lead=ANN, timeout_ms=600)
        assert (told.status, told.price) == ("pending", None)
        still = await exchange.wait(told.lead_id, deadline_s=0.1)
        assert still.status == "pending"
        assert (await exchange.wait(told.lead_id)).status == "sold"


async def test_bad_fields_are_an_exception_that_names_them_all(house, client_of):
    """422 is InvalidLead with typed errors and without a value; the seller's log has them too."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, client_of, fleet) as exchange:
        with pytest.raises(InvalidLead) as raised:
            await exchange.post(campaign="auto-us", lead={**ANN, "phone": "123-canary", "zip": ""})
        found = {(error.field, error.code) for error in raised.value.errors}
        assert found == {("lead.phone", "invalid_phone"), ("lead.zip", "required")}
        assert "canary" not in f"{raised.value}{raised.value!r}{raised.value.problem}"
        [rejection] = await exchange.rejections()
        assert {(fault.field, fault.code) for fault in rejection.errors} == found
        with pytest.raises(InvalidLead, match="unknown_campaign"):
            await exchange.ping(campaign="nobody's", lead=PING)


async def test_a_seller_that_reads_only_200_is_told_the_same(house, client_of):
    """`always_200`: the problem in a 200 is the same exception."""
    async with Fleet(bidding(PRICES)) as fleet:
        text = market(buyer("acme", fleet.base_url), campaign())
        name = 'name = "Fast Quotes"'
        assert name in SELLERS
        await house.apply(text.replace(name, f"{name}\nalways_200 = true"))
        await house.open()
        async with client_of(house.bases[0], await house.key("seller", "fastquotes")) as exchange:
            with pytest.raises(InvalidLead) as raised:
                await exchange.post(campaign="auto-us", lead={**ANN, "zip": ""})
            assert raised.value.status == 422


async def test_whose_key_it_is_not_is_denied(house, client_of):
    """401 and 403 are Denied, at once."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, client_of, fleet):
        for key in ("nobody", await house.key("operator", "tests")):
            async with client_of(house.bases[0], key) as exchange:
                with pytest.raises(Denied):
                    await exchange.post(campaign="auto-us", lead=ANN)


async def test_a_lost_answer_is_asked_for_again_and_sells_once(house, client_of):
    """The line breaks after the request was sent, twice: three requests, one key, one sale."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, client_of, fleet):
        key = await house.key("seller", "fastquotes")
        async with line_to(house.bases[0]) as line, client_of(line.base, key) as exchange:
            line.losing = 2
            sold = await exchange.post(campaign="auto-us", lead=ANN)
            assert (sold.status, sold.price) == ("sold", Decimal("10.2"))
            assert b"".join(line.requests).count(b"POST /v1/leads") == 3
            assert len(fleet.books["acme"].accepted()) == 1
            assert (await house.written())["lead"] == 1
            again = await exchange.post(campaign="auto-us", lead=person(2))
            assert again.status == "sold"
            assert line.connections == 3, "a connection that works is kept"


async def test_a_key_of_the_callers_own_makes_two_calls_one_lead(house, client_of):
    """The same lead hears the first answer; another one under that key is refused."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, client_of, fleet) as exchange:
        first = await exchange.post(campaign="auto-us", lead=ANN, idempotency_key="A-1")
        again = await exchange.post(campaign="auto-us", lead=ANN, idempotency_key="A-1")
        assert first.lead_id == again.lead_id
        assert len(fleet.books["acme"].accepted()) == 1
        with pytest.raises(KeyReused):
            await exchange.post(campaign="auto-us", lead=person(2), idempotency_key="A-1")


async def test_overload_is_waited_out(house, client_of):
    """One lead fills the worker: the next one comes again when it was told to, and is sold."""
    slow = BuyerSpec(id="acme", price=Fixed(12.0), ping_faults={PingFault.SILENT: 1.0})
    good = BuyerSpec(id="bravo", price=Fixed(10.0))
    limits = {"leads_under_way_max": 1, "retry_after_s": 1}
    async with (
        Fleet([slow, good]) as fleet,
        selling(house, client_of, fleet, worker=limits) as exchange,
    ):
        first = asyncio.create_task(exchange.post(campaign="auto-us", lead=person(0)))
        await fleet.received("acme", pings=1)  # it is under way until acme's time is over
        second = await exchange.post(campaign="auto-us", lead=person(1))
        assert [(await first).status, second.status] == ["sold", "sold"]
        metrics = await house.call("GET", "/metrics")
        shed = 'exchange_shed_total{cause="leads_under_way"}'
        [line] = [line for line in metrics.body.splitlines() if line.startswith(shed)]
        assert float(line.split()[-1]) >= 1


async def test_nobody_there_is_told_at_the_deadline_with_the_key(client_of, unused_port):
    """The error holds the key under which it may be repeated; nothing hangs."""
    async with client_of(f"http://127.0.0.1:{unused_port}", "key", deadline_s=0.5) as exchange:
        with pytest.raises(Unreachable) as raised:
            await exchange.post(campaign="auto-us", lead=ANN, idempotency_key="A-1")
        assert "may have the lead" not in str(raised.value)
        assert raised.value.idempotency_key == "A-1"


async def test_an_answer_that_drips_ends_by_the_deadline(client_of):
    """However steadily the bytes come, head or body, the deadline is for all of them."""
    for whole in (b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 500, head(9999) + b'{"status":' * 900):
        dripping = await asyncio.start_server(dripper(whole), "127.0.0.1", 0)
        address = f"http://127.0.0.1:{dripping.sockets[0].getsockname()[1]}"
        began = asyncio.get_running_loop().time()
        async with client_of(address, "key", deadline_s=0.5) as exchange:
            with pytest.raises(NoAnswer, match="timed out"):
                await exchange.lead("an-id")
        assert asyncio.get_running_loop().time() - began < 20  # it drips for much longer
        dripping.close()


def head(length):
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length


def dripper(data):
    async def drip(_, writer):
        try:
            for i in range(len(data)):
                writer.write(data[i : i + 1])
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            writer.close()

    return drip


async def test_over_tls_only_a_proven_exchange_is_spoken_to(client_of):
    """With the right authority it sells; without, nothing is sent and nothing is tried again."""
    authority = trustme.CA()
    serving, trusting = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(trusting)
    asked = []

    async def rejections(request):
        asked.append(request.path)
        return web.json_response({"rejections": []})

    app = web.Application()
    app.router.add_get("/behind/v1/rejections", rejections)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving)
    await site.start()
    address = f"https://127.0.0.1:{runner.addresses[0][1]}/behind/"
    try:
        async with client_of(address, "key", tls=trusting) as exchange:
            assert await exchange.rejections() == ()
        async with client_of(address, "key") as exchange:
            with pytest.raises(Misdirected, match="certificate"):
                await exchange.rejections()
    finally:
        await runner.cleanup()
    assert len(asked) == 1


async def test_one_blocking_client_serves_many_threads(house):
    """Each of many leads from eight threads is sold, over a few connections."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, Threaded, fleet):
        key = await house.key("seller", "fastquotes")
        async with line_to(house.bases[0]) as line:
            client = Client(line.base, key)
            numbers = iter(range(40))
            lock, statuses = threading.Lock(), []

            def work():
                while True:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    answer = client.post(campaign="auto-us", lead=person(number))
                    statuses.append(answer.status)

            await asyncio.gather(*(asyncio.to_thread(work) for _ in range(8)))
            client.close()
            assert statuses == ["sold"] * 40
            assert line.connections <= 8


async def test_a_server_that_hung_up_meanwhile_costs_no_try(house, client_of):
    """Between two calls the worker's connection is gone: the next call opens another one."""
    async with Fleet(bidding(PRICES)) as fleet, selling(house, client_of, fleet):
        key = await house.key("seller", "fastquotes")
        async with line_to(house.bases[0]) as line, client_of(line.base, key) as exchange:
            await exchange.post(campaign="auto-us", lead=ANN)
            for task in [*line.tasks]:
                task.cancel()
            await asyncio.gather(*line.tasks, return_exceptions=True)
            assert (await exchange.post(campaign="auto-us", lead=person(2))).status == "sold"


async def test_overload_that_does_not_end_is_unavailable(house, client_of):
    """A worker that sheds everything is told of at the deadline, with what it asks for."""
    limits = {"leads_under_way_max": 1, "retry_after_s": 5}
    silent = BuyerSpec(id="acme", price=Fixed(12.0), ping_faults={PingFault.SILENT: 1.0})
    async with (
        Fleet([silent]) as fleet,
        selling(house, client_of, fleet, worker=limits, deadline_s=2.0) as exchange,
    ):
        first = asyncio.create_task(exchange.post(campaign="auto-us", lead=person(0)))
        await fleet.received("acme", pings=1)
        told = await asyncio.gather(
            *(exchange.post(campaign="auto-us", lead=person(number)) for number in (1, 2)),
            return_exceptions=True,
        )
        assert {type(error) for error in told} == {Unavailable}
        assert {error.retry_after_s for error in told} == {5.0}
        assert (await first).status == "unsold"


@pytest.fixture
def unused_port():
    return free_port()


async def test_the_twenty_lines_of_the_page_sell_a_lead(house, tmp_path):
    """docs/sellers.md: the program, with an address and a key put in, is told a price."""
    [program] = re.findall(r"```python\n(# sell.py\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(program.splitlines()) <= 21
    tests = bidding(PRICES)
    async with Fleet(tests) as fleet:
        buyers = (buyer(name, fleet.base_url, offer="test = true") for name in PRICES)
        await house.apply(market(*buyers, campaign()))
        await house.open()
        (tmp_path / "sell.py").write_text(program.replace("https://EXCHANGE", house.bases[0]))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            tmp_path / "sell.py",
            env=os.environ | {"KEY": await house.key("seller", "fastquotes")},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        assert (process.returncode, told.decode()) == (0, "sold 10.20 None\n")
        assert fleet.books["acme"].posts == 1
