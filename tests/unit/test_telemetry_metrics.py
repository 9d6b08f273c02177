"""What is counted is what Prometheus reads, under labels that name no lead."""

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from exchange.domain.reason import Reason
from exchange.story.stations import Observer
from exchange.telemetry.metrics import BUCKETS_S, Metrics, ShedCause
from exchange.telemetry.shared import worker_gone
from exchange.telemetry.tallies import Durations


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


def sample(metrics, name, **labels):
    metrics.hand_over()
    return metrics.registry.get_sample_value(f"exchange_{name}", labels)


def exposed(metrics):
    metrics.hand_over()
    return metrics.exposition().decode().splitlines()


def test_the_story_can_be_observed_by_it(metrics):
    """It has every method that the story calls."""
    observer: Observer = metrics
    observer.stage("hold", 1.5)
    observer.offer_answered("acme-tx", "bid", 12.0)
    observer.offer_answered("acme-tx", "throttled", None)
    observer.post_answered("acme-tx", "accepted", 50.0)
    observer.lead_ended("auto-us", "sold", None, 143.2)
    observer.lead_ended("auto-us", "unsold", "deadline", 1000.0)
    observer.in_doubt(1)
    assert sample(metrics, "stage_seconds_sum", stage="hold") == pytest.approx(0.0015)
    assert sample(metrics, "offer_answers_total", offer="acme-tx", answer="bid") == 1
    assert sample(metrics, "offer_answers_total", offer="acme-tx", answer="throttled") == 1
    assert sample(metrics, "offer_answer_seconds_count", offer="acme-tx") == 1
    assert sample(metrics, "posts_total", offer="acme-tx", answer="accepted") == 1
    assert sample(metrics, "leads_total", campaign="auto-us", status="sold", reason="") == 1
    assert sample(metrics, "leads_total", campaign="auto-us", status="unsold", reason="deadline")
    assert sample(metrics, "lead_seconds_count", campaign="auto-us") == 2
    assert sample(metrics, "in_doubt") == 1


def test_buckets_reach_from_100_microseconds_to_a_minute(metrics):
    """A stage of 90 µs and one of 59 s are told apart from their neighbours."""
    assert (BUCKETS_S[0], BUCKETS_S[-1]) == (0.0001, 60.0)
    assert list(BUCKETS_S) == sorted(set(BUCKETS_S))
    metrics.stage("claim", 0.09)
    metrics.stage("claim", 59_000.0)
    assert sample(metrics, "stage_seconds_bucket", stage="claim", le="0.0001") == 1
    assert sample(metrics, "stage_seconds_bucket", stage="claim", le="30.0") == 1
    assert sample(metrics, "stage_seconds_bucket", stage="claim", le="60.0") == 2


@given(
    seconds=st.lists(st.sampled_from(BUCKETS_S) | st.floats(0, 100), max_size=30),
    cut=st.integers(0, 30),
)
def test_what_is_handed_over_at_once_is_what_single_observations_make(seconds, cut):
    """Bucket by bucket, on the bounds too, however often it is handed over."""
    registry = CollectorRegistry()
    plain = Histogram("plain", "", ["stage"], buckets=BUCKETS_S, registry=registry)
    tallied = Histogram("tallied", "", ["stage"], buckets=BUCKETS_S, registry=registry)
    durations = Durations(tallied, BUCKETS_S)
    for number, one in enumerate(seconds):
        plain.labels("hold").observe(one)
        durations.add(("hold",), one)
        if number == cut:
            durations.hand_over()
    durations.hand_over()
    [first, second] = [family.samples for family in registry.collect()]
    assert [s.labels for s in first] == [s.labels for s in second]
    assert [s.value for s in first] == pytest.approx([s.value for s in second])


def test_the_page_shows_all(metrics):
    """Gauges, counters and the process itself stand on one page."""
    metrics.holds.set(3)
    metrics.in_flight.set(2)
    metrics.turned_away("loop_lag")
    metrics.request_ended("/v1/leads", 503, 0.2)
    metrics.offer_left_out("acme-tx", Reason.SCHEDULE)
    metrics.loop_lag(4.0)
    metrics.hand_over()
    page = metrics.exposition().decode()
    for line in (
        "exchange_holds 3.0",
        "exchange_in_flight 2.0",
        'exchange_shed_total{cause="loop_lag"} 1.0',
        'exchange_requests_total{route="/v1/leads",status="503"} 1.0',
        'exchange_offer_left_out_total{offer="acme-tx",reason="schedule"} 1.0',
        "exchange_loop_lag_seconds_count 1.0",
        "process_resident_memory_bytes",
    ):
        assert line in page


