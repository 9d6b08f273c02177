"""What a lead and a ping go through alike before anyone is asked."""

from exchange.domain import qualification, scoring
from exchange.domain.events import EventName
from exchange.domain.exclusivity import Claim, claim
from exchange.domain.ids import LeadId
from exchange.domain.reason import Reason
from exchange.domain.snapshot import Snapshot
from exchange.domain.states import LeadStatus
from exchange.domain.submission import Submission
from exchange.story.chain import Chain
from exchange.story.ending import Ending


class Checking:
    """Judges and scores one submission, and notes what came of it."""

    def __init__(self, snapshot: Snapshot, submission: Submission, chain: Chain) -> None:
        """Take the submission and where its events are noted."""
        self._submission = submission
        self._chain = chain
        self._campaign = snapshot.campaigns[submission.lead.campaign_id]
        self._seller = snapshot.sellers[submission.lead.seller_id]
        self.score: int | None = None
        """From 0 to 100, once `scored` was asked."""

    def judged(self) -> Ending | None:
        """End as rejected where the campaign or the source does not want such a lead."""
        flags = ", ".join(self._submission.flags) or None
        self._chain.note(EventName.RECEIVED, detail=flags)
        verdict = qualification.judge(self._submission, self._campaign, self._seller)
        if verdict is None:
            self._chain.note(EventName.VALIDATED)
            return None
        return self._rejected(*verdict)

    def claim(self, secret: bytes) -> Claim | None:
        """Return what this lead claims, or None where nothing is checked."""
        lead = self._submission.lead
        return claim(
            self._submission.fingerprint, self._campaign, lead.lead_id, secret, test=lead.test
        )

    def repeats(self, original: LeadId) -> Ending:
        """End as the duplicate of the lead that came first."""
        self._chain.note(EventName.DUPLICATE, reason=Reason.DUPLICATE, detail=original)
        return Ending(status=LeadStatus.DUPLICATE, reason=Reason.DUPLICATE, original=original)

    def scored(self) -> Ending | None:
        """Score the lead; end as rejected below the campaign's least score."""
        score = scoring.score(self._submission)
        self.score = score.value
        self._chain.note(EventName.SCORED, score=score.value, model=score.model)
        verdict = scoring.too_low(score, self._campaign)
        return None if verdict is None else self._rejected(*verdict)

    def _rejected(self, reason: Reason, detail: str | None) -> Ending:
        self._chain.note(EventName.REJECTED, reason=reason, detail=detail)
        return Ending(status=LeadStatus.REJECTED, reason=reason, detail=detail)
