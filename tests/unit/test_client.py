"""The sellers' client without a socket: what it sends, when it tries again, what it raises."""

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.client import (
    AsyncClient,
    Client,
    Consent,
    Denied,
    ExchangeError,
    Expired,
    InvalidLead,
    KeyReused,
    NoAnswer,
    NotFound,
    QuoteAnswer,
    Refused,
    Throttled,
    Unavailable,
    UnderWay,
    Unintelligible,
    Unreachable,
    Used,
)
from exchange.client.calls import BACKOFF_MAX_S, TRIES_MAX, Calls, Outside, Terms, pause_s
from exchange.client.effects import Broken, Pause, Response, Send
from exchange.client.errors import Misdirected

KEY = "xk-very-secret"
LEAD = {"first_name": "Zyxcanary", "phone": "(512) 555-0123", "email": "canary@example.com"}
SOLD = {
    "lead_id": "019a0000-0000-7000-8000-000000000001",
    "status": "sold",
    "price": 11.05,
    "currency": "USD",
    "sales": [{"sale_id": "s-1", "price": 11.05}],
    "reason": None,
    "score": 71,
    "duration_ms": 143.2,
}
VIEW = {
    **SOLD,
    "campaign": "auto-us",
    "source": "search",
    "seller_ref": None,
    "test": False,
    "owner": None,
    "timeline": [],
}


