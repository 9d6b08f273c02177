"""Nobody hears who the person is before it has won: not in a ping, a log, a metric or an error.

A person is planted whose every value is a canary; then everything that left the exchange is
searched for them, byte by byte.
"""

import asyncio
import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, urlencode

import redis.asyncio
from aiohttp.test_utils import TestServer

from bidders import Accepted, Bid, NoBid, Refused, app, email_hash, phone_hash
from bidders.fleet import Fleet, PingFault, PostFault, Received
from bidders.signature import Signatures
from tests.acceptance.buyers import bidding, bodies
from tests.acceptance.foreign import Says, foreign, offer
from tests.acceptance.house import ANN, House, Process, person
from tests.acceptance.market import SELLERS, buyer, campaign, market
from tests.acceptance.timelines import of, offers
from tests.making_intake import xml

CANARIES = """
[[vertical]]
id = "auto_insurance"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
last_name = { type = "name", privacy = "identity" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
mobile = { type = "phone", privacy = "identity" }
email = { type = "email", privacy = "identity", show = "hash" }
work_email = { type = "email", privacy = "identity" }
address = { type = "address", privacy = "identity" }
home_city = { type = "city", privacy = "identity" }
home_zip = { type = "us_zip", privacy = "identity" }
born = { type = "date", privacy = "identity" }
ip_address = { type = "ip", privacy = "identity" }
profile = { type = "url", privacy = "identity" }
ssn = { type = "text", privacy = "identity" }
member = { type = "int", privacy = "identity" }
income = { type = "decimal", privacy = "identity" }
plate = { type = "choice", privacy = "identity", values = ["zq-plate", "none"] }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }
birth_date = { type = "date", privacy = "quasi", show = "age_band" }
notes = { type = "text", privacy = "quasi" }
state = { type = "us_state", privacy = "attribute" }
currently_insured = { type = "bool", privacy = "attribute", ping = "required" }
"""
REFERENCE = "kestrel-ref"
"""The seller's own name for its lead, told back to it and to nobody else."""
CHOICE = "zq-plate"
"""A value that an error may name among all that are allowed; nothing else may."""
IDENTITY = {
    "first_name": "Zyxwvcanary",
    "last_name": "Quux O'Canary",
    "phone": "(512) 555-0147",
    "mobile": "512.555.0199",
    "email": "Canary.Mail@Example.com",
    "work_email": "canary.work@example.org",
    "address": '77 "Canary" Row \\ Apt Ü',
    "home_city": "Canaryville",
    "home_zip": "99501",
    "born": "1947-03-09",
    "ip_address": "203.0.113.77",
    "profile": "https://canary.example/who?id=zyxwv",
    "ssn": "987-65-4321",
    "member": 7700123456,
    "income": 123456.78,
    "plate": CHOICE,
}
QUASI = {"zip": "78744", "birth_date": "1947-03-10", "notes": "canary-notes"}
BESIDE = {
    "consent": {
        "tcpa": True,
        "text": "canary-consent-text",
        "url": "https://canary-consent.example/form",
        "ip": "203.0.113.78",
        "trustedform_url": "https://cert.trustedform.com/canarycert",
        "named_buyers": ["canary-named"],
    },
    "tracking": {"sub1": "canary-sub", "utm_source": "canary-utm", "canary-name": "x"},
    "seller_ref": REFERENCE,
    "source": "undeclared",
    "top_level": {"deep": ["canary-top"]},
}
LEAD = {**IDENTITY, **QUASI, "currently_insured": True, "unknown": "canary-extra"}
NEEDLES = (
    *("canary", "zyxwv", "5125550147", "555-0147", "5125550199", "555.0199", "canary.mail"),
    *("99501", "1947-03-09", "203.0.113.77", "203.0.113.78", "987-65-4321", "7700123456"),
    *("123456.78", "78744", "1947-03-10", "apt ü"),
)
"""In lower case; whatever holds none of them holds no value of this person."""


