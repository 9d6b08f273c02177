"""A buyer's endpoint made with the SDK, spoken to over real HTTP."""

import asyncio
import io
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks.webhooks import Webhook

from bidders import Accepted, Bid, NoBid, Pending, Refused, app
from bidders.signature import SecretError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def ping_body(tmax_ms=5000, **lead):
    auction = {"type": "first_price", "floor": 5, "currency": "USD", "tmax_ms": tmax_ms}
    ping = {"ping_id": "p-1", "vertical": "auto_insurance", "auction": auction, "lead": lead}
    return msgspec.json.encode(ping)


def post_body(sale_id="s-1"):
    lead = {"first_name": "Ann", "phone": "+15125550123"}
    return msgspec.json.encode(
        {"sale_id": sale_id, "price": 12.5, "vertical": "auto_insurance", "lead": lead}
    )


def signed(body, secret=SECRET, age_s=0, message="msg-1"):
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body.decode()),
    }


def texan(ping):
    return Bid("12.50", bid_id="b-1") if ping.lead.get("state") == "TX" else None


async def gladly(post):
    return Accepted(reference=f"crm-{post.sale_id}")


@asynccontextmanager
async def endpoint(bid=texan, take=gladly, **options):
    async with TestClient(TestServer(app(bid, take, **options))) as client:
        yield client


async def test_a_bid_and_a_no_bid_come_back_as_the_contract_says():
    """A bid is 200 with its exact price; None is 204 without a body."""
    async with endpoint() as client:
        answer = await client.post("/ping", data=ping_body(state="TX"))
        assert (answer.status, await answer.read()) == (200, b'{"bid":12.5,"bid_id":"b-1"}')
        answer = await client.post("/ping", data=ping_body(state="NY"))
        assert (answer.status, await answer.read()) == (204, b"")


async def test_a_refusal_with_a_reason_is_a_bid_of_zero():
    """`NoBid("...")` tells the exchange why."""
    async with endpoint(bid=lambda _: NoBid("closed")) as client:
        answer = await client.post("/ping", data=ping_body())
        assert await answer.json() == {"bid": 0, "reason": "closed"}


@pytest.mark.parametrize(
    ("decision", "status", "body"),
    [
        (Accepted("r"), 200, {"accepted": True, "reference": "r"}),
        (Refused("full"), 200, {"accepted": False, "reason": "full"}),
        (Pending(), 202, {"accepted": None}),
    ],
)
async def test_each_decision_on_a_post_has_its_answer(decision, status, body):
    """Accepted, refused and pending are told apart by status and body."""
    async with endpoint(take=lambda _: decision) as client:
        answer = await client.post("/post", data=post_body())
        assert (answer.status, await answer.json()) == (status, body)


async def test_only_what_is_signed_with_a_known_secret_is_heard():
    """A good signature passes; none, a wrong one, an old and an early one are 401."""
    body = ping_body(state="TX")
    async with endpoint(secret=[SECRET, OTHER_SECRET]) as client:
        for headers, status in [
            (signed(body), 200),
            (signed(body, secret=OTHER_SECRET), 200),
            (signed(body, secret="whsec_" + "A" * 32), 401),
            (signed(body, age_s=600), 401),
            (signed(body, age_s=-600), 401),
            (signed(body + b" "), 401),
            ({}, 401),
            (signed(body) | {"webhook-signature": "nonsense"}, 401),
            (signed(body) | {"webhook-signature": "v1,*"}, 401),
            (signed(body) | {"webhook-timestamp": "yesterday"}, 401),
        ]:
            answer = await client.post("/ping", data=body, headers=headers)
            assert answer.status == status, headers
        answer = await client.post("/post", data=post_body())
        assert answer.status == 401
        answer = await client.post("/ping", data=b"\xff", headers=signed(body))
        assert answer.status == 401


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "whsec_é"])
def test_a_secret_that_is_none_fails_at_start_without_being_repeated(secret):
    """A typing error in the secret is found before the first ping."""
    with pytest.raises(SecretError) as caught:
        app(texan, gladly, secret=[secret])
    assert secret in ("", "whsec_") or secret not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b'{"ping_id": 1}', b'{"a": "\xff"}', b"[" * 9999])
async def test_a_body_that_is_not_of_the_contract_is_400_and_says_where(body):
    """Neither function is asked about what cannot be read."""
    async with endpoint(bid=None, take=None) as client:
        for path in ("/ping", "/post"):
            answer = await client.post(path, data=body)
            assert answer.status == 400
            assert (await answer.json(content_type="application/problem+json"))["detail"]


async def test_a_body_of_two_megabytes_is_413():
    """Nothing reads without a limit."""
    async with endpoint() as client:
        answer = await client.post("/ping", data=io.BytesIO(b" " * (2 << 20)))
        assert answer.status == 413


