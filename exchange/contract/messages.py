"""What operators see of webhooks: each message with every try to deliver it."""

import msgspec


class TryOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a recipient."""

    at: str
    ms: float
    status: int | None = None
    """None where nothing came back."""
    error: str | None = None
    """Why it counts as failed; None: it was delivered."""


class DeliveryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one recipient; what it says is not shown, it can be asked for."""

    id: str
    """The `webhook-id` under which it is sent, however often."""
    type: str
    recipient: str
    """`seller/fastquotes`, `offer/acme-tx`."""
    lead_id: str | None
    at: str
    """When what it tells happened."""
    state: str
    """`waiting`, `delivered`, `failed`."""
    next_try_at: str | None
    """Of one that waits; one that is under way is tried again then if nothing is heard of it."""
    ended_at: str | None
    tries: tuple[TryOut, ...]


class DeliveriesOut(msgspec.Struct, frozen=True):
    """The answer to `GET /v1/admin/webhooks/deliveries`, the newest first."""

    deliveries: tuple[DeliveryOut, ...]
    next: str | None
    """What `before` is to be for the next page; None: this is the last one."""
