"""A lead that several may share: who gets it is chosen, held and posted together.

The set that brings most is chosen exactly, and again after every refusal among what is left:
whoever has the lead, or may have it, keeps the terms it was promised. All are held at once, or none
is; each award is durable before its post; the posts run side by side.
"""

import asyncio
from collections.abc import Iterable, Sequence

from exchange.domain.bid import Bid
from exchange.domain.campaign import Method, Stage
from exchange.domain.caps import HoldRefused
from exchange.domain.choice import Choice, Sharing, Taken, choose, in_turn, sharing_of
from exchange.domain.dealing import dealt
from exchange.domain.events import EventName
from exchange.domain.lead import Lead
from exchange.domain.legs import Kept
from exchange.domain.moment import MomentKind
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.remaining import Full, remaining
from exchange.market.errors import MarketUnavailable
from exchange.story.awarding import Awarding
from exchange.story.chain import Chain
from exchange.story.competing import Competing
from exchange.story.concluding import Concluding
from exchange.story.ending import Ending, Sold
from exchange.story.patience import all_ended, any_done
from exchange.story.stations import Stations
from exchange.story.wording import Won

OTHERS_BRING_MORE = "others bring more"
NOT_KNOWN = "whether it has room is not known: market state does not answer"

Posts = dict["asyncio.Task[Sold | None]", Taken]
"""Sales under way, with what their buyers were promised."""