async def test_a_bid_that_takes_too_long_is_no_bid_in_time():
    """At `tmax_ms` the answer is 204, whether the function is async or plain."""
    never, release = asyncio.Event(), threading.Event()

    async def slow(_):
        await never.wait()

    async with endpoint(bid=slow) as client:
        answer = await asyncio.wait_for(client.post("/ping", data=ping_body(tmax_ms=60)), 5)
        assert answer.status == 204
    try:
        async with endpoint(bid=lambda _: release.wait(30)) as client:
            answer = await asyncio.wait_for(client.post("/ping", data=ping_body(tmax_ms=60)), 5)
            assert answer.status == 204
    finally:
        release.set()


async def test_a_slow_plain_function_holds_up_no_other_ping():
    """While one bid is stuck in its thread another one is answered."""
    release = threading.Event()

    def bid(ping):
        if ping.lead["state"] == "TX":
            assert release.wait(30)
        return Bid(7)

    async with endpoint(bid=bid) as client:
        stuck = asyncio.create_task(client.post("/ping", data=ping_body(state="TX", tmax_ms=60000)))
        quick = await asyncio.wait_for(client.post("/ping", data=ping_body(state="NY")), 5)
        assert quick.status == 200
        assert not stuck.done()
        release.set()
        assert (await stuck).status == 200


async def test_an_own_timeout_of_the_buyers_code_is_its_failure_not_a_no_bid(caplog):
    """A TimeoutError of some database is a 500 that the operator sees."""

    async def broken(_):
        raise TimeoutError

    async with endpoint(bid=broken) as client:
        assert (await client.post("/ping", data=ping_body())).status == 500
    assert "TimeoutError" in caplog.text


@pytest.mark.parametrize("answer", [12.5, "12.50", object(), Accepted()])
async def test_an_answer_of_no_known_kind_is_500(answer, caplog):
    """A forgotten `Bid(...)` is never sent as if it were one."""
    async with endpoint(bid=lambda _: answer, take=lambda _: 1) as client:
        assert (await client.post("/ping", data=ping_body())).status == 500
        assert (await client.post("/post", data=post_body())).status == 500
    assert "Bid, NoBid or None" in caplog.text


async def test_a_repeated_post_hears_the_first_answer_and_is_taken_once():
    """The same key never reaches `take` twice, though its answer would differ by now."""
    taken = []

    def take(post):
        taken.append(post.sale_id)
        return Accepted(reference=str(len(taken)))

    async with endpoint(take=take) as client:
        key = {"Idempotency-Key": "s-1"}
        first = await client.post("/post", data=post_body(), headers=key)
        again = await client.post("/post", data=post_body(), headers=key)
        assert await first.read() == await again.read()
        other = await client.post("/post", data=post_body("s-2"))
        assert (await other.json())["reference"] == "2"
    assert taken == ["s-1", "s-2"]


async def test_a_repetition_during_the_first_waits_for_the_same_decision():
    """Two posts at once are one sale; a seller of the lead that hung up changes nothing."""
    begun, release, taken = asyncio.Event(), asyncio.Event(), []

    async def take(post):
        taken.append(post.sale_id)
        begun.set()
        await release.wait()
        return Accepted(reference="one")

    async with endpoint(take=take) as client:
        first = asyncio.create_task(client.post("/post", data=post_body()))
        await begun.wait()
        first.cancel()
        repetition = asyncio.create_task(client.post("/post", data=post_body()))
        release.set()
        assert (await (await repetition).json())["reference"] == "one"
    assert taken == ["s-1"]


async def test_a_failed_decision_is_forgotten_so_that_the_repetition_decides(caplog):
    """After a 500 the same key reaches `take` again."""
    answers = iter([RuntimeError("the CRM is away"), Accepted("second")])

    def take(_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with endpoint(take=take) as client:
        assert (await client.post("/post", data=post_body())).status == 500
        answer = await client.post("/post", data=post_body())
        assert (await answer.json())["reference"] == "second"
    assert "the CRM is away" in caplog.text


async def test_only_the_last_sales_are_remembered():
    """The memory is bounded: the oldest sale is decided anew, the newest are not."""
    taken = []

    def take(post):
        taken.append(post.sale_id)
        return Accepted()

    async with endpoint(take=take, remember=2) as client:
        for sale in ("s-1", "s-2", "s-3", "s-3", "s-2", "s-1"):
            assert (await client.post("/post", data=post_body(sale))).status == 200
    assert taken == ["s-1", "s-2", "s-3", "s-1"]


async def test_a_stopping_endpoint_finishes_the_sale_under_way():
    """What `take` has begun is done to its end before the application is gone."""
    begun, release, done = asyncio.Event(), asyncio.Event(), []

    async def take(post):
        begun.set()
        await release.wait()
        done.append(post.sale_id)
        return Accepted()

    async with endpoint(take=take) as client:
        request = asyncio.create_task(client.post("/post", data=post_body()))
        await begun.wait()
        request.cancel()
        asyncio.get_running_loop().call_soon(release.set)
    assert done == ["s-1"]


async def test_the_endpoint_can_live_under_a_prefix():
    """Several offers can share one application's port."""
    async with endpoint(prefix="/acme-tx") as client:
        assert (await client.post("/acme-tx/ping", data=ping_body(state="TX"))).status == 200
        assert (await client.post("/ping", data=ping_body(state="TX"))).status == 404
