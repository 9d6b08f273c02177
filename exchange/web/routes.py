"""Every route of the exchange, once: how it is called, by whom, and all that it may answer."""

from exchange.web.routing.buyers import BUYER_ROUTES
from exchange.web.routing.operators import OPERATOR_ROUTES
from exchange.web.routing.pages import PAGE_ROUTES
from exchange.web.routing.sellers import SELLER_ROUTES
from exchange.web.routing.specs import SPEC_ROUTES

ROUTES = (*SELLER_ROUTES, *SPEC_ROUTES, *BUYER_ROUTES, *OPERATOR_ROUTES, *PAGE_ROUTES)
"""All but those of `exchange.web.routing.operations`, which may stand on a port of their own."""
