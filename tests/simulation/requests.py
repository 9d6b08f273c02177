"""One request of a seller, on its way through a worker: what is asked, and what is told."""

from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import msgspec

from exchange.contract.denial import Denial
from exchange.contract.seller import LeadAnswer
from exchange.domain.ids import LeadId
from exchange.domain.money import from_decimal
from exchange.domain.quote import Quote
from exchange.domain.submission import Submission
from exchange.ledger.errors import LedgerError
from exchange.market.errors import MarketError
from exchange.market.once import OnceKey
from exchange.web.answers import encode
from exchange.web.idempotency import Attempt
from exchange.web.problems import DeniedError
from exchange.web.selling import told
from tests.simulation.scenery import who
from tests.simulation.worker import Worker

if TYPE_CHECKING:
    from tests.simulation.sellers import Sellers

OUTAGES = (LedgerError, MarketError)
UNPOSTED = 0.1
"""So many quotes are not to their seller's taste."""
MIXED_UP = 0.5
"""So often the second one of two posts of a quote names another person than its ping was of."""
GIVES_UP_AFTER = 4
"""Who heard nothing and asks so often for a lead that nobody knows takes it that it never came."""


class Told(msgspec.Struct):
    """An answer, as its seller reads it."""

    lead_id: str
    status: str
    price: Decimal | None
    sales: list[Any]


_read = msgspec.json.Decoder(Told, float_hook=Decimal).decode


class Way(Enum):
    """How a lead comes."""

    POST = auto()
    QUOTE = auto()
    """A price is asked for first."""


class Request:
    """One lead as its seller follows it."""

    def __init__(
        self, sellers: "Sellers", worker: Worker, submission: Submission, person: int, key: int
    ) -> None:
        self.person = person
        self.key = key
        """Of all requests that are one: 0 for none."""
        self.heard = "nothing"
        self.looks = 0
        self._sellers = sellers
        self._history = sellers.history
        self._worker = worker
        self._submission = submission
        self._lead = submission.lead

    async def run(self, way: Way) -> None:
        """Go the whole way; an outage is told like an answer."""
        try:
            if way is Way.QUOTE:
                await self._ask_first()
            elif self.key:
                await self._post_once()
            else:
                await self._post()
        except OUTAGES as outage:
            self._outage(outage)
        except DeniedError as denied:
            self.heard = "denied"
            self._history.add("denied", self._lead.lead_id, denied.kind.status)
            self._sellers.send_again(self, after_s=self._sellers.chance.random() * 2)

    async def _post(self) -> None:
        worker = self._worker
        self._history.add("asked", self._lead.lead_id, worker.name)
        self._told(told(await worker.story.sell(self._submission, worker.snapshot)))

    async def _post_once(self) -> None:
        """Post under a key, as the door does it."""
        worker, lead = self._worker, self._lead
        self._history.add("asked", lead.lead_id, worker.name)

        async def first() -> bytes:
            return told(await worker.story.sell(submission, worker.snapshot))

        digest = self.key.to_bytes(8, "big")
        submission = msgspec.structs.replace(self._submission, idempotency_key=digest)
        attempt = Attempt(
            key=OnceKey("seller:fastquotes", digest),
            body=b"%d" % self.person,
            owner=lead.lead_id,
            until_s=worker.process.time() + self._sellers.answer_ms / 1000,
            is_lead=True,
        )
        self._told(await worker.repeats.run(attempt, first))

    async def _ask_first(self) -> None:
        """Ask for a quote, then post it; sometimes to two workers at once."""
        sellers, worker = self._sellers, self._worker
        quoted = await worker.story.quote(self._submission, worker.snapshot)
        if isinstance(quoted, Denial):
            self.heard = "denied"
            return
        if quoted.ping_id is None:
            self.heard = quoted.status
            return
        quote = worker.tokens.open(quoted.ping_id, "fastquotes", worker.now_us())
        if not isinstance(quote, Quote):
            self.heard = "expired"
            return
        # The same ping as one before, whose quote still holds: it is that one's lead.
        self._lead = msgspec.structs.replace(self._lead, lead_id=quote.lead_id)
        if sellers.chance.random() < UNPOSTED:
            self.heard = "not posted"
            return
        persons = [self.person]
        if sellers.chance.random() < 1 / 4:
            persons.append(
                sellers.somebody() if sellers.chance.random() < MIXED_UP else self.person
            )
        for person in persons:
            other = sellers.ready()
            if other is not None:
                other.process.create_task(self._post_quote(other, quote, person))

    async def _post_quote(self, worker: Worker, quote: Quote, person: int) -> None:
        at_us = worker.now_us()
        answer_by_us = at_us + self._sellers.answer_ms * 1000
        lead = msgspec.structs.replace(self._lead, received_at_us=at_us, answer_by_us=answer_by_us)
        fingerprint, identity = who(person)
        submission = msgspec.structs.replace(
            self._submission, lead=lead, fingerprint=fingerprint, person=identity
        )
        self._history.add("posted as", lead.lead_id, person)
        self._history.add("asked", lead.lead_id, worker.name)
        try:
            answer = await worker.story.sell_quoted(quote, submission, worker.snapshot)
        except OUTAGES as outage:
            self._outage(outage)
            return
        if isinstance(answer, LeadAnswer):
            self._told(encode(answer))
        else:
            assert isinstance(answer, Denial), "a quote is sold or denied"
            self.heard = "denied" if self.heard == "nothing" else self.heard

    async def inquire(self, worker: Worker) -> None:
        """Ask where the lead stands."""
        try:
            standing = await worker.story.standing(LeadId(self._lead.lead_id))
        except OUTAGES:
            return
        if standing is not None and standing.answer.status != "pending":
            self._told(encode(standing.answer), "learnt")
        elif standing is None and self.looks >= GIVES_UP_AFTER and self.heard == "nothing":
            self.heard = "never came"

    def _told(self, answer: bytes, how: str = "told") -> None:
        """Write down an answer: told to a post, or learnt of by an inquiry or a repetition."""
        heard = _read(answer)
        if heard.lead_id != self._lead.lead_id:
            how = "learnt"
        if self.heard == "nothing":
            self._sellers.repeat(self)
        self.heard = heard.status
        price = None if heard.price is None else int(from_decimal(heard.price))
        self._history.add(how, heard.lead_id, heard.status, price, len(heard.sales))

    def _outage(self, outage: Exception) -> None:
        if self.heard == "nothing":
            self.heard = "outage"
            self._history.add("outage", self._lead.lead_id, type(outage).__name__)
            self._sellers.send_again(self, after_s=self._sellers.chance.random() * 3)