class Together:
    """Sells one lead to as many as may share it, stage by stage."""

    def __init__(
        self,
        stations: Stations,
        chain: Chain,
        lead: Lead,
        awarding: Awarding,
        concluding: Concluding,
    ) -> None:
        """Take the lead, and who awards it and sees its posts through."""
        self._stations = stations
        self._chain = chain
        self._lead = lead
        self._awarding = awarding
        self._concluding = concluding
        self._has_it: list[Taken] = []
        self._fell_out = False
        """Somebody who was chosen refused, or had no room."""

    async def sell(self, bids: Sequence[Bid], stage: Stage, competing: Competing) -> Ending | None:
        """Sell to the best set of these bids; None where nobody took the lead.

        Returns once every post of the stage has its end; the lead's own is then written.
        """
        left = list(bids)
        self._fell_out = False
        posts: Posts = {}
        try:
            while True:
                left = competing.joined(left)
                left = await self._choose_and_post(left, stage, competing, posts)
                if not posts and not await self._may_join(competing):
                    break
                if not posts:
                    continue
                while self._chain.has_ended_sales:  # no hold is kept for as long as others doubt
                    await self._chain.write(MomentKind.OUTCOME)
                await any_done(posts, None)
                for post in [post for post in posts if post.done()]:
                    taken = posts.pop(post)
                    if post.result() is not None:
                        self._has_it.append(taken)
                    else:
                        self._fell_out = True
        finally:
            await all_ended(posts)
        self._note_rest(bids, left, stage)
        if not self._concluding.sold:
            return None
        return await self._concluding.end(stage.number)

    async def _may_join(self, competing: Competing) -> bool:
        """Where somebody fell out: wait for who is silent since the auction was closed early."""
        return self._fell_out and await competing.heard_out()

    async def _choose_and_post(
        self, left: list[Bid], stage: Stage, competing: Competing, posts: Posts
    ) -> list[Bid]:
        """Begin the posts of who is to come in now; return the bids that are left over."""
        while True:
            sharing = self._sharing(stage, posts.values())
            choice = self._chosen(left, stage, sharing, competing)
            if choice is None:
                return left
            chosen = {bid.offer.id for bid in choice.bids}
            others = [bid for bid in left if bid.offer.id not in chosen]
            if not self._awarding.may_award():
                self._too_late(choice.bids, stage)
                left = others
                continue
            self._note(choice, stage)
            wins = self._wins(choice, left, stage, sharing, competing)
            epoch = self._stations.market.epoch
            try:
                full = await self._hold_all(wins)
            except MarketUnavailable:
                if not posts and not self._has_it:
                    raise
                self._not_known(choice.bids, stage)  # no reason to break off who has it, or may
                return left
            if full:
                self._fell_out = True
                left = self._remaining(left, stage, choice, full)
                continue
            for won in wins:
                award = self._awarding.award(won, stage, epoch)
                taken = Taken(won.bid.offer, won.buyers_max)
                posts[asyncio.ensure_future(award)] = taken
            return others

    def _sharing(self, stage: Stage, under_way: Iterable[Taken]) -> Sharing:
        return sharing_of(
            self._lead,
            stage,
            taken=(*self._has_it, *under_way),
            is_let_out=bool(self._concluding.maybe_had),
        )

    def _chosen(
        self, left: Iterable[Bid], stage: Stage, sharing: Sharing, competing: Competing
    ) -> Choice | None:
        bids, kept = self._able(left), self._kept_in(stage)
        if kept is not None:
            bids = kept.takers(bids, taken_by(sharing), competing.payout_of)
        if stage.method is Method.AUCTION:
            return choose(bids, sharing, competing.worth)
        return in_turn(bids, sharing)

    def _able(self, left: Iterable[Bid]) -> list[Bid]:
        """Return the bids of buyers who were not sent the lead."""
        posted_to = self._awarding.posted_to
        return [bid for bid in left if bid.offer.buyer.id not in posted_to]

    def _kept_in(self, stage: Stage) -> Kept | None:
        """Return what was quoted in this stage, if anything was."""
        kept = self._awarding.kept
        return kept if kept is not None and kept.stage == stage.number else None

    def _wins(
        self,
        choice: Choice,
        left: Iterable[Bid],
        stage: Stage,
        sharing: Sharing,
        competing: Competing,
    ) -> list[Won]:
        """Make a sale of each bid that was chosen, at its price and on its terms."""
        chosen = {bid.offer.id for bid in choice.bids}
        others = [bid for bid in left if bid.offer.id not in chosen]
        kept, terms = self._kept_in(stage), competing.terms
        vacated = None if kept is None else kept.vacated(self._able(left), taken_by(sharing))
        wins = []
        for deal in dealt(choice, others, sharing, terms, self._awarding.posted_to):
            here = 1 if choice.alone else sharing.buyers_max_of(deal.bid.offer)
            told = here + sharing.elsewhere
            promised = deal
            if kept is not None:
                margin = terms.seller.margin_of(deal.bid.offer.id)
                promised = kept.as_promised(deal, vacated, margin)
            wins.append(self._awarding.win(promised, competing.score, here, told))
        return wins

    async def _hold_all(self, wins: Sequence[Won]) -> Full:
        """Hold all, or none and return the offers that had no room; raises MarketUnavailable."""
        told = await asyncio.gather(
            *[self._awarding.hold(won) for won in wins], return_exceptions=True
        )
        answers = list(zip(wins, told, strict=True))
        failed = [one for one in told if isinstance(one, BaseException)]
        full = {
            won.bid.offer.id: refused.reason
            for won, refused in answers
            if isinstance(refused, HoldRefused)
        }
        if not failed and not full:
            return full
        held = [won for won, _ in answers if won.sale_id in self._awarding.held]
        for won in held:
            self._chain.note(EventName.RELEASED, offer=won.bid.offer.id, sale_id=won.sale_id)
        # Where no answer came it may be held all the same.
        unsure = [won for won, said in answers if isinstance(said, BaseException)]
        await asyncio.gather(
            *[self._awarding.give_back(o.bid.offer.buyer.id, o.sale_id) for o in (*held, *unsure)]
        )
        if failed:
            raise failed[0]
        return full

    def _remaining(self, left: list[Bid], stage: Stage, choice: Choice, full: Full) -> list[Bid]:
        """Return what may still be chosen after some of a choice had no room.

        Who was quoted to be alone does not share instead.
        """
        if self._kept_in(stage) is None:
            return remaining(left, choice, full)
        return [bid for bid in left if bid.offer.id not in full]

    # What is written down

    def _note(self, choice: Choice, stage: Stage) -> None:
        together = len(self._has_it) + len(choice.bids)
        detail = "alone" if choice.alone else f"{together} of at most {stage.max_buyers}"
        self._chain.note(
            EventName.CHOSEN,
            stage=stage.number,
            detail=detail,
            price=Micros(sum(choice.price_of(bid) for bid in choice.bids)),
            offers=tuple(bid.offer.id for bid in choice.bids),
        )

    def _not_known(self, bids: Iterable[Bid], stage: Stage) -> None:
        for bid in bids:
            self._chain.note(
                EventName.OFFER_LEFT_OUT,
                offer=bid.offer.id,
                reason=Reason.CAP_AT_AWARD,
                detail=NOT_KNOWN,
                stage=stage.number,
            )

    def _too_late(self, bids: Iterable[Bid], stage: Stage) -> None:
        for bid in bids:
            self._chain.note(
                EventName.OFFER_LEFT_OUT,
                offer=bid.offer.id,
                reason=self._awarding.too_late(),
                stage=stage.number,
            )

    def _note_rest(self, bids: Sequence[Bid], left: Sequence[Bid], stage: Stage) -> None:
        """Say of who was never chosen why; that others bring more goes without saying.

        Only of the first in the ranking it does not.
        """
        sharing = self._sharing(stage, ())
        bought = {one.offer.buyer.id for one in self._has_it}
        first = bids[0].offer.id if bids else None
        for bid in left:
            buyer_id = bid.offer.buyer.id
            if buyer_id in self._awarding.posted_to - bought:
                self._awarding.leave_out(bid)
                continue
            detail = None if buyer_id in bought else sharing.why_not(bid.offer)
            if detail is not None or bid.offer.id == first:
                self._chain.note(
                    EventName.OFFER_LEFT_OUT,
                    offer=bid.offer.id,
                    reason=Reason.OUTBID,
                    detail=detail or OTHERS_BRING_MORE,
                    stage=stage.number,
                )


def taken_by(sharing: Sharing) -> list[str]:
    """Return the offers that have the lead, or may have it."""
    return [one.offer.id for one in sharing.taken]
