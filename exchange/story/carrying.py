"""What a quote brings into its post: the bids that may still buy, and what is insisted on."""

from collections.abc import Collection

from exchange.domain.campaign import Stage
from exchange.domain.legs import Kept, QuotedLeg, chosen
from exchange.domain.quote import Quote, StandingBid, terms_of
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.submission import Submission
from exchange.story.carried import CHANGED, Carried

US_PER_S = 1_000_000
NOT_NAMED = "the consent does not name this buyer"
NOT_POSTED = "not among the legs that were posted"


def carried_by(quote: Quote, submission: Submission, snapshot: Snapshot) -> Carried:
    """Return what the post of a quote carries, of offers that are still in the market."""
    named = submission.person.consent.named_buyers
    legs = chosen(quote.legs, submission.legs, named, names_of(quote, snapshot))
    is_chosen = submission.legs is not None or is_named(quote, named)
    wanted = submission.lead.min_price
    insists = wanted >= quote.least
    best = max((leg.payout for leg in legs), default=quote.payout)
    least = min((leg.payout for leg in legs), default=quote.payout)
    posted = {leg.offer_id for leg in legs} if is_chosen else None
    stage = stage_now(quote, snapshot)
    asked = [
        (bid.bid(snapshot.offers[bid.offer_id]), why_not(bid, quote, submission, posted))
        for bid in quote.bids
        if bid.offer_id in snapshot.offers
    ]
    if quote.version != snapshot.version:
        here = frozenset(() if stage is None else stage.offer_ids)
        gone = Reason.QUOTE_PROMISE, CHANGED
        asked = [(bid, why or (None if bid.offer.id in here else gone)) for bid, why in asked]
    return Carried(
        bids=tuple(bid for bid, why in asked if why is None),
        asked=tuple(bid for bid, _ in asked),
        stage=None if stage is None else stage.number,
        floor=quote.floor,
        promised=quote.payout,
        payout_wanted=max(wanted, least) if insists else wanted,
        wanted_later=max(wanted, best) if insists else wanted,
        kept=Kept(
            legs=legs,
            stage=0 if stage is None else stage.number,
            alone=quote.alone,
            is_chosen=is_chosen,
            insists=insists,
            held=tuple(leg for leg in quote.legs if leg.offer_id in snapshot.offers),
        ),
        left_out=tuple((bid.offer.id, *why) for bid, why in asked if why is not None),
    )


def stage_now(quote: Quote, snapshot: Snapshot) -> Stage | None:
    """Return the stage that a quote was made in, as the plan is now; None: it is gone.

    Of several on the same terms the one with most of the buyers who were quoted.
    """
    stages = snapshot.campaign(quote.campaign_id, test=quote.test).stages
    if quote.version == snapshot.version:
        return stages[quote.stage - 1]
    quoted = {leg.offer_id for leg in quote.legs} & snapshot.offers.keys()

    def likeness(stage: Stage) -> tuple[int, bool, int]:
        here = len(quoted.intersection(stage.offer_ids))
        return here, stage.number == quote.stage, -stage.number

    alike = [stage for stage in stages if quote.terms == terms_of(stage)]
    found = max(alike, key=likeness, default=None)
    if found is None or (quoted and not quoted.intersection(found.offer_ids)):
        return None
    return found


def is_named(quote: Quote, named: tuple[str, ...]) -> bool:
    """Tell whether a consent chooses by names, of which the quote told the seller some."""
    return bool(named) and any(leg.buyer for leg in quote.legs)


def names_of(quote: Quote, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Return what the buyer of each leg may be called by a consent, beside the leg's own name."""
    offers = {leg.offer_id: snapshot.offers.get(leg.offer_id) for leg in quote.legs}
    return {
        name: () if offer is None else (offer.buyer.id, offer.buyer.name)
        for name, offer in offers.items()
    }


def why_not(
    bid: StandingBid, quote: Quote, submission: Submission, posted: Collection[str] | None
) -> tuple[Reason, str] | None:
    """Return why an offer whose bid stood does not get what the seller posts; None: it may.

    `posted` are the offers that the seller chose. The quote ends before a bid of its legs does.
    """
    leg: QuotedLeg | None = next((one for one in quote.legs if one.offer_id == bid.offer_id), None)
    if posted is not None and bid.offer_id not in posted:
        is_posted = submission.legs is None or (leg is not None and leg.leg_id in submission.legs)
        if leg is not None and is_posted:
            return Reason.CONSENT, NOT_NAMED
        return Reason.SUPPRESSED, NOT_POSTED
    if leg is None and bid.ttl_s is not None:
        ends_us = quote.quoted_at_us + bid.ttl_s * US_PER_S
        if submission.lead.received_at_us >= ends_us:
            return Reason.QUOTE_PROMISE, f"its bid held for {bid.ttl_s} s"
    return None
