"""Checks of what every answer must be: reachable, HTTP, small, on time, readable."""

import asyncio
import statistics
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import cast

from bidders.certify.check import Check, Level, Try
from bidders.certify.expiry import Expiry, expiry_of
from bidders.certify.found import Amiss, Doubtful, Fine, Found, Untried
from bidders.certify.seen import Seen, Symptom
from bidders.certify.session import NO_PING, NO_POST, Session
from exchange.wire.call import Detail
from exchange.wire.dialer import Unreachable

NOTHING = Untried("no answer came so far that this could be seen")
CERTIFICATE_DAYS_MIN = 21
MEASURED = 10
"""So many pings more are timed."""
NEAR = 0.8
"""An answer that takes more than this share of tmax_ms is near the edge."""
POST_SLOW_MS = 5000.0
JSON_TYPE = "application/json"

DIALED = {
    Detail.NAME_NOT_FOUND: "the name has no address",
    Detail.CONNECT_REFUSED: "nothing listens there: the connection is refused",
    Detail.CONNECT_TIMEOUT: "no connection within three seconds: is a firewall in between?",
    Detail.CERTIFICATE_REFUSED: "the certificate is not trusted, or not for this name, or expired",
    Detail.TLS_FAILED: "TLS fails: the exchange speaks 1.2 and 1.3",
}


def counted(seen: Sequence[object], of: Sequence[object]) -> str:
    """Say how many of how many."""
    return f"{len(seen)} of {len(of)}"


def judged(seen: Sequence[Seen], symptoms: frozenset[Symptom]) -> Found:
    """Return whether these calls are free of what is looked for."""
    bad = [one for one in seen if one.symptom in symptoms]
    if bad:
        return Amiss(f"{counted(bad, seen)} calls: {told(bad)}", tuple(bad[:2]))
    if not any(one.symptom > max(symptoms) for one in seen):
        return NOTHING
    return Fine()


def told(seen: Iterable[Seen]) -> str:
    """Say what came back, each thing once."""
    return "; ".join(dict.fromkeys(f"{one.half}: {one.said}" for one in seen))


def free_of(*symptoms: Symptom) -> Try:
    """Return a check of plain pings and posts."""

    async def run(session: Session) -> Found:
        plain = await session.plain()
        return judged(plain, frozenset(symptoms)) if plain else NOTHING

    return run


def pings_free_of(*symptoms: Symptom) -> Try:
    """Return a check of plain pings."""

    async def run(session: Session) -> Found:
        pings = await session.pings()
        return judged(pings, frozenset(symptoms)) if pings else NO_PING

    return run


def posts_free_of(*symptoms: Symptom) -> Try:
    """Return a check of plain posts."""

    async def run(session: Session) -> Found:
        posts = await session.posts()
        return judged(posts, frozenset(symptoms)) if posts else NO_POST

    return run


async def connects(session: Session) -> Found:
    """Open a connection to each address: name, TCP, TLS."""
    caller = session.caller
    for half, url in session.target.urls.items():
        endpoint = caller.endpoints.of(url)
        try:
            await caller.dialer.dial(endpoint, Silent())
        except Unreachable as refusal:
            why = DIALED.get(refusal.why, str(refusal.why))
            return Amiss(f"{half}: {endpoint.key}: {why}")
    return Fine()


class Silent(asyncio.Protocol):
    """A connection that says nothing and is closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        cast("asyncio.Transport", transport).abort()


async def encrypted(session: Session) -> Found:
    """Look whether a person's record goes over the network in the clear."""
    bare = [half for half, url in session.target.urls.items() if not is_private(session, url)]
    if not bare:
        plain = [url for url in session.target.urls.values() if not url.startswith("https:")]
        return Fine("by http://, which never leaves this machine" if plain else "")
    return Amiss(f"{' and '.join(bare)}: http:// over a network that others may read")


def is_private(session: Session, url: str) -> bool:
    """Tell whether a call is encrypted, or never leaves this machine."""
    endpoint = session.caller.endpoints.of(url)
    if endpoint.secure or endpoint.host == "localhost":
        return True
    try:
        return ip_address(endpoint.host).is_loopback
    except ValueError:
        return False


async def certificate(session: Session) -> Found:
    """Look how long the certificates still hold."""
    caller = session.caller
    endpoints = [caller.endpoints.of(url) for url in session.target.urls.values()]
    secure = {one.key: one for one in endpoints if one.secure}
    if not secure:
        return Untried("it is not called by https://")
    found = [await expiry_of(endpoint, caller.tls) for endpoint in secure.values()]
    known = [one for one in found if isinstance(one, Expiry)]
    if not known:
        return Untried("no certificate could be read")
    soonest = min(known, key=lambda one: one.days)
    if soonest.days < CERTIFICATE_DAYS_MIN:
        return Amiss(f"it ends in {soonest.days} days, on {soonest.on}")
    return Fine(f"{soonest.days} days left")


