"""What must hold of buyers and their offers, beyond the types of their keys."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from exchange.configuration.currencies import CURRENCIES
from exchange.configuration.draft import Draft, Entry, OfferEntry, unknown
from exchange.configuration.hours import HoursError, week_of
from exchange.configuration.locate import Path
from exchange.configuration.problem import Problem
from exchange.configuration.rules_price import check_margin
from exchange.contract.market.buyers import BillingKind, BillingPart, BuyerPart
from exchange.contract.market.limits import CapPart, PilotPart, SellerPilotPart
from exchange.contract.market.offers import OfferPart, PostPart
from exchange.contract.market.verticals import VerticalPart
from exchange.domain.asking import NAMES, named, sample
from exchange.domain.condition import ConditionError
from exchange.domain.message import NoticeKind
from exchange.domain.nearest import hint
from exchange.domain.offer import HashKind, OnLowerPrice, OnNoAnswer, Per

CheckCondition = Callable[[str, str], None]
"""Compiles a text for a vertical, by id; raises ConditionError, passes over unknown verticals."""


def check_buyer(entry: Entry[BuyerPart]) -> Iterator[Problem]:
    """Tell what is wrong with a buyer."""
    buyer, path = entry.part, entry.path
    yield from check_currency(buyer.currency, (*path, "currency"))
    yield from check_time_zone(buyer.time_zone, (*path, "time_zone"))
    if buyer.billing is not None:
        yield from _billing(buyer.billing, (*path, "billing"))
    yield from _caps(buyer.caps, (*path, "caps"))
    yield from check_pilot(buyer.pilot, (*path, "pilot"))
    seen: set[str] = set()
    for index, account in enumerate(buyer.account):
        place = (*path, "account", index)
        if account.id in seen:
            message = f'there is another account "{account.id}" of this buyer'
            yield Problem((*place, "id"), message)
        seen.add(account.id)
        yield from _caps(account.caps, (*place, "caps"))


def check_pilot(pilot: PilotPart | SellerPilotPart | None, path: Path) -> Iterator[Problem]:
    """Tell of a pilot that limits nothing."""
    if pilot is None:
        return
    money = pilot.payout if isinstance(pilot, SellerPilotPart) else pilot.spend
    if pilot.leads is None and money is None:
        word = "payout" if isinstance(pilot, SellerPilotPart) else "spend"
        yield Problem(path, f"names leads, {word}, or both")


def check_time_zone(name: str, path: Path) -> Iterator[Problem]:
    """Tell of a time zone that is none."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Problem(path, f'there is no time zone "{name}"{hint(name, available_timezones())}')


def check_currency(currency: str, path: Path) -> Iterator[Problem]:
    """Tell of a currency that is none."""
    if currency not in CURRENCIES:
        yield Problem(path, f'"{currency}" is no currency of ISO 4217{hint(currency, CURRENCIES)}')


def check_offer(
    entry: OfferEntry, draft: Draft, verticals: dict[str, VerticalPart], compiles: CheckCondition
) -> Iterator[Problem]:
    """Tell what is wrong with an offer."""
    offer, path = entry.part, entry.path
    yield from unknown("vertical", offer.vertical, draft, (*path, "vertical"))
    if offer.where is not None:
        yield from check_condition(offer.where, offer.vertical, compiles, (*path, "where"))
    for index, rule in enumerate(offer.prices):
        place = (*path, "prices", index, "when")
        yield from check_condition(rule.when, offer.vertical, compiles, place)
    yield from _caps(offer.caps, (*path, "caps"))
    yield from check_pilot(offer.pilot, (*path, "pilot"))
    yield from _account(entry)
    yield from _hours(offer, path)
    yield from _prices(offer, path)
    yield from check_margin(offer.margin, (*path, "margin"))
    if offer.take_down_to and offer.on_lower_price is not OnLowerPrice.TAKE:
        yield Problem((*path, "take_down_to"), 'is for on_lower_price = "take"')
    yield from _delivery(offer, path)
    yield from _rate(offer, path)
    yield from _competitors(entry, draft, (*path, "not_with"))
    vertical = verticals.get(offer.vertical)
    for index, name in enumerate(offer.hide):
        if vertical is not None and name not in vertical.fields:
            message = f'"{name}" is no field of this vertical{hint(name, vertical.fields)}'
            yield Problem((*path, "hide", index), message)


