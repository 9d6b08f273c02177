"""What the stores, the buyers and the seller believe, compared; what disagrees is a violation.

Each check is pure and gives back what it found, nothing where all is well. That the ledger agrees
with itself is the ledger's own check.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from bidders.fleet.books import Belief
from bidders.fleet.books import Sale as BookedSale
from exchange.demo.order import NOT_SOLD, Heard, Oddity
from exchange.demo.reading import Sale, Told
from exchange.domain.caps import hold_lines
from exchange.domain.money import Micros, to_text
from exchange.domain.money import from_decimal as micros
from exchange.domain.offer import Offer
from exchange.domain.paying import charged
from exchange.domain.states import SaleState
from exchange.ledger.stored import Violation
from exchange.market.standing import Standing

PENDING = "pending"
SOLD = "sold"
NOTHING_SOLD = frozenset({"unsold", "duplicate", "rejected"})
TEST_COUNTERS = "test/"
"""A test is charged to nobody, so that the ledger does not know what its caps counted."""


class BookedBuyer(msgspec.Struct, frozen=True):
    """One simulated buyer's book, as far as it is compared."""

    sales: tuple[BookedSale, ...]
    notices: dict[str, int] = {}
    """What it was told of its bids, how often."""


class Books(msgspec.Struct, frozen=True):
    """The books of the whole fleet."""

    buyers: dict[str, BookedBuyer]

    def beliefs(self) -> dict[tuple[str, str], BookedSale]:
        """Return every sale by the buyer that was asked and its id."""
        return {
            (name, sale.sale_id): sale
            for name, buyer in self.buyers.items()
            for sale in buyer.sales
        }


def against_books(
    sales: Iterable[Sale], offers: Mapping[str, Offer], books: Books
) -> Iterator[Violation]:
    """Yield where the ledger and the buyers disagree on a sale.

    What the ledger calls accepted, its buyer must hold as accepted at that price. What a buyer
    holds as accepted must be accepted in the ledger, or in doubt, or void: a late acceptance, which
    is never charged. Nobody may hold a sale that the ledger does not know.
    """
    beliefs = books.beliefs()
    for sale in sales:
        name = endpoint_name(offers[sale.offer])
        if name is None:
            continue  # delivered without a call, so that nobody can believe otherwise
        if sale.test and name not in books.buyers:
            continue  # the exchange's own sandbox, which keeps no book
        booked = beliefs.pop((name, sale.sale_id), None)
        found = disagreement(sale, booked, offers[sale.offer])
        if found is not None:
            yield Violation("books", sale.sale_id, f"{sale.offer}: {found}")
    for name, sale_id in beliefs:
        yield Violation("books", sale_id, f"{name} was posted a sale that nobody awarded")


def endpoint_name(offer: Offer) -> str | None:
    """Return which simulated buyer takes this offer's posts, by its address; None: nobody does."""
    return None if offer.post is None else urlsplit(offer.post.url).path.strip("/").split("/")[0]


def disagreement(sale: Sale, booked: BookedSale | None, offer: Offer) -> str | None:
    """Return what an award and its buyer's belief contradict each other in, if they do."""
    believes = None if booked is None else booked.belief
    match sale.state:
        case SaleState.ACCEPTED:
            charge = sale.price if sale.charged is None else sale.charged
            if booked is None or believes is not Belief.ACCEPTED:
                return f"sold, but the buyer believes: {believes or 'never heard of it'}"
            # A disputed lower price is not taken: the buyer owes what was asked.
            owed, _ = charged(micros(booked.price), micros(booked.pays), offer)
            if not sale.test and owed != charge:
                return f"charged {to_text(charge)}, but the buyer pays {booked.pays}"
        case SaleState.REFUSED:
            if believes in {Belief.ACCEPTED, Belief.PENDING}:
                return f"refused, but the buyer believes: {believes}"
        case _:  # in doubt, or void: the buyer may believe anything, and pays nothing
            pass
    return None


def sold_twice(sales: Iterable[Sale]) -> Iterator[Violation]:
    """Yield leads that more buyers are charged for than one of them was promised."""
    charged: defaultdict[str, list[Sale]] = defaultdict(list)
    for sale in sales:
        if sale.state == SaleState.ACCEPTED:
            charged[sale.lead_id].append(sale)
    for lead_id, all_of_it in charged.items():
        if len(all_of_it) > min(sale.buyers_max for sale in all_of_it):
            yield Violation("sold_twice", lead_id, f"{len(all_of_it)} sales are charged")