async def typed(session: Session) -> Found:
    """Look at the content types of sound answers."""
    if session.target.foreign:
        return Untried("a mapping reads an answer by what it is, not by what it is called")
    plain = [one for one in await session.plain() if one.symptom is Symptom.NONE and one.call.body]
    if not plain:
        return NOTHING
    odd = [one for one in plain if media_type(one) != JSON_TYPE]
    if not odd:
        return Fine()
    return Amiss(f"{counted(odd, plain)} are called {media_type(odd[0])!r}", tuple(odd[:1]))


def media_type(seen: Seen) -> str:
    """Return the content type without its parameters."""
    return (seen.call.header("content-type") or "").partition(";")[0].strip().lower()


async def modern(session: Session) -> Found:
    """Look at the version of HTTP that answers come in."""
    plain = [one for one in await session.plain() if one.call.head]
    old = [one for one in plain if not one.call.head.startswith(b"HTTP/1.1")]
    if not plain:
        return NOTHING
    return Amiss(f"{counted(old, plain)} answers are HTTP/1.0", tuple(old[:1])) if old else Fine()


async def in_time(session: Session) -> Found:
    """Time pings: all must be answered within what they are told, the worst not just so."""
    pings = list(await session.pings())
    if not pings:
        return NO_PING
    if all(one.symptom in {Symptom.UNREACHABLE, Symptom.BROKEN} for one in pings):
        return NOTHING
    if any(one.symptom is not Symptom.LATE for one in pings):
        pings += [await session.caller.ping(session.other()) for _ in range(MEASURED)]
    late = [one for one in pings if one.symptom is Symptom.LATE]
    ping = session.target.offer.ping
    assert ping is not None, "what was pinged has a ping"
    limit_ms = ping.timeout_ms
    if late:
        return Amiss(
            f"{counted(late, pings)} pings had no answer in {limit_ms} ms", tuple(late[:1])
        )
    times = sorted(one.call.took_ms for one in pings)
    said = f"median {statistics.median(times):.1f} ms, worst {times[-1]:.1f} ms of {limit_ms} ms"
    slowest = max(pings, key=lambda one: one.call.took_ms)
    return Doubtful(said, (slowest,)) if times[-1] > limit_ms * NEAR else Fine(said)


async def posts_in_time(session: Session) -> Found:
    """Look how long posts took."""
    posts = await session.posts()
    found = judged(posts, frozenset({Symptom.LATE})) if posts else NO_POST
    if not isinstance(found, Fine):
        return found
    slowest = max(posts, key=lambda one: one.call.took_ms)
    said = f"worst {slowest.call.took_ms:.0f} ms"
    return Doubtful(said, (slowest,)) if slowest.call.took_ms > POST_SLOW_MS else Fine(said)


async def right_signature(session: Session) -> Found:
    """Look whether calls are let in at all."""
    plain = await session.plain()
    refused = [one for one in plain if one.symptom is Symptom.UNSIGNED]
    signs = session.target.offer.secret is not None
    if refused:
        lacks = "with the right signature" if signs else "and no secret was given"
        return Amiss(f"{counted(refused, plain)} calls are refused {lacks}", tuple(refused[:1]))
    if session.target.foreign:
        return Untried("a mapping proves in its own way who calls")
    if not signs:
        return Untried("no secret was given")
    return Fine() if any(one.symptom > Symptom.UNSIGNED for one in plain) else NOTHING


async def bids(session: Session) -> Found:
    """Look whether any plain ping brought a bid."""
    pings = await session.pings()
    sound = [one for one in pings if one.symptom is Symptom.NONE]
    if not sound:
        return NO_PING if not pings else NOTHING
    wanted = [one for one in sound if one.bid is not None]
    if not wanted:
        return Amiss("every ping was answered with no bid", tuple(sound[:1]))
    return Fine(f"{counted(wanted, pings)} pings")


async def accepts(session: Session) -> Found:
    """Look whether any plain post was taken."""
    posts = await session.posts()
    sound = [one for one in posts if one.sound]
    if not sound:
        return NO_POST if not posts else NOTHING
    if any(one.taken for one in sound):
        return Fine()
    return Amiss(f"no post was accepted: {told(sound)}", tuple(sound[:1]))


MUST, SHOULD = Level.MUST, Level.SHOULD

REACH = (
    Check(
        id="reach.connect", level=MUST, run=connects,
        title="The name resolves, the port answers, TLS is verified",
        why="Without it there is no call; the exchange trusts no other certificate for a name.",
        mend="Look at the name, the port, the firewall and the certificate with its whole chain.",
    ),
    Check(
        id="reach.encrypted", level=SHOULD, run=encrypted,
        title="Calls are encrypted",
        why="A post is a whole person: name, telephone, address.",
        mend="Serve both URLs by https://.",
    ),
    Check(
        id="reach.certificate", level=SHOULD, run=certificate,
        title="The certificate holds for three weeks at least",
        why="On the day it ends every call fails.",
        mend="Renew it, by a timer and not by hand.",
    ),
)  # fmt: skip

