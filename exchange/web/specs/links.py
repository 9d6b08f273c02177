"""Signed links: each shows one spec to whoever has it, until it expires, and opens nothing else."""

import base64
import hmac
import re
from enum import StrEnum

import msgspec

DERIVED_AS = "spec links"
"""Under which name the vault derives the secret."""
DAYS_MAX = 365
DAYS = 30
DAY_S = 86_400
MAC_BYTES = 18
TOKEN = re.compile(r"([a-z0-9_-]{1,64})\.(\d{1,12})\.([A-Za-z0-9_-]{24})\Z", re.ASCII)


class Kind(StrEnum):
    """What a link can show."""

    CAMPAIGN = "campaign"
    """The spec of a campaign, for one seller."""
    OFFER = "offer"
    """The spec of an offer, for its buyer."""


class Opened(msgspec.Struct, frozen=True):
    """A link that was really given, and for how long."""

    account: str
    """The seller or buyer whose view it shows."""
    expired: bool


class Links:
    """Signs and opens links, under one secret of all machines."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret."""
        self._secret = secret

    def sign(self, kind: Kind, shown: str, account: str, expires_s: int) -> str:
        """Return what stands behind `?t=` of a link to this campaign or offer."""
        return f"{account}.{expires_s}.{self._mac(kind, shown, account, expires_s)}"

    def open(self, token: str, kind: Kind, shown: str, now_s: float) -> Opened | None:
        """Return whose view a link shows; None where nobody signed it, or for another page."""
        match = TOKEN.match(token)
        if match is None:
            return None
        account, expires_s, mac = match[1], int(match[2]), match[3]
        if not hmac.compare_digest(mac, self._mac(kind, shown, account, expires_s)):
            return None
        return Opened(account, expired=now_s >= expires_s)

    def _mac(self, kind: Kind, shown: str, account: str, expires_s: int) -> str:
        signed = "\0".join((kind, shown, account, str(expires_s))).encode()
        digest = hmac.digest(self._secret, signed, "sha256")[:MAC_BYTES]
        return base64.urlsafe_b64encode(digest).decode()