def leaks(text: str | bytes, needles: Iterable[str] = NEEDLES) -> list[str]:
    """Return which canaries stand in a text, as they are or in the usual encodings."""
    seen = (text if isinstance(text, bytes) else text.encode()).lower()
    return [
        needle
        for needle in needles
        if any(
            form.lower() in seen
            for form in (
                needle.encode(),
                quote(needle).encode(),
                needle.encode().hex().encode(),
                json.dumps(needle)[1:-1].encode(),
            )
        )
    ]


def whole(request: Received) -> bytes:
    """Return all of a request that a buyer received."""
    head = "\n".join(f"{name}: {value}" for name, value in request.headers)
    return f"{request.path}\n{head}\n".encode() + request.body


def names_of(metrics: str) -> str:
    """Return a page of metrics without its figures: five digits of one are a ZIP code by chance."""
    return "\n".join(line.rpartition(" ")[0] for line in metrics.splitlines())


def canary_market(*parts: str) -> str:
    return "\n".join((CANARIES, SELLERS, *parts))


# What leaves


async def test_no_value_of_a_person_is_in_a_ping_a_log_a_metric_or_an_error(house):
    """Row 34: many ways through every door, and nowhere a trace but in the winners' posts."""
    specs = [
        *bidding({"acme": "13.00", "bravo": "12.00"}),
        *bidding({"refuser": "20.00"}, post_faults={PostFault.REFUSING: 1.0}),
        *bidding({"mute": "19.00"}, post_faults={PostFault.MUTE: 1.0}),
        *bidding({"garbage": "30.00"}, ping_faults={PingFault.GARBAGE: 1.0}),
        *bidding({"slow": "30.00"}, ping_faults={PingFault.SLOW: 1.0}),
    ]
    async with Fleet(specs, keep=100) as fleet:
        calls = {"ping_ms": 600, "post_ms": 200, "no_answer": "advance"}
        rule = 'duplicates = { window_hours = 1, on = ["phone", "email"] }'
        await house.apply(
            canary_market(
                *(buyer(spec.id, fleet.base_url, **calls) for spec in specs),
                buyer("texan", fleet.base_url, offer='where = \'ssn == "x" and zip == "1"\''),
                campaign(lines=rule),
                campaign("picky", lines="qualify = { name = 'first_name == \"Bob\"' }"),
                campaign("dear", lines="floor = 99.00"),
            )
        )
        process = await house.start(log_level="debug")
        answers = [answer async for answer in every_way(house)]
        metrics = await house.call("GET", "/metrics")
        log = await log_of(process)
        received = [one for book in fleet.books.values() for one in book.requests]
        pings = [one for one in received if one.path.endswith("/ping")]
        posts = [one for one in received if one.path.endswith("/post")]
        assert len(pings) == 3 * len(specs)
        assert len(posts) >= 3
        assert all(leaks(whole(post)) for post in posts)
        assert not any(leaks(whole(ping), [*NEEDLES, CHOICE, REFERENCE]) for ping in pings)
        assert not fleet.books["garbage"].posts
        assert not fleet.books["slow"].posts
    assert "serving" in log
    assert not leaks(log, [*NEEDLES, CHOICE, REFERENCE])
    assert "exchange_offer_answers_total" in metrics.body
    assert not leaks(names_of(metrics.body), [*NEEDLES, CHOICE, REFERENCE])
    for answer in answers:
        assert not leaks(str(answer.headers) + json.dumps(answer.body))


