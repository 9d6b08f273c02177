"""Whether a well-formed lead may go on: its source, its place, and the campaign's own rules."""

from exchange.domain.campaign import Campaign, LocationCheck
from exchange.domain.reason import Reason
from exchange.domain.seller import Seller, UndeclaredSources
from exchange.domain.submission import Submission

Verdict = tuple[Reason, str]
"""Why a lead is rejected, and a detail that holds no value of it."""


def judge(submission: Submission, campaign: Campaign, seller: Seller) -> Verdict | None:
    """Return the first reason that rejects this lead, or None: it goes on to the auction."""
    return (
        judge_source(submission, campaign, seller)
        or judge_input(submission, campaign)
        or judge_rules(submission, campaign)
    )


def judge_source(submission: Submission, campaign: Campaign, seller: Seller) -> Verdict | None:
    """Reject what its source's, its seller's or its campaign's switch keeps out."""
    source = submission.lead.source
    declared = seller.sources.get(source.id)
    if declared is None and seller.undeclared_sources is UndeclaredSources.REFUSE:
        return Reason.UNKNOWN_SOURCE, "the seller's sources are declared, this one is not"
    if declared is not None and declared.paused:
        return Reason.PAUSED_SOURCE, "source"
    if seller.paused:
        return Reason.PAUSED_SOURCE, "seller"
    return (Reason.PAUSED_SOURCE, "campaign") if campaign.paused else None


def judge_input(submission: Submission, campaign: Campaign) -> Verdict | None:
    """Reject what intake noticed and this campaign does not let pass."""
    if "location_mismatch" in submission.flags and campaign.location is LocationCheck.REJECT:
        return Reason.LOCATION_MISMATCH, "the ZIP code lies in another state"
    if campaign.reject_disposable_email and "disposable_email" in submission.flags:
        return Reason.INVALID_FIELD, "disposable_email"
    return None


def judge_rules(submission: Submission, campaign: Campaign) -> Verdict | None:
    """Reject a lead by the first of the campaign's rules that does not hold, with its id."""
    if not campaign.qualify:
        return None
    facts = submission.facts()
    for rule_id, rule in campaign.qualify:
        if not rule.holds(facts):
            return Reason.NOT_QUALIFIED, rule_id
    return None
