"""What happened, in order, in plain words and numbers: all that the auditor gets to see."""

import hashlib
import re
from collections import Counter
from typing import Any

import msgspec

from tests.simulation.loop import World

NAME = re.compile(rb"Zanary(\d+)")
"""What a full record calls its person."""


class History:
    """Rows of a kind, the virtual time in seconds, and what there is to say."""

    def __init__(self, world: World) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.faults: Counter[str] = Counter()
        self._world = world

    def add(self, kind: str, *what: Any) -> None:
        self.rows.append((kind, self._world.now, *what))

    def fault(self, name: str, *what: Any) -> None:
        """Note that something was made to go wrong."""
        self.faults[name] += 1
        self.add("fault", name, *what)

    def moment(self, worker_id: str, moment: Any) -> None:
        """Note what became durable, and when; called by the books."""
        self.brought(moment)
        lead, award, sale_end = moment.lead, moment.award, moment.sale_end
        lead_end = moment.lead_end
        named_in = lead and moment.record and NAME.search(moment.record)
        if named_in:
            self.add("is of", moment.lead_id, int(named_in[1]))
        self.add(
            "moment",
            worker_id,
            moment.lead_id,
            moment.number,
            str(moment.kind),
            lead and (lead.seller_id, lead.campaign_id, lead.version, lead.answer_by_us),
            award
            and (
                award.sale_id,
                award.offer_id,
                award.buyer_id,
                award.price,
                award.payout,
                award.held_at_us,
                award.buyers_max,
                award.bid_id,
            ),
            sale_end and (sale_end.sale_id, str(sale_end.state)),
            lead_end and (str(lead_end.status), lead_end.price),
            tuple(
                (one.kind, one.debit, one.credit, one.amount, one.sale_id)
                for one in moment.transfers
            ),
            tuple(
                (str(one.event), one.offer, one.sale_id, one.offers, named(one.left_out))
                for one in moment.events
            ),
        )

        if str(moment.kind) == "merged":
            kept = moment.record is not None or lead.claim is not None or lead.state is not None
            self.add("merged", moment.lead_id, moment.lead_end.original, kept)

    def brought(self, moment: Any) -> None:
        """Note what a moment adds to what the seller brought: a lead, and pings to buyers."""
        if moment.lead is not None:
            self.add("brought", "leads", moment.lead.received_at_us, 1)
        for event in moment.events:
            if str(event.event) == "pinged":
                self.add("brought", "pings", event.at_us, len(event.offers))

    def decided(self, sale_id: str, decision: Any) -> None:
        """Note a word on a sale that became durable; called by the books."""
        self.add("decided", sale_id, decision.by, decision.accepted)

    def digest(self) -> str:
        """Return what is the same for the same history alone."""
        return hashlib.sha256(msgspec.msgpack.encode(self.rows)).hexdigest()[:16]


def named(left_out: dict[int, tuple[str, ...]] | None) -> tuple[str, ...]:
    """Return whom one line of a timeline leaves out."""
    return () if left_out is None else tuple(name for names in left_out.values() for name in names)