@given(st.lists(st.sets(st.integers(0, 80)), max_size=40), st.integers(1, 5))
def test_many_offers_left_out_together_are_counted_each_by_itself(leads, every):
    """However often the counts are handed over: what a lead leaves out counts once for each."""
    metrics = Metrics(CollectorRegistry())
    lineup = tuple(f"offer-{place}" for place in range(81))
    counted = Counter()
    for number, lead in enumerate(leads):
        metrics.places_left_out(Reason.FILTERED, lineup, sum(1 << place for place in lead))
        metrics.offers_left_out(Reason.FILTERED, ["offer-0"])
        counted.update(["offer-0", *(lineup[place] for place in lead)])
        if number % every == 0:
            metrics.hand_over()
    metrics.hand_over()
    found = {
        sample.labels["offer"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "exchange_offer_left_out_total"
    }
    assert found == counted


WORKER = """
import sys, pathlib
from prometheus_client import CollectorRegistry
from exchange.telemetry.metrics import Metrics
from exchange.telemetry.shared import SharedFolder
shared = SharedFolder(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
shared.count_here()
metrics = Metrics(CollectorRegistry(), shared)
metrics.lead_ended("auto-us", "sold", None, 5.0)
metrics.lead_ended("auto-us", "sold", None, 500.0)
metrics.holds.set(2)
sum(range(1_000_000))
metrics.hand_over()
print("counted", flush=True)
sys.stdin.read()
print(metrics.exposition().decode())
"""


def start_worker(folder, slot):
    """A worker that has counted two leads and two holds."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(slot)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline() == "counted\n"
    return worker


def number(page, line):
    [found] = [one for one in page.splitlines() if one.startswith(f"{line} ")]
    return float(found.rpartition(" ")[2])


def test_workers_count_together(tmp_path):
    """Whichever worker is asked, its page has the counts of all, and the gauges of those alive."""
    workers = [start_worker(tmp_path, slot) for slot in range(3)]
    workers[0].communicate()
    worker_gone(tmp_path, 0)
    page, _ = workers[1].communicate()
    workers[2].communicate()
    leads = 'exchange_leads_total{campaign="auto-us",reason="",status="sold"}'
    assert number(page, leads) == 6
    assert number(page, 'exchange_lead_seconds_count{campaign="auto-us"}') == 6
    assert number(page, 'exchange_lead_seconds_bucket{campaign="auto-us",le="0.005"}') == 3
    assert number(page, "exchange_holds") == 4
    assert number(page, "process_cpu_seconds_total") > 0.06, "three interpreters started"
    assert number(page, "process_resident_memory_bytes") > 20_000_000


def test_who_takes_a_slot_over_counts_on(tmp_path):
    """Counts never fall, and files stay as few as slots, however often workers are replaced."""
    files = set()
    for _turn in range(3):
        worker = start_worker(tmp_path, 0)
        page, _ = worker.communicate()
        worker_gone(tmp_path, 0)
        files |= {path.name for path in tmp_path.iterdir()}
    assert number(page, 'exchange_leads_total{campaign="auto-us",reason="",status="sold"}') == 6
    assert number(page, "exchange_holds") == 2
    assert files <= {"counter_0.db", "histogram_0.db"}


def test_every_cause_of_shedding_stands_at_zero_from_the_start(metrics):
    """So that the first lead turned away is an increase, which an alert can see."""
    for cause in ("loop_lag", "leads_under_way", "market_wait", "overdue", "closing"):
        assert sample(metrics, "shed_total", cause=cause) == 0
    shown = {line for line in exposed(metrics) if line.startswith("exchange_shed_total{")}
    assert len(shown) == len(ShedCause)
    with pytest.raises(ValueError, match="boredom"):
        metrics.turned_away("boredom")


def test_no_line_tells_when_a_count_began(metrics):
    """It would be one more for every combination of labels."""
    metrics.request_ended("/v1/leads", 200, 12.0)
    metrics.hand_over()
    assert b"_created" not in metrics.exposition()
