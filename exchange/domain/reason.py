"""One small published list of reasons, used in answers, timelines, metrics and pages.

The numbers lie in the ranges of the IAB's seat-non-bid list: 0-99 the buyer's own choice, 100s
technical, 200s left out before the ping, 300s lost in the auction, 400s after the award, 500s
the lead itself.
"""

from enum import IntEnum


class Reason(IntEnum):
    """Why an offer, or a lead, did not end in a sale."""

    NO_BID = 0
    TIMEOUT = 101
    INVALID_BID = 102
    UNREACHABLE = 103
    THROTTLED = 104
    FILTERED = 201
    SCHEDULE = 202
    CAP = 203
    BUDGET = 204
    DUPLICATE_FOR_BUYER = 205
    SUPPRESSED = 206
    PAUSED = 207
    CONSENT = 208
    RATE = 209
    CURRENCY = 210
    TOO_LATE_TO_PING = 211
    BELOW_FLOOR = 301
    OUTBID = 302
    CAP_AT_AWARD = 303
    BUDGET_AT_AWARD = 304
    QUOTE_PROMISE = 305
    CUT_OFF = 306
    REFUSED = 401
    IN_DOUBT = 402
    VOID = 403
    INVALID_FIELD = 501
    BLOCKED = 502
    DUPLICATE = 503
    LOW_SCORE = 504
    CONSENT_MISSING = 505
    UNKNOWN_SOURCE = 506
    NO_ELIGIBLE_OFFER = 507
    NO_BID_ABOVE_FLOOR = 508
    ALL_REFUSED = 509
    DEADLINE = 510
    LOCATION_MISMATCH = 511
    NOT_QUALIFIED = 512
    PAUSED_SOURCE = 513

    @property
    def word(self) -> str:
        """Return the published word, `below_floor` for 301."""
        return self.name.lower()
