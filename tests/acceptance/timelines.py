"""Reading an operator's timeline: what was said of whom, and how each offer ended."""

from collections import defaultdict
from typing import Any

Timeline = list[dict[str, Any]]

LAST_WORDS = frozenset({"offer_left_out", "no_bid", "hold_failed", "refused", "voided", "accepted"})
"""Events after which nothing more happens to an offer in a stage."""


def of(timeline: Timeline, event: str, offer: str | None = None) -> Timeline:
    """Return the lines of this event, of this offer where one is named."""
    return [
        line
        for line in timeline
        if line["event"] == event and (offer is None or line.get("offer") == offer)
    ]


def events(timeline: Timeline, offer: str) -> list[str]:
    """Return what happened to an offer, in order."""
    return [line["event"] for line in timeline if line.get("offer") == offer]


def offers(timeline: Timeline, event: str) -> list[str]:
    """Return to whom this happened, in order."""
    return [line["offer"] for line in of(timeline, event)]


def reason(line: dict[str, Any]) -> str | None:
    """Return the word of a line's reason."""
    return line["reason"]["reason"] if "reason" in line else None


def reasons(timeline: Timeline, event: str) -> dict[str, str | None]:
    """Return why this happened, by offer."""
    return {line["offer"]: reason(line) for line in of(timeline, event)}


def verdicts(timeline: Timeline) -> dict[str, list[str]]:
    """Return how each offer ended, once for each stage in which it was looked at.

    A bid that merely stood is no end: it shows as `standing`, which no offer of a lead that has
    ended should be.
    """
    ended: defaultdict[str, list[str]] = defaultdict(list)
    standing: dict[str, str] = {}
    for line in timeline:
        event, offer, why = line["event"], line.get("offer"), reason(line)
        if event == "stage":
            close(standing, ended)
        elif event == "quoted":
            standing.clear()  # the quote's bids stand again, or not, in its post
        elif offer is None:
            continue
        elif event in LAST_WORDS or (event == "bid" and why):
            standing.pop(offer, None)
            ended[offer].append(f"{event} {why}" if why else event)
        elif event in {"pinged", "bid", "ranked", "held", "awarded", "posted", "in_doubt"}:
            standing[offer] = why if event == "ranked" and why else "standing"
    close(standing, ended)
    return dict(ended)


def close(standing: dict[str, str], ended: defaultdict[str, list[str]]) -> None:
    """Write down what a stage left of the bids that nothing more happened to."""
    for offer, word in standing.items():
        ended[offer].append(word)
    standing.clear()
