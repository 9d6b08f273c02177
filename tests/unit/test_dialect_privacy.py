"""No mapping lets a person out: what is pinged, shown or kept to be seen is the same for anybody.

Two people who differ in nothing but who they are, and in what a ping hides of them, get the very
same pings, byte by byte, by every mapping that compiles; and posts that look the same to all who
may see them later.
"""

import asyncio
import hashlib
from datetime import date

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exchange.auction.foreign import Terms, view_of
from exchange.auction.ping import Showing
from exchange.contract.mapping import MappingPart
from exchange.delivery.delivery import Delivery, Parcel
from exchange.delivery.parcels import packed, unpacked
from exchange.dialect.compiling import DialectError, Setting, ping_dialect, post_dialect
from exchange.domain import anonymize
from exchange.domain.bid import Bid
from exchange.domain.ids import SaleId
from exchange.domain.offer import HashKind, OnNoAnswer, PostTerms
from exchange.domain.vertical import Field, FieldType, Privacy, Show, Vertical
from exchange.story.wording import Won, message_of
from exchange.wire.call import Outcome
from exchange.wire.endpoints import Endpoints
from tests.making import NOW_US, a_campaign, an_offer
from tests.making_dialect import POST, mapping_of
from tests.making_intake import a_body, a_snapshot, accepted

IDENTITY = {
    "first_name": FieldType.NAME,
    "last_name": FieldType.NAME,
    "phone": FieldType.PHONE,
    "mobile": FieldType.PHONE,
    "email": FieldType.EMAIL,
    "address": FieldType.ADDRESS,
    "ssn": FieldType.TEXT,
    "member": FieldType.INT,
    "income": FieldType.DECIMAL,
    "born": FieldType.DATE,
}
QUASI = {
    "zip": (FieldType.US_ZIP, [Show.AS_IS, Show.ZIP3, Show.HIDDEN]),
    "birth_date": (FieldType.DATE, [Show.AGE_BAND, Show.AGE, Show.YEAR, Show.HIDDEN]),
    "expiry": (FieldType.DATE, [Show.YEAR, Show.HIDDEN]),
    "notes": (FieldType.TEXT, [Show.HIDDEN]),
}
URL = "https://buyer.example/leads"
SECRETS = {"key": b"s3cr&t/+"}


def a_vertical(shows, hashed):
    fields = [
        Field(name=name, type=kind, privacy=Privacy.IDENTITY,
              show=Show.HASH if name in hashed else Show.HIDDEN)
        for name, kind in IDENTITY.items()
    ] + [
        Field(name=name, type=kind, privacy=Privacy.QUASI, show=shows[name])
        for name, (kind, _) in QUASI.items()
    ]  # fmt: skip
    fields += [
        Field(name="state", type=FieldType.US_STATE, privacy=Privacy.ATTRIBUTE, show=Show.AS_IS),
        Field(name="insured", type=FieldType.BOOL, privacy=Privacy.ATTRIBUTE, show=Show.AS_IS),
    ]
    return Vertical("auto", "Auto", {field.name: field for field in fields})


VERTICALS = st.builds(
    a_vertical,
    st.fixed_dictionaries({name: st.sampled_from(shows) for name, (_, shows) in QUASI.items()}),
    st.sets(st.sampled_from(["phone", "email"])),
)
letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=10)
PHONES = st.integers(10_000, 99_999).map("51246{}".format)
PEOPLE = st.fixed_dictionaries(
    {
        "first_name": letters,
        "last_name": letters.map("O'{}-é".format),
        "phone": PHONES,
        "mobile": PHONES,
        "email": letters.map("{}@example.com".format),
        "address": letters.map('7 "{}" Row & Söhne'.format),
        "ssn": st.integers(100_000_000, 999_999_999).map(str),
        "member": st.integers(10_000, 10**11),
        "income": st.decimals(1000, 999_999, places=2).map(str),
        "born": st.dates(min_value=date(1950, 1, 1),
                         max_value=date(1990, 1, 1)).map(str),
        "notes": letters,
    }
)  # fmt: skip


def submitted(vertical, person):
    """A person's lead through the real intake."""
    lead = {**person, "zip": "78701", "birth_date": "1991-04-02", "expiry": "2027-05-06",
            "insured": True}  # fmt: skip
    market = a_snapshot(
        verticals={vertical.id: vertical}, campaigns={"auto-us": a_campaign(vertical_id="auto")}
    )
    consent = {"tcpa": True, "text": "I agree", "url": "https://s.example/", "ip": "203.0.113.77"}
    return accepted(a_body(lead, consent=consent), market)


