"""An auction of a stage: what its pings show, what its bids are ranked by, what ends it early."""

from collections.abc import Iterable

from exchange.auction.ping import Showing
from exchange.domain import anonymize, ranking
from exchange.domain.bid import Contender
from exchange.domain.campaign import Campaign, Method, Stage
from exchange.domain.choice import Worth, sharing_of
from exchange.domain.closing import Closing
from exchange.domain.lead import Facts, Lead
from exchange.domain.money import Micros
from exchange.domain.repeating import marks_without, repeating
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical


def showing_of(
    submission: Submission, campaign: Campaign, vertical: Vertical, score: int
) -> Showing:
    """Return what all pings of a lead show: nothing of the person, nor what repeats it."""
    lead = submission.lead
    repeats = repeating(submission.person.identity, lead.fields, vertical)
    return Showing(
        vertical_id=vertical.id,
        test=lead.test,
        fields={**anonymize.shown(lead, vertical, repeats), "score": score},
        consent=marks_without(submission.person.identity, lead.consent, vertical),
        currency=campaign.currency,
        channel=lead.source.channel,
    )


def closing_of(
    stage: Stage, lead: Lead, contenders: Iterable[Contender], value: Worth, *, is_first: bool
) -> Closing | None:
    """Return what may end a stage's auction early, or None where nothing may.

    `value`: what a shared lead's bids are expected to bring; `is_first`: nobody was sent it yet.
    """
    if not stage.early_close and stage.method is not Method.FIRST_ACCEPT:
        return None
    buy_now = buy_now_of(stage, contenders)
    if stage.max_buyers == 1:
        return Closing(by_bounds=stage.early_close, buy_now=buy_now)
    if not is_first:
        return None  # on what terms those have the lead who got it before is not known here
    return Closing(by_bounds=True, sharing=sharing_of(lead, stage), value=value)


def buy_now_of(stage: Stage, contenders: Iterable[Contender]) -> dict[str, Micros]:
    """Return the prices at which offers get the lead at once, by offer."""
    if stage.method is not Method.FIRST_ACCEPT:
        return {}
    prices = {
        one.offer.id: stage.buy_now if one.offer.buy_now is None else one.offer.buy_now
        for one in contenders
    }
    return {name: price for name, price in prices.items() if price is not None}


def fitting(contenders: Iterable[Contender], facts: Facts) -> ranking.Worth:
    """Return what bids are compared by where the best fit wins; say of each how well it fits."""
    fits = {}
    for one in contenders:
        fit = fits[one.offer.id] = one.offer.fit_of(facts)
        one.detail = f"fit {fit}"
    return ranking.fitting(fits)
