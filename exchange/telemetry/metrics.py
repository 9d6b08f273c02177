"""What Prometheus reads: how long each stage takes, what became of leads, offers and requests.

Labels are ids of the configuration and words of the contract, never a lead's values.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from exchange.domain.reason import Reason
from exchange.telemetry.place_counts import PlaceCounts
from exchange.telemetry.shared import ProcessFigures, SharedFolder
from exchange.telemetry.tallies import Counts, Durations, Level

CONTENT_TYPE = CONTENT_TYPE_LATEST

MS_PER_S = 1000.0

PEOPLE = (1.0, 4.0, 9.0, 19.0, 49.0, 99.0, 499.0, 999.0, 9999.0)
"""Fewer than 2, 5, 10, 20, 50, 100 … people."""
BUCKETS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

# When each count began would be one more line for each, and nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]


class ShedCause(StrEnum):
    """Why a lead is turned away unread."""

    LOOP_LAG = "loop_lag"
    LEADS_UNDER_WAY = "leads_under_way"
    MARKET_WAIT = "market_wait"
    OVERDUE = "overdue"
    CLOSING = "closing"


class Metrics:
    """All that the exchange counts and measures, in one registry."""

    def __init__(self, registry: CollectorRegistry, shared: SharedFolder | None = None) -> None:
        """Count in this registry; `shared` is the folder in which several workers count together.

        It must have been made the place where this process counts before.
        """
        self.registry = registry
        self.shared = shared
        self._tallies: list[Counts | Durations | Level] = []
        self.process = None if shared is None else ProcessFigures(registry)
        if shared is None:
            ProcessCollector(registry=registry)
        self.stages = self._seconds("stage", "Time in one stage of the way of a lead", "stage")
        self.requests = self._counter("requests", "HTTP requests answered", "route", "status")
        self.request_times = self._seconds("request", "From request to answer", "route")
        self.leads = self._counter("leads", "Leads ended", "campaign", "status", "reason")
        self.lead_times = self._seconds("lead", "From a lead's arrival to its answer", "campaign")
        self.answers = self._counter("offer_answers", "Answers to pings", "offer", "answer")
        self.answer_times = self._seconds("offer_answer", "From a ping to its answer", "offer")
        self.late_times = self._seconds("late_answer", "From a ping to a late answer", "offer")
        self.left_out = self._counter("offer_left_out", "Not pinged", "offer", "reason")
        self._left_out_places = PlaceCounts(self.left_out)
        self.early_closes = self._seconds(
            "early_close_left", "Time left to an auction that was decided early", "campaign"
        )
        self.posts = self._counter("posts", "Answers to posts", "offer", "answer")
        self.post_times = self._seconds("post", "From a post to its answer", "offer")
        self.messages = self._counter("messages", "Webhook calls", "type", "outcome")
        self.message_times = self._seconds("message", "From a webhook's call to its answer", "type")
        self.notices = self._counter("notices", "Notices to bidders", "kind")
        self.dropped_notices = self._counter("notices_dropped", "Notices that nobody hears")
        self.waiting_messages = self._oldest("messages_waiting", "Messages not yet delivered")
        self.waiting_message_s = self._oldest(
            "messages_oldest_seconds", "For how long the oldest of them has waited"
        )
        alike = Histogram(
            "exchange_people_alike",
            "How many people a ping could be about, by what it shows",
            ("campaign",),
            buckets=PEOPLE,
            registry=registry,
        )
        self.alike = Durations(alike, PEOPLE)
        self._tallies.append(self.alike)
        self.shed = self._counter("shed", "Leads turned away under overload", "cause")
        for cause in ShedCause:  # from the start at 0: the first that is shed is an increase, too
            self.shed.add((cause.value,), 0)
        self.pilots = self._counter(
            "pilots_ended", "Who was paused at the end of a pilot", "kind", "name"
        )
        self.lags = self._seconds("loop_lag", "How late the event loop ran")
        self.holds = self._gauge("holds", "Holds of this worker, neither settled nor released")
        self.doubts = self._gauge("in_doubt", "Sales whose post has no answer yet")
        self.in_flight = Level(self._gauge("in_flight", "Leads being sold by this worker"))
        self._tallies.append(self.in_flight)
        self.tasks = self._gauge("tasks", "Tasks of the event loop")
        self.version = Gauge(
            "exchange_market_version",
            "Version of the market that the workers hold; of the oldest, where they differ",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def stage(self, stage: str, ms: float) -> None:
        """Observe one stage: intake, claim, auction, hold, award, post, outcome and so on."""
        self.stages.add((stage,), ms / MS_PER_S)

    def request_ended(self, route: str, status: int, ms: float) -> None:
        """Count one answered request under its route's name, never its path."""
        self.requests.add((route, str(status)))
        self.request_times.add((route,), ms / MS_PER_S)

    def lead_ended(
        self, campaign_id: str, status: str, reason: str | None, total_ms: float
    ) -> None:
        """Count a lead by what its seller heard; the reason of a sold one is empty."""
        self.leads.add((campaign_id, status, reason or ""))
        self.lead_times.add((campaign_id,), total_ms / MS_PER_S)

    def offer_answered(self, offer_id: str, word: str, ms: float | None) -> None:
        """Count a ping by its end (bid, no_bid, timeout …); `ms` None: nothing was sent."""
        self.answers.add((offer_id, word))
        if ms is not None:
            self.answer_times.add((offer_id,), ms / MS_PER_S)

    def answered_late(self, offer_id: str, ms: float) -> None:
        """Observe an answer to a ping that came after its time and could win nothing."""
        self.late_times.add((offer_id,), ms / MS_PER_S)

    def offer_left_out(self, offer_id: str, reason: Reason) -> None:
        """Count an offer that was not asked."""
        self.left_out.add((offer_id, reason.word))

    def offers_left_out(self, reason: Reason, offer_ids: Iterable[str]) -> None:
        """Count some offers that were not asked."""
        word = reason.word
        for offer_id in offer_ids:
            self.left_out.add((offer_id, word))

    def places_left_out(self, reason: Reason, lineup: Sequence[str], places: int) -> None:
        """Count many: those of a lineup whose places are bits of this number."""
        if places:
            self._left_out_places.add(lineup, reason.word, places)

    def auction_closed_early(self, campaign_id: str, left_ms: float) -> None:
        """Observe an auction that was decided before its time, by how much it had left."""
        self.early_closes.add((campaign_id,), left_ms / MS_PER_S)

    def post_answered(self, offer_id: str, word: str, ms: float) -> None:
        """Count a post by its end: accepted, refused, in_doubt, unreachable."""
        self.posts.add((offer_id, word))
        self.post_times.add((offer_id,), ms / MS_PER_S)

    def message_tried(self, topic: str, outcome: str, ms: float) -> None:
        """Count a try to deliver a message: delivered, again (it is tried later), failed."""
        self.messages.add((topic, outcome))
        self.message_times.add((topic,), ms / MS_PER_S)

    def noticed(self, kind: str) -> None:
        """Count a notice: won, outbid, below_floor, late, invalid, capped."""
        self.notices.add((kind,))

    def notices_dropped(self, notices: int) -> None:
        """Count notices that there was no room for."""
        self.dropped_notices.add((), notices)

    def messages_wait(self, waiting: int, oldest_s: float) -> None:
        """Show how many messages of all workers wait, and for how long the oldest does."""
        self.waiting_messages.set(waiting)
        self.waiting_message_s.set(oldest_s)

    def people_alike(self, campaign_id: str, people: int) -> None:
        """Observe how many people a ping could be about."""
        self.alike.add((campaign_id,), float(people))

    def in_doubt(self, change: int) -> None:
        """Count a sale into doubt (1) or out of it (-1)."""
        self.doubts.inc(change)

    def pilot_ended(self, kind: str, name: str) -> None:
        """Count somebody that was paused because its pilot is over."""
        self.pilots.add((kind, name))

    def turned_away(self, cause: str) -> None:
        """Count a lead that was refused before it was read, by its ShedCause."""
        self.shed.add((ShedCause(cause).value,))

    def loop_lag(self, ms: float) -> None:
        """Observe by how much a heartbeat was late."""
        self.lags.add((), ms / MS_PER_S)

    def hand_over(self) -> None:
        """Let the next page show all that was counted until now; call it in the event loop.

        Where several workers count together, whichever is asked shows what the others handed over.
        """
        if self.process is not None:
            self.process.read()
        self._left_out_places.hand_over()
        for tally in self._tallies:
            tally.hand_over()

    def exposition(self) -> bytes:
        """Return the page that Prometheus reads; takes milliseconds, so call it in a thread.

        It shows what was handed over.
        """
        if self.shared is None:
            return generate_latest(self.registry)
        return generate_latest(self.shared.registry())

    def _seconds(self, name: str, help_text: str, *labels: str) -> Durations:
        family = Histogram(
            f"exchange_{name}_seconds",
            help_text,
            labels,
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        durations = Durations(family, BUCKETS_S)
        self._tallies.append(durations)
        return durations

    def _counter(self, name: str, help_text: str, *labels: str) -> Counts:
        family = Counter(f"exchange_{name}", help_text, labels, registry=self.registry)
        counts = Counts(family)
        self._tallies.append(counts)
        return counts

    def _oldest(self, name: str, help_text: str) -> Gauge:
        # Every worker sees the same: the highest is as good as any.
        return Gauge(
            f"exchange_{name}",
            help_text,
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def _gauge(self, name: str, help_text: str) -> Gauge:
        # Summed over the workers that live, where one page speaks for all of them.
        return Gauge(
            f"exchange_{name}",
            help_text,
            registry=self.registry,
            multiprocess_mode="livesum",
        )
