"""As many files as the machine lets a process open; a warning where a market may need more."""

import resource
import subprocess
import sys

import msgspec
from structlog.testing import capture_logs

from exchange.domain.money import Micros
from exchange.domain.offer import OnNoAnswer, PingTerms, PostTerms
from exchange.domain.snapshot import Snapshot
from exchange.open_files import STANDING, OpenFiles, hosts, needed
from exchange.settings import load_settings
from tests.making import an_offer

ADDRESSES = [
    ("https://bids.example.com/ping", "https://bids.example.com/post"),
    ("https://BIDS.example.com/other", None),
    ("https://bids.example.com:8443/ping", "http://crm.example.com/post"),
    (None, None),
]
SETTINGS = msgspec.structs.replace(
    load_settings(None, {}),
    connections_per_host_max=100,
    leads_under_way_max=1000,
    feeds_at_once_max=8,
    database_connections_max=10,
)


def market(addresses):
    """A market of offers that are asked and get their leads at these addresses."""
    offers = {}
    for number, (ping, post) in enumerate(addresses):
        offers[str(number)] = an_offer(
            str(number),
            ping=ping and PingTerms(ping, 300, Micros(0)),
            post=post and PostTerms(post, 1000, OnNoAnswer.WAIT, 120),
        )
    return Snapshot(1, {}, {}, {}, offers, {}, {}, {})


def test_what_a_market_may_need_is_counted_by_hosts_and_sellers():
    """A host is a scheme, a name and a port, in whatever letters; who is not called has none."""
    snapshot = market(ADDRESSES)
    assert hosts(snapshot) == {
        ("https", "bids.example.com"),
        ("https", "bids.example.com:8443"),
        ("http", "crm.example.com"),
    }
    assert needed(SETTINGS, snapshot) == 3 * 100 + 1000 + 8 + 10 + STANDING


def test_a_market_that_may_need_more_is_warned_of_once_and_again_when_it_grows(monkeypatch):
    """What is enough is not spoken of."""
    few, more = market(ADDRESSES[:2]), market(ADDRESSES)
    limit = needed(SETTINGS, few) - 1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    files = OpenFiles(SETTINGS)
    with capture_logs() as logs:
        for snapshot in (market([]), few, few, more, few):
            files.expect(snapshot)
    assert [(one["log_level"], one["limit"], one["needed"], one["hosts"]) for one in logs] == [
        ("warning", limit, limit + 1, 1),
        ("warning", limit, limit + 201, 3),
    ]


def test_a_limit_without_end_is_enough(monkeypatch):
    """As some systems have it."""
    endless = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (endless, endless))
    with capture_logs() as logs:
        OpenFiles(SETTINGS).expect(market(ADDRESSES))
    assert logs == []


def test_a_process_takes_what_its_machine_lets_it_have():
    """The soft limit becomes the hard one, for what it starts, too."""
    code = """
import resource, subprocess
from exchange.open_files import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))
raise_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(subprocess.check_output("ulimit -Sn", shell=True, text=True))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["256", "256"]
