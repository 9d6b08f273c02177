"""Checks of the connection: in pieces, kept, shared, asked otherwise, many at once."""

from bidders.certify.caller import by_hand, changed
from bidders.certify.check import Check, Level
from bidders.certify.edges import verdict
from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.line import Line
from bidders.certify.requests import lined, parts_of, pieces_of, rewritten
from bidders.certify.seen import Half, Seen, Symptom
from bidders.certify.session import Session
from exchange.domain.counting import counted
from exchange.wire.call import Call, Outcome

PIECES = 12
PAUSE_S = 0.015
REUSES = 6
TOGETHER = 8
BURST = 48
CONTINUE_S = 0.5
SERVER_ERRORS = range(500, 600)
NOT_IMPLEMENTED = 501
"""What servers say to a method that they know nothing of."""
BROKEN_JSON = b'{"ping_id":'


async def one_by_hand(session: Session, pieces: int, pause_s: float) -> Seen:
    """Return what came of a ping that was sent in pieces on a line of its own."""
    async with session.caller.line(Half.PING) as line:

        async def carry(call: Call) -> None:
            await line.carry(call, pieces_of(call.request, pieces), pause_s)

        return await session.caller.ping(session.other(), by_hand(carry))


async def slowly(session: Session) -> Found:
    """Send a ping in pieces, as a slow network delivers it."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    return verdict([await one_by_hand(session, PIECES, PAUSE_S)])


async def slow_post(session: Session) -> Found:
    """Send a post in pieces."""
    unsound = await session.sound(Half.POST)
    if unsound is not None:
        return unsound
    sale = await session.sale()
    async with session.caller.line(Half.POST) as line:

        async def carry(call: Call) -> None:
            await line.carry(call, pieces_of(call.request, PIECES), PAUSE_S)

        return verdict([await session.caller.post(sale, by_hand(carry))])


async def kept(session: Session) -> Found:
    """Send several pings on one connection; who closes it says so in the answer before."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    async with session.caller.line(Half.PING) as line:

        async def carry(call: Call) -> None:
            await line.carry(call, (call.request,))

        for number in range(REUSES):
            seen = await session.caller.ping(session.other(), by_hand(carry))
            if number and seen.call.outcome in {Outcome.BROKEN, Outcome.UNREACHABLE}:
                after = f"after {counted(number, 'answer')} the connection is closed"
                return Amiss(f"{after}, and none had said so", (seen,))
            if not seen.sound:
                return Amiss(f"ping {number + 1} on one connection: {seen.said}", (seen,))
            if not line.hearing.keeps:
                return closed_after(number + 1, seen)
    return Fine(f"{REUSES} pings on one connection")


def closed_after(answers: int, seen: Seen) -> Found:
    """Judge a connection that the server announced to close."""
    if seen.call.head.startswith(b"HTTP/1.0"):
        return Untried("it speaks HTTP/1.0: see answer.version")
    return Doubtful(f"it closes the connection after {answers} answers", (seen,))


async def expecting(session: Session) -> Found:
    """Send the head alone with Expect: 100-continue, and the body once it is asked for."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    async with session.caller.line(Half.PING) as line:
        seen = await session.caller.ping(session.other(), by_hand(lambda c: expect(line, c)))
    if seen.call.status == EXPECTATION_FAILED:
        return Fine("status 417")
    return verdict([seen])


EXPECTATION_FAILED = 417


async def expect(line: Line, call: Call) -> None:
    """Carry a call whose body waits until the server wants it, or for half a second."""
    parts = parts_of(call.request).plus(b"Expect: 100-continue")
    request = parts.joined()
    head, body = request[: len(request) - len(parts.body)], parts.body
    await line.carry(call, (head, body), CONTINUE_S / 10)


async def old_request(session: Session) -> Found:
    """Ask in HTTP/1.0, as old health checks and proxies do."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    older = lined(lambda line: line.replace(b"HTTP/1.1", b"HTTP/1.0"))
    async with session.caller.line(Half.PING) as line:

        async def carry(call: Call) -> None:
            await line.carry(call, (older(call.request),))

        return verdict([await session.caller.ping(session.other(), by_hand(carry))])


async def other_method(session: Session) -> Found:
    """Ask by a method that is not agreed on, on a line of its own.

    Many servers leave the body of a GET unread, and take it for the next request of the line.
    """
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    ping = session.target.offer.ping
    assert ping is not None, "what was pinged has a ping"
    agreed = "POST" if ping.dialect is None else ping.dialect.method
    other = b"DELETE" if agreed == "GET" else b"GET"
    asked = lined(lambda line: other + b" " + line.partition(b" ")[2])
    async with session.caller.line(Half.PING) as line:

        async def carry(call: Call) -> None:
            await line.carry(call, (asked(call.request),))

        seen = await session.caller.ping(session.other(), by_hand(carry))
    if seen.taken:
        return Amiss(f"{other.decode()} gets a bid", (seen,))
    failed = seen.call.status in SERVER_ERRORS and seen.call.status != NOT_IMPLEMENTED
    if seen.call.outcome is Outcome.ANSWERED and not failed:
        return Fine(f"status {seen.call.status}")
    return Amiss(f"{other.decode()}: {seen.said}", (seen,))