async def every_way(house: House):
    """Post the canary by every door, well and badly; yield every answer."""
    key = await house.key("seller", "fastquotes")
    form = {**{name: str(value) for name, value in LEAD.items()}, "campaign": "dear"}
    consent = {f"consent.{name}": str(value) for name, value in BESIDE["consent"].items()}
    yield await house.post(LEAD, campaign="picky", **BESIDE)
    yield await house.post(LEAD, campaign="dear", **BESIDE)
    yield await house.call("POST", "/v1/leads", key=key, data={**form, **consent})
    quoted = await house.post(LEAD, path="/v1/pings", **BESIDE)
    assert quoted.body["status"] == "quoted"
    yield quoted
    path = f"/v1/pings/{quoted.body['ping_id']}/post"
    sold = await house.post(LEAD, path=path, min_price=1, **BESIDE)
    assert sold.body["status"] == "sold"
    yield sold
    yield await house.call("GET", f"/v1/leads/{sold.body['lead_id']}", key=key)
    repeated = await house.post(LEAD, **BESIDE)
    assert repeated.body["status"] == "duplicate"
    yield repeated
    for answer in [answer async for answer in every_mistake(house, key)]:
        assert 400 <= answer.status < 500, answer
        yield answer


async def every_mistake(house: House, key: str):
    """Make every mistake that a seller can make with the person's values in its hands."""
    for bad in (
        {name: {"canary": value} for name, value in LEAD.items()},
        dict.fromkeys(LEAD, "canary canary"),
        {**LEAD, "phone": "canary-phone", "email": "canary@@canary", "zip": "canary"},
        {**LEAD, "phone": "+1 000 canary", "born": "canary-day", "income": "canary"},
        {**LEAD, "phone_sha256": "canary" * 10, "mobile": "12"},
        ["canary"],
    ):
        yield await house.post(bad, **BESIDE)
        yield await house.post(bad, path="/v1/pings", **BESIDE)
    yield await house.post(LEAD, **{**BESIDE, "campaign": "canary-campaign"})
    yield await house.post(LEAD, **{**BESIDE, "min_price": "canary", "timeout_ms": "canary"})
    yield await house.post(LEAD, **{**BESIDE, "consent": {"ip": "canary", "url": "canary"}})
    yield await house.post(LEAD, **{**BESIDE, "tracking": "canary", "source": "canary \n" * 99})
    yield await house.post(LEAD, path="/v1/pings/canary-token/post", **BESIDE)
    yield await house.post(LEAD, ping_id="canary-token", **BESIDE)
    yield await house.post(LEAD, path="/v1/canary?canary=canary", **BESIDE)
    yield await house.call("GET", "/v1/leads/canary-id?wait_s=canary", key=key)
    body = json.dumps({"campaign": "auto-us", "lead": LEAD, **BESIDE})
    for sent, content_type in (
        (body[:-3], "application/json"),
        (body.replace("Zyx", "\x00"), "application/json"),
        (body.encode() + b"\xff", "application/json"),
        (body, "application/canary"),
        (urlencode(IDENTITY) + "&canary=%zz", "application/x-www-form-urlencoded"),
        (xml({"campaign": "auto-us", "lead": LEAD, **BESIDE})[:-3], "application/xml"),
        (xml({"campaign": "canary", "lead": LEAD, **BESIDE}), "text/xml"),
        (b"<!DOCTYPE canary><request/>", "application/xml"),
        (body, "multipart/form-data; boundary=canary"),
        ("[" * 5000 + body, "application/json"),
        (io.BytesIO(body.encode() + b" " * 2_000_000), "application/json"),
    ):
        headers = {"Content-Type": content_type}
        yield await house.call("POST", "/v1/leads", key=key, data=sent, headers=headers)
    yield await house.call("POST", "/v1/leads", key="canary-key", data=body)
    for query in (urlencode(LEAD), f"api_key=canary&{urlencode(LEAD)}", "canary=%zz"):
        for accept in ("application/json", "application/xml"):
            options = {"key": key, "headers": {"Accept": accept}}
            yield await house.call("POST", f"/v1/leads?{query}", **options)
    yield await house.call("POST", f"/v1/leads?{urlencode(LEAD)}&api_key=canary")
    yield await house.call("DELETE", "/v1/leads", key=key, data=body)
    reused = {"Idempotency-Key": "canary-idempotency"}
    await house.post(LEAD, headers=reused, **BESIDE)
    yield await house.post(LEAD, headers=reused, **{**BESIDE, "seller_ref": "canary-two"})


async def log_of(process: Process) -> str:
    """Stop the process and return all that it logged."""
    assert await process.stop() == 0
    return process.log.read_text()


