"""What load balancers and Prometheus ask: alive, ready, and how it goes."""

import asyncio

from aiohttp import web

from exchange.contract.health import Health, ReadinessOut
from exchange.telemetry.metrics import CONTENT_TYPE
from exchange.web.answers import encode, json_response
from exchange.web.doors import DOORS

HEALTHY = encode(Health())


async def get_health(_request: web.Request) -> web.Response:
    """Answer as long as the process lives, closing or not: `GET /healthz`."""
    return json_response(HEALTHY)


async def get_readiness(request: web.Request) -> web.Response:
    """Tell whether this worker can sell now, and what it lacks: `GET /readyz`."""
    doors = request.app[DOORS]
    checks = tuple(doors.readiness.checks())
    closing = doors.under_way.closing.is_set()
    ready = not closing and all(check.up for check in checks)
    body = encode(ReadinessOut(ready=ready, closing=closing, checks=checks))
    response = json_response(body, 200 if ready else 503)
    if not ready:
        response.headers["Retry-After"] = str(doors.limits.retry_after_s)
    return response


async def get_metrics(request: web.Request) -> web.Response:
    """Return the page that Prometheus reads: `GET /metrics`."""
    # Thousands of lines take milliseconds to write, which no auction should wait for.
    observer = request.app[DOORS].observer
    observer.hand_over()
    page = await asyncio.to_thread(observer.exposition)
    return json_response(page, media_type=CONTENT_TYPE)
