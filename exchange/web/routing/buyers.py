"""The routes of buyers."""

from exchange.contract.deciding import ConfirmedSale, ConfirmRequest
from exchange.web.deciding import confirm_sale
from exchange.web.problems import Kind
from exchange.web.routing.route import BODY, Route, with_key

BUYER_ROUTES = (
    Route(
        method="POST",
        path="/v1/sales/{sale_id}/confirm",
        handler=confirm_sale,
        operation="confirm_sale",
        summary="Say of a sale in doubt whether its buyer took it; the first word stands",
        roles=("buyer", "operator", "admin"),
        answer=ConfirmedSale,
        takes=ConfirmRequest,
        problems=with_key(Kind.NOT_FOUND, Kind.DECIDED, *BODY),
    ),
)
