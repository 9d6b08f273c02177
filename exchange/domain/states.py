"""The states of a lead and of a sale, as tables: a transition that is not here cannot happen."""

from enum import StrEnum


class LeadStatus(StrEnum):
    """What `status` of a lead says."""

    OPEN = "open"
    """Being sold; no seller sees this word."""
    QUOTED = "quoted"
    PENDING = "pending"
    """The seller heard that a post's outcome is not known yet."""
    SOLD = "sold"
    UNSOLD = "unsold"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


LEAD_TRANSITIONS: dict[LeadStatus | None, frozenset[LeadStatus]] = {
    None: frozenset({LeadStatus.OPEN, LeadStatus.QUOTED}),
    LeadStatus.QUOTED: frozenset({LeadStatus.OPEN}),
    LeadStatus.OPEN: frozenset(
        {
            LeadStatus.PENDING,
            LeadStatus.SOLD,
            LeadStatus.UNSOLD,
            LeadStatus.DUPLICATE,
            LeadStatus.REJECTED,
        }
    ),
    LeadStatus.PENDING: frozenset({LeadStatus.SOLD, LeadStatus.UNSOLD}),
    LeadStatus.SOLD: frozenset(),
    LeadStatus.UNSOLD: frozenset(),
    LeadStatus.DUPLICATE: frozenset(),
    LeadStatus.REJECTED: frozenset(),
}


class SaleState(StrEnum):
    """Where one sale stands, from its hold to its end."""

    HELD = "held"
    AWARDED = "awarded"
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    VOID = "void"
    RETURNED = "returned"


SALE_TRANSITIONS: dict[SaleState | None, frozenset[SaleState]] = {
    None: frozenset({SaleState.HELD}),
    SaleState.HELD: frozenset({SaleState.AWARDED, SaleState.VOID}),
    SaleState.AWARDED: frozenset(
        {SaleState.ACCEPTED, SaleState.REFUSED, SaleState.IN_DOUBT, SaleState.VOID}
    ),
    SaleState.IN_DOUBT: frozenset({SaleState.ACCEPTED, SaleState.REFUSED, SaleState.VOID}),
    SaleState.ACCEPTED: frozenset({SaleState.RETURNED}),
    SaleState.REFUSED: frozenset(),
    SaleState.VOID: frozenset(),
    SaleState.RETURNED: frozenset(),
}
