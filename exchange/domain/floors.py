"""The least that a buyer may pay: the stage's floor, raised by source, offer and seller's wish."""

from exchange.domain.campaign import Campaign, PriceRuleKind, SellerTerms, Stage
from exchange.domain.floor_table import RuledFloor
from exchange.domain.lead import Facts, Lead
from exchange.domain.money import Micros
from exchange.domain.offer import Offer
from exchange.domain.pricing import least_price


class Floors:
    """The floors of one lead in one stage; what does not depend on the offer is computed once."""

    __slots__ = ("_own", "_plain", "_which", "common", "rule")

    def __init__(
        self,
        lead: Lead,
        stage: Stage,
        terms: SellerTerms,
        promised: Micros,
        rule: RuledFloor | None = None,
    ) -> None:
        """Take what the seller must get at least: its `min_price`, or what a quote promised.

        `rule` is the floor that stands in place of the stage's, where one was looked up.
        """
        self.rule = rule
        floor = stage.floor if rule is None else rule.amount
        base = Micros(max(floor, lead.source.floor))
        self._plain = Micros(max(base, least_price(promised, terms.margin)))
        self._own = tuple([max(base, least_price(promised, margin)) for margin in terms.others])
        self._which = terms.by_offer
        self.common = Micros(min(self._plain, *self._own)) if self._own else self._plain
        """The least that any offer may pay."""

    @property
    def highest(self) -> Micros:
        """The most that any offer must pay at least, but for its own floor."""
        return max(self._plain, *self._own) if self._own else self._plain

    def raise_to(self, learned: Micros) -> None:
        """Let the floor that was learned, or is being tried, count as well."""
        self._plain = Micros(max(self._plain, learned))
        self._own = tuple([max(own, learned) for own in self._own])
        self.common = Micros(max(self.common, learned))

    def of(self, offer: Offer) -> Micros:
        """Return the least price that this offer may pay."""
        floor, least = offer.floor, self._plain
        if self._own:
            which = self._which.get(offer.id)
            least = self._plain if which is None else self._own[which]
        return max(least, floor)


def floors_in(
    lead: Lead,
    facts: Facts,
    campaign: Campaign,
    stage: Stage,
    promised: Micros,
    quoted: RuledFloor | None = None,
) -> Floors:
    """Return the floors of a lead in a stage, looked up where the campaign has rules for them.

    `quoted` is the rule under which a quote was made: it holds for the quote's bids, whatever the
    hour now and whatever else is known of the lead.
    """
    rule = quoted if stage.by_rules else None
    if stage.by_rules and rule is None:
        assert campaign.floors is not None, "a stage by rules has a campaign with rules"
        rule = campaign.floors.find(facts)
    return Floors(lead, stage, campaign.sellers[lead.seller_id], promised, rule)


def named(stage: Stage, floors: Floors) -> str:
    """Return what a timeline says of a stage: its method, and what its prices follow."""
    words = [stage.method.value]
    if stage.price_rule is not PriceRuleKind.FIRST_PRICE:
        words.append(stage.price_rule.value)
    if floors.rule is not None:
        words.append(f"floor by {floors.rule.rule}")
    return ", ".join(words)