ANSWERS = (
    Check(
        id="answer.http", level=MUST, run=free_of(Symptom.UNREACHABLE, Symptom.BROKEN),
        title="Answers are whole HTTP",
        why="What is cut off or no HTTP is no bid, and after a post the lead is in doubt.",
        mend="Answer each request wholly before the connection is closed; look for crashes.",
    ),
    Check(
        id="answer.size", level=MUST, run=free_of(Symptom.OVERSIZE),
        title="Answers have at most 64 KiB",
        why="Nobody reads more than that within an auction.",
        mend="Answer with what the contract names and nothing else.",
    ),
    Check(
        id="answer.redirect", level=MUST, run=free_of(Symptom.REDIRECTED),
        title="Answers are no redirects",
        why="The exchange never follows one: a record goes where its market file says.",
        mend="Have the last address entered; look for http→https and slashes at the end.",
    ),
    Check(
        id="answer.status", level=MUST, run=free_of(Symptom.STATUS, Symptom.BUSY),
        title="Statuses are those of the contract",
        why="Anything else is an invalid bid; after a post a 5xx leaves the lead in doubt.",
        mend="Ping: 200 or 204. Post: 200 or 202, a refusal with `accepted: false` in its body.",
    ),
    Check(
        id="answer.encoding", level=MUST, run=free_of(Symptom.ENCODED),
        title="Answers are not compressed",
        why="The exchange asks for no encoding and reads none.",
        mend="Send Content-Encoding only where Accept-Encoding asks for it.",
    ),
    Check(
        id="answer.type", level=SHOULD, run=typed,
        title="Answers are called application/json",
        why="Proxies and people believe the content type.",
        mend="Send `Content-Type: application/json`.",
    ),
    Check(
        id="answer.version", level=SHOULD, run=modern,
        title="Answers are HTTP/1.1",
        why="HTTP/1.0 ends the connection after each answer; a new one costs time of the auction.",
        mend="Serve HTTP/1.1 with keep-alive, also in the proxy before it.",
    ),
    Check(
        id="signature.right", level=MUST, run=right_signature,
        title="Rightly signed calls are let in",
        why="Every call of the exchange is signed where a secret was agreed on.",
        mend="Sign over the bytes as they came, `{id}.{timestamp}.{body}`; check the secret.",
    ),
)  # fmt: skip

PINGS = (
    Check(
        id="ping.time", level=MUST, run=in_time,
        title="Pings are answered within tmax_ms",
        why="A later bid never wins, however high.",
        mend="Decide from memory; answer 204 when time is short; place servers near the exchange.",
    ),
    Check(
        id="ping.readable", level=MUST, run=pings_free_of(Symptom.UNREADABLE),
        title="Answers to pings are understood",
        why="What is not named a bid or no bid is an invalid bid.",
        mend='`200 {"bid": 12.5}`, or 204. By a mapping: name this word under `yes` or `no`.',
    ),
    Check(
        id="ping.price", level=MUST, run=pings_free_of(Symptom.PRICE),
        title="The price is a JSON number within the agreed maximum",
        why="A text, NaN, less than nothing or too much is no amount that anybody owes.",
        mend="Write a number with at most six decimals, without quotes.",
    ),
    Check(
        id="ping.currency", level=MUST, run=pings_free_of(Symptom.CURRENCY),
        title="The currency is the auction's",
        why="The exchange changes no money.",
        mend="Leave `currency` out, or repeat `auction.currency`.",
    ),
    Check(
        id="ping.terms", level=MUST, run=pings_free_of(Symptom.TERMS),
        title="ttl_s is between a second and a day",
        why="A price that holds for no time cannot be sold.",
        mend="Leave `ttl_s` out, or write seconds, not milliseconds.",
    ),
    Check(
        id="ping.bids", level=SHOULD, run=bids,
        title="At least one lead is bid for",
        why="Without a bid its form cannot be looked at.",
        mend="Name a lead that you want with --lead FILE, and the vertical with --vertical.",
    ),
)  # fmt: skip

POSTS = (
    Check(
        id="post.time", level=MUST, run=posts_in_time,
        title="Posts are answered in time",
        why="Without an answer nobody knows whose the lead is.",
        mend="Write the lead down, answer, and do everything else afterwards.",
    ),
    Check(
        id="post.readable", level=MUST, run=posts_free_of(Symptom.UNREADABLE),
        title="Answers to posts are understood",
        why="What is not named accepted or refused leaves the lead in doubt.",
        mend='`{"accepted": true}` or false. By a mapping: name the word, `accepted` or `refused`.',
    ),
    Check(
        id="post.refusal", level=SHOULD, run=posts_free_of(Symptom.IMPLICIT),
        title="A refusal says so in its body",
        why="A 4xx refuses, but to a repeated post it decides nothing, and nobody reads why.",
        mend='`200 {"accepted": false, "reason": "…"}`.',
    ),
    Check(
        id="post.accepts", level=SHOULD, run=accepts,
        title="At least one post is accepted",
        why="Without it the form of an acceptance cannot be looked at.",
        mend="Take test leads (`test: true`) as you would take others, and throw them away later.",
    ),
)  # fmt: skip
