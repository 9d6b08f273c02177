"""Who may be pinged right now: by the ping budget of the seller, and by the rate of each offer.

Both are counted in market state before a ping goes out, so that no number of workers passes them.
Where nothing of it is set nothing is asked.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from exchange.domain import volume
from exchange.domain.bid import Contender
from exchange.domain.caps import Hold
from exchange.domain.eligibility import LeftOut
from exchange.domain.lead import Lead
from exchange.domain.lineup import Plan
from exchange.domain.money import Micros
from exchange.domain.offer import CapKind, Offer
from exchange.domain.reason import Reason
from exchange.domain.schedule import US_PER_S
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import Sent
from exchange.market.errors import MarketUnavailable
from exchange.story.chain import Chain
from exchange.story.stations import Stations
from exchange.story.volume import ping_hold, settle

HELD_TRIES = 4
UNKNOWN = "its rate is not known: market state does not answer"

LeaveOut = Callable[[Sequence[LeftOut]], None]


class Rationing:
    """Lets the contenders of one lead be asked, as far as there is room for it."""

    def __init__(self, stations: Stations, sent: Sent | None, lead: Lead, chain: Chain) -> None:
        """Take whose pings they are; `sent`: None where their seller has no ping budget."""
        self._stations = stations
        self._sent = sent
        self._lead = lead
        self._chain = chain

    async def admitted(
        self, contenders: Sequence[Contender], at_us: int, leave_out: LeaveOut
    ) -> tuple[Contender, ...]:
        """Return those that may be asked now, and all that compete unasked; leave out the others.

        `at_us`: the moment under which the pings will stand in the timeline.
        """
        asked = [one for one in contenders if one.offer.ping is not None]
        out: defaultdict[tuple[Reason, str], list[str]] = defaultdict(list)
        if self._sent is not None and asked:
            asked = await self._within_budget(self._sent, asked, at_us, out)
        asked = await self._within_rates(asked, out)
        if not out:
            return tuple(contenders)
        leave_out([LeftOut(*verdict, tuple(offer_ids)) for verdict, offer_ids in out.items()])
        may = {id(one) for one in asked}
        return tuple(one for one in contenders if one.offer.ping is None or id(one) in may)

    # The ping budget of a seller

    async def _within_budget(
        self,
        sent: Sent,
        asked: list[Contender],
        at_us: int,
        out: defaultdict[tuple[Reason, str], list[str]],
    ) -> list[Contender]:
        """Hold a place for each ping; where there are too few, the first by priority are asked."""
        sent = Sent(sent.seller, sent.source_id, at_us, sent.test)
        holder = volume.holder_of(sent.seller.id)
        asked.sort(key=lambda one: one.offer.priority)
        count, counter = len(asked), ""
        for _ in range(HELD_TRIES):
            if not count:
                break
            refused = await self._stations.market.hold(
                Hold(
                    sale_id=ping_hold(self._lead.lead_id, at_us),
                    lead_id=self._lead.lead_id,
                    buyer_id=holder,
                    held_at_us=at_us,
                    lines=tuple(line for _, line in volume.lines(sent, CapKind.PINGS, count)),
                )
            )
            if refused is None:
                break
            # Its answer told what is used; who took some meanwhile makes it fewer again.
            counter = refused.counter
            used = self._stations.market.used(holder)
            count = min(count - 1, volume.room(sent, CapKind.PINGS, used))
        else:
            count = 0
        out_of_room = asked[count:]
        if out_of_room:
            out[Reason.CAP, counter] += [one.offer.id for one in out_of_room]
        return asked[:count]

    def pinged(self, count: int, at_us: int) -> None:
        """Let just these pings count, once they are written."""
        if self._sent is None:
            return
        holder = volume.holder_of(self._sent.seller.id)
        sale_id = ping_hold(self._lead.lead_id, at_us)

        async def follow() -> None:
            self._stations.spawn(settle(self._stations.market, holder, sale_id, Micros(count)))

        self._chain.then(follow)

    # The rates of offers

    async def _within_rates(
        self, asked: list[Contender], out: defaultdict[tuple[Reason, str], list[str]]
    ) -> list[Contender]:
        rated = [one.offer for one in asked if one.offer.ping and one.offer.ping.rate]
        if not rated:
            return asked
        rates = self._stations.rates
        assert rates is not None, "where offers have rates somebody counts them"
        try:
            waiting = await rates.without_turn(rated)
        except MarketUnavailable:
            out[Reason.RATE, UNKNOWN] += [offer.id for offer in rated]
            waiting = frozenset(offer.id for offer in rated)
        else:
            for offer in rated:
                if offer.id in waiting:
                    out[Reason.RATE, told(offer)].append(offer.id)
        return [one for one in asked if one.offer.id not in waiting]


def told(offer: Offer) -> str:
    """Return an offer's rate in words."""
    assert offer.ping is not None, "only what is pinged has a rate"
    assert offer.ping.rate is not None, "only who has a rate can be over it"
    rate = offer.ping.rate
    return f"{rate.most} per {'second' if rate.within_us == US_PER_S else 'minute'}"


def rationing_of(
    stations: Stations, snapshot: Snapshot, lead: Lead, chain: Chain
) -> Rationing | None:
    """Return who lets offers be asked for this lead; None where nothing limits that."""
    plan: Plan = snapshot.plan(lead.campaign_id, test=lead.test)
    seller = snapshot.sellers[lead.seller_id]
    sent = None
    if seller.is_limited:
        sent = Sent(seller, lead.source.id, lead.received_at_us, lead.test)
        if not any(cap.kind is CapKind.PINGS for cap in sent.limits):
            sent = None
    return Rationing(stations, sent, lead, chain) if plan.rates or sent is not None else None