# Mappings

CALLS = st.sampled_from(
    [
        *("digits", "national", "e164", "dashes", "upper", "lower", "title", "trim", "first(3)"),
        *("last(4)", "replace(a,b)", "default(none)", "map(m)", "yes_no", "one_zero(upper)"),
        *("date(MM/DD/YYYY)", "iso", "unix", "money", "cents", "round(1)", "int", "text"),
        *("number", "bool", "md5", "sha1", "sha256", "base64", "url", "true_false", "y_n"),
        *("unix_ms", "date(D)"),
    ]
)
BESIDE = [
    *("consent.tcpa", "consent.jornaya_id", "consent.trustedform_ping_url"),
    *("source.id", "source.channel", "auction.floor", "auction.currency", "auction.tmax_ms"),
    *("ping.id", "vertical", "test", "now", "param.p", "value.v", "value.w", "secret:key"),
]
POST_NAMES = [
    *(f"lead.{name}" for name in (*IDENTITY, *IDENTITY, *QUASI, "state", "insured", "age")),
    *("consent.text", "consent.ip", "consent.url", "sale.id", "sale.price", "bid.token"),
    *("now", "param.p", "value.v", "value.w", "secret:key", "lead.phone_hash"),
]
CONDITIONS = ["insured", 'state == "TX"', "age >= 25", 'zip == "78701"', 'age_band == "35-39"',
              "score > 1", "test", 'first_name == "x"', 'birth_date > "1990-01-01"']  # fmt: skip


def holes(names):
    return st.builds(
        lambda name, calls: "{" + "|".join([name, *calls]) + "}",
        st.sampled_from(names),
        st.lists(CALLS, max_size=3),
    )


@st.composite
def mappings(draw, half, names, conditions):
    """Return a mapping that says some of these names in some kind of message."""
    some = st.lists(holes(names), min_size=1, max_size=4)
    texts = draw(some)
    kind = draw(st.sampled_from(["json", "form", "query", "xml", "text", "inner"]))
    body = {
        "json": {"json": {"a": texts, "b": {"c": " ".join(texts)}}},
        "form": {"form": {f"a{i}": text for i, text in enumerate(texts)}},
        "query": {"query": {f"a{i}": text for i, text in enumerate(texts)}},
        "xml": {"xml": f"<r a='{texts[0]}'>{''.join(f'<v>{text}</v>' for text in texts)}"
                       f"<c><![CDATA[{texts[0]}]]></c></r>"},
        "text": {"text": "\n".join(texts)},
        "inner": {"form": {"d": {"json": texts}, "x": {"xml": f"<r>{texts[0]}</r>"}}},
    }[kind]  # fmt: skip
    then = draw(some)
    message = {
        "body": body,
        "headers": {f"X-{i}": text for i, text in enumerate(draw(st.lists(holes(names))))},
        "auth": {"hmac": {"secret": "key", "header": "X-Sign", "over": "{timestamp}"}},
        "yes" if half == "ping" else "accepted": {"path": "ok", "equals": [True]},
    }
    tree = {
        "id": "any",
        "empty": draw(st.sampled_from(["omit", "empty", "null"])),
        "params": {"p": "par"},
        "maps": {"m": {"TX": "Texas", "35-39": "middle", "*": "rest"}},
        "value": {
            name: {"cases": [{"when": draw(st.sampled_from(conditions)), "then": then[0]}],
                   "else": then[-1]}
            for name in ("v", "w")
        },
        half: message,
    }  # fmt: skip
    try:
        return msgspec.convert(tree, MappingPart)
    except msgspec.ValidationError:  # a value names itself
        raise AssertionError(tree) from None


# Pings


