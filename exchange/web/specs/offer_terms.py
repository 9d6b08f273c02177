"""What an offer and the exchange agreed, in sentences; backticks are code."""

from collections.abc import Iterator
from itertools import groupby

from exchange.domain.counting import counted
from exchange.domain.money import Micros, to_text
from exchange.domain.offer import Cap, CapKind, Offer, OnLowerPrice, OnNoAnswer, Per
from exchange.domain.pilot import OFFER_SCOPE, is_of_pilot
from exchange.domain.schedule import Schedule
from exchange.web.specs.terms import duration

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_PER_HOUR = 60


def told(offer: Offer) -> Iterator[str]:
    """Yield the terms that are this offer's own."""
    if offer.paused or offer.buyer.paused:
        yield "It is paused at the moment: nothing is sent."
    if offer.test:
        yield "It is a test offer: it gets test leads alone, and nothing of it is charged."
    yield wanted(offer)
    yield from prices(offer)
    yield from (cap_text(cap, offer) for cap in offer.caps)
    yield opening(offer.schedule)
    window = offer.buyer.duplicate_window_s
    if window:
        yield f"A person whom you bought is not offered again for {duration(window)}."
    if offer.post is not None:
        yield no_answer(offer)
        yield lower_price(offer)


def wanted(offer: Offer) -> str:
    """Return which leads an offer is asked for."""
    if offer.where is None:
        return "You are asked for every lead of the vertical."
    return f"You are asked for leads with `{' '.join(offer.where.text.split())}`."


def prices(offer: Offer) -> Iterator[str]:
    """Yield what an offer pays unasked, and what it may pay at least and at most."""
    currency = offer.buyer.currency
    for rule in offer.prices:
        when = "" if rule.when is None else f" where `{' '.join(rule.when.text.split())}`"
        asked = "unless a bid says otherwise" if offer.ping is not None else "unasked"
        yield f"You pay {amount(rule.price, currency)}{when}, {asked}."
    if offer.floor:
        yield f"You are not asked for less than {amount(offer.floor, currency)}."
    if offer.ping is not None:
        yield f"A bid over {amount(offer.ping.max_bid, currency)} is taken for a mistake: invalid."


def amount(price: Micros, currency: str) -> str:
    """Return an amount of money as people read it."""
    return f"{to_text(price)} {currency}"


def cap_text(cap: Cap, offer: Offer) -> str:
    """Return one limit; what reaches it is not sent any more."""
    whose, end = whose_limit(cap, offer)
    if cap.kind is CapKind.CONCURRENT:
        return f"{whose}: at most {counted(cap.limit, 'lead')} posted and not answered at a time."
    limit = (
        counted(cap.limit, "lead")
        if cap.kind is CapKind.LEADS
        else amount(Micros(cap.limit), offer.buyer.currency)
    )
    per = "in all" if cap.per in {None, Per.TOTAL} else f"per {cap.per} ({offer.buyer.zone.key})"
    return f"{whose}: at most {limit} {per}{end}."


def whose_limit(cap: Cap, offer: Offer) -> tuple[str, str]:
    """Return of what a limit is, and what its end means where it is a pilot's."""
    is_pilot = is_of_pilot(cap.scope)
    if cap.scope.startswith(("offer/", OFFER_SCOPE)):
        return "This offer", ", on trial: then it is paused" if is_pilot else ""
    if cap.scope.startswith("account/"):
        return f'Your offers of the account "{offer.account}" together', ""
    return "All your offers together", ", on trial: then they are paused" if is_pilot else ""


def opening(schedule: Schedule | None) -> str:
    """Return when an offer is open."""
    if schedule is None:
        return "Always open."
    spans = [
        ", ".join(f"{clock(start)}-{clock(end)}" for start, end in day) for day in schedule.days
    ]
    parts = []
    for hours, days in groupby(zip(spans, DAYS, strict=True), key=lambda pair: pair[0]):
        names = [name for _, name in days]
        named = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
        parts.append(f"{named} {hours or 'closed'}")
    return f"Open {'; '.join(parts)} ({schedule.zone.key})."


def clock(minutes: int) -> str:
    """Return minutes since midnight as a wall clock shows them."""
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours:02d}:{rest:02d}"


def no_answer(offer: Offer) -> str:
    """Return what becomes of a post that nobody answers."""
    assert offer.post is not None, "an offer that is posted to"
    if offer.post.on_no_answer is OnNoAnswer.ADVANCE:
        return (
            "A post without an answer is void at once, and the lead goes to the next buyer; if you"
            " accept late, you are not charged."
        )
    until = duration(offer.post.in_doubt_max_s)
    if offer.post.status is not None:
        turns = ", in turn with the post again under the same `Idempotency-Key`"
        return (
            f"A post without an answer is in doubt: your status URL `{offer.post.status.url}` is"
            f" asked after 1, 2, 4 … seconds{turns if offer.post.repeatable else ''}, for up to"
            f" {until}; then it is void."
        )
    if not offer.post.repeatable:
        return (
            f"A post without an answer is in doubt for {until}, then void; it is not repeated, for"
            " you do not know a repetition again."
        )
    return (
        "A post without an answer comes again after 1, 2, 4 … seconds with the same"
        f" `Idempotency-Key`, for up to {until}; then it is void. One key is one sale: give the"
        " same answer again."
    )


def lower_price(offer: Offer) -> str:
    """Return what an acceptance at less comes to."""
    if offer.on_lower_price is OnLowerPrice.DISPUTE:
        return "An acceptance at a lower price than the post asks is disputed."
    end = f", down to {offer.take_down_to.normalize():f} % of it" if offer.take_down_to else ""
    return f"An acceptance at a lower price than the post asks is taken{end}, and flagged."
