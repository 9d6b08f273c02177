"""What the first moment of a lead writes: the lead, and its full record."""

from typing import Any

import msgspec

from exchange.domain.exclusivity import Claim, packed
from exchange.domain.moment import LeadRow
from exchange.domain.submission import Submission

_record = msgspec.json.Encoder(decimal_format="number").encode


class Papers:
    """The rows of one lead, as of the version of the market in which it came."""

    def __init__(self, submission: Submission, version: int) -> None:
        """Take what was sent."""
        self._submission = submission
        self._version = version

    def rows(self, claimed: Claim | None, score: int | None) -> dict[str, Any]:
        """Return the lead with the state that it is from, and the record that will be sealed."""
        state = self._submission.facts().get("state")
        row = self.row(claimed, score, state if isinstance(state, str) else None)
        return {"lead": row, "record": _record(self._submission)}

    def row(self, claimed: Claim | None, score: int | None, state: str | None = None) -> LeadRow:
        """Return the lead alone."""
        lead = self._submission.lead
        return LeadRow(
            seller_id=lead.seller_id,
            campaign_id=lead.campaign_id,
            source_id=lead.source.id,
            channel=lead.source.channel,
            source_declared=lead.source.declared,
            vertical_id=lead.vertical_id,
            seller_ref=lead.seller_ref,
            test=lead.test,
            version=self._version,
            received_at_us=lead.received_at_us,
            answer_by_us=lead.answer_by_us,
            idempotency_key=self._submission.idempotency_key,
            claim=None if claimed is None else packed(claimed),
            state=state,
            score=score,
        )
