"""The HTTP edge, put together: every route behind one outermost layer."""

from collections.abc import Iterable

from aiohttp import web

from exchange.web.body import expect_later
from exchange.web.doors import DOORS, Doors
from exchange.web.edge import edge
from exchange.web.feeds import FEEDS, FeedsUnderWay
from exchange.web.idempotency import Repeats
from exchange.web.openapi.document import document
from exchange.web.pages.reference import DOCUMENT
from exchange.web.pages.shelf import SHELF, Shelf
from exchange.web.quick import QUICK, Quick
from exchange.web.routes import ROUTES
from exchange.web.routing.operations import OPERATIONS
from exchange.web.routing.route import Route
from exchange.web.selling import REPEATS
from exchange.web.shedding import SHEDDING, Shedding


def create_app(
    doors: Doors, *, with_operations: bool = True, with_short_way: bool = True
) -> web.Application:
    """Return the application for sellers and operators.

    `with_operations` False: health, readiness and metrics stand on a port of their own.
    `with_short_way` False: every request goes through the application and its middlewares.
    """
    routes = (*ROUTES, *OPERATIONS) if with_operations else ROUTES
    app = application(doors, routes)
    app[REPEATS] = Repeats(doors)
    app[FEEDS] = FeedsUnderWay()
    app[DOCUMENT] = document(routes)
    app[SHELF] = Shelf()
    if with_short_way:
        app[QUICK] = Quick(app)
    app[SHEDDING] = Shedding(doors)
    return app


def create_operations_app(doors: Doors) -> web.Application:
    """Return the application for health, readiness and metrics alone."""
    return application(doors, OPERATIONS)


def application(doors: Doors, routes: Iterable[Route]) -> web.Application:
    """Return an application of these routes."""
    app = web.Application(middlewares=[edge])
    app[DOORS] = doors
    for route in routes:
        path = route.path.replace("{path}", "{path:.+}") if route.at_door else route.path
        resource = app.router.add_resource(path)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            resource.add_route(method, route.handler, expect_handler=expect_later)
    return app
