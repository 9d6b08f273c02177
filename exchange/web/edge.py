"""The outermost layer: whatever happens inside becomes one answer of the contract."""

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exchange.contract.seller import Problem
from exchange.domain.seller import Seller
from exchange.ledger.errors import LedgerUnavailable
from exchange.market.errors import MarketUnavailable
from exchange.web.answers import SERVER, accepted, problem_response
from exchange.web.doors import DOORS, Doors
from exchange.web.guard import SELLER
from exchange.web.problems import ClientGoneError, DeniedError, Kind, problem
from exchange.web.voice import VOICE, Voice

logger = structlog.get_logger()

ERROR_ID_BYTES = 8
CLIENT_ERRORS = range(400, 500)
WHAT_THERE_IS = "GET /docs tells what there is"


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request, count it, and close the connection where the worker leaves."""
    doors = request.app[DOORS]
    began_s = doors.monotonic()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = foreign_answer(request, error)
    except ClientGoneError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes an answer
        response = problem_answer(request, denial_of(route_of(request), error, doors))
    if doors.under_way.lets_go:
        response.force_close()
    ms = (doors.monotonic() - began_s) * 1000
    doors.observer.request_ended(route_of(request), response.status, ms)
    return response


def denial_of(route: str, error: Exception, doors: Doors) -> DeniedError:
    """Return what an error is to its caller; one that should not happen is logged."""
    if isinstance(error, DeniedError):
        return error
    if isinstance(error, LedgerUnavailable | MarketUnavailable):
        return unavailable(error, doors)
    return unexpected(route, error, doors)


def problem_answer(request: web.Request, denied: DeniedError) -> web.Response:
    """Return a denial's answer, as its seller can read it."""
    voice: Voice | None = request.get(VOICE)
    if voice is not None:
        return voice.denied(denied)
    return denied_response(denied, accepted(request), request.get(SELLER))


def denied_response(denied: DeniedError, accept: str, seller: Seller | None) -> web.Response:
    """Return a denial's answer in the format of a media type, as its seller can read it."""
    response = problem_response(
        denied.problem, accept, retry_after_s=denied.retry_after_s, close=denied.close
    )
    if seller is not None and seller.always_200 and response.status in CLIENT_ERRORS:
        response.set_status(200)
    return response


def foreign_answer(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """Return the framework's own errors as problems, and OPTIONS as what may be done here."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(status=204, headers={"Allow": allowed, "Server": SERVER})
        response = problem_response(
            problem(Kind.METHOD, f"allowed here: {allowed}"), accepted(request)
        )
        response.headers["Allow"] = allowed
        return response
    if error.status == Kind.NOT_FOUND.status:
        return problem_response(problem(Kind.NOT_FOUND, WHAT_THERE_IS), accepted(request))
    unnamed = Problem(type="about:blank", title=error.reason, status=error.status)
    return problem_response(unnamed, accepted(request), close=True)


def unavailable(outage: Exception, doors: Doors) -> DeniedError:
    """Return the 503 that says which store is away."""
    store = "ledger" if isinstance(outage, LedgerUnavailable) else "market state"
    detail = f"the {store} does not answer; repeat with the same Idempotency-Key"
    return DeniedError(Kind.UNAVAILABLE, detail, retry_after_s=doors.limits.retry_after_s)


def unexpected(route: str, error: Exception, doors: Doors) -> DeniedError:
    """Log what should not happen, once, under an id that the caller can quote."""
    error_id = doors.entropy(ERROR_ID_BYTES).hex()
    logger.error("request failed", error_id=error_id, route=route, exc_info=error)
    return DeniedError(Kind.INTERNAL, f"this is in our log as {error_id}")


def route_of(request: web.Request) -> str:
    """Return a route's pattern, never the path itself: that may hold a token.

    At a call of a door it is the call's own address: there are no more than the market holds.
    """
    if VOICE in request:
        return f"/doors/{request.match_info['door']}/{request.match_info['path']}"
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