def pinged(mapping, vertical, submission, kind):
    """All that goes out of the exchange in one ping, as the auction makes it, and every repr."""
    offer = an_offer(hash_kind=kind)
    setting = Setting(vertical=vertical, hidden=offer.hidden, secrets=SECRETS)
    dialect = ping_dialect(mapping, setting)
    lead = submission.lead
    showing = Showing(
        vertical_id="auto",
        test=False,
        fields={**anonymize.shown(lead, vertical, frozenset()), "score": 50},
        consent=lead.consent,
        currency="USD",
        channel=lead.source.channel,
    )
    hashes = {
        name: digest
        for name in anonymize.hashed_fields(vertical)
        if (digest := anonymize.person_hash(submission.fingerprint, name, offer))
    }
    terms = Terms(
        ping_id="p-1", floor=5_000_000, tmax_ms=280, source_id="s", max_buyers=1, at_us=NOW_US
    )
    view = view_of(showing, offer, hashes, terms)
    message = dialect.render(view)
    parts = (message.query, message.headers, message.body, dialect.proof(URL, message, NOW_US))
    return b"\n".join(parts), repr((dialect, message, setting)), hashes


@st.composite
def pings(draw):
    """Return a vertical and a mapping whose ping names what that vertical shows, and more."""
    vertical = draw(VERTICALS)
    shown = [f"lead.{name}" for name in anonymize.ping_names(vertical, frozenset())]
    conditions = [one for one in CONDITIONS if one.split()[0] not in {"first_name", "birth_date"}]
    return vertical, draw(mappings("ping", [*shown, *shown, *BESIDE], conditions))


@given(pings(), PEOPLE, PEOPLE)
def test_a_ping_is_the_same_for_whoever_it_is(spoken, one, other):
    """But for hashes under the buyer's own key; neither a repr nor an error says more."""
    vertical, mapping = spoken
    hashless = a_vertical(shows_of(vertical), ())
    try:
        sent, shown, _ = pinged(mapping, hashless, submitted(hashless, one), HashKind.KEYED)
    except DialectError:
        assume(False)
    again, as_shown, _ = pinged(mapping, hashless, submitted(hashless, other), HashKind.KEYED)
    assert sent == again
    assert shown == as_shown


def shows_of(vertical):
    return {name: vertical.fields[name].show for name in QUASI}


PLAIN = {HashKind.KEYED: (), HashKind.SHA256: ("sha256",), HashKind.MD5: ("md5",)}


@given(pings(), PEOPLE, st.sampled_from(list(HashKind)))
def test_a_hash_in_a_ping_is_keyed_unless_the_offer_says_another(spoken, person, kind):
    """No ping holds a plain hash of telephone or address but the one that `hash` allows."""
    vertical, mapping = spoken
    try:
        sent, _, hashes = pinged(mapping, vertical, submitted(vertical, person), kind)
    except DialectError:
        assume(False)
    for name in ("md5", "sha1", "sha256"):
        for value in (person["phone"], "1" + person["phone"], person["email"]):
            digest = hashlib.new(name, value.encode(), usedforsecurity=False).hexdigest()
            if name not in PLAIN[kind]:
                assert digest.encode() not in sent.lower()
                assert digest not in hashes.values()


PLACES = {
    "json": 'body.json = { a = [ { b = "{hole}" } ] }',
    "within": 'body.json = { a = "x {hole} y" }',
    "form": 'body.form = { a = "{hole}" }',
    "inner": 'body.form.a = { json = { b = "{hole}" } }',
    "document": 'body.form.a = { xml = "<a>{hole}</a>" }',
    "query": 'body.query = { a = "{hole}" }',
    "beside": 'query = { a = "{hole}" }',
    "xml": 'body.xml = "<a><b>{hole}</b></a>"',
    "attribute": "body.xml = \"<a b='{hole}'/>\"",
    "text": 'body.text = "{hole}"',
    "header": 'headers = { X-A = "{hole}" }',
    "bearer": 'auth = { bearer = "{hole}" }',
    "basic": 'auth.basic = { user = "{hole}" }',
    "signed": 'auth.hmac = { secret = "key", header = "X", over = "{hole}" }',
    "value": 'body.text = "{value.v}"\n[value.v]\ncases = [ { when = "test", then = "{hole}" } ]',
    "else": 'body.text = "{value.v}"\n[value.v]\ncases = [ { when = "test", then = 1 } ]\n'
    'else = "{hole}"',
    "condition": 'body.text = "{value.v}"\n[value.v]\n'
    "cases = [ { when = 'NAME == \"x\"', then = 1 } ]",
}
HIDING = a_vertical(dict.fromkeys(QUASI, Show.HIDDEN), {"phone", "email"})