async def garbage(session: Session) -> Found:
    """Ping with a body that is cut off: refused, and the process lives."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    way = changed(rewritten(lambda _: BROKEN_JSON, session.target.offer.secret))
    seen = await session.caller.ping(session.other(), way)
    if seen.taken:
        return Amiss("it bids for what it cannot have read", (seen,))
    if seen.call.outcome is not Outcome.ANSWERED or seen.call.status in SERVER_ERRORS:
        return Amiss(seen.said, (seen,))
    return Fine(f"status {seen.call.status}")


async def post_garbage(session: Session) -> Found:
    """Post a body that is cut off: it must not be taken."""
    unsound = await session.sound(Half.POST)
    if unsound is not None:
        return unsound
    way = changed(rewritten(lambda _: BROKEN_JSON, session.target.offer.secret))
    seen = await session.caller.post(await session.sale(), way)
    if seen.taken:
        return Amiss("it accepts what it cannot have read", (seen,))
    if seen.call.outcome is not Outcome.ANSWERED or seen.call.status in SERVER_ERRORS:
        return Amiss(seen.said, (seen,))
    return Fine(f"status {seen.call.status}")


async def together(session: Session) -> Found:
    """Send several pings at once; each gets its own answer in time."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    seen = await session.at_once(TOGETHER)
    found = verdict(seen)
    if not isinstance(found, Fine):
        return found
    ids = [one.bid.bid_id for one in seen if one.bid is not None and one.bid.bid_id is not None]
    if len(set(ids)) < len(ids):
        return Amiss("pings sent together were answered with one bid_id", tuple(seen[:2]))
    return Fine(f"{TOGETHER} at once, worst {max(one.call.took_ms for one in seen):.0f} ms")


async def burst(session: Session) -> Found:
    """Send many pings, eight at a time, and one more when it is quiet again."""
    unsound = await session.sound(Half.PING)
    if unsound is not None:
        return unsound
    seen: list[Seen] = []
    while len(seen) < BURST:
        seen += await session.at_once(TOGETHER)
    after = await session.caller.ping(session.other())
    if not after.sound:
        return Amiss(f"after {BURST} pings: {after.said}", (after,))
    limited = [one for one in seen if one.symptom is Symptom.BUSY]
    bad = [one for one in seen if not one.sound and one not in limited]
    if bad:
        return Amiss(f"{len(bad)} of {len(seen)}: {bad[0].said}", tuple(bad[:1]))
    if limited:
        said = f"{len(limited)} of {len(seen)} are refused as too many: {limited[0].said}"
        return Doubtful(said, tuple(limited[:1]))
    return Fine(f"{len(seen)} pings")


MUST, SHOULD = Level.MUST, Level.SHOULD

LINES = (
    Check(
        id="line.slow", level=MUST, run=slowly,
        title="A ping that comes in pieces is read wholly",
        why="Networks cut messages where they like, in the middle of a header too.",
        mend="Read until Content-Length, not once.",
    ),
    Check(
        id="line.kept", level=MUST, run=kept,
        title="A connection carries one ping after the other",
        why="A new one, with TLS, costs more time than most bids; a silent end costs the ping.",
        mend="Keep connections for a minute; answer `Connection: close` before you end one.",
    ),
    Check(
        id="line.together", level=MUST, run=together,
        title="Several pings at once get their own answers in time",
        why="Leads do not queue.",
        mend="Run more than one worker; let no ping wait for another's.",
    ),
    Check(
        id="line.garbage", level=MUST, run=garbage,
        title="A ping that cannot be read gets an answer, and no bid",
        why="A process that dies of one bad request takes the good ones with it.",
        mend="Answer 400.",
    ),
    Check(
        id="line.method", level=SHOULD, run=other_method,
        title="Another method gets no bid and no error",
        why="A GET that bids is sent by crawlers, too.",
        mend="Answer 405.",
    ),
    Check(
        id="line.expect", level=SHOULD, run=expecting,
        title="Expect: 100-continue is answered",
        why="The exchange does not send it; proxies between may.",
        mend="Answer 100 and then as always, or 417.",
    ),
    Check(
        id="line.old", level=SHOULD, run=old_request,
        title="A request in HTTP/1.0 is answered",
        why="The exchange does not send it; health checks and proxies may.",
        mend="Let your server library do it.",
    ),
    Check(
        id="line.burst", level=MUST, run=burst,
        title="After many pings it still answers",
        why="A busy minute brings hundreds.",
        mend="Look for pools that run empty and limits in the proxy; answer 204 when you are full.",
    ),
)  # fmt: skip

POST_LINES = (
    Check(
        id="post.slow", level=MUST, run=slow_post,
        title="A post that comes in pieces is read wholly",
        why="Half a record is no lead.",
        mend="Read until Content-Length, not once.",
    ),
    Check(
        id="post.garbage", level=MUST, run=post_garbage,
        title="A post that cannot be read is not accepted",
        why="You would pay for nothing.",
        mend="Answer 400, or `accepted: false`.",
    ),
)  # fmt: skip
