"""How many people a ping could be about, noted where its vertical has them counted."""

from exchange.domain.anonymity import visible
from exchange.domain.anonymize import shown_name
from exchange.domain.events import EventName
from exchange.domain.submission import Submission
from exchange.domain.vertical import Vertical
from exchange.story.chain import Chain
from exchange.story.stations import Stations


def note_anonymity(
    stations: Stations, chain: Chain, submission: Submission, vertical: Vertical
) -> None:
    """Note how many people look like this one in the pings that just went out.

    Nothing is held back for it, nor shown more coarsely: that is the operator's to decide.
    """
    lead = submission.lead
    k = stations.alike(lead, submission.fingerprint, vertical)
    if k is None:
        return
    stations.observer.people_alike(lead.campaign_id, k)
    names = ", ".join(filter(None, map(shown_name, visible(vertical))))
    chain.note(EventName.ANONYMITY, people=k, detail=names)
