"""The run in numbers as it goes on: what the seller heard, and what its leads' events say."""

from array import array
from collections import Counter, deque
from collections.abc import Sequence

import msgspec

from exchange.demo.digest import Digest
from exchange.demo.order import NOT_SOLD, Heard, Oddity, Way
from exchange.domain.money import Micros
from exchange.domain.reason import Reason
from exchange.domain.sandbox import PREFIX as SANDBOX

RATE_WINDOW_S = 5.0
LAST_SOLD = 12
OK = 200
UNSOLD = "unsold"
TOO_MANY = 429
FULL = "told 429"
"""What a seller hears whose own limit, or its campaign's, is reached."""


class Percentiles(msgspec.Struct, frozen=True):
    """The middle and the tail of many durations, in milliseconds; None where there are none."""

    p50: float | None
    p95: float | None
    p99: float | None


class SoldLead(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last leads that were sold."""

    lead_id: str
    campaign: str
    way: Way
    winner: str
    charge: Micros
    payout: Micros
    ms: float
    asked: int
    bids: int


class OfferTally:
    """How one offer fares."""

    def __init__(self) -> None:
        self.pings = 0
        self.bids = 0
        self.won = 0
        self.spent = Micros(0)
        self.lost: Counter[Reason] = Counter()


class CampaignTally:
    """How one campaign fares."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        """Leads by what their sellers heard."""
        self.sold_by: Counter[str] = Counter()
        """Sold leads by the method of their stage."""
        self.met: Counter[str] = Counter()
        """Leads by the rules and limits that they met."""
        self.charge = Micros(0)
        self.payout = Micros(0)


class Tally:
    """Everything counted so far; fed by `hear` and `learn`."""

    def __init__(self, begun_us: int) -> None:
        self.begun_us = begun_us
        self.tests = 0
        """Test leads: left out of everything else, as of every report."""
        self.statuses: Counter[str] = Counter()
        """Leads by what their sellers heard."""
        self.quotes: Counter[str] = Counter()
        """Pings by what their sellers heard."""
        self.refused: Counter[str] = Counter()
        """Requests that were no leads, by what the error said."""
        self.unanswered: Counter[str] = Counter()
        self.ways: Counter[Way] = Counter()
        self.answer_ms = array("d")
        self.own_ms = array("d")
        self.late_ms_max = 0.0
        self.reasons: Counter[Reason] = Counter()
        self.offers: dict[str, OfferTally] = {}
        self.campaigns: dict[str, CampaignTally] = {}
        self.revenue = Micros(0)
        self.payout = Micros(0)
        self.last_sold: deque[SoldLead] = deque(maxlen=LAST_SOLD)
        self.pings = 0
        self.bids = 0
        self.posts = 0
        self.arrived: deque[int] = deque()
        self.pinged: deque[tuple[int, int]] = deque()

    @property
    def most_telling(self) -> SoldLead | None:
        """Return the lead with the most bids of those sold last; one of the sandbox at a pinch."""
        real = [lead for lead in self.last_sold if not lead.winner.startswith(SANDBOX)]
        return max(real or self.last_sold, key=lambda lead: lead.bids, default=None)

    @property
    def leads(self) -> int:
        """How many leads were answered."""
        return self.statuses.total()

    def hear(self, heard: Heard, now_us: int) -> None:
        """Count one answer."""
        self.late_ms_max = max(self.late_ms_max, heard.late_ms)
        self.ways[heard.way] += 1
        self.arrived.append(now_us)
        if heard.oddity is Oddity.TEST:
            self.tests += 1
        elif heard.http == 0:
            self.unanswered[heard.problem or "no answer"] += 1
        elif heard.http != OK or heard.problem is not None:
            self.refused[heard.problem or f"HTTP {heard.http}"] += 1
            if heard.http == TOO_MANY:
                self.campaign(heard.campaign).met[FULL] += 1
        elif heard.way is Way.PING:
            self.quotes[heard.status or "unreadable"] += 1
        else:
            # Nobody was sold anything, whichever word the seller's platform has no name for.
            status = UNSOLD if heard.status == NOT_SOLD else heard.status
            self.statuses[status or "unreadable"] += 1
            self.campaign(heard.campaign).statuses[status or "unreadable"] += 1
            self.answer_ms.append(heard.ms)

    def learn(self, digest: Digest, heard: Heard | None, now_us: int) -> None:
        """Count what the events of one lead say; `heard` is None for a quote."""
        self.pings += len(digest.pings)
        self.bids += len(digest.bids)
        self.posts += len(digest.posts)
        self.pinged.append((now_us, len(digest.pings)))
        self.revenue = Micros(self.revenue + digest.charge)
        self.payout = Micros(self.payout + digest.payout)
        self._learn_of_offers(digest)
        if heard is None:
            return
        campaign = self.campaign(heard.campaign)
        campaign.met.update(digest.marks)
        campaign.charge = Micros(campaign.charge + digest.charge)
        campaign.payout = Micros(campaign.payout + digest.payout)
        if digest.method is not None:
            campaign.sold_by[digest.method] += 1
        if not digest.in_doubt:
            self.own_ms.append(max(0.0, heard.ms - heard.late_ms - digest.buyers_ms))
        if digest.winner is not None and heard.lead_id is not None:
            self.last_sold.appendleft(
                SoldLead(
                    lead_id=heard.lead_id,
                    campaign=heard.campaign,
                    way=heard.way,
                    winner=digest.winner,
                    charge=digest.charge,
                    payout=digest.payout,
                    ms=heard.ms,
                    asked=len(digest.pings),
                    bids=len(digest.bids),
                )
            )

    def _learn_of_offers(self, digest: Digest) -> None:
        for offer in digest.pings:
            self.offer(offer).pings += 1
        for offer, _ in digest.bids:
            self.offer(offer).bids += 1
        for one in digest.lost:
            self.offer(one.offer).lost[one.reason] += 1
            self.reasons[one.reason] += 1
        for offer, charge in digest.wins:
            won = self.offer(offer)
            won.won += 1
            won.spent = Micros(won.spent + charge)

    def offer(self, offer_id: str) -> OfferTally:
        """Return the numbers of one offer."""
        return self.offers.setdefault(offer_id, OfferTally())

    def campaign(self, campaign_id: str) -> CampaignTally:
        """Return the numbers of one campaign."""
        return self.campaigns.setdefault(campaign_id, CampaignTally())

    def requests_per_s(self, now_us: int) -> float:
        """Return how many requests were answered each second lately."""
        since_us, window_s = self._lately(now_us)
        while self.arrived and self.arrived[0] < since_us:
            self.arrived.popleft()
        return len(self.arrived) / window_s

    def pings_per_s(self, now_us: int) -> float:
        """Return how many pings went to buyers each second lately."""
        since_us, window_s = self._lately(now_us)
        while self.pinged and self.pinged[0][0] < since_us:
            self.pinged.popleft()
        return sum(count for _, count in self.pinged) / window_s

    def _lately(self, now_us: int) -> tuple[int, float]:
        """Return since when is lately, and how many seconds that is."""
        window_s = min(RATE_WINDOW_S, max(1.0, (now_us - self.begun_us) / 1_000_000))
        return now_us - int(window_s * 1_000_000), window_s

    def answer_times(self) -> Percentiles:
        """Return how long sellers waited for their answers."""
        return percentiles(self.answer_ms)

    def own_times(self) -> Percentiles:
        """Return what of it the buyers did not take."""
        return percentiles(self.own_ms)


def percentiles(durations_ms: Sequence[float]) -> Percentiles:
    """Return the nearest-rank percentiles: each is a duration that was measured."""
    ordered = sorted(durations_ms)
    if not ordered:
        return Percentiles(None, None, None)
    return Percentiles(*(nearest_rank(ordered, share) for share in (50, 95, 99)))


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of all are not above."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, rank - 1)]


def top(counts: Counter[Reason], most: int) -> list[tuple[Reason, int]]:
    """Return the largest counts, equal ones by the reason's number."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
