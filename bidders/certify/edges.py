"""Checks of odd but possible leads: little is known, much is said, it comes from far away."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bidders.certify.caller import Asking, ImpossibleError, Way, changed
from bidders.certify.check import Check, Level, Try
from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.requests import rewritten
from bidders.certify.seen import Half, Seen, Symptom
from bidders.certify.session import Session
from exchange.domain.vertical import Field, FieldType, Privacy

FAR = ("96910", "00901")
"""Guam and Puerto Rico: in the United States, and in no list of fifty."""
ODD_TEXT = "Ñandú “Ω” 漢字 🚗 O'Neil & <Sons>"
ODD_NAMES = ("Zoë-Ann", "O'Neil & Søns")
UNKNOWN_VERTICAL = "certify_unknown"
UNKNOWN_FIELDS = {"certify_text": "new", "certify_list": [1, {"deep": None}], "certify_flag": True}
FOREIGN = Untried("a mapping says itself what is sent")
IDENTITY_WORDS = ("phone", "email", "e-mail", "first_name", "first name", "last name", "street")
ROUNDS_MAX = 8

Json = dict[str, Any]


def body_of(session: Session, change: Callable[[Json], None]) -> Way:
    """Return the way of a request in the exchange's own format with something else in its body."""

    def rewrite(body: bytes) -> bytes:
        told: Json = json.loads(body)
        change(told)
        return json.dumps(told, ensure_ascii=False).encode()

    return changed(rewritten(rewrite, session.target.offer.secret))


def verdict(seen: list[Seen]) -> Found:
    """Return whether each was answered soundly; being too busy is another matter."""
    bad = [one for one in seen if not one.sound]
    if bad:
        return Amiss(f"{len(bad)} of {len(seen)}: {bad[0].said}", tuple(bad[:2]))
    return Fine()


def edge(half: Half, askings: Callable[[Session], Iterator[tuple[Asking, Way | None]]]) -> Try:
    """Return a check that sends all of these and wants sound answers."""

    async def run(session: Session) -> Found:
        unsound = await session.sound(half)
        if unsound is not None:
            return unsound
        seen: list[Seen] = []
        refused = ""
        for asking, way in askings(session):
            try:
                if half is Half.PING:
                    seen.append(await session.caller.ping(asking, way))
                else:
                    seen.append(await session.caller.post(await session.sale(asking), way))
            except ImpossibleError as error:
                refused = f": {error}"
        if not seen:
            return Untried(f"no such call can come from the exchange{refused}")
        return verdict(seen)

    return run


def required(session: Session) -> frozenset[str]:
    """Return the fields that no lead lacks."""
    fields = session.target.vertical.fields.values()
    return frozenset(f.name for f in fields if f.required_in_ping or f.required_in_post)