async def test_what_was_never_http_is_answered_without_an_echo(house):
    """A request line or a header that cannot be read is a problem, and is quoted nowhere."""
    await house.apply(canary_market(campaign()))
    process = await house.start(log_level="debug")
    host, port = process.base.removeprefix("http://").split(":")
    for raw in (
        b"canary 5125550147\r\n\r\n",
        b"POST /v1/leads?phone=5125550147 HTTP/9.canary\r\n\r\n",
        b"POST /v1/leads HTTP/1.1\r\ncanary name: 5125550147\r\n\r\n",
        b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n\r\n",
        b"GET /v1/leads/" + b"canary" * 4000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
    ):
        answer = await exchanged(host, int(port), raw)
        assert answer.startswith(b"HTTP/1."), raw
        assert not leaks(answer), answer
    assert not leaks(await log_of(process))


async def exchanged(host: str, port: int, raw: bytes) -> bytes:
    """Send these bytes and return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(raw)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


# What stays


def stored(row: str) -> bytes:
    """Return a row with its bytes as they are: hex digits of what is sealed may say anything."""
    return re.sub(rb"\\+x((?:[0-9a-f]{2})+)", lambda m: bytes.fromhex(m[1].decode()), row.encode())


async def test_at_rest_a_person_is_sealed(house):
    """No table and no key of market state holds a value in clear, of a lead, a ping or a 422."""
    assert leaks(stored(f'(1,"\\\\x00{NEEDLES[0].encode().hex()}")')) == [NEEDLES[0]]
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        rule = 'duplicates = { window_hours = 1, on = ["phone", "email"] }'
        own = "duplicates = { window_hours = 24 }"
        await house.apply(
            canary_market(buyer("acme", fleet.base_url, own=own, ping_ms=900), campaign(lines=rule))
        )
        await house.open()
        beside = {**BESIDE, "seller_ref": "A-1", "source": "search"}
        quoted = await house.post(LEAD, path="/v1/pings", **beside)
        headers = {"Idempotency-Key": "k-1"}
        sold = await house.post(LEAD, ping_id=quoted.body["ping_id"], headers=headers, **beside)
        assert sold.body["status"] == "sold"
        refused = await house.post({**LEAD, "phone": "canary"}, **beside)
        assert refused.status == 422
        token = quoted.body["ping_id"]
        assert not leaks(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        tables = await house.fetch(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        for (table,) in tables:
            if table == "market_object":
                continue  # the market file itself, whose vertical names its choices
            for (row,) in await house.fetch(f'SELECT t::text FROM "{table}" t'):
                assert not leaks(stored(row), [*NEEDLES, CHOICE, REFERENCE]), table
    async with redis.asyncio.from_url(house.urls.market_url) as client:
        keys = await client.keys("*")
        assert len(keys) > 3
        for key in keys:
            assert not leaks(key)
            assert not leaks(await client.dump(key))


async def test_an_operator_sees_what_was_exchanged_without_the_person(house):
    """The exact posts are shown masked, also where JSON writes a value with escapes."""
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        await house.apply(canary_market(buyer("acme", fleet.base_url, ping_ms=900), campaign()))
        await house.open()
        answer = await house.post(LEAD)
        view = await house.admin(answer.body["lead_id"])
        captures = {one["kind"]: one for one in view["captures"]}
        assert "zip3" in captures["ping"]["request"]
        assert '"sale_id"' in captures["post"]["request"]
        hidden = [needle for needle in NEEDLES if needle not in {"canary", "78744", "1947-03-10"}]
        text = json.dumps(view, ensure_ascii=False)
        assert not leaks(text, [*hidden, CHOICE, "canaryville", "quux", "row \\"])
        assert text.count("***") >= len(IDENTITY)


PIECES = """
[[mapping]]
id = "pieces"
[mapping.ping]
body.json = { zip = "{lead.zip3}", insured = "{lead.currently_insured|y_n}" }
yes = { path = "ok", equals = [true] }
[mapping.post]
query = { initial = "{lead.last_name|first(1)}" }
headers = { X-Tail = "{lead.phone|last(4)}" }
body.json = { mail = "{lead.email|lower|sha256}", born = "{lead.born|date(D.M.YY)}", \
    ssn = "{lead.ssn|digits|base64}", ip = "{consent.ip}", rich = "{lead.income|round(0)}", \
    insured = "{lead.currently_insured|y_n}" }
