"""What is said at the end of a run, for people."""

from collections.abc import Iterator

from exchange.demo.tally import Tally
from exchange.demo.verdict import Result, Verdict
from exchange.demo.words import bill, duration
from exchange.domain.counting import counted, is_or_are

VIOLATIONS_SHOWN = 20
PROBLEMS_SHOWN = 5


def summary(result: Result, verdict: Verdict, tally: Tally, seconds: float) -> Iterator[str]:
    """Yield the run in a few lines."""
    yield (
        f"{counted(result.leads, 'lead')} in {seconds:.0f} s: {result.sold:,} sold, "
        f"{result.unsold:,} unsold, {counted(result.duplicate, 'duplicate')}, "
        f"{result.rejected:,} rejected, {result.pending:,} pending."
    )
    yield (
        f"{counted(result.pings, 'ping')} brought {counted(result.bids, 'bid')}; "
        f"{counted(result.posts, 'post')}; {counted(tally.quotes['quoted'], 'quote')} for "
        + counted(tally.quotes.total(), "seller's ping", "sellers' pings")
        + "."
    )
    paid, got, kept = bill(result.revenue, result.payout)
    yield f"Buyers pay {paid}, sellers get {got}, the exchange keeps {kept}."
    yield (
        f"Sellers had their answer after {duration(result.p50_ms)} (half of them), "
        f"{duration(result.p99_ms)} (99 %); of it, {duration(result.overhead_p99_ms)} (99 %) were "
        "not spent waiting for buyers."
    )
    if verdict.notices:
        told = ", ".join(f"{word} {count:,}" for word, count in verdict.notices.most_common())
        yield f"Buyers that wanted to know what became of their bids were told: {told}."
    yield from problems("Requests without an answer", tally.unanswered.most_common())
    yield from problems("Refused at the door", tally.refused.most_common())
    if verdict.in_doubt:
        doubtful = f"{counted(verdict.in_doubt, 'sale')} {is_or_are(verdict.in_doubt)}"
        yield f"{doubtful} in doubt: the buyer has not said yet."
    yield from checked(result)


def problems(title: str, counts: list[tuple[str, int]]) -> Iterator[str]:
    """Yield the commonest problems in one line, where there are any."""
    if counts:
        listed = "; ".join(f"{count:,} × {what}" for what, count in counts[:PROBLEMS_SHOWN])  # noqa: RUF001 - times
        yield f"{title}: {listed}."


def checked(result: Result) -> Iterator[str]:
    """Yield what the check at the end found."""
    if not result.violations:
        yield (
            "Checked: the ledger against itself, against the buyers' books, against what sellers "
            "were told, and against market state. No violations."
        )
        return
    yield f"{counted(len(result.violations), 'VIOLATION', 'VIOLATIONS')}:"
    for one in result.violations[:VIOLATIONS_SHOWN]:
        yield f"  {one.check}: {one.subject}: {one.detail}"
