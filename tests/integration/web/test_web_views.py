"""What became of a lead, and how the worker goes, as it is seen from outside."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exchange.domain.events import Event, EventName
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from tests.making import NOW_US
from tests.making_web import SELLER_KEY, a_standing, an_answer

LEAD = "019a0000-0000-7000-8000-00000000beef"
EVENTS = (
    Event(at_us=NOW_US, event=EventName.RECEIVED),
    Event(
        at_us=NOW_US,
        event=EventName.OFFER_LEFT_OUT,
        left_out={Reason.FILTERED: ("rival-1", "rival-2"), Reason.SCHEDULE: ("rival-3",)},
    ),
    Event(at_us=NOW_US, event=EventName.BID, offer="acme-tx", price=Micros(10_000_000), ms=3.5),
    Event(at_us=NOW_US, event=EventName.SOLD, sale_id="sale-1", payout=Micros(8_500_000)),
)


def pending():
    answer = an_answer(LEAD, status="pending", price=None, sales=())
    return a_standing(LEAD, answer=answer, sales=(), is_open=True)


async def test_a_seller_sees_its_own_lead(edge):
    """The POST's answer, up to date, with campaign, source and its part of the timeline."""
    edge.script.standings[LEAD] = a_standing(LEAD, events=EVENTS)
    status, _, view = await edge.get(f"/v1/leads/{LEAD.upper()}")
    assert status == 200
    assert (view["status"], view["price"], view["campaign"]) == ("sold", 8.5, "auto-us")
    assert [entry["seq"] for entry in view["timeline"]] == [1, 2, 3, 4, 5]
    assert view["timeline"][4]["payout"] == 8.5
    told = str(view)
    assert "rival" not in told
    assert "acme" not in told
    assert "10" not in [str(entry.get("price")) for entry in view["timeline"]]


@pytest.mark.parametrize("lead_id", ["nothing", "019a0000-0000-7000-8000-000000000000", "%00"])
async def test_a_lead_that_is_not_there_is_404(edge, lead_id):
    """Whatever stands in the address, a lead that is not there is not there."""
    status, _, problem = await edge.get(f"/v1/leads/{lead_id}")
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert problem["detail"] == "there is no such lead"


async def test_another_sellers_lead_is_not_there(edge):
    """Nobody learns that another seller's lead exists."""
    edge.script.standings[LEAD] = a_standing(LEAD)
    foreign, _, problem = await edge.get(f"/v1/leads/{LEAD}", key="stranger-key")
    nowhere, _, same = await edge.get(f"/v1/leads/{LEAD[:-2]}00", key="stranger-key")
    assert (foreign, problem) == (nowhere, same)
    assert foreign == 404


async def test_an_address_that_is_none_says_where_all_of_them_stand(edge):
    """A slip in the path is the first thing that a new seller meets."""
    status, _, problem = await edge.get("/v1/lead")
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert "/docs" in problem["detail"]


async def test_a_key_that_is_not_known_and_none_at_all_are_two_mistakes(edge):
    """One is mistyped or replaced, the other was not sent: each is told what it is."""
    _, _, unknown = await edge.get(f"/v1/leads/{LEAD}", key="mistyped")
    _, _, none = await edge.get(f"/v1/leads/{LEAD}", key=None)
    assert unknown["type"] == none["type"] == "/problems/unknown-key"
    assert "not known here" in unknown["detail"]
    assert "Bearer KEY" in none["detail"]


async def test_another_sellers_lead_needs_the_right_role(edge):
    """A key of another role is 403, none at all 401, whether the lead exists or not."""
    edge.script.standings[LEAD] = a_standing(LEAD)
    assert (await edge.get(f"/v1/leads/{LEAD}", key="operator-key"))[0] == 403
    assert (await edge.get(f"/v1/leads/{LEAD}", key=None))[0] == 401


async def test_a_seller_may_wait_for_the_end(edge):
    """`wait_s` answers as soon as the lead has ended, and not before."""
    edge.script.standings[LEAD] = pending()
    waiting = asyncio.create_task(edge.get(f"/v1/leads/{LEAD}?wait_s=25"))
    await edge.script.awaited.wait()
    assert (await edge.get(f"/v1/leads/{LEAD}?wait_s=0"))[2]["status"] == "pending"
    assert not waiting.done()
    edge.script.standings[LEAD] = a_standing(LEAD)
    edge.script.moved.set()
    assert (await waiting)[2]["status"] == "sold"