def little_pinged(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield leads of which only the least is known."""
    yield session.other(only=required(session), bare=True), None
    if session.target.foreign:
        return
    pinged = {f.name for f in session.target.vertical.fields.values() if f.required_in_ping}

    def strip(told: Json) -> None:
        told["lead"] = {k: v for k, v in told["lead"].items() if k in {*pinged, "score"}}
        told["consent"] = {}

    yield session.other(only=required(session), bare=True), body_of(session, strip)


def little_posted(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield a sale of which only the least is known."""
    yield session.other(only=required(session), bare=True), None


def more_pinged(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield a ping with fields that the exchange may add some day."""
    if not session.target.foreign:

        def add(told: Json) -> None:
            for place in (told, told["lead"], told["auction"], told["consent"]):
                place.update(UNKNOWN_FIELDS)

        yield session.other(), body_of(session, add)


def more_posted(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield a post with fields that the exchange may add some day."""
    if not session.target.foreign:

        def add(told: Json) -> None:
            for place in (told, told["lead"], told["consent"]):
                place.update(UNKNOWN_FIELDS)

        yield session.other(), body_of(session, add)


def odd_words(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield leads whose texts are strange, and as long as they may be."""
    texts = [f for f in session.target.vertical.fields.values() if is_shown_text(f)]
    for text in (ODD_TEXT, "W" * 200) if texts else ():
        yield session.other(changes={f.name: text[: f.length_max] for f in texts}), None


def odd_names(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield sales to people whose names are not ASCII."""
    fields = session.target.vertical.fields.values()
    names = [f.name for f in fields if f.type is FieldType.NAME]
    for name in ODD_NAMES if names else ():
        yield session.other(changes=dict.fromkeys(names, name)), None


def is_shown_text(field: Field) -> bool:
    """Tell whether pings show a text that a person typed."""
    return field.type is FieldType.TEXT and field.privacy is Privacy.ATTRIBUTE and not field.pattern


def far_away(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield leads from territories."""
    fields = session.target.vertical.fields.values()
    names = [f.name for f in fields if f.type is FieldType.US_ZIP]
    for code in FAR if names else ():
        yield session.other(changes=dict.fromkeys(names, code)), None


def every_value(session: Session) -> Iterator[tuple[Asking, Way | None]]:
    """Yield leads that have every choice, yes and no, and both ends of every number."""
    fields = session.target.vertical.fields
    rounds = max((len(choices(field)) for field in fields.values()), default=0)
    for number in range(min(rounds, ROUNDS_MAX)):
        changes = {
            name: choices(field)[number % len(choices(field))]
            for name, field in fields.items()
            if choices(field)
        }
        yield session.other(changes=changes), None


def choices(field: Field) -> tuple[object, ...]:
    """Return the values that a field is tried with."""
    match field.type:
        case FieldType.CHOICE:
            return field.values
        case FieldType.BOOL:
            return (True, False)
        case FieldType.INT if field.minimum is not None and field.maximum is not None:
            return (int(field.minimum), int(field.maximum))
        case FieldType.DECIMAL if field.minimum is not None and field.maximum is not None:
            return (field.minimum, field.maximum)
        case _:
            return ()


async def unknown_vertical(session: Session) -> Found:
    """Ping a vertical that nobody has: no bid, and no error."""
    if session.target.foreign:
        return FOREIGN
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    way = body_of(session, lambda told: told.update(vertical=UNKNOWN_VERTICAL))
    seen = await session.caller.ping(session.other(), way)
    if not seen.sound:
        return Amiss(seen.said, (seen,))
    if seen.bid is not None:
        return Doubtful("it bids for a vertical that it cannot know", (seen,))
    return Fine()


async def no_identity(session: Session) -> Found:
    """Find out whether the endpoint asks for who it is before it bids."""
    pings = await session.pings()
    if not pings:
        return NO_PING_HERE
    if any(one.bid is not None for one in pings):
        return Fine()
    asking = [one for one in pings if wants_identity(one)]
    if not asking:
        return Untried("no ping brought a bid")
    first = asking[0]
    if first.symptom is Symptom.NONE:
        return Doubtful(
            f"nothing is bid for, and the answer speaks of identity: {first.said}", (first,)
        )
    return Amiss(f"it has no bid without a person's identity: {first.said}", (first,))


NO_PING_HERE = Untried("there is no ping")


def wants_identity(seen: Seen) -> bool:
    """Tell whether an answer without a bid speaks of what only a post has."""
    if seen.symptom not in {Symptom.NONE, Symptom.STATUS, Symptom.UNREADABLE}:
        return False
    body = seen.call.body[:2000].decode("utf-8", "replace").lower()
    return any(word in body for word in IDENTITY_WORDS)


async def tests_alike(session: Session) -> Found:
    """Compare what is said to a test with what is said to the same lead in earnest."""
    if not session.has_ping or await session.sound(Half.PING) is not None:
        return Untried("plain pings are not answered soundly, or there are none")
    if await session.bidding():
        return Fine()
    seen = [await session.caller.ping(Asking(number=n, like=n, test=False)) for n in range(3)]
    earnest = [one for one in seen if one.bid is not None]
    if earnest:
        return Amiss("leads are bid for only where test is false", tuple(earnest[:1]))
    return Fine("no bid either way")


def repeated_back(seen: Seen, told: Mapping[str, object]) -> list[str]:
    """Return the names of what an answer repeats of what it was sent."""
    answer = (seen.call.head + seen.call.body).lower()
    return [
        name
        for name, value in told.items()
        if isinstance(value, str) and len(value) >= TELLING and value.lower().encode() in answer
    ]


TELLING = 9
"""Shorter values are words that anybody uses."""


async def ping_echo(session: Session) -> Found:
    """Look whether answers to pings repeat the lead."""
    if session.target.foreign:
        return FOREIGN
    for seen in await session.pings():
        body = seen.call.request.partition(b"\r\n\r\n")[2]
        names = repeated_back(seen, json.loads(body)["lead"]) if seen.call.body else []
        if names:
            return Amiss(f"an answer repeats {', '.join(names)}", (seen,))
    return Fine() if await session.pings() else NO_PING_HERE


async def post_echo(session: Session) -> Found:
    """Look whether answers to posts repeat the person."""
    posts = await session.posts()
    for seen in posts:
        names = repeated_back(seen, seen.person.identity)
        if names:
            return Amiss(f"an answer repeats {', '.join(names)}", (seen,))
    return Fine() if posts else Untried("no post was sent")


MUST, SHOULD = Level.MUST, Level.SHOULD

PING_EDGES = (
    Check(
        id="ping.identity", level=MUST, run=no_identity,
        title="A bid needs no identity",
        why="No name, telephone number or address is shown before a buyer has won.",
        mend="Decide by ZIP code, age band and attributes; leave the rest to the post.",
    ),
    Check(
        id="ping.echo", level=SHOULD, run=ping_echo,
        title="An answer does not repeat what was asked",
        why="It is longer than need be, and what it repeats comes into other people's logs.",
        mend="Answer with price and ids of your own.",
    ),
    Check(
        id="ping.test", level=SHOULD, run=tests_alike,
        title="Test leads are bid for like others",
        why="A test that is never bid for tests nothing.",
        mend="Bid as always where `test` is true; nobody is charged.",
    ),
    Check(
        id="edge.little", level=MUST, run=edge(Half.PING, little_pinged),
        title="A ping with only the required fields is answered",
        why="Sellers know more of one person than of another.",
        mend="Take every field but the required ones for one that may be missing.",
    ),
    Check(
        id="edge.more", level=MUST, run=edge(Half.PING, more_pinged),
        title="Unknown fields in a ping are passed over",
        why="The contract grows by fields without notice.",
        mend="Read what you know and ignore the rest.",
    ),
    Check(
        id="edge.words", level=MUST, run=edge(Half.PING, odd_words),
        title="Strange and long texts are no trouble",
        why="People write their trade and their car as they like, in UTF-8.",
        mend="Read UTF-8; bound lengths where you store, not by an error.",
    ),
    Check(
        id="edge.place", level=MUST, run=edge(Half.PING, far_away),
        title="A lead from Guam or Puerto Rico is answered",
        why="A look-up that fails is an error, and errors open the breaker for all your leads.",
        mend="No bid for a place that you don't know.",
    ),
    Check(
        id="edge.values", level=MUST, run=edge(Half.PING, every_value),
        title="Every choice and both ends of every number are answered",
        why="The vertical allows each of them.",
        mend="No bid for a value that you don't know, never an error.",
    ),
    Check(
        id="edge.vertical", level=SHOULD, run=unknown_vertical,
        title="An unknown vertical gets no bid",
        why="An error counts against your endpoint's health, a bid costs money.",
        mend="204 where you do not know `vertical`.",
    ),
)  # fmt: skip

POST_EDGES = (
    Check(
        id="post.echo", level=SHOULD, run=post_echo,
        title="An answer to a post does not repeat the person",
        why="Answers are kept as evidence; a name has no place in them.",
        mend="Answer with `accepted` and a reference of your own.",
    ),
    Check(
        id="post.little", level=MUST, run=edge(Half.POST, little_posted),
        title="A post with only the required fields is decided",
        why="A 500 leaves the lead in doubt: you may pay for what you do not have.",
        mend="Refuse what you cannot use, with a reason.",
    ),
    Check(
        id="post.more", level=MUST, run=edge(Half.POST, more_posted),
        title="Unknown fields in a post are passed over",
        why="The contract grows by fields without notice.",
        mend="Read what you know and ignore the rest.",
    ),
    Check(
        id="post.names", level=MUST, run=edge(Half.POST, odd_names),
        title="Names with accents, apostrophes and ampersands are taken",
        why="People have them.",
        mend="Read and store UTF-8; quote it for your database.",
    ),
)  # fmt: skip