def answer(body, status=200, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


def problem(status, word="about:blank", *, http=None, errors=(), detail=None, **headers):
    body = {"type": f"/problems/{word}", "title": word, "status": status, "errors": list(errors)}
    body |= {} if detail is None else {"detail": detail}
    return answer(body, http or status, **headers)


@dataclass
class World:
    """A scripted exchange, and a clock that only pauses and answers move."""

    heard: list
    answer_s: float = 0.0
    luck: float = 0.5
    deadline_s: float = 90.0
    now_s: float = 1000.0
    sent: list = field(default_factory=list)
    pauses: list = field(default_factory=list)

    def __post_init__(self):
        self.calls = Calls(
            Terms(key=KEY, answer_deadline_s=30.0, deadline_s=self.deadline_s),
            Outside(lambda: self.now_s, lambda: self.luck, lambda: "made-key"),
        )

    def play(self, plan):
        heard = None
        while True:
            try:
                effect = plan.send(heard)
            except StopIteration as end:
                return end.value
            if isinstance(effect, Pause):
                self.pauses.append(effect.seconds)
                self.now_s += effect.seconds
                heard = None
            else:
                self.sent.append(effect)
                self.now_s += self.answer_s
                heard = self.heard.pop(0) if len(self.heard) > 1 else self.heard[0]

    def post(self, **changes):
        return self.play(self.calls.post(campaign="auto-us", lead=LEAD, **changes))


def test_a_post_is_json_with_its_key_and_a_key_of_its_own():
    """Bearer key, Idempotency-Key, exact money, dates as texts; nothing that was not said."""
    world = World([answer(SOLD)])
    sold = world.post(
        min_price=Decimal("4.10"),
        consent=Consent(tcpa=True, at=datetime(2026, 11, 18, 11, tzinfo=UTC)),
        test=True,
    )
    [sent] = world.sent
    assert (sent.method, sent.path) == ("POST", "/v1/leads")
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["Idempotency-Key"] == "made-key"
    assert b'"min_price":4.10' in sent.body
    assert json.loads(sent.body) == {
        "campaign": "auto-us",
        "lead": LEAD,
        "min_price": 4.1,
        "consent": {"tcpa": True, "at": "2026-11-18T11:00:00Z"},
        "test": True,
    }
    assert sold.price == Decimal("11.05")
    assert str(sold.price) == "11.05"


def test_a_quote_is_posted_by_its_token_and_an_unsold_ping_cannot_be():
    """The token stands escaped in the path, whether the quote or only its id is given."""
    quote = QuoteAnswer(
        ping_id="a/b", status="quoted", price=Decimal(1), currency="USD", expires_at=None,
        legs=(), reason=None,
    )  # fmt: skip
    for given_as in (quote, "a/b"):
        world = World([answer(SOLD)])
        world.play(world.calls.post_quote(given_as, lead=LEAD))
        assert world.sent[0].path == "/v1/pings/a%2Fb/post"
    with pytest.raises(ValueError, match="no price"):
        World([]).calls.post_quote("", lead=LEAD)


@pytest.mark.parametrize("price", [4.1, "4.10", True])
def test_an_inexact_price_is_not_sent(price):
    """A float, a text or a boolean is a TypeError before anything is sent."""
    world = World([])
    with pytest.raises(TypeError, match="exact"):
        world.post(min_price=price)
    assert not world.sent


@pytest.mark.parametrize("value", [Decimal("NaN"), object()])
def test_what_cannot_be_sent_is_told_without_its_value(value):
    """A lead field that JSON has no word for is a TypeError."""
    with pytest.raises(TypeError, match="as JSON"):
        World([]).calls.post(campaign="a", lead={"x": value})


def test_a_large_decimal_has_no_exponent():
    """1E+6 is sent as 1000000."""
    world = World([answer(SOLD)])
    world.play(world.calls.post(campaign="a", lead={"miles": Decimal("1E+6")}))
    assert b'"miles":1000000' in world.sent[0].body


RETRIED = {
    "no answer": (Broken("timed out"), NoAnswer),
    "too many": (problem(429, "too-many", retry_after="2"), Throttled),
    "overloaded": (problem(503, "overloaded", retry_after="2"), Unavailable),
    "under way": (problem(409, "under-way", retry_after="2"), UnderWay),
    "slow": (problem(408, "slow"), Unavailable),
    "a proxy's 502": (answer(b"<html>Bad gateway</html>", 502), Unavailable),
    "internal": (problem(500, "internal"), Unavailable),
    "an HTML page": (answer(b"<html>success</html>"), Unintelligible),
    "half an answer": (answer(json.dumps(SOLD).encode()[:40]), Unintelligible),
    "too many, told with 200": (problem(429, "too-many", http=200, retry_after="2"), Throttled),
}


@pytest.mark.parametrize("name", RETRIED)
def test_what_may_end_otherwise_is_repeated_under_the_same_key(name):
    """The second request is the first one, byte for byte; then the answer counts."""
    heard, _ = RETRIED[name]
    world = World([heard, answer(SOLD)])
    assert world.post().status == "sold"
    first, second = world.sent
    assert (first.path, first.headers, first.body) == (second.path, second.headers, second.body)
    wanted = 2.0 if "retry-after" in getattr(heard, "headers", {}) else 0.0
    assert wanted <= world.pauses[0] <= wanted + 0.25


@pytest.mark.parametrize("name", RETRIED)
def test_tries_end_with_the_deadline_and_the_last_error(name):
    """No request begins, and no pause ends, after it; the error keeps the key for later."""
    heard, kind = RETRIED[name]
    world = World([heard], answer_s=3.0, deadline_s=20.0)
    with pytest.raises(kind) as raised:
        world.post(idempotency_key="A-1001")
    assert type(raised.value) is kind
    assert raised.value.idempotency_key == "A-1001"
    assert 1 < len(world.sent) <= TRIES_MAX
    assert world.now_s <= 1020.0 + 3.0
    assert all(sent.timeout_s <= 20.0 for sent in world.sent)


REFUSED = {
    Denied: [problem(401, "unknown-key"), problem(403, "forbidden")],
    NotFound: [problem(404, "not-found")],
    Used: [problem(409, "conflict")],
    Expired: [problem(410, "expired")],
    InvalidLead: [problem(422, "fields")],
    KeyReused: [problem(422, "key-reused")],
    Refused: [problem(400, "unreadable"), problem(413, "too-large"), problem(415, "media-type")],
    Misdirected: [answer(b"", 302, location="https://elsewhere.example/"), Broken("TLS", True)],
}


@pytest.mark.parametrize(
    ("kind", "heard"), [(kind, heard) for kind, several in REFUSED.items() for heard in several]
)
@pytest.mark.parametrize("always_200", [False, True])
def test_a_refusal_is_raised_at_once(kind, heard, always_200):
    """Also where it comes with status 200, as some sellers need it."""
    if always_200 and isinstance(heard, Response) and heard.body:
        heard = Response(200, heard.headers, heard.body)
    world = World([heard])
    with pytest.raises(ExchangeError) as raised:
        world.post()
    assert type(raised.value) is kind
    assert len(world.sent) == 1


def test_bad_fields_are_told_all_at_once():
    """`errors` has them typed, the message has them in words."""
    errors = [
        {"field": "lead.phone", "code": "invalid_phone", "message": "must be possible"},
        {"field": "lead.zip", "code": "required", "message": "is required"},
    ]
    world = World([problem(422, "fields", errors=errors)])
    with pytest.raises(InvalidLead) as raised:
        world.post()
    assert [(e.field, e.code) for e in raised.value.errors] == [
        ("lead.phone", "invalid_phone"),
        ("lead.zip", "required"),
    ]
    assert "lead.phone invalid_phone, lead.zip required" in str(raised.value)
    assert raised.value.status == 422


@pytest.mark.parametrize(
    "leak",
    ["cannot read Zyxcanary", "call +1 512-555-0123", "for CANARY@example.com:", "at 5125550123"],
)
def test_no_message_repeats_the_person(leak):
    """Whatever an answer says, in whatever spelling: not in text, repr, traceback or pickle."""
    errors = [{"field": f"lead.{leak}", "code": leak, "message": leak}]
    world = World([problem(422, leak, errors=errors, detail=leak)])
    with pytest.raises(InvalidLead if leak == "fields" else ExchangeError) as raised:
        world.post()
    told = f"{raised.value} {raised.value!r} {raised.value.problem} {pickle.dumps(raised.value)}"
    assert leak not in told
    assert "left out" in told


def test_what_repeats_nothing_is_told():
    """A detail that names a byte, or shares a syllable with the person, stays."""
    world = World([problem(400, "unreadable", detail="the body is not JSON (byte 5125)")])
    with pytest.raises(Refused, match="not JSON"):
        world.play(world.calls.post(campaign="a", lead={"first_name": "Jso"}))


def test_errors_can_be_pickled():
    """They come back from a process pool as they were."""
    world = World([problem(503, "overloaded", retry_after="900")])
    with pytest.raises(Unavailable) as raised:
        world.post()
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.retry_after_s) == (str(raised.value), 900.0)