accepted = { path = "ok", equals = [true] }
"""
OK = Says('{"ok": true}')


async def test_no_piece_of_a_person_is_kept_of_what_a_foreign_buyer_is_told(house):
    """A hash, an initial, four digits, a date the other way round: an operator sees their place."""
    async with foreign(pieces_ping=OK, pieces_post=OK) as server:
        await house.apply(
            canary_market(PIECES.replace("\\\n", ""), offer(server, "pieces", more="price = 9"),
                          campaign())
        )  # fmt: skip
        await house.open()
        answer = await house.post(LEAD, **BESIDE)
        assert answer.body["status"] == "sold"
        view = await house.admin(answer.body["lead_id"])
        [ping], [post] = server.seen["/pieces/ping"], server.seen["/pieces/post"]
    captures = {one["kind"]: one["request"] for one in view["captures"]}
    assert not leaks(ping.whole)
    assert json.loads(ping.body) == {"zip": "787", "insured": "Y"}
    told = json.loads(post.body)
    assert post.path.endswith("?initial=Q")
    assert post.header("X-Tail") == ["0147"]
    assert (told["born"], told["rich"], told["ip"]) == ("9.3.47", 123457, "203.0.113.78")
    head, _, body = captures["post"].partition("\r\n\r\n")
    assert json.loads(body) == {**dict.fromkeys(told, "***"), "insured": "Y"}
    assert "/pieces/post?initial=*** " in head
    assert "X-Tail: ***" in head
    assert told["mail"] not in json.dumps(view)


async def test_a_buyers_words_about_a_person_are_masked(house):
    """A refusal that quotes the telephone stands in the timeline without it."""

    async def refused(post):
        return Refused(f"we know {post.lead['phone']} and {post.lead['email']} already")

    application = app(lambda _: Bid(9), refused)
    async with TestServer(application) as server:
        base = str(server.make_url("")).rstrip("/")
        calls = "\n".join(f'{kind} = {{ url = "{base}/{kind}" }}' for kind in ("ping", "post"))
        await house.apply(market(buyer("acme", offer=calls), campaign()))
        await house.open()
        answer = await house.post()
        [line] = of(await house.timeline(answer.body["lead_id"]), "refused")
        assert line["detail"] == "we know *** and *** already"


async def test_a_no_that_repeats_whom_its_buyer_knows_is_masked(house):
    """By a hash it may know the number before it has won; a ping's person nobody knows here."""
    application = app(lambda _: NoBid("512 555-0123, ann@example.com: ours"), lambda _: None)
    async with TestServer(application) as server:
        await house.apply(
            market(
                buyer("acme", offer=f'ping = {{ url = "{server.make_url("/ping")}" }}'), campaign()
            )
        )
        await house.open()
        answer = await house.post()
        [no] = of(await house.timeline(answer.body["lead_id"]), "no_bid")
        assert no["detail"] == "***, ***: ours"
        ping = {"zip": "78701", "birth_date": "1991-04-02", "currently_insured": True}
        await house.post(ping, path="/v1/pings")
        rows = [line for (line,) in await house.fetch("SELECT t::text FROM moment t")]
        assert "ours" in "".join(rows)
        assert "555-0123" not in "".join(rows)


