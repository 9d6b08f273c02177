"""What a run came to: every check with its finding and the calls that show it, nobody named."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from bidders.certify.caller import Caller
from bidders.certify.check import Check, Level, Verdict
from bidders.certify.checks import CHECKS
from bidders.certify.found import Amiss, Doubtful, Found, Untried
from bidders.certify.seen import Seen
from bidders.certify.session import Session
from exchange.contract.trying import TriedAnswer, TriedRequest
from exchange.domain.person import masked_message

BODY_SHOWN_MAX = 2000
UNREACHED = Untried("nothing answers there: see reach.connect")
FIRST = "reach.connect"


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One call, as people may see it: identity masked, secrets taken out."""

    request: str
    answer: str | None
    read: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One check and what it found."""

    id: str
    level: Level
    verdict: Verdict
    title: str
    said: str
    why: str
    mend: str
    exhibits: tuple[Exhibit, ...] = ()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run."""

    certified: bool
    """True where no check of level must failed."""
    at: str
    vertical: str
    format: str
    ping_url: str | None
    post_url: str | None
    tmax_ms: int | None
    passed: int
    warned: int
    failed: int
    not_tried: int
    results: tuple[Result, ...]


Tell = Callable[[Result], None]


async def certify(
    caller: Caller, tell: Tell = lambda _: None, checks: Iterable[Check] = CHECKS
) -> Certificate:
    """Make every check, tell each result as it comes, and return them all."""
    session = Session(caller)
    results: list[Result] = []
    reached = True
    for check in checks:
        found = await check.run(session) if reached else UNREACHED
        if check.id == FIRST and isinstance(found, Amiss):
            reached = False
        result = result_of(check, found)
        results.append(result)
        tell(result)
    return certificate(caller, results)


def result_of(check: Check, found: Found) -> Result:
    """Return a finding as it is told."""
    seen = found.seen if isinstance(found, Amiss | Doubtful) else ()
    return Result(
        id=check.id,
        level=check.level,
        verdict=check.verdict(found),
        title=check.title,
        said=found.said,
        why=check.why,
        mend=check.mend,
        exhibits=tuple(exhibit(one) for one in seen),
    )


def certificate(caller: Caller, results: Iterable[Result]) -> Certificate:
    """Return all results with what they were found at."""
    target, all_results = caller.target, tuple(results)
    counts = Counter(one.verdict for one in all_results)
    ping = target.offer.ping
    return Certificate(
        certified=not counts[Verdict.FAILED],
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        vertical=target.vertical.id,
        format="standard" if target.mapping is None else target.mapping.id,
        ping_url=target.urls.get("ping"),
        post_url=target.urls.get("post") if target.post else None,
        tmax_ms=None if ping is None else ping.timeout_ms,
        passed=counts[Verdict.PASSED],
        warned=counts[Verdict.WARNED],
        failed=counts[Verdict.FAILED],
        not_tried=counts[Verdict.NOT_TRIED],
        results=all_results,
    )


def exhibit(seen: Seen) -> Exhibit:
    """Return a call as it is shown."""
    shown = seen.shown
    answer = None if shown.answer is None else answer_text(shown.answer)
    return Exhibit(
        request=masked_message(request_text(shown.request), seen.person),
        answer=None if answer is None else masked_message(answer, seen.person),
        read=masked_message(f"{seen.said}, {seen.call.took_ms:.0f} ms", seen.person),
    )


def request_text(request: TriedRequest) -> str:
    """Return a request as it goes over the wire."""
    return message(f"{request.method} {request.url}", request.headers, request.body)


def answer_text(answer: TriedAnswer) -> str:
    """Return an answer as it came."""
    return message(str(answer.status), answer.headers, answer.body)


def message(line: str, headers: Iterable[tuple[str, str]], body: str) -> str:
    """Return head and body as text, the body not longer than people read."""
    more = len(body) - BODY_SHOWN_MAX
    shown = body if more <= 0 else f"{body[:BODY_SHOWN_MAX]}… ({more} characters more)"
    return "\n".join([line, *(f"{name}: {value}" for name, value in headers), "", shown])