def test_nothing_that_is_shown_holds_a_key_or_a_person():
    """Clients, requests on their way, consents."""
    world = World([answer(SOLD)])
    world.post()
    shown = [
        Client("http://127.0.0.1:1", KEY),
        AsyncClient("http://127.0.0.1:1", KEY),
        world.calls.terms,
        world.sent[0],
        world.calls.creation("/v1/leads", None, {"lead": LEAD}, "k", None),
        Consent(text="Zyxcanary agrees"),
    ]
    told = " ".join(map(repr, shown))
    assert KEY not in told
    assert "canary" not in told.lower()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        (
            {
                "retry_after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "9" * 400}, 999_999_999.0),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, seconds):
    """A date counts from the answer's own; what is neither is not there."""
    world = World([problem(503, "overloaded", **headers)], deadline_s=0.1)
    with pytest.raises(Unavailable) as raised:
        world.post()
    assert raised.value.retry_after_s == seconds


@given(
    tries=st.integers(1, TRIES_MAX - 1),
    luck=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e6),
    left=st.floats(-1e3, 1e6),
)
def test_a_pause_is_what_was_asked_for_and_a_bounded_chance(tries, luck, asked, left):
    """Never shorter than Retry-After, never past the deadline, full jitter under a bound."""
    error = Unavailable(problem_value(), None, asked)
    pause = pause_s(error, tries, left, luck)
    bound = min(BACKOFF_MAX_S, 0.25 * 2 ** (tries - 1))
    if pause is None:
        assert (asked or 0) + bound >= left
    else:
        assert (asked or 0) <= pause < left
        assert pause <= (asked or 0) + bound
    assert pause_s(error, TRIES_MAX, left, luck) is None


def problem_value():
    from exchange.contract.seller import Problem

    return Problem(type="", title="", status=503)


@given(st.binary(max_size=200), st.integers(100, 599))
def test_whatever_is_answered_ends_in_a_value_or_an_error_of_ours(body, status):
    """No bytes and no status raise anything else."""
    world = World([Response(status, {}, body)], deadline_s=0.0)
    with pytest.raises(ExchangeError):
        world.post()


def test_a_pending_lead_is_waited_for_in_long_looks():
    """Each look waits up to 25 s; a failed one is repeated; the end comes back."""
    pending = answer({**VIEW, "status": "pending"})
    world = World([pending, Broken("reset"), pending, answer(VIEW)], answer_s=25.0)
    assert world.play(world.calls.wait("an-id")).status == "sold"
    assert {sent.path for sent in world.sent} == {"/v1/leads/an-id?wait_s=25.000"}
    assert {sent.method for sent in world.sent} == {"GET"}
    assert "Idempotency-Key" not in world.sent[0].headers


def test_waiting_ends_at_its_deadline_with_what_is_known():
    """Still pending is an answer, not an error; nothing is asked in a hurry."""
    world = World([answer({**VIEW, "status": "pending"})])  # a worker that closes answers at once
    view = world.play(world.calls.wait("an-id", deadline_s=10.0))
    assert view.status == "pending"
    assert 1010.0 <= world.now_s <= 1011.0
    assert len(world.sent) <= 12


def test_an_answer_has_its_deadline_and_some_slack():
    """The campaign's, or the shorter one that the seller asks for."""
    world = World([answer(SOLD)])
    world.post()
    world.post(timeout_ms=2000)
    assert [sent.timeout_s for sent in world.sent] == [35.0, 7.0]


@pytest.mark.parametrize(
    "address", ["exchange.example", "ftp://a", "https://", "https://a/?key=1", "https://u:p@a/"]
)
def test_an_address_is_a_place_and_nothing_more(address):
    """Anything else is a ValueError when the client is made, and not repeated."""
    with pytest.raises(ValueError, match="address") as raised:
        Client(address, KEY)
    assert not {"key=1", "u:p"} & set(str(raised.value).replace("/", " ").split())


def test_importing_it_is_cheap():
    """No store, no event loop, no HTTP package comes with it."""
    code = "import sys, exchange.client; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    heavy = {"aiohttp", "uvloop", "asyncpg", "redis", "cryptography", "zipcodes", "phonenumbers"}
    assert not loaded & heavy


def test_a_request_on_its_way_is_a_plain_value():
    """Whoever writes a transport of its own gets all it needs."""
    world = World([answer(SOLD)])
    world.post()
    assert isinstance(world.sent[0], Send)


UNSENT = Broken("the connection failed (ConnectionRefusedError)", unsent=True)


@pytest.mark.parametrize("before", [(), (UNSENT,)])
def test_where_nothing_was_sent_no_lead_is_feared_for(before):
    """A refused connection, tried to the end: still a NoAnswer, repeated like any."""
    world = World([*before, UNSENT], deadline_s=5.0)
    with pytest.raises(Unreachable, match="nothing was sent") as raised:
        world.post(idempotency_key="A-1001")
    assert isinstance(raised.value, NoAnswer)
    assert "may have the lead" not in str(raised.value)
    assert raised.value.idempotency_key == "A-1001"
    assert len(world.sent) > 1


def test_after_a_try_that_was_sent_a_refused_connection_undoes_nothing():
    """The first try may have sold the lead."""
    world = World([Broken("timed out"), UNSENT], deadline_s=5.0)
    with pytest.raises(NoAnswer, match="may have the lead") as raised:
        world.post()
    assert type(raised.value) is NoAnswer