def against_heard(heard: Iterable[Heard], told: Mapping[str, Told]) -> Iterator[Violation]:
    """Yield where the seller was told something else than what the ledger says.

    What was pending when it was told may have become anything.
    """
    for one in heard:
        if one.lead_id is None:
            continue
        found = told.get(one.lead_id)
        if found is None:
            yield Violation(
                "heard", one.lead_id, f"told {one.status}, but the ledger has no such lead"
            )
        elif not tells(one.status, found.status):
            yield Violation("heard", one.lead_id, f"told {one.status}, but it is {found.status}")
        elif one.status == SOLD and one.price is not None and not pays(micros(one.price), found):
            yield Violation(
                "heard", one.lead_id, f"told {one.price}, but it is {found.price} micros"
            )


def pays(told: Micros, found: Told) -> bool:
    """Tell whether a price is the lead's; where several have it, it was less while some doubted."""
    return told == found.price or (found.sales > 1 and 0 < told < (found.price or 0))


def tells(status: str | None, truth: str) -> bool:
    """Tell whether a seller was told what is so, as exactly as its platform's words allow."""
    if status == NOT_SOLD:
        return truth in NOTHING_SOLD
    return status in {truth, PENDING}


def told_twice(heard: Iterable[Heard]) -> Iterator[Violation]:
    """Yield leads that were told as a result of more than one request."""
    counts = Counter(one.lead_id for one in heard if one.lead_id is not None)
    for lead_id, count in counts.items():
        if count > 1:
            yield Violation("heard", lead_id, f"{count} requests were answered with this lead")


def expected_settled(
    sales: Iterable[Sale], offers: Mapping[str, Offer], credited: Mapping[str, Micros]
) -> dict[str, dict[str, int]]:
    """Return by buyer and counter what the ledger's sales make of every limit."""
    counters: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sale in sales:
        offer = offers.get(sale.offer)
        if sale.state != SaleState.ACCEPTED or offer is None:
            continue
        charge = sale.price if sale.charged is None else sale.charged
        for line in hold_lines(
            offer,
            charge,
            sale.held_at_us,
            credited=credited.get(sale.buyer, Micros(0)),
            test=sale.test,
        ):
            if line.settles:
                counters[sale.buyer][line.counter] += line.amount
    return {buyer: dict(found) for buyer, found in counters.items()}


def against_market(
    standing: Mapping[str, Standing],
    settled: Mapping[str, Mapping[str, int]],
    may_hold: Container[str],
) -> Iterator[Violation]:
    """Yield where market state and the ledger disagree: on what is settled, on what is held.

    Nothing may be held but sales in doubt and room for quotes, and without any nothing may be
    counted as held.
    """
    for buyer, state in standing.items():
        wanted = settled.get(buyer, {})
        for name in sorted(state.settled.keys() | wanted.keys()):
            has, should = state.settled.get(name, 0), wanted.get(name, 0)
            if has != should and not name.startswith(TEST_COUNTERS):
                yield Violation("counter", name, f"market state has {has}, the ledger {should}")
        for sale_id in state.holds:
            if sale_id not in may_hold:
                yield Violation("held", sale_id, f"buyer {buyer} holds what is not in doubt")
        for name, amount in state.held.items():
            if amount and not state.holds:
                yield Violation("held", name, f"{amount} held without any hold")


def unheard(heard: Iterable[Heard]) -> Iterator[Violation]:
    """Yield requests that were never answered, or with an error of the exchange's own."""
    for one in heard:
        if one.http == 0 or (one.http >= 500 and one.http != 503):  # noqa: PLR2004 - HTTP's own
            what = one.problem or f"HTTP {one.http}"
            yield Violation(
                "answer", one.lead_id or one.way, f"{one.way} into {one.campaign}: {what}"
            )
        elif one.oddity is Oddity.INVALID and one.is_lead and one.http == 200:  # noqa: PLR2004
            yield Violation(
                "answer", one.lead_id or one.way, "a request with a bad field was taken"
            )