async def test_what_a_buyer_gives_back_names_nobody_to_an_operator(house):
    """A telephone as the reference, a name in the redirect: the seller alone is sent there."""
    url = "https://acme.example/thanks?name=Ann+Lee&mail=ann.lee%40example.com&n=7"

    async def took(post):
        return Accepted(reference=f"crm {post.lead['phone']}", redirect_url=url)

    application = app(lambda _: Bid(9), took)
    async with TestServer(application) as server:
        base = str(server.make_url("")).rstrip("/")
        calls = "\n".join(f'{kind} = {{ url = "{base}/{kind}" }}' for kind in ("ping", "post"))
        await house.apply(market(buyer("acme", offer=calls), campaign()))
        await house.open()
        answer = await house.post()
        assert answer.body["sales"][0]["redirect_url"] == url
        seen = await house.admin(answer.body["lead_id"])
        [sale], [heard] = seen["sales"], seen["heard"]["sales"]
        assert sale["reference"] == "crm ***"
        veiled = "https://acme.example/thanks?name=***+***&mail=***&n=7"
        assert (sale["redirect_url"], heard["redirect_url"]) == (veiled, veiled)
        assert [
            row["reference"] for row in await house.fetch("SELECT reference FROM sale_end")
        ] == ["crm ***"]


# What a ping shows


async def test_a_ping_shows_just_what_the_vertical_lists(house):
    """Row 35: an allow-list; each field as coarse as its `show` says, no other field at all."""
    lines = {
        'vehicle_year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }': (
            'vehicle_year = { type = "int", privacy = "attribute", show = "hidden" }\n'
            'loan = { type = "int", privacy = "quasi" }\n'
            'expiry = { type = "date", privacy = "quasi", show = "year" }'
        ),
        'zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }': (
            'zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "zip3" }'
        ),
    }
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        text = market(buyer("acme", fleet.base_url), campaign())
        for old, new in lines.items():
            assert old in text
            text = text.replace(old, new)
        await house.apply(text)
        await house.open()
        more = {"credit": "good", "vehicle_year": 2019, "loan": 5, "expiry": "2027-04-02"}
        await house.post({**ANN, **more}, consent={"tcpa": True, "jornaya_id": "J-1"})
        [ping] = bodies(fleet.books["acme"].requests, "/ping")
    assert set(ping) == {"ping_id", "vertical", "test", "auction", "lead", "source", "consent"}
    shown = ping["lead"]
    assert shown.pop("age_band") in {"30-34", "35-39", "40-44"}
    assert {len(shown.pop("phone_hash")), len(shown.pop("email_hash"))} == {64}
    assert 0 <= shown.pop("score") <= 100
    assert shown == {
        "zip3": "787",
        "state": "TX",
        "currently_insured": True,
        "credit": "good",
        "expiry_year": 2027,
    }
    assert ping["consent"] == {"tcpa": True, "jornaya_id": "J-1"}
    assert ping["source"].pop("id") != "search"
    assert ping["source"] == {"channel": "search"}


async def test_a_text_that_repeats_the_person_waits_for_the_winner(house):
    """Whoever types a telephone where the occupation belongs is not named to all who bid."""
    old = 'vehicle_year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }'
    texts = "\n".join(f'{n} = {{ type = "text", privacy = "attribute" }}' for n in ("job", "make"))
    told = {"job": "ask for Ann Lee, 512 555 0123", "make": "Lee"}
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        text = market(buyer("acme", fleet.base_url), campaign())
        assert old in text
        await house.apply(text.replace(old, texts))
        await house.open()
        assert (await house.post({**ANN, **told})).body["status"] == "sold"
        [ping] = bodies(fleet.books["acme"].requests, "/ping")
        [post] = bodies(fleet.books["acme"].requests, "/post")
    assert told.items() & ping["lead"].items() == {("make", "Lee")}
    assert told.items() <= post["lead"].items()