async def test_nobody_waits_for_a_closing_worker(edge):
    """A wait ends with what is known when the worker is told to stop."""
    edge.script.standings[LEAD] = pending()
    waiting = asyncio.create_task(edge.get(f"/v1/leads/{LEAD}?wait_s=30"))
    await edge.script.awaited.wait()
    edge.doors.under_way.close()
    status, headers, view = await waiting
    assert (status, view["status"]) == (200, "pending")
    assert headers["Connection"] == "close"


@pytest.mark.parametrize("wait_s", ["-1", "31", "long", "nan", "1e1", "9" * 400])
async def test_a_wait_that_cannot_be_is_422(edge, wait_s):
    """`wait_s` is a number of seconds from 0 to 30."""
    edge.script.standings[LEAD] = a_standing(LEAD)
    status, _, problem = await edge.get(f"/v1/leads/{LEAD}?wait_s={wait_s}")
    assert status == 422
    assert problem["errors"][0]["field"] == "wait_s"


@pytest.mark.parametrize("key", ["operator-key", "admin-key"])
async def test_operators_see_every_offer_and_its_reason(edge, key):
    """All events with offers, buyers, prices, one line for each offer that was left out."""
    edge.script.standings[LEAD] = a_standing(LEAD, events=EVENTS)
    status, _, view = await edge.get(f"/v1/admin/leads/{LEAD}", key=key)
    assert status == 200
    assert (view["seller"], view["market_version"]) == ("fastquotes", 7)
    assert view["received_at"] == "2026-11-18T11:06:40.000000Z"
    assert view["sales"][0]["buyer"] == "acme"
    assert [sale["price"] for sale in view["sales"]] == [10]
    left_out = [entry for entry in view["timeline"] if entry["event"] == "offer_left_out"]
    assert [(entry["offer"], entry["reason"]["reason"]) for entry in left_out] == [
        ("rival-1", "filtered"),
        ("rival-2", "filtered"),
        ("rival-3", "schedule"),
    ]
    bid = next(entry for entry in view["timeline"] if entry["event"] == "bid")
    assert (bid["offer"], bid["buyer"], bid["price"], bid["ms"]) == ("acme-tx", "acme", 10, 3.5)


async def test_sellers_are_no_operators(edge):
    """Only operators and admins see the whole of a lead."""
    edge.script.standings[LEAD] = a_standing(LEAD)
    for key, wanted in ((SELLER_KEY, 403), ("buyer-key", 403), (None, 401), ("wrong", 401)):
        assert (await edge.get(f"/v1/admin/leads/{LEAD}", key=key))[0] == wanted


async def test_a_worker_tells_which_store_is_away(edge):
    """`/readyz` is 200 only where all stores are up; `/healthz` is 200 as long as it runs."""
    assert (await edge.get("/readyz", key=None))[0] == 200
    edge.script.up["market"] = False
    status, headers, readiness = await edge.get("/readyz", key=None)
    assert (status, headers["Retry-After"], readiness["ready"]) == (503, "1", False)
    assert {check["name"]: check["up"] for check in readiness["checks"]} == {
        "database": True,
        "market": False,
    }
    assert (await edge.get("/healthz", key=None))[0] == 200
    edge.script.up["market"] = True
    assert (await edge.get("/readyz", key=None))[0] == 200
    edge.doors.under_way.close()
    status, _, readiness = await edge.get("/readyz", key=None)
    assert (status, readiness["closing"]) == (503, True)


async def test_metrics_can_be_scraped(edge):
    """`/metrics` is what Prometheus reads, and counts requests by their route."""
    await edge.post()
    await edge.post(body=b"{")
    async with edge.call("GET", "/metrics", key=None) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        page = await response.text()
    samples = {
        (sample.name, sample.labels.get("route"), sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    assert samples["exchange_requests_total", "/v1/leads", "200"] == 1
    assert samples["exchange_requests_total", "/v1/leads", "400"] == 1
    assert samples["exchange_in_flight", None, None] == 0
    assert samples["exchange_request_seconds_count", "/v1/leads", None] == 2


async def test_the_description_is_served(edge):
    """`/openapi.json` needs no key."""
    status, _, document = await edge.get("/openapi.json", key=None)
    assert (status, document["openapi"]) == (200, "3.1.0")
