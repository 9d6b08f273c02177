"""How much the HTTP edge lets in, and how long it waits."""

import msgspec

from exchange.settings import Settings


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A limit on everything; values come from the settings."""

    body_max_bytes: int
    request_timeout_s: float
    """For a whole body to arrive."""
    loop_lag_max_ms: float
    """Later than this, and new leads are turned away."""
    market_wait_max_ms: float
    """With a call to market state waiting for longer than this, too."""
    auction_overdue_max_ms: float
    """A lead older than its deadline by this much says the same."""
    leads_under_way_max: int
    retry_after_s: int
    feed_max_bytes: int
    feed_rows_max: int
    feed_row_max_bytes: int
    feeds_at_once_max: int
    feed_rows_at_once_max: int
    feed_rows_per_s_max: int
    feed_retry_s: float
    """For how long a row is tried again that found no room, or a store away."""
    feed_idle_s: float
    """For how long a feed may bring nothing, or its answers be left unread."""
    feed_unread_max_bytes: int
    """Of answers; with more of them lying there, rows wait."""
    wait_max_s: float = 30.0
    """The longest `wait_s` of `GET /v1/leads/{lead_id}`."""
    shutdown_grace_s: float
    """For the auctions under way when the worker is told to stop."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits that the settings name alike."""
        named = (name for name in cls.__struct_fields__ if name in Settings.__struct_fields__)
        return cls(**{name: getattr(settings, name) for name in named})
