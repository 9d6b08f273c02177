"""How good a lead looks before anyone bids: rules, weighed, with every part of the sum shown.

A first model, of input quality alone. Each part can only grow with better input, and none looks
at who the person is.
"""

from collections.abc import Mapping

import msgspec

from exchange.domain.campaign import Campaign
from exchange.domain.lead import Value
from exchange.domain.reason import Reason
from exchange.domain.submission import Submission

MODEL = "rules-1"
SCORE_MAX = 100

BASE = 20
PER_FIELD = 2
FIELDS_COUNTED_MAX = 10

WEIGHTS: Mapping[str, int] = {
    "phone_known": 8,
    "phone_local": 8,
    "email_known": 6,
    "email_lasting": 6,
    "certificate": 12,
    "consent": 6,
    "location_agrees": 4,
    "source_declared": 5,
    "insured": 5,
}
"""What each part adds where it holds; with the base and all fields, exactly a hundred."""

INSURED_FIELDS = ("currently_insured", "insured", "homeowner")


class Score(msgspec.Struct, frozen=True):
    """A lead's score from 0 to 100, which model gave it, and what it is made of."""

    value: int
    model: str
    parts: dict[str, int]


def score(submission: Submission) -> Score:
    """Return the score of a lead; the same lead always gets the same."""
    lead = submission.lead
    sha256, md5 = submission.fingerprint.sha256, submission.fingerprint.md5
    marks = lead.consent
    email_known = "email" in sha256 or "email" in md5
    holds = {
        "phone_known": "phone" in sha256 or "phone" in md5,
        "phone_local": lead.derived.get("phone_local") is True,
        "email_known": email_known,
        "email_lasting": email_known and "disposable_email" not in submission.flags,
        "certificate": has_certificate(submission),
        "consent": marks.tcpa is True,
        "location_agrees": "state" in lead.derived and "location_mismatch" not in submission.flags,
        "source_declared": lead.source.declared,
        "insured": is_insured(lead.fields),
    }
    counted = min(len(lead.fields) + len(submission.person.identity), FIELDS_COUNTED_MAX)
    parts = {"base": BASE, "fields": PER_FIELD * counted}
    for name, held in holds.items():
        if held:
            parts[name] = WEIGHTS[name]
    return Score(sum(parts.values()), MODEL, parts)


def has_certificate(submission: Submission) -> bool:
    """Tell whether a third party can confirm the consent."""
    marks, consent = submission.lead.consent, submission.person.consent
    return bool(
        marks.jornaya_id or marks.trustedform_url or consent.jornaya_id or consent.trustedform_url
    )


def is_insured(fields: Mapping[str, Value]) -> bool:
    """Tell whether a lead says so of itself."""
    for name in INSURED_FIELDS:  # noqa: SIM110 - a generator for each lead costs more than its loop
        if name in fields and fields[name] is True:
            return True
    return False


def scored(submission: Submission, given: Score) -> Submission:
    """Return the submission with its score among the lead's derived facts."""
    derived = {**submission.lead.derived, "score": given.value}
    lead = msgspec.structs.replace(submission.lead, derived=derived)
    return msgspec.structs.replace(submission, lead=lead)


def too_low(given: Score, campaign: Campaign) -> tuple[Reason, str] | None:
    """Return why a score is not enough for a campaign, or None where it is."""
    if given.value >= campaign.min_score:
        return None
    return Reason.LOW_SCORE, f"min_score {campaign.min_score}"
