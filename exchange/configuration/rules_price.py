"""What must hold of margins and price rules, beyond the types of their keys."""

from collections.abc import Iterator

from exchange.configuration.compiling.margins import margin_of
from exchange.configuration.draft import Draft
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.contract.market.campaigns import CampaignPart, Rounding, StagePart
from exchange.contract.market.margins import BandPart, MarginPart
from exchange.domain.campaign import Method, PriceRuleKind
from exchange.domain.money import to_text
from exchange.domain.nearest import hint
from exchange.domain.pricing import falls_at

WAYS = ("percent", "fixed", "payout")


def check_margin(margin: MarginPart | None, path: Path) -> Iterator[Problem]:
    """Tell what is wrong with a margin."""
    if margin is None:
        return
    named = [way for way in (*WAYS, "bands") if getattr(margin, way) is not None]
    if len(named) != 1:
        yield Problem(path, "names exactly one of percent, fixed, payout, bands")
    elif margin.bands is None:
        yield from _limit(margin, path)
    elif margin.relax_to is not None:
        yield Problem((*path, "relax_to"), "stands in the bands, each has its own")
    else:
        yield from _bands(margin, margin.bands, (*path, "bands"))


def _limit(part: MarginPart | BandPart, path: Path) -> Iterator[Problem]:
    """Tell of a limit that could not be reached, or is none."""
    if part.relax_to is None:
        return
    place = (*path, "relax_to")
    most = part.fixed if part.percent is None else part.percent
    if most is None:
        yield Problem(place, "is for percent and fixed: a fixed payout is what the seller gets")
    elif part.relax_to > most:
        yield Problem(place, f"is more than the margin itself, {most}")


def _bands(margin: MarginPart, bands: tuple[BandPart, ...], path: Path) -> Iterator[Problem]:
    problems = list(_each_band(bands, path))
    yield from problems
    if problems:
        return
    # Whatever it is rounded to: a band that paid less than the one below it would do so by rule.
    compiled = margin_of(margin, Rounding.MICRO)
    for one in (compiled, compiled.relaxed):
        falls = None if one is None else falls_at(one)
        if falls is not None:
            message = (
                f"pays the seller less, or the exchange, for a price above {to_text(falls)} than"
                " for that price: no floor could then tell which bids suffice"
            )
            yield Problem(path, message)
            return


def _each_band(bands: tuple[BandPart, ...], path: Path) -> Iterator[Problem]:
    if not bands:
        yield Problem(path, "names no band")
    for index, band in enumerate(bands):
        place = (*path, index)
        if len([way for way in WAYS if getattr(band, way) is not None]) != 1:
            yield Problem(place, "names exactly one of percent, fixed, payout")
        elif band.percent is not None and band.percent > 100:  # noqa: PLR2004 - percent
            yield Problem((*place, "percent"), "must be at most 100")
        else:
            yield from _limit(band, place)
        is_last = index == len(bands) - 1
        if is_last and band.upto is not None:
            yield Problem((*place, "upto"), "stands in the last band, which has no end")
        elif not is_last and band.upto is None:
            yield Problem((*place, "upto"), "is missing: only the last band has no end")
        before = bands[index - 1].upto if index else None
        if band.upto is not None and before is not None and band.upto <= before:
            yield Problem((*place, "upto"), f"is not above the band before it, {before}")


def check_price_rule(stage: StagePart, campaign: CampaignPart, path: Path) -> Iterator[Problem]:
    """Tell where a stage cannot sell at second price, or would give leads away."""
    if stage.price_rule is not PriceRuleKind.SECOND_PRICE:
        return
    place = (*path, "price_rule")
    if stage.method is not Method.AUCTION:
        yield Problem(place, 'is for method = "auction": nobody else bids')
        return
    floors = campaign.floors
    floor = campaign.floor if floors is None or floors.default is None else floors.default
    if campaign.learn_floor is None and not (floor if stage.floor is None else stage.floor):
        message = "without a floor whoever bids alone pays nothing"
        yield Problem(place, message, is_warning=True)


def check_offer_margins(
    margins: dict[str, MarginPart], campaign: CampaignPart, draft: Draft, path: Path
) -> Iterator[Problem]:
    """Tell what is wrong with what a seller agreed for single offers."""
    offers = {entry.part.id: entry.part for entry in draft.offers}
    for name, margin in margins.items():
        place = (*path, name)
        yield from check_margin(margin, place)
        if name not in draft.ids["offer"]:
            yield Problem(place, f'there is no offer "{name}"{hint(name, draft.ids["offer"])}')
        elif name in offers and offers[name].vertical != campaign.vertical:
            yield Problem(place, f'"{name}" is an offer for "{offers[name].vertical}"')