@pytest.mark.parametrize("field", [*IDENTITY, *QUASI])
@pytest.mark.parametrize("place", PLACES)
def test_a_ping_that_names_a_person_is_an_error(place, field):
    """Wherever, with whichever filter: a hash of a telephone tells the telephone."""
    for filtered in ("", "|md5", "|first(1)", "|default(x)"):
        text = PLACES[place].replace("hole", f"lead.{field}{filtered}").replace("NAME", field)
        mapping = mapping_of(f'[ping]\nyes = {{ path = "ok", equals = [1] }}\n{text}')
        with pytest.raises(DialectError) as raised:
            ping_dialect(mapping, Setting(vertical=HIDING, secrets=SECRETS))
        assert field in str(raised.value)


# Posts


class Wire:
    """Answers every call."""

    async def fan_out(self, calls, deadline_at):
        del deadline_at
        [call] = calls
        call.outcome, call.status, call.body = Outcome.ANSWERED, 200, b'{"ok":true}'
        call.sent_at = call.ended_at = 1.0


async def delivered(mapping, vertical, submission):
    """A post as it is kept with its award, sent, and captured."""
    dialect = post_dialect(mapping, Setting(vertical=vertical, secrets=SECRETS))
    offer = an_offer(post=PostTerms(URL, 1000, OnNoAnswer.WAIT, 120, dialect=dialect))
    bid = Bid(offer=offer, price=9_000_000, bid_id="b", ping_id="p", token="t")
    won = Won(sale_id=SaleId("sale-1"), bid=bid, price=bid.price, score=50, at_us=NOW_US)
    message = message_of(won, submission, vertical)
    parcel = Parcel(SaleId("sale-1"), offer, unpacked(packed(message)))
    assert parcel.message == message
    delivery = Delivery(Wire(), Endpoints({}), now_us=lambda: NOW_US, late_grace_ms=0.0)
    return await delivery.post(parcel, repeated=False), message


@given(
    VERTICALS,
    mappings("post", POST_NAMES, [one for one in CONDITIONS if "first" not in one]),
    PEOPLE,
    PEOPLE,
)
def test_a_post_that_is_kept_to_be_seen_is_the_same_for_whoever_it_is(
    vertical, mapping, one, other
):
    """Whatever filters made of a value: its hash, its last digits, a date the other way round."""
    people = [submitted(vertical, {**person, "notes": "same"}) for person in (one, other)]
    try:
        first, message = asyncio.run(delivered(mapping, vertical, people[0]))
    except DialectError:
        assume(False)
    second, _ = asyncio.run(delivered(mapping, vertical, people[1]))
    assert first.request == second.request
    assert b"s3cr" not in first.request
    lengths = f"{len(message.query)}, {len(message.headers)}, {len(message.body)}"
    assert repr(message) == f"Message({lengths} bytes)"


def test_a_kept_post_shows_all_but_the_person():
    """Its shape, constants and attributes stay; a buyer's own words about it are cleaned too."""
    body = (
        'body.form = { n = "{lead.first_name|first(1)}.", p = "{lead.phone|last(4)}",'
        ' h = "{lead.email|lower|sha256}", b = "{lead.born|date(MM/DD/YYYY)}", z = "{lead.zip}",'
        ' i = "{lead.insured|yes_no}", k = "{secret:key}", s = "{sale.id}", ip = "{consent.ip}" }'
    )
    mapping = mapping_of(f'[post]\naccepted = {{ path = "ok", equals = [true] }}\n{body}')
    person = dict.fromkeys(IDENTITY, "Zyx") | {
        "phone": "5125550147", "mobile": "5125550148", "email": "zyx@example.com",
        "member": 1, "income": "2", "born": "1950-03-04",
    }  # fmt: skip
    post, message = asyncio.run(delivered(mapping, HIDING, submitted(HIDING, person)))
    assert b"n=Z.&p=0147" in message.body
    shown = post.request.partition(b"\r\n\r\n")[2].decode()
    assert shown == "n=***.&p=***&h=***&b=***&z=78701&i=yes&k=***&s=sale-1&ip=***"


def test_a_post_that_names_nobody_is_shown_as_it_is():
    """Nothing is rendered or kept twice that need not be."""
    mapping = mapping_of(
        '[post]\naccepted = { path = "ok", equals = [true] }\nbody.form = { z = "{lead.zip}" }'
    )
    dialect = post_dialect(mapping, Setting(vertical=HIDING, secrets=SECRETS))
    assert dialect.render(POST).shown is None
