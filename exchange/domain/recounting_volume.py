"""What the counters of sellers should say, by the books: leads taken in, pings sent to buyers."""

from collections.abc import Iterator

from exchange.domain.offer import Cap, CapKind, Per
from exchange.domain.pilot import scope_of
from exchange.domain.recounting import US_PER_S, Counter, Window, of_cap, windows
from exchange.domain.schedule import window_end_s
from exchange.domain.seller import Seller
from exchange.domain.snapshot import Snapshot
from exchange.domain.volume import holder_of, seller_of


def limited(snapshot: Snapshot) -> list[str]:
    """Return the sellers that have limits, as holders."""
    return [holder_of(one.id) for one in snapshot.sellers.values() if one.is_limited]


def counters(snapshot: Snapshot, now_us: int) -> Iterator[Counter]:
    """Yield all counters of sellers in the present windows and the last ones, of tests, too."""
    for seller in snapshot.sellers.values():
        for cap in caps_of(seller):
            for began_s, until_s in windows(cap, seller.zone, now_us):
                window = Window(began_s, until_s)
                for test in (False, True):
                    yield of_cap(cap, holder_of(seller.id), window, test=test)


def caps_of(seller: Seller) -> Iterator[Cap]:
    """Yield the limits of a seller and of its declared sources."""
    yield from seller.caps
    for source in seller.sources.values():
        yield from source.caps


def known_again(name: str, holder: str, snapshot: Snapshot) -> Counter | None:
    """Return what a seller's counter counts, though no limit asks for it (any more); or None."""
    seller = snapshot.sellers.get(seller_of(holder) or "")
    told, kind, per, start = name.rsplit("|", 3)
    test, scope = told.startswith("test/"), told.removeprefix("test/")
    if seller is None or per not in set(Per) or kind not in {CapKind.LEADS, CapKind.PINGS}:
        return None
    whole = {f"seller/{seller.id}", scope_of(seller.id)}
    if scope not in whole and not scope.startswith(f"source/{seller.id}:"):
        return None
    until_s = window_end_s(per, int(start) * US_PER_S, seller.zone)
    cap = Cap(scope, CapKind(kind), 0, Per(per))
    return of_cap(cap, holder, Window(int(start), until_s), test=test)


def source_of(counter: Counter) -> tuple[str, str | None]:
    """Return which seller's and which source's leads a counter counts; None: of all of them."""
    kind, _, whose = counter.scope.partition("/")
    if kind != "source":
        return whose, None
    seller, _, source = whose.partition(":")
    return seller, source
