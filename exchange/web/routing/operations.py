"""The routes of whoever watches a worker: alive, ready, and all that is measured."""

from exchange.contract.health import Health, ReadinessOut
from exchange.web.operations import get_health, get_metrics, get_readiness
from exchange.web.routing.route import Route, Text

OPERATIONS = (
    Route(
        method="GET",
        path="/healthz",
        handler=get_health,
        operation="health",
        summary="Whether the process lives",
        answer=Health,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=get_readiness,
        operation="readiness",
        summary="Whether this worker can sell now, and which store is away",
        answer=ReadinessOut,
        unready=ReadinessOut,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        operation="metrics",
        summary="All metrics, as Prometheus reads them",
        answer=Text.PROMETHEUS,
    ),
)
"""What may stand on a port of its own."""
