"""What a sale takes of the pilots of its seller and campaign: money, beside its buyer's limits.

A buyer's own pilot stands among its caps. A seller's counts what it is paid, a campaign's what
buyers pay in it; each is held for a sale by its own holder, `seller:fastquotes` or
`campaign:auto-us`, under the id of the sale, and settles or is given back with it. Test leads take
nothing.
"""

from collections.abc import Iterator

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.caps import Hold, HoldLine
from exchange.domain.ids import LeadId, SaleId
from exchange.domain.money import Micros
from exchange.domain.offer import Cap, CapKind
from exchange.domain.pilot import name_of
from exchange.domain.reason import Reason
from exchange.domain.seller import Seller
from exchange.domain.volume import holder_of, holder_of_campaign


class Trials(msgspec.Struct, frozen=True):
    """The money that pilots of one lead's seller and campaign allow; most leads have none."""

    limits: tuple[tuple[str, Cap], ...] = ()
    """Each with who holds."""

    def holds(self, sale: "Taken") -> Iterator[Hold]:
        """Yield what a sale holds beside its buyer's limits."""
        for holder, cap in self.limits:
            amount = sale.payout if cap.kind is CapKind.PAYOUT else sale.price
            line = HoldLine(name_of(cap), amount, cap.limit, Reason.BUDGET_AT_AWARD)
            yield Hold(
                sale_id=sale.sale_id,
                lead_id=sale.lead_id,
                buyer_id=holder,
                held_at_us=sale.held_at_us,
                lines=(line,),
            )

    def settled(self, *, charge: Micros, payout: Micros) -> Iterator[tuple[str, Micros]]:
        """Yield who holds, and at how much it settles: a buyer may be charged less than was held.

        The seller gets what it was promised all the same.
        """
        for holder, cap in self.limits:
            yield holder, payout if cap.kind is CapKind.PAYOUT else charge


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A sale, as far as limits go."""

    sale_id: SaleId
    lead_id: LeadId
    price: Micros
    payout: Micros
    held_at_us: int


NO_TRIALS = Trials()


def trials_of(seller: Seller | None, campaign: Campaign | None, *, test: bool) -> Trials:
    """Return what pilots of a lead's seller and campaign say of money; None: it was retired."""
    if test:
        return NO_TRIALS
    found: list[tuple[str, Cap]] = []
    if seller is not None:
        found += [(holder_of(seller.id), one) for one in seller.pilot if is_money(one)]
    if campaign is not None:
        found += [(holder_of_campaign(campaign.id), one) for one in campaign.pilot if is_money(one)]
    return Trials(tuple(found)) if found else NO_TRIALS


def is_money(cap: Cap) -> bool:
    """Tell whether a limit is an amount of money."""
    return cap.kind in {CapKind.SPEND, CapKind.PAYOUT}
