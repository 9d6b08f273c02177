"""The message that tells a seller of its lead's end, where it asks for one."""

from collections.abc import Callable

from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.message import MessageRow, seller_recipient, topic_of_end
from exchange.domain.moment import LeadEnd
from exchange.domain.seller import Seller
from exchange.story.stations import Stations

Tells = Callable[[LeadEnd, bool], MessageRow | None]
"""Makes the message of an end; the second: the seller heard `pending`."""


def teller(stations: Stations, seller: Seller | None) -> Tells | None:
    """Return what makes a seller's messages; None where it wants none, or was retired."""
    if seller is None or seller.webhook is None:
        return None
    webhook, recipient = seller.webhook, seller_recipient(seller.id)

    def tells(end: LeadEnd, pending: bool) -> MessageRow | None:  # noqa: FBT001 - see Tells
        topic = topic_of_end(webhook, end.status, pending=pending)
        if topic is None:
            return None
        return MessageRow(
            uuid7(stations.now_us(), stations.entropy(ENTROPY_BYTES)), recipient, topic
        )

    return tells
