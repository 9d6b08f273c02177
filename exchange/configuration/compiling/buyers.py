"""A buyer without its offers."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from exchange.configuration.compiling.limits import caps_of, money_of, pilot_of
from exchange.configuration.hours import week_of
from exchange.contract.market.buyers import BillingPart, BuyerPart
from exchange.contract.market.offers import OfferPart
from exchange.domain.caps import account_scope
from exchange.domain.offer import Billing, BillingMode, Buyer
from exchange.domain.pilot import scope_of
from exchange.domain.schedule import Schedule, either

SECONDS_PER_HOUR = 3600


def buyer_of(part: BuyerPart) -> Buyer:
    """Return a buyer without its offers."""
    hours = part.duplicates.window_hours if part.duplicates else 0
    pilot = pilot_of(part.pilot, scope_of(part.id))
    return Buyer(
        id=part.id,
        name=part.name or part.id,
        zone=ZoneInfo(part.time_zone),
        currency=part.currency,
        billing=billing_of(part.billing),
        caps=(*caps_of(part.caps, f"buyer/{part.id}", hours_of(part, part.offer)), *pilot),
        pilot=pilot,
        accounts={
            account.id: caps_of(
                account.caps,
                account_scope(part.id, account.id),
                hours_of(part, [one for one in part.offer if one.account == account.id]),
            )
            for account in part.account
        },
        duplicate_window_s=hours * SECONDS_PER_HOUR,
        paused=part.paused,
        own=part.own,
    )


def billing_of(part: BillingPart | None) -> Billing:
    """Return how far an account may go: open where nothing is said."""
    if part is None:
        return Billing(BillingMode.OPEN)
    return Billing(BillingMode(part.mode), money_of(part.limit))


def hours_of(buyer: BuyerPart, offers: Iterable[OfferPart]) -> Schedule | None:
    """Return the hours in which any of these offers is open; None where one always is."""
    zone = ZoneInfo(buyer.time_zone)
    weeks = (None if one.hours is None else Schedule(zone, week_of(one.hours)) for one in offers)
    return either(weeks, zone)
