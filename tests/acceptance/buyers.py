"""Simulated buyers for tests: by their prices, or with every answer to a ping byte for byte."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bidders.fleet import BuyerSpec, Fixed, Fleet, Received
from bidders.fleet.fleet import Desk
from bidders.fleet.reply import Reply


def bidding(buyers: Mapping[str, str], **alike: Any) -> list[BuyerSpec]:
    """Return buyers by name that always bid this price, and have all else in common."""
    return [
        BuyerSpec(id=name, price=Fixed(Decimal(price)), **alike) for name, price in buyers.items()
    ]


def let_answer(fleet: Fleet, answers: Mapping[str, bytes]) -> None:
    """Let these buyers answer every ping with just these bytes of HTTP."""
    for name, raw in answers.items():
        reply = Reply(raw)
        fleet.desks[f"/{name}/ping"] = Desk(fleet.books[name], lambda *_, reply=reply: reply)


def bodies(requests: Iterable[Received], ending: str) -> list[dict[str, Any]]:
    """Return the decoded bodies of the kept requests to paths with this ending."""
    return [
        msgspec.json.decode(request.body) for request in requests if request.path.endswith(ending)
    ]
