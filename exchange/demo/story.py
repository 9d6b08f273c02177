"""One lead's timeline as a story: what came, who was asked, who lost why, who won, who was paid."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from exchange.contract.operator import OperatorLeadView
from exchange.contract.seller import TimelineEntry
from exchange.demo.words import bill, duration, meaning
from exchange.domain.reason import Reason
from exchange.domain.sandbox import PREFIX as SANDBOX

SENTENCES = {
    "scored": "scored {score} of 100",
    "claimed": "nobody sent this person before",
    "duplicate": "this person came before{detail}",
    "merged": "{poster} posted this person again, as {part}: it is part of this lead",
    "rejected": "rejected: {why}{detail}",
    "stage": "stage {stage}: {words}",
    "floor": "bids must reach {floor} ({words})",
    "quoted": "the seller is promised {payout}",
    "offer_left_out": "{offer} {unasked}: it {why}{detail}",
    "bid": "{offer} bid {price}{took}{fate}",
    "no_bid": "{offer} {why}{took}{detail}",
    "hold_failed": "{offer} {why}{detail}",
    "held": "{price} of {offer}'s caps and budget are held",
    "awarded": "{offer} is to pay {price}{detail}",
    "posted": "the full record goes to {offer}",
    "repeated": "posted to {offer} again, under the same key",
    "status_asked": "asked {offer} what became of it",
    "accepted": "{offer} accepted{took} and pays {price}{detail}",
    "refused": "{offer} refused it{took}{detail}",
    "in_doubt": "{offer} did not say whether it took the lead{took}{detail}",
    "advanced": "the sale to {offer} is given up, the next one may have it",
    "voided": "the sale to {offer} is void",
    "resolved": "{offer} decided: {words}",
    "late_acceptance": "{offer} accepted when it was too late; it is not charged",
    "closed_early": "decided{took} already: {words}",
    "pending": "the seller hears that it is not decided yet",
    "unsold": "nobody bought it: {why}{detail}",
}
"""By event; what the others tell is in these or in the ending."""


class Outcome(msgspec.Struct, frozen=True):
    """How it went on, by which a bid's fate is told."""

    won: frozenset[str]
    posted: frozenset[str]


def story(view: OperatorLeadView) -> Iterator[str]:
    """Yield the lines of a lead's story, in the order in which it happened."""
    begun = datetime.fromisoformat(view.received_at)
    outcome = Outcome(
        won=frozenset(sale.offer for sale in view.sales if sale.state == "accepted"),
        posted=frozenset(sale.offer for sale in view.sales),
    )
    yield (
        f"Lead {view.lead_id}: seller {view.seller} sent it into campaign {view.campaign}, "
        f"source {view.source}."
    )
    for entry in view.timeline:
        if entry.event in SENTENCES and is_worth_a_line(entry):
            after_ms = (datetime.fromisoformat(entry.at) - begun).total_seconds() * 1000
            # Checks of the request are dated by the moment before it became a lead.
            after_ms = max(0.0, after_ms)
            yield f"{after_ms:9.1f} ms  {sentence(entry, outcome)}"
    yield ending(view)


def is_worth_a_line(entry: TimelineEntry) -> bool:
    """Tell whether an event says something: of the sandbox's rows those that are the lead's own."""
    if entry.event == "awarded":
        return bool(entry.detail)
    is_of_sandbox = (entry.offer or "").startswith(SANDBOX)
    return not (entry.event == "offer_left_out" and is_of_sandbox)


def sentence(entry: TimelineEntry, outcome: Outcome) -> str:
    """Return one event in words."""
    return SENTENCES[entry.event].format(
        offer=entry.offer,
        price=money(entry.price),
        payout=money(entry.payout),
        floor=money(entry.floor),
        score=entry.score,
        stage=entry.stage,
        words=(entry.detail or "").replace("_", " "),
        detail=f" ({entry.detail})" if entry.detail else "",
        took="" if entry.ms is None else f" after {duration(entry.ms)}",
        # Who bid was asked, and who stands further down only where the lead is still there.
        unasked="did not get it" if is_outbid(entry) else "was not asked",
        why="" if entry.reason is None else meaning(Reason(entry.reason.code)),
        fate=fate(entry, outcome),
        poster="" if entry.submission is None else entry.submission.seller,
        part="" if entry.submission is None else entry.submission.lead_id,
    )


def is_outbid(entry: TimelineEntry) -> bool:
    """Tell whether an offer was left out because another one had the lead."""
    return entry.reason is not None and entry.reason.code == Reason.OUTBID


def fate(bid: TimelineEntry, outcome: Outcome) -> str:
    """Return what became of a bid, as the end of its sentence."""
    if bid.reason is not None:
        return f": less than the floor of {money(bid.floor)}"
    if bid.offer in outcome.won:
        return " and won"
    return "" if bid.offer in outcome.posted or not outcome.won else ": outbid"


def ending(view: OperatorLeadView) -> str:
    """Return how it ended."""
    sales = [sale for sale in view.sales if sale.state == "accepted"]
    if not sales:
        why = "" if view.reason is None else f" ({view.reason.reason})"
        return f"It ended {view.status}{why}."
    to_whom = " and ".join(f"to {sale.buyer} for {money(sale.price)}" for sale in sales)
    price, payout = sum(sale.price for sale in sales), sum(sale.payout for sale in sales)
    _, got, kept = bill(Decimal(price), Decimal(payout))
    return (
        f"Sold {to_whom}; seller {view.seller} gets {got}, the exchange keeps {kept}. "
        f"It took {duration(view.duration_ms)}."
    )


def money(amount: Decimal | None) -> str:
    """Return an amount as it stands in a bill."""
    return "" if amount is None else f"${amount:,.2f}"
