"""What a replay writes down of one lead, and what it keeps of a quote: as far as sums need it."""

import msgspec

from exchange.domain.events import Event
from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.domain.moment import LeadEnd, Moment, MomentKind
from exchange.domain.money import Micros
from exchange.domain.quote import Quote
from exchange.domain.states import LeadStatus, SaleState
from exchange.replay.recorded import Recorded, Sums

US_PER_MS = 1000
REFUSED = "refused"
"""The market, as it would be, does not take this lead at all."""


class Former(msgspec.Struct, frozen=True):
    """A lead that came first, as far as who comes later asks of it."""

    end: LeadEnd | None = None
    """Whether it had lost the person again was decided then."""
    part_of: LeadId | None = None
    """What was merged into another lead has no claim that others meet."""

    def others(self, claim: Claim) -> Claim:
        """Return nothing: whatever claim it was met by is its own."""
        return msgspec.structs.replace(claim, keys=())


FORMER = Former()


class Books:
    """The ledger of one lead, as far as its sums need it."""

    def __init__(self) -> None:
        """Begin empty."""
        self.moments: list[Moment] = []
        self.asked: tuple[Event, ...] = ()
        """What came of its ping, if it had one."""

    @property
    def events(self) -> tuple[Event, ...]:
        """Return all that came of the lead, in order."""
        return (*self.asked, *(event for moment in self.moments for event in moment.events))

    async def commit(self, moment: Moment) -> bool:
        """Keep the moment."""
        self.moments.append(moment)
        return True

    async def lead(self, _lead_id: LeadId) -> Former:
        """Know every former lead: whoever came first was written, and has the person."""
        return FORMER

    async def quote(self, _lead_id: LeadId) -> None:
        """Know nothing of former quotes."""

    async def is_used(self, _lead_id: LeadId) -> bool:
        """Know nothing of former quotes."""
        return False

    def sums(self, received_at_us: int) -> Sums:
        """Return what the lead came to."""
        accepted = [
            one.sale_end.sale_id
            for one in self.moments
            if one.sale_end is not None and one.sale_end.state is SaleState.ACCEPTED
        ]
        end = next((one for one in self.moments if one.lead_end is not None), None)
        if end is None or end.lead_end is None:
            return Sums(status=REFUSED)
        moved = [one for moment in self.moments for one in moment.transfers]
        return Sums(
            status=end.lead_end.status.value,
            sales=len(accepted),
            revenue=Micros(sum(one.amount for one in moved if one.debit.startswith("buyer/"))),
            payout=Micros(sum(one.amount for one in moved if one.credit.startswith("seller/"))),
            ms=(end.at_us - received_at_us) / US_PER_MS,
        )


class Sealing:
    """Keeps the quote that would have been put into a token."""

    quote: Quote | None = None

    def seal(self, quote: Quote) -> str:
        """Keep it."""
        self.quote = quote
        return ""


def unposted(lead: Recorded, status: LeadStatus) -> Moment:
    """Return the end of a lead whose ping had no price: it is never posted."""
    return Moment(
        lead_id=lead.lead_id,
        number=1,
        kind=MomentKind.OUTCOME,
        at_us=lead.received_at_us,
        events=(),
        lead_end=LeadEnd(status=status),
    )
