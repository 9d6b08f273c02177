"""What must not be, found by comparing three books; it shares no code with the exchange."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from tests.chaos.books import Award, Books, Lead, Post, Violation

FINAL = frozenset({"sold", "unsold", "duplicate", "rejected"})
SET_ASIDE = frozenset({"refused", "advanced"})
"""Events after which another buyer may get the lead."""


def violations(books: Books) -> list[Violation]:
    """Return everything that the three books together say should not have happened."""
    return [one for check in CHECKS for one in check(books)]


# What the seller was told


def told_and_not_written(books: Books) -> Iterator[Violation]:
    """Yield leads that the seller was told of and the ledger lacks."""
    known = {lead.lead_id for lead in books.leads}
    for order in books.orders:
        for told in order.told:
            if told.lead_id not in known:
                yield Violation("told_and_not_written", order.ref, f"{told.status} {told.lead_id}")


def told_otherwise(books: Books) -> Iterator[Violation]:
    """Yield leads of which the seller was told an end that is not the ledger's, or changed.

    Of one that several share it may have heard of those who had accepted while others doubted.
    """
    parts = {lead_id: sums(payouts) for lead_id, payouts in payouts_of(books).items()}
    parts = defaultdict(set, parts)
    ends = {lead.lead_id: (lead.status, lead.price) for lead in books.leads}
    for order in books.orders:
        for told in order.told:
            said, written = (told.status, told.price), ends.get(told.lead_id)
            if told.status not in FINAL or written is None or said == written:
                continue
            if not (told.status == written[0] == "sold" and told.price in parts[told.lead_id]):
                yield Violation("told_otherwise", order.ref, f"told {said}, written {written}")


def told_of_two_leads(books: Books) -> Iterator[Violation]:
    """Yield orders that became more than one lead, by a repetition under the same key."""
    written = Counter(lead.ref for lead in books.leads)
    for order in books.orders:
        leads = {told.lead_id for told in order.told}
        if len(leads) > 1 or written[order.ref] > 1:
            detail = f"told of {len(leads)} leads, {written[order.ref]} written"
            yield Violation("told_of_two_leads", order.ref, detail)


def never_told(books: Books) -> Iterator[Violation]:
    """Yield orders that were repeated to the end and never heard how they ended.

    Nor may a quote be called used up, or gone, whose lead was sold.
    """
    sold = {lead.ref for lead in books.leads if lead.status == "sold"}
    for order in books.orders:
        ended = any(one.status in FINAL for one in order.told) or (
            order.refused is not None and order.ref not in sold
        )
        if order.key is not None and not ended:
            detail = f"{order.refused}, {[one.status for one in order.told]}"
            yield Violation("never_told", order.ref, detail)


def left_waiting(books: Books) -> Iterator[Violation]:
    """Yield leads of which the seller was told `pending`, and no message tells it the end."""
    ended = {lead.lead_id for lead in books.leads if lead.status in {"sold", "unsold"}}
    written = Counter(books.messages)
    for order in books.orders:
        pending = {told.lead_id for told in order.told if told.status == "pending"}
        for lead_id in pending & ended - written.keys():
            yield Violation("left_waiting", order.ref, f"{lead_id} was pending")
    for lead_id, messages in written.items():
        if messages > 1:
            yield Violation("left_waiting", lead_id, f"told {messages} times")


# One sale


def charged_twice(books: Books) -> Iterator[Violation]:
    """Yield leads that too many buyers are charged for, and persons charged as two leads."""
    sales = {award.sale_id: award for award in books.awards}
    charged = {one.sale_id for one in books.transfers if one.debit.startswith("buyer/")}
    by_lead: defaultdict[str, list[Award]] = defaultdict(list)
    by_phone = defaultdict(set)
    phones = {post.sale_id: post.phone for post in books.posts}
    for sale_id in charged & sales.keys():
        by_lead[sales[sale_id].lead_id].append(sales[sale_id])
        if sale_id in phones:
            by_phone[phones[sale_id]].add(sales[sale_id].lead_id)
    for lead_id, awards in by_lead.items():
        if len(awards) > min(award.buyers_max for award in awards):
            names = ", ".join(sorted(award.sale_id for award in awards))
            yield Violation("charged_twice", f"lead {lead_id}", names)
    for phone, lead_ids in by_phone.items():
        if len(lead_ids) > 1:
            yield Violation("charged_twice", f"person {phone}", ", ".join(sorted(lead_ids)))


def posted_on(books: Books) -> Iterator[Violation]:
    """Yield leads that a buyer received beside more than it, or they, were promised.

    Whose refusal or advance is on record does not count.

    By the buyers' own books: which sale came to whom, and when.
    """
    lead_of = {award.sale_id: award.lead_id for award in books.awards}
    most = {award.sale_id: award.buyers_max for award in books.awards}
    aside = {event.sale_id for event in books.events if event.name in SET_ASIDE}
    came: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for post in books.posts:
        if post.sale_id in lead_of:
            came[lead_of[post.sale_id]].setdefault(post.sale_id, post.buyer)
    for lead_id, sales in came.items():
        having: list[str] = []
        for sale_id in sales:
            having.append(sale_id)
            if len(having) > min(most[one] for one in having):
                had = ", ".join(f"{sales[one]} had it as {one}" for one in having[:-1])
                yield Violation("posted_on", lead_id, f"though {had}")
            if sale_id in aside:
                having.pop()
        twice = [name for name, times in Counter(sales.values()).items() if times > 1]
        if twice:
            yield Violation("posted_on", lead_id, f"{twice[0]} was posted it as two sales")


def posted_without_award(books: Books) -> Iterator[Violation]:
    """Yield sales that a buyer received and the ledger does not know."""
    known = {award.sale_id for award in books.awards}
    for post in books.posts:
        if post.sale_id not in known:
            yield Violation("posted_without_award", post.sale_id, f"to {post.buyer}")


def repeated_otherwise(books: Books) -> Iterator[Violation]:
    """Yield repetitions with another body, or to a buyer that does not know one."""
    for sale_id, posts in by_sale(books.posts).items():
        buyer = posts[0].buyer
        if len({post.digest for post in posts}) > 1:
            yield Violation("repeated_otherwise", sale_id, f"other bytes to {buyer}")
        if len(posts) > 1 and buyer in books.forgetful:
            yield Violation("repeated_otherwise", sale_id, f"{len(posts)} posts to {buyer}")


# What the buyers hold


def charged_without_consent(books: Books) -> Iterator[Violation]:
    """Yield sales charged to a buyer that did not accept them, or at another price than asked."""
    posts = by_sale(books.posts)
    for award, paid in charges(books):
        held = [post.belief for post in posts.get(award.sale_id, ())]
        if "accepted" not in held:
            yield Violation("charged_without_consent", award.sale_id, f"{award.buyer}: {held}")
        asked = {post.price for post in posts.get(award.sale_id, ())}
        if asked and asked != {paid}:
            yield Violation("charged_without_consent", award.sale_id, f"{paid}, asked {asked}")


def refused_and_taken(books: Books) -> Iterator[Violation]:
    """Yield sales that the ledger calls refused and whose buyer told, each time, that it took."""
    posts = by_sale(books.posts)
    for award in books.awards:
        held = {post.belief for post in posts.get(award.sale_id, ())}
        if award.state == "refused" and held == {"accepted"}:
            yield Violation("refused_and_taken", award.sale_id, award.buyer)


# Caps and money


def past_cap(books: Books) -> Iterator[Violation]:
    """Yield buyers that were charged for more than they allow."""
    leads: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for award, paid in charges(books):
        leads[award.buyer] += 1
        spent[award.buyer] += paid
    for cap in books.caps:
        used = (leads if cap.kind == "leads" else spent)[cap.buyer]
        if used > cap.most:
            yield Violation("past_cap", cap.buyer, f"{used} {cap.kind} of {cap.most}")


def counted_otherwise(books: Books) -> Iterator[Violation]:
    """Yield counters of market state that are not what the ledger makes them."""
    leads: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for award, paid in charges(books):
        leads[award.buyer] += 1
        spent[award.buyer] += paid
    for buyer, standing in books.standings.items():
        for counter, settled in standing.settled.items():
            kind = counter.split("|")[1]
            right = {"leads": leads[buyer], "spend": spent[buyer]}.get(kind)
            if right is not None and settled != right:
                detail = f"{counter}: {settled}, the ledger has {right}"
                yield Violation("counted_otherwise", buyer, detail)


def unbalanced(books: Books) -> Iterator[Violation]:
    """Yield sales whose entries do not make: the buyer's charge is payout plus margin."""
    entries: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in books.transfers:
        if one.sale_id is not None:
            entries[one.sale_id][one.debit.partition("/")[0]] -= one.amount
            entries[one.sale_id][one.credit.partition("/")[0]] += one.amount
    sales = {award.sale_id: award for award in books.awards}
    for sale_id, accounts in entries.items():
        award = sales.get(sale_id)
        if award is None or award.state != "accepted":
            yield Violation("unbalanced", sale_id, f"booked, and {award and award.state}")
        elif sum(accounts.values()) != 0 or accounts["seller"] != award.payout:
            yield Violation("unbalanced", sale_id, f"{dict(accounts)}, payout {award.payout}")
    for award in books.awards:
        if award.state == "accepted" and award.sale_id not in entries:
            yield Violation("unbalanced", award.sale_id, "accepted, and nothing booked")