async def test_what_an_offer_may_not_see_it_sees_under_no_name_until_it_wins(house):
    """`hide` takes the age band with the birth date and the hash with the telephone."""
    hide = 'hide = ["birth_date", "phone", "zip"]'
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"}), keep=9) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, offer=hide, ping_ms=900),
                buyer("bravo", fleet.base_url, ping_ms=900),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
        assert offers(await house.timeline(answer.body["lead_id"]), "accepted") == ["acme"]
        [less], [more] = (bodies(fleet.books[name].requests, "/ping") for name in ("acme", "bravo"))
        [post] = bodies(fleet.books["acme"].requests, "/post")
    hidden = {"zip", "age_band", "phone_hash"}
    assert set(more["lead"]) - set(less["lead"]) == hidden
    assert not hidden & set(less["lead"])
    assert post["lead"]["birth_date"] == ANN["birth_date"]
    assert (post["lead"]["phone"], post["lead"]["zip"]) == ("+15125550123", "78701")


# Keys of buyers


async def test_hashes_are_keyed_per_buyer_with_its_own_secret(house):
    """Two buyers cannot compare what they saw; one with a secret recognizes its own customer."""
    async with Fleet(
        bidding({"acme": "13.00", "bravo": "12.00", "plain": "11.00"}), keep=9
    ) as fleet:
        await house.apply(
            market(
                buyer("acme", fleet.base_url, ping_ms=900),
                buyer("bravo", fleet.base_url, ping_ms=900),
                buyer("plain", fleet.base_url, ping_ms=900, offer='hash = "sha256"'),
                campaign(),
            )
        )
        secret = await house.key("signing", "acme")
        await house.open()
        await house.post()
        await house.post(person(7))
        pings = {name: bodies(book.requests, "/ping") for name, book in fleet.books.items()}
    hashes = {name: [ping["lead"]["phone_hash"] for ping in seen] for name, seen in pings.items()}
    assert len({value for seen in hashes.values() for value in seen}) == 6
    assert hashes["acme"][0] == phone_hash(secret, ANN["phone"])
    assert pings["acme"][0]["lead"]["email_hash"] == email_hash(secret, ANN["email"])
    assert hashes["plain"][0] == hashlib.sha256(b"5125550123").hexdigest()
    aliases = {name: {ping["source"]["id"] for ping in seen} for name, seen in pings.items()}
    assert all(len(alias) == 1 for alias in aliases.values())
    assert len(set.union(*aliases.values())) == 3


async def test_pings_and_posts_are_signed_with_the_buyers_secret(house):
    """Standard Webhooks: the id is the ping's or the sale's; without a secret nothing is signed."""
    async with Fleet(bidding({"acme": "13.00", "bravo": "12.00"}), keep=9) as fleet:
        await house.apply(
            market(*(buyer(name, fleet.base_url, ping_ms=900) for name in fleet.specs), campaign())
        )
        secret = await house.key("signing", "acme")
        fleet.change(bidding({"acme": "13.00"}, secret=secret)[0])
        await house.open()
        answer = await house.post()
        assert offers(await house.timeline(answer.body["lead_id"]), "accepted") == ["acme"]
        assert fleet.books["acme"].unsigned == 0
        for request in fleet.books["acme"].requests:
            headers, body = dict(request.headers), json.loads(request.body)
            assert Signatures([secret]).accept(headers, request.body)
            assert not Signatures([secret]).accept(headers, request.body + b" ")
            assert headers["webhook-id"] == body.get("sale_id", body["ping_id"])
        for request in fleet.books["bravo"].requests:
            assert not [name for name, _ in request.headers if name.startswith("webhook-")]


async def test_a_rotated_secret_signs_and_keys_from_then_on(house):
    """A new secret is in use when the command that made it returns."""
    async with Fleet(bidding({"acme": "13.00"}), keep=9) as fleet:
        await house.apply(market(buyer("acme", fleet.base_url, ping_ms=900), campaign()))
        await house.open()
        secrets = []
        for number in range(2):
            house.keys.clear()
            secrets.append(await house.key("signing", "acme"))
            await house.post(person(number))
        requests = [one for one in fleet.books["acme"].requests if one.path.endswith("/ping")]
    for request, secret, other in zip(requests, secrets, reversed(secrets), strict=True):
        assert Signatures([secret]).accept(dict(request.headers), request.body)
        assert not Signatures([other]).accept(dict(request.headers), request.body)