def _competitors(entry: OfferEntry, draft: Draft, path: Path) -> Iterator[Problem]:
    names = entry.part.not_with
    for index, name in enumerate(names):
        yield from unknown("buyer", name, draft, (*path, index))
        if entry.buyer is not None and name == entry.buyer.id:
            yield Problem((*path, index), "is its own buyer: nobody shares a lead with itself")
        if name in names[:index]:
            yield Problem((*path, index), f'"{name}" stands twice')


def check_condition(
    text: str, vertical: str, compiles: CheckCondition, path: Path
) -> Iterator[Problem]:
    """Tell what is wrong with a condition."""
    try:
        compiles(text, vertical)
    except ConditionError as error:
        yield Problem(path, str(error))


def addresses(draft: Draft) -> Iterator[Problem]:
    """Warn, once for each host, of addresses outside the public internet."""
    seen: set[str] = set()
    for path, url in called(draft):
        host = _host(sample(url))
        if host is None or host in seen or not is_private(host):
            continue
        seen.add(host)
        yield Problem(
            path,
            f"{host} is not on the public internet; called only where "
            "EXCHANGE_ALLOW_NETWORKS allows it",
            is_warning=True,
        )


def called(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Yield every address that a market calls, and where it stands."""
    for offer in draft.offers:
        ping, post = offer.part.ping, offer.part.post
        if ping is not None:
            yield (*offer.path, "ping", "url"), ping.url
        if post is not None:
            yield (*offer.path, "post", "url"), post.url
        if post is not None and post.status is not None:
            yield (*offer.path, "post", "status", "url"), post.status.url
        if offer.part.notices is not None:
            yield (*offer.path, "notices", "url"), offer.part.notices.url
    for seller in draft.sellers:
        if seller.part.webhook is not None:
            yield (*seller.path, "webhook", "url"), seller.part.webhook.url


def is_private(host: str) -> bool:
    """Tell whether a host lies, by its looks, outside the public internet."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _billing(billing: BillingPart, path: Path) -> Iterator[Problem]:
    if billing.mode is BillingKind.PREPAID and billing.limit is not None:
        yield Problem((*path, "limit"), 'is for mode = "credit"')
    if billing.mode is BillingKind.CREDIT:
        if billing.limit is None:
            yield Problem((*path, "limit"), 'is missing: mode = "credit" needs it')
        if billing.opening_balance is not None:
            yield Problem((*path, "opening_balance"), 'is for mode = "prepaid"')


def _caps(caps: tuple[CapPart, ...], path: Path) -> Iterator[Problem]:
    seen = set()
    for index, cap in enumerate(caps):
        place = (*path, index)
        named = [
            kind for kind in ("leads", "spend", "concurrent") if getattr(cap, kind) is not None
        ]
        if len(named) != 1:
            yield Problem(place, "names exactly one of leads, spend, concurrent")
            continue
        if named == ["concurrent"]:
            if cap.per is not None:
                yield Problem((*place, "per"), "concurrent counts what is under way, in no window")
        elif cap.per is None:
            yield Problem((*place, "per"), "is missing: hour, day, week, month or total")
        if cap.pace and (named == ["concurrent"] or cap.per is Per.TOTAL):
            yield Problem((*place, "pace"), "needs a window that ends: hour, day, week or month")
        if (named[0], cap.per) in seen:
            window = f" per {cap.per}" if cap.per else ""
            yield Problem(place, f"{named[0]}{window} is capped twice")
        seen.add((named[0], cap.per))


def _account(entry: OfferEntry) -> Iterator[Problem]:
    name = entry.part.account
    if name is None or entry.buyer is None:
        return
    known = [account.id for account in entry.buyer.account]
    if name not in known:
        place = (*entry.path, "account")
        yield Problem(place, f'its buyer has no account "{name}"{hint(name, known)}')


def _hours(offer: OfferPart, path: Path) -> Iterator[Problem]:
    if offer.hours is None:
        return
    try:
        week = week_of(offer.hours)
    except HoursError as error:
        yield Problem((*path, "hours", error.key), str(error))
        return
    if not any(week):
        yield Problem((*path, "hours"), "never open; write paused = true instead")


def _prices(offer: OfferPart, path: Path) -> Iterator[Problem]:
    has_price = offer.price is not None or bool(offer.prices)
    if offer.ping is None and not has_price:
        yield Problem((*path, "price"), "is missing: an offer without a ping needs a price")
    if offer.exclusive_price is not None and not has_price:
        yield Problem((*path, "exclusive_price"), "stands beside a price for sharing it")
    if offer.ping is not None and offer.floor > offer.ping.max_bid:
        yield Problem((*path, "floor"), f"no bid reaches it: max_bid is {offer.ping.max_bid}")
    if offer.price is not None and offer.price < offer.floor:
        yield Problem((*path, "price"), "is below the offer's own floor", is_warning=True)


def _delivery(offer: OfferPart, path: Path) -> Iterator[Problem]:
    if offer.hash is not HashKind.KEYED:
        message = f"anybody can find out a telephone number from its {offer.hash}"
        yield Problem((*path, "hash"), message, is_warning=True)
    for key, terms in (("ping", offer.ping), ("post", offer.post)):
        if terms is not None:
            yield from check_url(terms.url, (*path, key, "url"))
    if offer.post is not None and offer.post.status is not None:
        yield from check_status(offer.post, (*path, "post"))
    if offer.notices is not None:
        yield from check_url(offer.notices.url, (*path, "notices", "url"))
        if offer.ping is None:
            yield Problem((*path, "notices"), "are for an offer that is asked: it has no ping")
        if not offer.notices.events:
            kinds = ", ".join(NoticeKind)
            yield Problem((*path, "notices", "events"), f"is empty: name some of {kinds}")
    if offer.post is None and offer.ping is not None:
        message = "has no post: nothing is called when it wins a lead"
        yield Problem(path, message, is_warning=True)


def _rate(offer: OfferPart, path: Path) -> Iterator[Problem]:
    rate = None if offer.ping is None else offer.ping.rate
    if rate is not None and (rate.per_second is None) is (rate.per_minute is None):
        yield Problem((*path, "ping", "rate"), "names exactly one of per_second, per_minute")


def check_status(post: PostPart, path: Path) -> Iterator[Problem]:
    """Tell what is wrong with where a buyer is asked about sales in doubt."""
    assert post.status is not None, "there is something to check"
    url, place = post.status.url, (*path, "status", "url")
    yield from check_url(sample(url), place)
    known = named(url)
    for name in known:
        if name not in NAMES:
            yield Problem(place, f'names "{name}", which is not known here{hint(name, NAMES)}')
    if not known:
        yield Problem(place, f"names no sale: put {{sale.id}} or another of {', '.join(NAMES)} in")
    if post.on_no_answer is OnNoAnswer.ADVANCE:
        message = 'is asked while a sale waits; on_no_answer = "advance" goes on without it'
        yield Problem((*path, "status"), message)


def check_url(url: str, path: Path) -> Iterator[Problem]:
    """Tell what is wrong with an address that is to be called."""
    host = _host(url)
    if host is None or any(character.isspace() or ord(character) < 32 for character in url):  # noqa: PLR2004 - control characters
        yield Problem(path, "must be a URL such as https://bids.example.com/ping")
    elif "@" in urlsplit(url).netloc:
        yield Problem(path, "must not hold a user or a password")
    elif urlsplit(url).fragment:
        yield Problem(path, "must not have a fragment")


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.port == 0:
            return None
    except ValueError:
        return None
    return parts.hostname
