"""What a seller may bring: leads that are taken in, and pings that buyers are sent for them.

Limits stand on the seller and on its declared sources, and count in the seller's time zone; a
campaign in a pilot has some, too. What is counted belongs to one holder, `seller:fastquotes` or
`campaign:auto-us`, as a buyer's belongs to the buyer.
"""

from collections.abc import Callable, Collection, Iterator

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.caps import HoldLine, Used, counter_in
from exchange.domain.counting import counted
from exchange.domain.money import Micros, to_text
from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.pilot import CAMPAIGN_SCOPE, is_of_pilot, limits_of
from exchange.domain.reason import Reason
from exchange.domain.schedule import US_PER_S, window_end_s
from exchange.domain.seller import Seller

HOLDER = "seller:"
CAMPAIGN_HOLDER = "campaign:"
MONEY = frozenset({CapKind.SPEND, CapKind.PAYOUT})
AGAIN_MAX_S = 7 * 24 * 3600
AGAIN_OF_TOTAL_S = 24 * 3600
"""A total has no end: whoever raises it is not expected within the day."""


class Sent(msgspec.Struct, frozen=True):
    """By whom, when and in which world something is sent: what its limits depend on."""

    seller: Seller
    source_id: str
    at_us: int
    test: bool
    campaign: Campaign | None = None
    """Where it is posted into; None: whatever that limits does not matter."""

    @property
    def is_limited(self) -> bool:
        """Tell whether its seller or its campaign limits anything."""
        return self.seller.is_limited or bool(self.campaign is not None and self.campaign.pilot)

    @property
    def limits(self) -> tuple[Cap, ...]:
        """The limits of its source, if that is declared, and of its seller."""
        declared = self.seller.sources.get(self.source_id)
        caps = (*(() if declared is None else declared.caps), *self.seller.caps)
        return tuple(limits_of(caps, test=self.test))


def holder_of(seller_id: str) -> str:
    """Return whose the counters of a seller are."""
    return f"{HOLDER}{seller_id}"


def holder_of_campaign(campaign_id: str) -> str:
    """Return whose the counters of a campaign are."""
    return f"{CAMPAIGN_HOLDER}{campaign_id}"


def seller_of(holder: str) -> str | None:
    """Return the seller who holds, None: it is a buyer, or a campaign."""
    return holder.removeprefix(HOLDER) if holder.startswith(HOLDER) else None


def campaign_of(holder: str) -> str | None:
    """Return the campaign that holds, None: it is a buyer, or a seller."""
    is_one = holder.startswith(CAMPAIGN_HOLDER)
    return holder.removeprefix(CAMPAIGN_HOLDER) if is_one else None


def is_buyer(holder: str) -> bool:
    """Tell whether who holds is a buyer: no id has a colon."""
    return ":" not in holder


def lines(sent: Sent, kind: CapKind, amount: int) -> Iterator[tuple[Cap, HoldLine]]:
    """Yield all limits of this kind of the seller, each with what it is to hold of so much.

    Pings may settle at fewer than were held, as money does.
    """
    reason = Reason.BUDGET_AT_AWARD if kind is CapKind.PINGS else Reason.CAP_AT_AWARD
    for cap in sent.limits:
        if cap.kind is kind:
            yield cap, HoldLine(counter_of(cap, sent), amount, cap.limit, reason)


def counter_of(cap: Cap, sent: Sent) -> str:
    """Name the counter that a limit moves where this is sent."""
    return counter_in(cap, sent.at_us, sent.seller.zone, test=sent.test)


def everywhere(sent: Sent) -> Iterator[tuple[str, Cap]]:
    """Yield all limits of the seller and of the campaign, each with who holds."""
    for cap in sent.limits:
        yield holder_of(sent.seller.id), cap
    if sent.campaign is not None:
        for cap in limits_of(sent.campaign.pilot, test=sent.test):
            yield holder_of_campaign(sent.campaign.id), cap


def places(sent: Sent) -> dict[str, list[tuple[Cap, HoldLine]]]:
    """Return by holder what a lead that is taken in is to hold: a place in each limit of leads."""
    found: dict[str, list[tuple[Cap, HoldLine]]] = {}
    for holder, cap in everywhere(sent):
        if cap.kind is CapKind.LEADS:
            line = HoldLine(counter_of(cap, sent), 1, cap.limit, Reason.CAP_AT_AWARD)
            found.setdefault(holder, []).append((cap, line))
    return found


def full(sent: Sent, kinds: Collection[CapKind], used: Callable[[str], Used]) -> Cap | None:
    """Return the first limit of these kinds that has no room, as last read ahead, or None."""
    for holder, cap in everywhere(sent):
        if cap.kind in kinds and used(holder).get(counter_of(cap, sent), 0) + 1 > cap.limit:
            return cap
    return None


def room(sent: Sent, kind: CapKind, used: Used) -> int:
    """Return how much the tightest limit of this kind leaves, as last read ahead."""
    return max(0, min(cap.limit - used.get(line.counter, 0) for cap, line in lines(sent, kind, 1)))


def again_in_s(cap: Cap, sent: Sent) -> int:
    """Return in how many seconds a full limit begins anew."""
    assert cap.per is not None, "a seller's limit counts in a window"
    if cap.per is Per.TOTAL:
        return AGAIN_OF_TOTAL_S
    end_s = window_end_s(cap.per, sent.at_us, sent.seller.zone)
    return min(AGAIN_MAX_S, max(1, end_s - sent.at_us // US_PER_S))


def sentence(cap: Cap) -> str:
    """Say of a full limit whose it is and how much it is."""
    if is_of_pilot(cap.scope):
        whose = "campaign" if cap.scope.startswith(CAMPAIGN_SCOPE) else "seller"
        return f"this {whose}'s pilot of {amount(cap)} is over: no more leads are taken in"
    whose = "source" if cap.scope.startswith("source/") else "seller"
    window = "in total" if cap.per is Per.TOTAL else f"per {cap.per}"
    what = "sent to buyers for it" if cap.kind is CapKind.PINGS else "taken in"
    return f"this {whose}'s limit of {amount(cap)} {window} is reached: no more are {what}"


def amount(cap: Cap) -> str:
    """Return how much a limit is, with what it counts."""
    if cap.kind in MONEY:
        return f"{to_text(Micros(cap.limit))} {cap.kind}"
    return counted(cap.limit, cap.kind.removesuffix("s"))