# The end


def held_after_quiet(books: Books) -> Iterator[Violation]:
    """Yield what is still held though nothing is under way."""
    for buyer, standing in books.standings.items():
        left = {counter: count for counter, count in standing.held.items() if count}
        if standing.holds or left:
            yield Violation("held_after_quiet", buyer, f"{list(standing.holds)} {left}")


def without_end(books: Books) -> Iterator[Violation]:
    """Yield leads that have no end and are not in doubt, and ends that their sales contradict."""
    awards: defaultdict[str, list[Award]] = defaultdict(list)
    for award in books.awards:
        awards[award.lead_id].append(award)
    for lead in books.leads:
        states = [award.state for award in awards[lead.lead_id]]
        if lead.status is None and None not in states:
            yield Violation("without_end", lead.lead_id, f"its sales: {states}")
        elif lead.status is not None and None in states:
            yield Violation("without_end", lead.lead_id, f"{lead.status}, with an open sale")
        elif lead.status is not None and (lead.status == "sold") != ("accepted" in states):
            yield Violation("without_end", lead.lead_id, f"{lead.status}; its sales: {states}")


# Reading along


def by_sale(posts: Iterable[Post]) -> dict[str, list[Post]]:
    """Return the posts of each sale, in order."""
    found: dict[str, list[Post]] = {}
    for post in posts:
        found.setdefault(post.sale_id, []).append(post)
    return found


