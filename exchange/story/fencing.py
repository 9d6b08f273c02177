"""Making sure that a lead of which nothing is written never will be."""

from collections.abc import Awaitable
from typing import Protocol

from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.domain.moment import LeadEnd, Moment, MomentKind, QuoteRow


class Known(Protocol):
    """A lead that is written, as far as who meets its claim asks of it."""

    @property
    def end(self) -> LeadEnd | None:
        """How it ended, if it has."""

    @property
    def part_of(self) -> LeadId | None:
        """The lead that it was merged into, if it was."""

    def others(self, claim: Claim) -> Claim:
        """Return what of a claim under its id is not its own."""


class Written(Protocol):
    """What is known of a lead."""

    async def lead(self, lead_id: LeadId) -> Known | None:
        """Return a lead that is written."""

    async def quote(self, lead_id: LeadId) -> QuoteRow | None:
        """Return a quote's row, or None."""


class Commits(Protocol):
    """Where moments are written."""

    def commit(self, moment: Moment) -> Awaitable[bool]:
        """Write the moment durably; False where somebody else has its number."""


async def fence(
    archive: Written, ledger: Commits, lead_id: LeadId, now_us: int, spared_us: int | None = None
) -> bool:
    """Take the number that the lead's first moment would need; idempotent.

    True: no lead of this id will ever be written. False: one is, and has or will have its end.
    The first moment of a quote's post is its second: a quote so fenced can be used no more. With
    `spared_us` none is that holds, or held until less than that ago, be it written just now: False.
    """
    if await archive.lead(lead_id) is not None:
        return False
    quote = await archive.quote(lead_id)
    if quote is not None and spared_us is not None:
        holds_until_us = quote.expires_at_us or 0
        if now_us < holds_until_us + spared_us:
            return False
    number = 1 if quote is None else 2
    void = Moment(lead_id=lead_id, number=number, kind=MomentKind.VOID, at_us=now_us, events=())
    if await ledger.commit(void):
        return True
    if quote is None and await archive.quote(lead_id) is not None:
        # It was written after we had looked, under the number that we wanted.
        return await fence(archive, ledger, lead_id, now_us, spared_us)
    return await archive.lead(lead_id) is None
