"""Buyers in their own dialects, called by configuration alone, over HTTP from lead to outcome."""

import asyncio
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from bidders.fleet import Fleet
from exchange.domain.dialect import Message
from tests.acceptance.audit import at_rest
from tests.acceptance.buyers import bidding
from tests.acceptance.foreign import CRM, DIRECT, FORM, XML, Says, foreign, offer
from tests.acceptance.ghost import a_ghost
from tests.acceptance.house import ANN, person, until
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.test_in_doubt import get
from tests.acceptance.timelines import events, of, offers, reason, reasons

YES = Says('{"status": "continue", "price": "$11.50", "promise": "T/1+2=&"}')
SOLD = Says(
    '\ufeff{"status": "1", "lead_id": 991, "redirect_url": "https://acme.example/hi?a=1&b=2"}'
)


# Alone, or with others

ALONE_AT = '[mapping.ping.exclusive_price]\npath = "alone"\n'
ALONE = (
    FORM.replace("[mapping.ping.token]", f"{ALONE_AT}[mapping.ping.token]")
    .replace('tmax = "{auction.tmax_ms}"', 'with = "{auction.max_buyers}"')
    .replace('phone = "{lead', 'with = "{sale.max_buyers}"\nphone = "{lead')
)


@pytest.mark.parametrize(
    ("said", "price", "bid"),
    [
        ('"price": 5, "alone": "$20.00"', 17.0, "20.00 for it alone"),
        ('"alone": "$20.00"', 17.0, "20.00 for it alone"),
        ('"price": 5, "alone": "$8.00"', 9.35, "8.00 for it alone"),
        ('"price": 5', 9.35, None),
        ('"price": 5, "alone": "all of it"', 5.1, "an exclusive price that cannot be read"),
        ('"price": 5, "alone": 2000', 5.1, "exclusive price: over the offer's maximum"),
    ],
)
async def test_a_foreign_buyer_says_what_being_alone_is_worth(house, said, price, bid):
    """One pays 6 for sharing; the other gets it alone where that brings more, and hears so."""
    said = f'{{"status": "continue", {said}, "promise": "T-1"}}'
    async with (
        foreign(form_ping=Says(said), form_post=SOLD) as server,
        Fleet(bidding({"acme": "6.00"}), keep=9) as fleet,
    ):
        two = campaign(lines='[[campaign.stage]]\nmethod = "auction"\nmax_buyers = 2')
        await house.apply(
            market(ALONE, offer(server, "form"), buyer("acme", fleet.base_url, ping_ms=900), two)
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        [ping], posts = server.seen["/form/ping"], server.seen["/form/post"]
    assert answer.body["price"] == price
    assert ping.form["with"] == "2"
    assert [post.form["with"] for post in posts] == {17.0: ["1"], 9.35: ["2"], 5.1: []}[price]
    [line] = [*of(timeline, "bid", "form"), *of(timeline, "no_bid", "form")]
    assert line.get("detail") == bid


async def test_where_one_buyer_is_asked_for_its_price_alone_the_higher_of_both_counts(house):
    """Being alone is what such a stage sells, in whatever dialect; a quote keeps both prices."""
    said = Says('{"status": "continue", "price": 5, "alone": "$20.00", "promise": "T-1"}')
    async with foreign(form_ping=said, form_post=SOLD) as server:
        two = 'disclose_buyer = true\n[[campaign.stage]]\nmethod = "auction"\nmax_buyers = 2'
        shared = campaign("shared", lines=two)
        await house.apply(market(ALONE, offer(server, "form"), campaign(), shared))
        await house.open()
        assert (await house.post()).body["price"] == 17.0
        quoted = (await house.post(person(1), path="/v1/pings", campaign="shared")).body
        path = f"/v1/pings/{quoted['ping_id']}/post"
        sold = (await house.post(person(1), path=path, campaign="shared")).body
    assert (quoted["price"], sold["price"]) == (17.0, 17.0)
    assert [post.form["with"] for post in server.seen["/form/post"]] == ["1", "1"]


# Won


async def test_a_form_buyer_is_asked_wins_and_gets_its_own_token_back(house):
    """A form each way out, JSON that calls itself HTML back; the price with its currency sign."""
    async with foreign(form_ping=YES, form_post=SOLD) as server:
        await house.apply(market(FORM, offer(server, "form"), campaign()))
        await house.open()
        answer = await house.post(consent={"tcpa": True})
        assert answer.body["status"] == "sold"
        assert answer.body["price"] == 9.77
        assert answer.body["sales"][0]["redirect_url"] == "https://acme.example/hi?a=1&b=2"
        view = await house.admin(answer.body["lead_id"])
        [ping], [post] = server.seen["/form/ping"], server.seen["/form/post"]
    assert ping.header("Content-Type") == ["application/x-www-form-urlencoded"]
    assert ping.form["zip"] == "78701"
    assert ping.form["insured"] == "yes"
    assert ping.form["segment"] == "kept"
    assert len(ping.form["tel"]) == 64
    assert 0 < int(ping.form["tmax"]) <= 900
    assert "credit" not in ping.form, "what is not known is left away"
    assert post.form["promise"] == "T/1+2=&"
    assert post.form["phone"] == "5125550123"
    assert post.form["price"] == "11.50"
    [sale] = view["sales"]
    assert (sale["price"], sale["reference"]) == (11.5, "991")
    assert post.header("Idempotency-Key") == [sale["sale_id"]]
    await at_rest(house)


async def test_an_xml_buyer_wins_and_is_posted_to_in_xml(house):
    """Elements, attributes, a header of the lead's own; what is filled in is escaped."""
    said = Says('<result><code>0</code><bid amount="12.00"/><session>s&amp;1</session></result>')
    async with foreign(xml_ping=said, xml_post=Says("<r><code id='X7'>0</code></r>")) as server:
        await house.apply(market(XML, offer(server, "xml"), campaign()))
        await house.open()
        lead = {**ANN, "first_name": "Ann <b>", "last_name": "O'Lee & Co"}
        answer = await house.post(lead)
        assert answer.body["status"] == "sold"
        view = await house.admin(answer.body["lead_id"])
        [ping], [post] = server.seen["/xml/ping"], server.seen["/xml/post"]
    assert ping.header("X-Dialect") == ["TX"]
    assert b"<zip>78701</zip>" in ping.body
    assert b'session="s&amp;1"' in post.body
    assert b"&amp; Co</name>" in post.body
    assert view["sales"][0]["reference"] == "X7"


async def test_a_direct_post_in_the_address_is_a_sale_at_the_offers_price(house):
    """No ping: it competes unasked; the person stands in the post's query and nowhere else."""
    async with foreign(direct_post=Says("<OK> success!", content_type="text/plain")) as server:
        await house.apply(
            market(
                DIRECT,
                offer(server, "direct", ping=False, more="price = 8.00"),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
        assert (answer.body["status"], answer.body["price"]) == ("sold", 6.8)
        [post] = server.seen["/direct/post"]
    assert post.method == "GET"
    assert dict(parse_qsl(urlsplit(post.path).query)) == {
        "fn": "Ann",
        "ph": "512-555-0123",
        "dob": "04/02/1991",
    }
    assert not post.header("Content-Type")


async def test_a_crm_is_called_with_its_key_which_is_nowhere_else(house):
    """PUT, nested JSON with its types, a bearer; in no capture, no timeline, no log, no try."""
    key, tenant = "crm-s3cret/+=", 'tenant "9"'
    async with foreign(crm_post=Says('{"id": "c-1"}', status=201)) as server:
        await house.secret("crm_key", key)
        await house.secret("tenant", tenant)
        text = market(CRM, offer(server, "crm", ping=False, more="price = 8.00"), campaign())
        await house.apply(text)
        process = await house.start(log_level="debug")
        answer = await house.post()
        assert answer.body["status"] == "sold"
        view = json.dumps(await house.admin(answer.body["lead_id"]))
        operator = await house.key("operator", "tests")
        tried = await house.call("POST", "/v1/admin/offers/crm/try", key=operator)
        metrics = await house.call("GET", "/metrics")
        await process.stop()
        [post] = server.seen["/crm/post"]
    assert post.method == "PUT"
    assert post.header("Authorization") == [f"Bearer {key}"]
    assert post.header("X-Tenant") == [tenant]
    body = json.loads(post.body)
    assert body["person"]["phones"] == ["+15125550123"]
    assert isinstance(body["person"]["age"], int)
    assert body["key"] == tenant
    assert "***" in tried.body["post"]["request"]["body"]
    stored = await house.fetch("SELECT s::text FROM secret s")
    configured = await house.fetch("SELECT m::text FROM market_object m")
    for text in (
        *(view, json.dumps(tried.body), process.log.read_text(), metrics.body),
        *(row[0] for row in (*stored, *configured)),
    ):
        for trace in ("crm-s3cret", 'tenant \\"9', 'tenant "9', "crm-s3cret%2F"):
            assert trace not in text


async def test_a_quote_keeps_the_token_until_its_post(house):
    """The ping's promise travels in the quote, sealed, and comes back with the lead."""
    async with foreign(form_ping=YES, form_post=SOLD) as server:
        await house.apply(market(FORM, offer(server, "form"), campaign()))
        await house.open()
        quoted = await house.post({"zip": "78701", "currently_insured": True}, path="/v1/pings")
        assert quoted.body["status"] == "quoted"
        sold = await house.post(ping_id=quoted.body["ping_id"])
        assert sold.body["status"] == "sold"
        assert len(server.seen["/form/ping"]) == 1
        [post] = server.seen["/form/post"]
    assert post.form["promise"] == "T/1+2=&"


async def test_a_lower_price_in_the_answer_is_taken(house):
    """The buyer pays what it says, the seller gets what was promised."""
    said = Says('{"status": 1, "paid": "$ 10.25"}')
    async with foreign(form_ping=YES, form_post=said) as server:
        await house.apply(market(FORM, offer(server, "form"), campaign()))
        await house.open()
        answer = await house.post()
        assert answer.body["price"] == 9.77
        [line] = of(await house.timeline(answer.body["lead_id"]), "accepted")
    assert (line["price"], line["detail"]) == (10.25, "lower price taken")


# Asked


@pytest.mark.parametrize(
    ("said", "why", "detail"),
    [
        (Says('{"status": "reject", "why": "no fit"}'), "no_bid", "no fit"),
        (Says("", status=204), "no_bid", None),
        (Says('{"status": "continue", "price": "0.00"}'), "no_bid", None),
        (Says('{"status": "continue", "price": "2000"}'), "invalid_bid", "maximum"),
        (Says('{"status": "continue", "price": "free"}'), "invalid_bid", "price"),
        (Says('{"status": "continue", "price": 9}', status=500), "invalid_bid", "500"),
        (Says('{"status": "maybe", "price": 9}'), "invalid_bid", "neither"),
        (Says("<html>success continue</html>"), "invalid_bid", "neither"),
        (Says("\x00\x01{["), "invalid_bid", "neither"),
    ],
    ids=str,
)
async def test_what_is_not_named_a_bid_is_none_and_disturbs_nobody(house, said, why, detail):
    """Each odd answer has its reason, and the standard buyer beside it wins."""
    async with (
        foreign(form_ping=said, form_post=SOLD) as server,
        Fleet(bidding({"acme": "6.00"}), keep=9) as fleet,
    ):
        await house.apply(
            market(
                FORM, offer(server, "form"), buyer("acme", fleet.base_url, ping_ms=900), campaign()
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert offers(timeline, "accepted") == ["acme"]
        assert not server.seen["/form/post"]
    [line] = of(timeline, "no_bid", "form")
    assert reason(line) == why
    assert detail is None or detail in line["detail"]


async def test_a_yes_without_a_price_bids_the_offers_own(house):
    """Where the mapping reads none; floors count for it as for every bid."""
    priceless = FORM.replace('[mapping.ping.price]\npath = "price"\n', "")
    async with foreign(form_ping=YES, form_post=SOLD) as server:
        await house.apply(
            market(
                priceless,
                offer(server, "form", more="price = 7.00"),
                campaign(),
                campaign("dear", lines="floor = 8.00"),
            )
        )
        await house.open()
        dear = await house.post(campaign="dear")
        assert reasons(await house.timeline(dear.body["lead_id"]), "bid") == {"form": "below_floor"}
        cheap = await house.post()
        assert (cheap.body["status"], cheap.body["price"]) == ("sold", 5.95)


# Not won


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (Says('{"status": "2", "text": "Ann at 512-555-0123 is ours"}'), "*** at *** is ours"),
        (Says('{"status": 2, "text": "duplicate"}'), "duplicate"),
    ],
    ids=["refused", "duplicate"],
)
async def test_a_refusal_goes_to_the_next_bidder_with_the_buyers_words_masked(house, said, detail):
    """A duplicate is a refusal; both say why, without the person."""
    async with (
        foreign(form_ping=YES, form_post=said) as server,
        Fleet(bidding({"acme": "6.00"}), keep=9) as fleet,
    ):
        await house.apply(
            market(
                FORM, offer(server, "form"), buyer("acme", fleet.base_url, ping_ms=900), campaign()
            )
        )
        await house.open()
        answer = await house.post()
        assert answer.body["status"] == "sold"
        timeline = await house.timeline(answer.body["lead_id"])
    assert events(timeline, "form")[-1] == "refused"
    assert of(timeline, "refused")[0]["detail"] == detail
    assert offers(timeline, "accepted") == ["acme"]


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (Says('{"status": 3}'), "the buyer will tell"),
        (Says("Internal error, success", status=500), "not understood: meets no rule, status 500"),
        (Says('{"status": "7"}', status=400), "not understood: meets no rule, status 400"),
    ],
    ids=["pending", "error", "unnamed"],
)
async def test_what_a_buyer_leaves_open_is_in_doubt_and_never_repeated(house, said, detail):
    """A buyer that knows no repetition gets the lead once; the sale waits, then it is void."""
    async with foreign(form_ping=YES, form_post=said) as server:
        waiting = offer(server, "form", post='on_no_answer = "wait", in_doubt_max_s = 3')
        await house.apply(market(FORM, waiting, campaign()))
        await house.open()
        answer = await house.post(timeout_ms=800)
        assert answer.body["status"] == "pending"
        end = await get(house, answer.body["lead_id"])
        assert (end.body["status"], end.body["reason"]["reason"]) == ("unsold", "void")
        timeline = await house.timeline(answer.body["lead_id"])
        assert len(server.seen["/form/post"]) == 1
    assert of(timeline, "in_doubt")[0]["detail"] == detail
    assert not of(timeline, "repeated")
    await at_rest(house)


async def test_a_buyer_that_knows_repetitions_is_asked_again_with_the_same_bytes(house):
    """Garbage, then `duplicate`: to a repetition that means the first one was accepted."""
    said = Says('<result><code>0</code><bid amount="12.00"/><session>s1</session></result>')
    posts = [Says("<html>oops"), Says("<r><code id='X7'>7</code></r>")]
    async with foreign(xml_ping=said, xml_post=posts) as server:
        await house.apply(market(XML, offer(server, "xml", post="in_doubt_max_s = 30"), campaign()))
        await house.open()
        answer = await house.post(timeout_ms=700)
        assert answer.body["status"] == "pending"
        end = await get(house, answer.body["lead_id"])
        assert end.body["status"] == "sold"
        first, second = server.seen["/xml/post"]
    assert first.body == second.body
    assert first.header("Idempotency-Key") == second.header("Idempotency-Key")


async def test_advance_voids_a_doubtful_sale_and_tries_the_next(house):
    """As with the standard format, where the offer says so."""
    async with (
        foreign(form_ping=YES, form_post=Says("?")) as server,
        Fleet(bidding({"acme": "6.00"}), keep=9) as fleet,
    ):
        await house.apply(
            market(
                FORM,
                offer(server, "form", post='on_no_answer = "advance"'),
                buyer("acme", fleet.base_url, ping_ms=900),
                campaign(),
            )
        )
        await house.open()
        answer = await house.post()
        timeline = await house.timeline(answer.body["lead_id"])
        assert len(server.seen["/form/post"]) == 1
    assert events(timeline, "form")[-3:] == ["in_doubt", "advanced", "voided"]
    assert offers(timeline, "accepted") == ["acme"]


# After a crash


@pytest.mark.parametrize("idempotent", [True, False], ids=["knows repetitions", "does not"])
async def test_after_a_crash_only_who_knows_repetitions_is_asked_again(house, idempotent):
    """The very same message under the same key; nobody gets a lead twice for our power cut."""
    dialect = XML if idempotent else XML.replace("idempotent = true", "")
    message = Message(query=b"v=2", headers=b"X-Own: 1\r\n", body=b"<lead>as it was</lead>")
    async with foreign(xml_ping=YES, xml_post=Says("<r><code>0</code></r>")) as server:
        waits = offer(server, "xml", post='on_no_answer = "wait", in_doubt_max_s = 3')
        await house.apply(market(dialect, waits, campaign()))
        async with a_ghost(house) as ghost:
            left = ghost.lead(1)
            assert await left.write()
            await left.award("xml", 9, message)
        await house.open()

        async def ended():
            return (await house.admin(left.lead_id))["status"] != "pending"

        await until(ended, 15)
        end = await house.admin(left.lead_id)
        posts = server.seen["/xml/post"]
    if idempotent:
        assert end["status"] == "sold"
        [post] = posts
        assert (post.path, post.body) == ("/xml/post?v=2", message.body)
        assert post.header("X-Own") == ["1"]
        assert post.header("Idempotency-Key") == [left.sale_id]
    else:
        assert (end["status"], end["reason"]["reason"]) == ("unsold", "void")
        assert posts == []
    await at_rest(house)


# Changed while it sells


async def test_a_new_secret_and_a_new_mapping_hold_when_the_command_returns(house):
    """Live workers swap; a market whose secret is missing is refused with its place."""
    async with foreign(crm_post=Says('{"id": "c-1"}', status=201)) as server:
        await house.secret("crm_key", "one")
        await house.secret("tenant", "t")
        text = market(CRM, offer(server, "crm", ping=False, more="price = 8.00"), campaign())
        await house.apply(text)
        await house.open()
        await house.post()
        await house.secret("crm_key", "two")
        await house.post()
        await house.apply(text.replace("Tenant =", "Client ="))
        await house.post()
        posts = server.seen["/crm/post"]
    assert [one.header("Authorization") for one in posts] == [
        ["Bearer one"],
        ["Bearer two"],
        ["Bearer two"],
    ]
    assert [bool(one.header("X-Client")) for one in posts] == [False, False, True]


async def test_mapped_and_standard_halves_of_one_offer_go_together(house):
    """A foreign ping and a standard post, and the other way round."""
    mixed = 'format = { ping = "form", post = "standard" }'
    async with foreign(form_ping=YES, form_post=Says('{"accepted": true}')) as server:
        text = offer(server, "form").replace('format = "form"', mixed)
        await house.apply(market(FORM, text, campaign()))
        await house.open()
        answer = await house.post()
        assert answer.body["status"] == "sold"
        [post] = server.seen["/form/post"]
    assert json.loads(post.body)["price"] == 11.5
    assert post.header("Content-Type") == ["application/json"]


async def test_many_leads_at_once_go_to_foreign_and_standard_buyers_alike(house):
    """Thirty at once: each sold once, to the better of two dialects, the books right."""
    async with (
        foreign(form_ping=YES, form_post=SOLD) as server,
        Fleet(bidding({"acme": "6.00"}), keep=99) as fleet,
    ):
        await house.apply(
            market(
                FORM,
                offer(server, "form", more="where = 'zip == \"78701\"'"),
                buyer("acme", fleet.base_url, ping_ms=900),
                campaign(lines="auction_deadline_ms = 5000"),
            )
        )
        await house.open()
        leads = [person(n, zip="78701" if n % 2 else "78702") for n in range(30)]
        answers = await asyncio.gather(*(house.post(lead) for lead in leads))
        assert {answer.body["status"] for answer in answers} == {"sold"}
        assert len(server.seen["/form/post"]) == 15
    await at_rest(house)
