"""Judges a history: the eight invariants, from what was seen from outside. Nothing of the exchange
is imported here; what a cap or a window is, is written down a second time.

1 privacy · 2 one sale · 3 caps · 4 nothing lost · 5 money · 6 deadlines · 7 explained · 8 no leaks
"""

from collections import defaultdict
from typing import Any

from tests.simulation.bids import amounts
from tests.simulation.counters import Counters
from tests.simulation.records import Lead, Sale, Violation

ANSWER_SLACK_S = 0.1
"""So much later than its deadline a seller may hear while nothing is wrong."""

OUTAGE_SLACK_S = 3.5
"""The same where a store was away, or a worker stood still: its limits of time come on top."""

FINAL = {"sold", "unsold", "duplicate", "rejected"}
SLOW = ("ledger", "market", "stop")


class Auditor:
    """Reads a history row by row."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._at_s = 0.0
        self._leads: defaultdict[str, Lead] = defaultdict(Lead)
        self._sales: dict[str, Sale] = {}
        self._offers: dict[int, dict[str, Any]] = {}
        self._words: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
        """What a buyer ever said of a sale, at the door or to its post, heard or not."""
        self._prices: defaultdict[str, set[str]] = defaultdict(set)
        """At which prices a sale was accepted; empty: at its own."""
        self._decided: set[str] = set()
        self._promises: list[tuple[str, str, bool, int]] = []
        self._persons: dict[str, int] = {}
        self._of_person: defaultdict[int, list[str]] = defaultdict(list)
        self._posted_as: defaultdict[str, set[int]] = defaultdict(set)
        self._sold_persons: dict[int, str] = {}
        self._keys: dict[str, int] = {}
        self._written_under: dict[int, str] = {}
        self._asked: dict[str, float] = {}
        self._slow: list[tuple[float, float]] = []
        self._heard: set[str] = set()
        self._marks: tuple[bytes, ...] = ()
        self._merges = False
        """Duplicates are part of the lead that came first."""
        self._answer_s = 0.0
        self._counters = Counters()
        self._lost = False

    def read(self, rows: list[tuple[Any, ...]]) -> list[Violation]:
        """Return everything in the history that must not be."""
        readers = {
            name.removeprefix("_on_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("_on_")
        }
        for kind, at_s, *what in rows:
            self._at_s = at_s
            reader = readers.get(kind.replace(" ", "_"))
            if reader is not None:
                reader(*what)
        self._at_the_end()
        return self.violations

    def _wrong(self, invariant: str, what: str) -> None:
        self.violations.append(Violation(invariant, round(self._at_s, 6), what))

    # What is given

    def _on_market(self, version: int, offers: dict[str, Any]) -> None:
        self._offers[version] = offers
        self._counters.limits(version, offers)

    def _on_limit(self, scope: str, kind: str, most: int, per: str) -> None:
        self._counters.limit(scope, kind, most, per)

    def _on_brought(self, kind: str, at_us: int, amount: int) -> None:
        for what in self._counters.bring(kind, at_us, amount):
            if not self._lost:
                self._wrong("3 caps", f"the seller: {what}")

    def _on_terms(self, marks: tuple[bytes, ...], answer_s: float) -> None:
        self._marks, self._answer_s = marks, answer_s

    def _on_duplicates(self, merges: bool) -> None:
        self._merges = merges

    def _on_sent(self, lead_id: str, person: int, key: int) -> None:
        self._persons[lead_id], self._keys[lead_id] = person, key
        self._of_person[person].append(lead_id)

    def _on_posted_as(self, lead_id: str, person: int) -> None:
        """Take note of whose lead a quote may become: two posts of it may name two persons."""
        self._posted_as[lead_id].add(person)

    def _on_is_of(self, lead_id: str, person: int) -> None:
        """Take note of whose lead it is, as it is on the books."""
        before = self._persons.get(lead_id)
        if before == person:
            return
        if person not in self._posted_as[lead_id]:
            self._wrong("2 one sale", f"lead {lead_id} is of {person}, as whom nobody posted it")
        if before is not None:
            self._of_person[before].remove(lead_id)
        self._persons[lead_id] = person
        self._of_person[person].append(lead_id)

    def _maybe_of(self, lead_id: str) -> set[int]:
        """Return who the person of what was merged may be: that is on no book."""
        return {self._persons[lead_id], *self._posted_as[lead_id]}

    def _on_asked(self, lead_id: str, _worker: str) -> None:
        self._asked[lead_id] = self._at_s

    def _on_fault(self, name: str, *what: Any) -> None:
        # What was being brought in the moment of a loss may be missing until it is repaired.
        self._lost |= name in {"market lost", "market older"}
        if name.startswith(SLOW):
            for_s = next((one for one in what if isinstance(one, float)), 0.0)
            self._slow.append((self._at_s, self._at_s + for_s + OUTAGE_SLACK_S))

    # The buyers

    def _on_ping(self, buyer: str, request: bytes) -> None:
        if any(mark in request for mark in self._marks):
            self._wrong("1 privacy", f"a ping to {buyer} names a person")

    def _on_post(self, buyer: str, sale_id: str, is_new: bool) -> None:
        sale = self._sales.get(sale_id)
        if sale is None:
            self._wrong("2 one sale", f"{buyer} got a post of {sale_id}, which was never awarded")
            return
        if sale.buyer != buyer:
            self._wrong("2 one sale", f"{buyer} got the post of {sale.buyer}'s sale {sale_id}")
        sale.is_posted = True
        if is_new:
            self._too_many(sale.lead_id, "was posted to", buyer)

    def _too_many(self, lead_id: str, what: str, buyer: str) -> None:
        """Look whether somebody has a lead together with more than it was promised, or may."""
        having = [one for one in self._leads[lead_id].sales if one.state in {"", "accepted"}]
        if having and len(having) > min(one.buyers_max for one in having):
            names = ", ".join(f"{one.buyer} ({one.state or 'open'})" for one in having)
            self._wrong("2 one sale", f"lead {lead_id} {what} {buyer} while {names} may have it")

    def _on_said(
        self, buyer: str, sale_id: str, accepted: bool, price: str, status: int
    ) -> None:  # fmt: skip
        del status
        self._words[buyer, sale_id].add(accepted)
        if accepted:
            self._prices[sale_id].add(price)

    def _on_confirming(self, buyer: str, sale_id: str, accepted: bool) -> None:
        self._words[buyer, sale_id].add(accepted)

    def _on_decided(self, sale_id: str, by: str, accepted: bool) -> None:
        """Only one word on a sale counts that did not come as the answer to its post."""
        sale = self._sales[sale_id]
        if sale_id in self._decided or sale.state:
            self._wrong("2 one sale", f"sale {sale_id} is decided again, or after its end")
        self._decided.add(sale_id)
        if accepted:
            self._prices[sale_id].add("")
            if by != f"buyer/{sale.buyer}":
                self._wrong("5 money", f"sale {sale_id} of {sale.buyer} is accepted by {by}")

    def _on_confirmed(
        self, buyer: str, sale_id: str, accepted: bool, status: int, state: str
    ) -> None:  # fmt: skip
        """What a buyer was told of its own word; judged once all is quiet."""
        ends = self._sales[sale_id].state
        if state not in {"in_doubt", ends}:
            self._wrong("4 nothing lost", f"{buyer} was told that {sale_id} is {state}, on the "
                                          f"books it is {ends or 'open'}")  # fmt: skip
        self._promises.append((buyer, sale_id, accepted, status))

    # The ledger

    def _on_moment(
        self, worker: str, lead_id: str, number: int, kind: str, lead: Any, award: Any,
        sale_end: Any, lead_end: Any, transfers: Any, events: Any,
    ) -> None:  # fmt: skip
        del worker
        known = self._leads[lead_id]
        if number != known.last_number + 1:
            self._wrong("4 nothing lost", f"lead {lead_id} has moment {number} after "
                                          f"{known.last_number}")  # fmt: skip
        known.last_number = number
        if lead is not None:
            known.is_written, known.version = True, lead[2]
            self._write_under_key(lead_id)
            self._counters.in_force(known.version)
        if sale_end is not None:
            self._end_sale(lead_id, sale_end, transfers)
        elif transfers:
            self._wrong("5 money", f"lead {lead_id} moves money without the end of a sale")
        if award is not None:
            self._award(lead_id, known, award)
        if lead_end is not None:
            self._end_lead(lead_id, known, lead_end)
        elif known.end is not None and kind != "note":
            self._wrong("2 one sale", f"lead {lead_id} has a moment {kind} after its end")
        self._read_events(known, events)

    def _on_merged(self, lead_id: str, first_id: str, keeps_something: bool) -> None:
        """What is merged is part of a lead of the same person, and keeps nothing of that person."""
        part, first = self._leads[lead_id], self._leads[first_id]
        part.is_part = True
        if not first.is_written or first.is_part:
            self._wrong("4 nothing lost", f"{lead_id} is merged into {first_id}, which is no lead")
        if self._persons.get(first_id) not in self._maybe_of(lead_id):
            self._wrong("4 nothing lost", f"{lead_id} is merged into {first_id}, somebody else's")
        if keeps_something:
            self._wrong("1 privacy", f"{lead_id} is merged, and keeps something of its person")
        if part.sales or part.end is None or part.end[0] != "duplicate":
            self._wrong("2 one sale", f"{lead_id} is merged, and is sold or open: {part.end}")

    def _write_under_key(self, lead_id: str) -> None:
        """All requests of one key are one lead."""
        key = self._keys[lead_id]
        first = self._written_under.setdefault(key, lead_id) if key else lead_id
        if first != lead_id:
            self._wrong("2 one sale", f"key {key} made two leads, {first} and {lead_id}")

    def _read_events(self, known: Lead, events: Any) -> None:
        for event, offer, _sale_id, offers, left_out in events:
            if event == "pinged":
                known.pinged.update(offers)
            elif event in {"bid", "no_bid"}:
                known.answered.add(offer)
            elif event == "recovered":
                known.is_recovered = True
            known.mentioned.update(offers or (), left_out, () if offer is None else (offer,))

    def _award(self, lead_id: str, lead: Lead, award: tuple[Any, ...]) -> None:
        sale = Sale(lead_id, award)
        if not lead.is_written or lead.end is not None:
            self._wrong("4 nothing lost", f"award of lead {lead_id}, which is not being sold")
        terms = self._offers[lead.version][sale.offer]
        for earlier in lead.sales:
            if earlier.buyer == sale.buyer:
                self._wrong("2 one sale", f"lead {lead_id} is awarded to {sale.buyer} twice")
            self._beside(lead, sale, earlier)
        if not 1 <= sale.buyers_max <= terms["buyers_max"]:
            self._wrong("2 one sale", f"{sale.buyer} has lead {lead_id} with {sale.buyers_max}, "
                                      f"it shares with {terms['buyers_max']}")  # fmt: skip
        self._priced(sale, terms)
        lead.sales.append(sale)
        self._sales[sale.sale_id] = sale
        self._too_many(lead_id, "is awarded to", sale.buyer)
        for what in self._counters.take(sale, terms):
            self._wrong("3 caps", f"sale {sale.sale_id}: {what}")

    def _priced(self, sale: Sale, terms: dict[str, Any]) -> None:
        """Look whether a buyer is asked for what it bid; at second price for no more."""
        if sale.bid_id is None:
            return  # unasked
        bid = amounts(sale.bid_id)
        if sale.price > max(bid) or (sale.price not in bid and not terms["second_price"]):
            self._wrong("5 money", f"sale {sale.sale_id} asks for {sale.price}, "
                                   f"{sale.buyer} bid {sorted(bid)}")  # fmt: skip

    def _beside(self, lead: Lead, sale: Sale, earlier: Sale) -> None:
        """Look whether two buyers may not have a lead both, whatever their numbers say."""
        offers = self._offers[lead.version]
        one, other = offers[sale.offer], offers[earlier.offer]
        is_gone = earlier.state in {"refused", "void"}
        if not is_gone and (earlier.buyer in one["not_with"] or sale.buyer in other["not_with"]):
            self._wrong("2 one sale", f"lead {sale.lead_id}: {sale.buyer} beside {earlier.buyer}")
        let_out = earlier.state == "void" and earlier.is_posted and earlier.buyers_max > 1
        if let_out and sale.buyers_max == 1:
            self._wrong("2 one sale", f"lead {sale.lead_id}: {sale.buyer} has it alone, though "
                                      f"{earlier.buyer} may have it")  # fmt: skip

    def _end_sale(self, lead_id: str, sale_end: tuple[str, str], transfers: Any) -> None:
        sale_id, state = sale_end
        sale = self._sales.get(sale_id)
        if sale is None or sale.lead_id != lead_id or sale.state:
            self._wrong("2 one sale", f"sale {sale_id} of lead {lead_id} ends, but is not open")
            return
        sale.state = state
        moved: defaultdict[str, int] = defaultdict(int)
        for _kind, debit, credit, amount, of_sale in transfers:
            moved[debit] -= amount
            moved[credit] += amount
            if amount <= 0 or of_sale != sale_id:
                self._wrong("5 money", f"sale {sale_id} has an entry of {amount} of {of_sale}")
        sale.charge = -moved[f"buyer/{sale.buyer}"]
        if state == "accepted":
            self._leads[lead_id].accepted.append(sale)
            self._accepted(sale, moved)
        elif transfers:
            self._wrong("5 money", f"sale {sale_id} is {state} and moves money")
        elif state == "refused" and self._words[sale.buyer, sale_id] == {True}:
            self._wrong("2 one sale", f"{sale.buyer} accepted {sale_id}, on the books it refused")
        self._counters.end(sale)

    def _accepted(self, sale: Sale, moved: dict[str, int]) -> None:
        if True not in self._words[sale.buyer, sale.sale_id]:
            self._wrong("5 money", f"{sale.buyer} is charged for {sale.sale_id}, which it never "
                                   "accepted")  # fmt: skip
        due = {
            min(sale.price, int(float(price) * 1_000_000)) if price else sale.price
            for price in self._prices[sale.sale_id]
        }
        if sale.charge not in due:
            self._wrong("5 money", f"sale {sale.sale_id} charges {sale.charge}, due are {due}")
        earned = sum(amount for name, amount in moved.items() if name.startswith("seller/"))
        margin = sum(amount for name, amount in moved.items() if name.startswith("margin/"))
        if earned != sale.payout or sale.charge != earned + margin:
            self._wrong("5 money", f"sale {sale.sale_id}: {sale.charge} paid, {earned} earned, "
                                   f"{margin} kept, payout {sale.payout}")  # fmt: skip

    def _end_lead(self, lead_id: str, lead: Lead, end: tuple[str, int | None]) -> None:
        if lead.end is not None:
            self._wrong("2 one sale", f"lead {lead_id} ends twice")
        lead.end, lead.ended_s = end, self._at_s
        lead.asked_s = self._asked.get(lead_id, 0.0)
        status, price = end
        accepted = [sale for sale in lead.sales if sale.state == "accepted"]
        if any(not sale.state for sale in lead.sales):
            self._wrong("4 nothing lost", f"lead {lead_id} ended while a sale of it is open")
        if bool(accepted) != (status == "sold"):
            self._wrong("2 one sale", f"lead {lead_id} ended {status} with {len(accepted)} sales")
        if price != (sum(sale.payout for sale in accepted) if accepted else None):
            self._wrong("5 money", f"lead {lead_id} ended {status} at {price}")
        if status == "sold":
            person = self._persons[lead_id]
            first = self._sold_persons.setdefault(person, lead_id)
            if first != lead_id:
                self._wrong("2 one sale", f"leads {first} and {lead_id} sold person {person} twice")

    # The sellers

    def _on_told(self, lead_id: str, status: str, price: int | None, sales: int) -> None:
        self._on_learnt(lead_id, status, price, sales)
        if lead_id in self._heard:
            return
        self._heard.add(lead_id)
        asked_s = self._asked[lead_id]
        late_s = self._at_s - asked_s - self._answer_s - ANSWER_SLACK_S
        if late_s > 0:
            slow = [(begin, end) for begin, end in self._slow if end > asked_s]
            if self._at_s > max((end for _, end in slow), default=0.0) + self._answer_s + 1:
                self._wrong("6 deadlines", f"the seller of {lead_id} heard {late_s:.3f} s late")

    def _on_learnt(self, lead_id: str, status: str, price: int | None, sales: int) -> None:
        lead = self._leads[lead_id]
        if status == "pending":
            lead.heard_pending = True
        if status not in FINAL:
            if not lead.is_written:
                self._wrong("4 nothing lost", f"{lead_id} was told {status}, the ledger lacks it")
        elif (lead.end != (status, price) or sales != len(lead.accepted)) and not (
            status == "sold" and is_of_some(lead, price, sales)
        ):
            self._wrong(
                "4 nothing lost",
                f"{lead_id} was told {status} at {price}, the ledger says {lead.end}",
            )

    # After quiet

    def _on_held(self, key: str, sales: list[str]) -> None:
        for sale_id in sales:
            state = self._sales[sale_id].state if sale_id in self._sales else "never awarded"
            self._wrong("8 no leaks", f"{key} still holds {sale_id} ({state or 'open'})")

    def _on_counted(self, key: str, counts: dict[str, str]) -> None:
        for what in self._counters.compare(counts):
            self._wrong("3 caps", f"{key}: {what}")

    def _on_at_rest(self, worker: str, rests: bool, *what: int) -> None:
        if not rests or any(what):
            self._wrong("8 no leaks", f"{worker} is not at rest: {what}")

    def _on_locks(self, locks: int) -> None:
        if locks:
            self._wrong("8 no leaks", f"{locks} locks are held")

    def _on_message(self, lead_id: str, topic: str) -> None:
        lead = self._leads[lead_id]
        if lead.is_told or topic != "lead.resolved":
            self._wrong("4 nothing lost", f"the seller of {lead_id} is told its end again: {topic}")
        lead.is_told = True

    def _at_the_end(self) -> None:
        self._kept_promises()
        for lead_id, lead in self._leads.items():
            if lead.is_written and lead.end is None:
                self._wrong("4 nothing lost", f"lead {lead_id} has no end")
            for sale in lead.sales:
                if not sale.state:
                    self._wrong("4 nothing lost", f"sale {sale.sale_id} is open for good")
            if lead.end is not None:
                self._turned_away(lead_id, lead)
                self._explained(lead_id, lead)
                if lead.heard_pending and not lead.is_told:
                    self._wrong("4 nothing lost", f"{lead_id} was told pending, and then nothing")

    def _kept_promises(self) -> None:
        """Ask whether every buyer's word became what it was told of it.

        One that said both yes and no may hear either; but never that both were taken.
        """
        told: defaultdict[str, set[bool]] = defaultdict(set)
        for buyer, sale_id, accepted, status in self._promises:
            is_taken = self._sales[sale_id].state == "accepted"
            if status == 200:
                told[sale_id].add(accepted)
            if len(self._words[buyer, sale_id]) == 1 and (status == 200) != (is_taken is accepted):
                self._wrong(
                    "4 nothing lost",
                    f"{buyer} said {accepted} of {sale_id}, heard {status}, and it is "
                    f"{self._sales[sale_id].state}",
                )
        for sale_id, both in told.items():
            if len(both) > 1:
                self._wrong("2 one sale", f"sale {sale_id} was confirmed as taken and as refused")

    def _turned_away(self, lead_id: str, lead: Lead) -> None:
        """Ask of every duplicate whether somebody had its person: sold, or being sold just then."""
        if lead.end is None or lead.end[0] != "duplicate":
            return
        persons = self._maybe_of(lead_id) if lead.is_part else {self._persons[lead_id]}
        others = [one for person in persons for one in self._of_person[person]]
        written = [
            self._leads[one]
            for one in others
            if one in self._leads and one != lead_id and not self._leads[one].is_part
        ]
        if lead.is_part is not self._merges:
            self._wrong(
                "4 nothing lost", f"duplicate {lead_id} is a lead, or not, as it should not"
            )
        if not any(
            one.is_written and (is_sold(one) or one.ended_s >= lead.asked_s) for one in written
        ):
            self._wrong("4 nothing lost", f"lead {lead_id} is a duplicate of nobody's")

    def _explained(self, lead_id: str, lead: Lead) -> None:
        """Ask the timeline for every offer; of a lead that was cut off, for those asked."""
        if lead.pinged - lead.answered:
            self._wrong("7 explained", f"lead {lead_id}: pinged, and nothing said of it: "
                                       f"{sorted(lead.pinged - lead.answered)}")  # fmt: skip
        if lead.end[0] in {"sold", "unsold"} and not lead.is_recovered:
            missing = self._offers[lead.version].keys() - lead.mentioned
            if missing:
                self._wrong("7 explained", f"lead {lead_id} says nothing of {sorted(missing)}")


def is_of_some(lead: Lead, price: int | None, sales: int) -> bool:
    """Tell whether it is the price of those who accepted first, told while others doubted.

    Or of all of them, where a crash came between the last acceptance and the lead's end.
    """
    so_far = lead.accepted[:sales]
    may_be = 0 < len(so_far) < len(lead.sales) or (bool(so_far) and lead.end is None)
    return may_be and price == sum(sale.payout for sale in so_far)


def is_sold(lead: Lead) -> bool:
    """Tell whether a lead ended so."""
    return lead.end is not None and lead.end[0] == "sold"
