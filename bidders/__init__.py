"""What a buyer starts from: SDK, reference bidder, simulated fleet.

A bid endpoint in ten lines is in docs/buyers.md; `python -m bidders --help` shows the rest.
"""

from bidders.answers import Accepted, Bid, NoBid, Pending, PriceError, Refused
from bidders.endpoint import app
from bidders.hashes import email_hash, phone_hash
from exchange.contract.buyer import Ping, Post

__all__ = [
    "Accepted",
    "Bid",
    "NoBid",
    "Pending",
    "Ping",
    "Post",
    "PriceError",
    "Refused",
    "app",
    "email_hash",
    "phone_hash",
]