def payouts_of(books: Books) -> dict[str, list[int]]:
    """Return what each lead's accepted sales pay the seller."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for award in books.awards:
        if award.state == "accepted":
            found[award.lead_id].append(award.payout)
    return found


def sums(payouts: list[int]) -> set[int]:
    """Return what some of these make together, at least one of them."""
    found = {0}
    for payout in payouts:
        found |= {total + payout for total in found}
    return found - {0}


def charges(books: Books) -> Iterator[tuple[Award, int]]:
    """Yield every charged sale with what its buyer pays."""
    paid: Counter[str] = Counter()
    for one in books.transfers:
        if one.sale_id is not None and one.debit.startswith("buyer/"):
            paid[one.sale_id] += one.amount
    for award in books.awards:
        if award.sale_id in paid:
            yield award, paid[award.sale_id]


def in_doubt_resolved(books: Books) -> int:
    """Return how many sales were in doubt once and have their end."""
    doubted = {event.sale_id for event in books.events if event.name == "in_doubt"}
    return sum(1 for one in books.awards if one.sale_id in doubted and one.state is not None)


def in_doubt(books: Books) -> list[Lead]:
    """Return the leads that still wait for a buyer's word."""
    opened = {award.lead_id for award in books.awards if award.state is None}
    return [lead for lead in books.leads if lead.lead_id in opened]


CHECKS: tuple[Callable[[Books], Iterator[Violation]], ...] = (
    told_and_not_written,
    told_otherwise,
    told_of_two_leads,
    never_told,
    left_waiting,
    charged_twice,
    posted_on,
    posted_without_award,
    repeated_otherwise,
    charged_without_consent,
    refused_and_taken,
    past_cap,
    counted_otherwise,
    unbalanced,
    held_after_quiet,
    without_end,
)
