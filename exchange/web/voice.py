"""How one request at a door is answered: in its sender's words, whatever became of it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from aiohttp import hdrs, web

from exchange.contract.seller import FieldError, LeadAnswer, QuoteAnswer
from exchange.domain.door import Call, Does, Fault, Format, LegTold, Opening, Outcome, Sent, Told
from exchange.domain.seller import Seller
from exchange.web.answers import SERVER
from exchange.web.problems import DeniedError, Kind

OK = 200
CLIENT_ERRORS = range(400, 500)
US_PER_S = 1_000_000

OUTCOMES: Mapping[Kind, Outcome] = {
    Kind.UNREADABLE: Outcome.UNREADABLE,
    Kind.SLOW: Outcome.UNREADABLE,
    Kind.TOO_LARGE: Outcome.UNREADABLE,
    Kind.MEDIA_TYPE: Outcome.UNREADABLE,
    Kind.EXPECTATION: Outcome.UNREADABLE,
    Kind.HEADERS: Outcome.UNREADABLE,
    Kind.UNKNOWN_KEY: Outcome.DENIED,
    Kind.FORBIDDEN: Outcome.DENIED,
    Kind.NOT_FOUND: Outcome.NOT_FOUND,
    Kind.METHOD: Outcome.WRONG_METHOD,
    Kind.CONFLICT: Outcome.USED,
    Kind.UNDER_WAY: Outcome.UNDER_WAY,
    Kind.EXPIRED: Outcome.EXPIRED,
    Kind.FIELDS: Outcome.INVALID,
    Kind.KEY_REUSED: Outcome.KEY_REUSED,
    Kind.TOO_MANY: Outcome.OVERLOADED,
    Kind.OVERLOADED: Outcome.OVERLOADED,
    Kind.CLOSING: Outcome.OVERLOADED,
    Kind.UNAVAILABLE: Outcome.UNAVAILABLE,
    Kind.INTERNAL: Outcome.FAILED,
}


class Voice:
    """Speaks to one sender; learns what it needs while the request is read."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.does = call.default_does()
        self.format: Format = call.format
        self.vertical_id: str | None = None
        self.read: Mapping[str, tuple[str, ...]] = {}
        """Where each value of this request was found, by our names."""
        self.sent: Sent | None = None
        """The request, once it is taken apart: asked again only where a field of it is wrong."""
        self.seller: Seller | None = None

    def heard(self, opening: Opening) -> None:
        """Note what the request wants, and how it wants to hear of it."""
        self.does, self.format = opening.does, opening.format

    def denied(self, denied: DeniedError) -> web.Response:
        """Return the answer to what ends here: no value of the request is in it."""
        problem = denied.problem
        message = problem.detail or problem.title
        if denied.kind is Kind.UNKNOWN_KEY:
            message = f"there is no valid key in {self.call.key_places}"
        response = self.said(
            Told(
                outcome=OUTCOMES[denied.kind],
                does=self.does,
                status=problem.status,
                message=message,
                retry_after_s=denied.retry_after_s,
                errors=tuple(self.fault(error) for error in problem.errors),
            )
        )
        if denied.retry_after_s is not None:
            response.headers[hdrs.RETRY_AFTER] = str(denied.retry_after_s)
        if response.status == Kind.UNKNOWN_KEY.status:
            response.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="exchange"'
        if denied.kind is Kind.METHOD:
            response.headers[hdrs.ALLOW] = ", ".join(allowed(self.call))
        if denied.close:
            response.force_close()
        return response

    def fault(self, error: FieldError) -> Fault:
        """Return a bad field in the sender's words and in ours."""
        places = self.read.get(error.field)
        foreign = " + ".join(places) if places else self.call.foreign(error.field, self.vertical_id)
        message = error.message
        if self.sent is not None:
            message = self.call.wanted(self.sent, error.field, self.vertical_id, message)
        return Fault(foreign or error.field, error.field, error.code, message)

    def sold(self, answer: LeadAnswer) -> web.Response:
        """Return the answer to a post, or what became of a lead."""
        first = answer.sales[0] if answer.sales else None
        original = None if isinstance(answer.original, msgspec.UnsetType) else answer.original
        redirects = [sale.redirect_url for sale in answer.sales if sale.redirect_url]
        reason = answer.reason
        return self.said(
            Told(
                outcome=Outcome(answer.status),
                does=self.does,
                status=OK,
                lead_id=answer.lead_id,
                price=answer.price,
                currency=answer.currency,
                sale_id=None if first is None else first.sale_id,
                buyer=None if first is None else first.buyer,
                redirect_url=redirects[0] if redirects else None,
                reason=None if reason is None else reason.reason,
                code=None if reason is None else reason.code,
                message=answer.status if reason is None else reason.reason.replace("_", " "),
                score=answer.score,
                original_id=None if original is None else original.lead_id,
            )
        )

    def quoted(self, answer: QuoteAnswer, now_us: int) -> web.Response:
        """Return the answer to a ping."""
        reason = answer.reason
        return self.said(
            Told(
                outcome=Outcome(answer.status),
                does=self.does,
                status=OK,
                ping_id=answer.ping_id,
                price=answer.price,
                currency=answer.currency,
                reason=None if reason is None else reason.reason,
                code=None if reason is None else reason.code,
                message=answer.status if reason is None else reason.reason.replace("_", " "),
                expires_at=answer.expires_at,
                expires_in_s=seconds_until(answer.expires_at, now_us),
                legs=tuple(LegTold(leg.leg_id, leg.price, leg.buyer) for leg in answer.legs),
            )
        )

    def said(self, told: Told) -> web.Response:
        """Return what is told as a response that no cache keeps."""
        written = self.call.write(told, self.format)
        status = written.status
        if self.seller is not None and self.seller.always_200 and status in CLIENT_ERRORS:
            status = OK
        headers = {
            "Content-Type": written.content_type,
            "Cache-Control": "no-store",
            "Server": SERVER,
        }
        return web.Response(body=written.body, status=status, headers=headers)


VOICE = web.RequestKey("voice", Voice)
"""Set once a call of a door is known: from then on everything is said in its words."""


def allowed(call: Call) -> tuple[str, ...]:
    """Return the methods by which a call can be asked; HEAD where asking changes nothing."""
    reads = call.default_does() is Does.STATUS and "GET" in call.methods
    return (*call.methods, *(("HEAD",) if reads else ()), "OPTIONS")


def seconds_until(moment: str | None, now_us: int) -> int | None:
    """Return in how many whole seconds a moment comes, at least none."""
    if moment is None:
        return None
    at_s = datetime.fromisoformat(moment).timestamp()
    return max(0, int(at_s - now_us / US_PER_S))
