"""Who came first: claims of a person for a lead, each one call."""

import asyncio

from exchange.domain.exclusivity import Claim
from exchange.domain.ids import LeadId
from exchange.market import function, keys
from exchange.market.caller import Caller
from exchange.market.connection import ignore
from exchange.market.insisting import Insist


class Claims:
    """Claims, in whose epoch they are asked for. Errors: MarketUnavailable."""

    def __init__(self, link: Caller, insist: Insist) -> None:
        """Take the link, and how to ask where the epoch must be right."""
        self._link = link
        self._insist = insist

    async def claim(self, claim: Claim) -> LeadId | None:
        """Claim a person for this lead; return the lead that came first, None: it is ours.

        Ours for its window from now on, unless it is given back; `keep_claim` begins that anew.
        """

        def ask(epoch: str) -> asyncio.Future[LeadId | None]:
            wanted, of = with_epoch(claim, epoch)
            return self._link.call(
                function.CLAIM, wanted, (claim.lead_id, claim.window_s * 1000, *of), lead_or_none
            )

        return await self._insist(ask)

    async def look_up(self, claim: Claim) -> LeadId | None:
        """Return the lead that came first, if any, and claim nothing."""

        def ask(epoch: str) -> asyncio.Future[LeadId | None]:
            wanted, of = with_epoch(claim, epoch)
            return self._link.call(function.LOOK_UP, wanted, (claim.lead_id, *of), lead_or_none)

        return await self._insist(ask)

    def keep_claim(self, claim: Claim) -> asyncio.Future[None]:
        """Let a claim hold for its whole window from now on, where no other lead has it."""
        arguments = (claim.lead_id, claim.window_s * 1000)
        return self._link.call(function.KEEP_CLAIM, keys.claims(claim), arguments, ignore)

    def unclaim(self, claim: Claim) -> asyncio.Future[None]:
        """Give back what this lead claimed, and nothing of another's."""
        return self._link.call(function.UNCLAIM, keys.claims(claim), (claim.lead_id,), ignore)


def with_epoch(claim: Claim, epoch: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys of a claim, and what else to say, where an epoch is watched over."""
    wanted = keys.claims(claim)
    return ((*wanted, keys.epoch(claim.scope)), (epoch,)) if epoch else (wanted, ())


def lead_or_none(reply: bytes | None) -> LeadId | None:
    """Return the lead id that a claim answered."""
    return None if reply is None else LeadId(reply.decode())
