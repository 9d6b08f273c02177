"""Where a buyer is asked what became of a sale: its status URL, filled in for one sale. Pure."""

import re
from collections.abc import Callable
from urllib.parse import quote

from exchange.domain.dialect import StatusView

PLACE = re.compile(r"\{([^{}]*)\}")
REFERENCE = "reference"
NAMES: dict[str, Callable[[StatusView], str | None]] = {
    "sale.id": lambda view: view.sale_id,
    REFERENCE: lambda view: view.reference,
    "bid.id": lambda view: view.bid_id,
    "ping.id": lambda view: view.ping_id,
}
"""What a status URL may name; `reference` is the buyer's own, of an answer that put it off."""


def named(url: str) -> tuple[str, ...]:
    """Return what a URL names in braces, known or not."""
    return tuple(PLACE.findall(url))


def sample(url: str) -> str:
    """Return the URL with something harmless in each place, for looking at all the rest of it."""
    return PLACE.sub("0", url)


def filled(url: str, view: StatusView) -> str | None:
    """Return the address for this sale, escaped; None where it names what is not known of it."""
    values = {name: NAMES[name](view) for name in named(url)}
    if any(value is None for value in values.values()):
        return None
    return PLACE.sub(lambda place: quote(values[place[1]] or "", safe=""), url)
