"""How many files and sockets a process may have open: as many as its machine lets it.

A process begins with the soft limit, often 1,024, which is for programs that know no better; the
hard one is the machine's own and is usually far higher.
"""

import resource
from contextlib import suppress
from urllib.parse import urlsplit

import structlog

from exchange.domain.offer import PingTerms, PostTerms, StatusTerms
from exchange.domain.snapshot import Snapshot
from exchange.settings import Settings

logger = structlog.get_logger(__name__)
STANDING = 64
"""Logs, listening sockets, the loop's own, connections to market state, workers of a supervisor."""


def raise_limit() -> None:
    """Let this process, and what it starts, open as many files as the machine lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems call a limit endless that is not
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def needed(settings: Settings, snapshot: Snapshot) -> int:
    """Return how many files a worker has open at most when it sells in this market.

    All connections that its buyers' hosts may have, one for each seller that may wait, and its own.
    """
    of_buyers = settings.connections_per_host_max * len(hosts(snapshot))
    of_sellers = settings.leads_under_way_max + settings.feeds_at_once_max
    return of_buyers + of_sellers + settings.database_connections_max + STANDING


def hosts(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Return the places that calls go to: each scheme, host and port once."""
    terms: list[PingTerms | PostTerms | StatusTerms | None] = []
    for offer in snapshot.offers.values():
        terms += [offer.ping, offer.post, offer.post and offer.post.status]
    parts = [urlsplit(one.url) for one in terms if one is not None]
    return {(one.scheme, one.netloc.lower()) for one in parts}


class OpenFiles:
    """The limit of this process beside what the market may need; says where it is too low."""

    def __init__(self, settings: Settings) -> None:
        """Take what bounds the connections."""
        self.settings = settings
        self.warned_of = 0

    def expect(self, snapshot: Snapshot) -> None:
        """Warn where this market may need more than there are, and more than was warned of."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = needed(self.settings, snapshot)
        if limit == resource.RLIM_INFINITY or wanted <= max(limit, self.warned_of):
            return
        self.warned_of = wanted
        logger.warning(
            "too few open files for this market",
            limit=limit,
            needed=wanted,
            hosts=len(hosts(snapshot)),
        )
