"""What tests of replays look for in what is printed."""

from datetime import UTC, datetime

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ZERO = {
    "leads": 0, "sold": 0, "sales": 0, "revenue": 0, "payout": 0, "margin": 0,
    "p50_ms": 0.0, "p95_ms": 0.0,
}  # fmt: skip
NOTHING = {"pings": 0, "posts": 0, "leads": 0, "reasons": []}
IN_BOTH = ("leads", "sold", "sales", "revenue", "payout", "margin")


def all_of(found):
    """The row of one campaign."""
    [row] = [row for row in found["campaigns"] if row["campaign"] == "auto-us"]
    return row


def as_recorded(found):
    """Sold again as it was every campaign brings what is written; no change is no difference."""
    for row in found["campaigns"]:
        for name in IN_BOTH:
            assert row["recorded"][name] == row["before"][name], (row["campaign"], name)
        assert row["difference"] == ZERO, row["campaign"]
    assert (found["changed"], found["unrecorded"]) == (0, NOTHING)
