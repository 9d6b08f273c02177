"""A ping's body: what all buyers see is encoded once, each buyer's own head and tail around it.

The auction is handed what may be shown; this module cannot reach for more.
"""

from collections.abc import Mapping

import msgspec

from exchange.domain.campaign import PriceRuleKind
from exchange.domain.ids import ENTROPY_BYTES, uuid7
from exchange.domain.lead import ConsentMarks, Value

encode = msgspec.json.Encoder(decimal_format="number").encode


class Showing(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyers of one lead may be shown, decided by the vertical's `show`."""

    vertical_id: str
    test: bool
    fields: Mapping[str, Value]
    """By name, the score always among them; never an identity field."""
    consent: ConsentMarks
    currency: str
    channel: str | None
    price_rule: PriceRuleKind = PriceRuleKind.FIRST_PRICE
    """What a winner will pay: every ping says it."""


def showing_under(price_rule: PriceRuleKind, showing: Showing) -> Showing:
    """Return what is shown where this is what a winner pays."""
    if showing.price_rule is price_rule:
        return showing
    changed: Showing = msgspec.structs.replace(showing, price_rule=price_rule)
    return changed


class PingConsent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The marks of a consent, under the names that a ping gives them."""

    tcpa: bool | None = None
    jornaya_id: str | None = None
    trustedform_ping_url: str | None = None


def shared_part(showing: Showing, hidden: frozenset[str]) -> bytes:
    """Encode what offers with equal hidden fields are shown; the lead is left open at its end."""
    marks = showing.consent
    consent = PingConsent(marks.tcpa, marks.jornaya_id, marks.trustedform_url)
    fields = showing.fields
    if hidden:
        fields = {name: value for name, value in fields.items() if name not in hidden}
    head = encode(
        {"vertical": showing.vertical_id, "test": showing.test, "consent": consent, "lead": fields}
    )
    return head[1:-2]  # without the outer `{` and the two closing braces


def own_source(alias: str, channel: str | None) -> bytes:
    """Encode what stands right before the shared part: the source, under its name for one buyer."""
    return f'"source":{{"id":"{alias}"{_channel(channel)}}},'.encode()


def _channel(channel: str | None) -> str:
    """Return a source's channel as a member that others stand before."""
    return "" if channel is None else f',"channel":{encode(channel).decode()}'


def own_tail(hashes: Mapping[str, str]) -> bytes:
    """Encode what stands after the shared part: this buyer's hashes, then the closing braces."""
    if not hashes:
        return b"}}"
    text = "".join([f',"{name}_hash":"{digest}"' for name, digest in hashes.items()])
    return f"{text}}}}}".encode()


NUMBERS = [f"{number:04x}" for number in range(1024)]
"""More than most auctions have pings; the text of each is made once."""


class PingIds:
    """Ids of one auction's pings: one draw of chance, numbered at the end; still UUIDv7."""

    __slots__ = ("_stem",)

    def __init__(self, at_us: int, entropy: bytes) -> None:
        """Take the moment and `ENTROPY_BYTES` of chance."""
        assert len(entropy) == ENTROPY_BYTES, "one id's worth of chance"
        self._stem = uuid7(at_us, entropy)[:-4]

    def number(self, index: int) -> str:
        """Return the id of the ping with this number."""
        if index < len(NUMBERS):
            return self._stem + NUMBERS[index]
        return f"{self._stem}{index & 0xFFFF:04x}"
