"""Whether the chances that expected value is made of are right, where the true ones are known.

Simulated buyers bid alike and accept posts with shares that are spread evenly between two bounds. A
first load is what the exchange learns from; then its estimates stand beside the truth, and beside
the bare shares of accepted posts, which is what they would be without a prior. A second load is
ranked by what was learned: what it was expected to bring stands beside what buyers were charged;
and how many of its posts were accepted, in bins, beside the chance that was predicted for them.
"""

import argparse
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from bench.errors import UsageError
from bench.market import LEAD, buyer_name
from bench.plots import Curves, Line, Plot
from bench.progress import Bars, progress
from bench.serving import Serving, fleet, serving, tell
from bench.target import Target

QUICK = {"leads": 120, "more": 60, "buyers": 4, "rate": 30.0}
SOON = {
    "EXCHANGE_SEAL_EVERY_S": "2",
    "EXCHANGE_LEARN_EVERY_S": "0.5",
    # Not speed is measured here: a disk that is slow for a while must not cost leads.
    "EXCHANGE_DATABASE_TIMEOUT_MS": "20000",
    "EXCHANGE_LEDGER_WAIT_TARGET_MS": "20000",
    "EXCHANGE_LOOP_LAG_TARGET_MS": "5000",
    "EXCHANGE_LOOP_LAG_MAX_MS": "5000",
    "EXCHANGE_AUCTION_OVERDUE_MAX_MS": "20000",
    "EXCHANGE_MARKET_TIMEOUT_MS": "2000",
    "EXCHANGE_MARKET_WAIT_MAX_MS": "20000",
}
TENTHS = 10
REPORT = "/v1/admin/reports/expected-value"
KNOWN_WITHIN_S = 60.0
ASK_AGAIN_S = 0.2

MARKET = """
[[seller]]
id = "bench"
[[campaign]]
id = "bench"
vertical = "auto_insurance"
sellers = ["bench"]
rank_by = "expected_value"
{prior}
"""
PRIOR = "expected_value = {{ prior_posts = {posts} }}"
BUYER = """
[[buyer]]
id = "{name}"
[[buyer.offer]]
id = "{name}"
vertical = "auto_insurance"
ping = {{ url = "{url}/{name}/ping", timeout_ms = 900 }}
post = {{ url = "{url}/{name}/post", timeout_ms = 5000 }}
"""
BIDDER = """
[[buyer]]
id = "{name}"
price = {{ shape = "lognormal", median = 12.0, spread = 0.3, high = 60.0 }}
post_faults = {{ refusing = {refusing} }}
"""

Told = Mapping[str, Any]
"""One offer of the report."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One buyer: how often it accepts, and what was learned of that."""

    posts: int
    truth: float
    bare: float
    """The share of its posts that it accepted."""
    estimate: float


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Posts of the second load whose chance was taken to lie in one tenth."""

    low: float
    posts: int
    predicted: float
    """The mean chance that they had, as learned from the first load."""
    actual: float
    """The share of them that was accepted."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of chances, root mean square over buyers; money is of the second load."""

    leads: int
    more: int
    buyers: int
    prior: int | None
    posts: int
    error: float
    """Of the estimates."""
    bare_error: float
    """Of the bare shares."""
    changed: float
    """The share of leads that another buyer came first for than by price."""
    expected: float
    realized: float
    by_price: float
    """What the order of prices was expected to bring."""
    offers: tuple[Offer, ...]
    bins: tuple[Bin, ...]
    bin_error: float
    """How far predicted and actual lie apart in the bins, in the mean over posts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take how much is learned from, and how the buyers are."""
    parser.add_argument("--leads", type=int, default=1500, help="to learn from")
    parser.add_argument("--more", type=int, default=1500, help="that are ranked by it")
    parser.add_argument("--buyers", type=int, default=12, help="that bid for each")
    parser.add_argument("--least", type=float, default=0.3, help="share of posts accepted, of one")
    parser.add_argument("--most", type=float, default=0.95, help="and of the best one")
    parser.add_argument("--prior", type=int, help="`prior_posts`; fitted where it is not said")
    parser.add_argument("--rate", type=float, default=60.0, help="leads in a second")


def run(options: argparse.Namespace) -> Calibration:
    """Learn, compare with the truth, rank by it."""
    if options.buyers <= 1 or not 0 <= options.least <= options.most <= 1:
        raise UsageError("two buyers at least, and shares from 0 to 1")
    truth = truths(options)
    bidders = "".join(
        BIDDER.format(name=name, refusing=round(1 - share, 6)) for name, share in truth.items()
    )
    prior = "" if options.prior is None else PRIOR.format(posts=options.prior)
    with progress() as bars, fleet(bidders) as url:
        text = MARKET.format(prior=prior) + "".join(
            BUYER.format(name=name, url=url) for name in truth
        )
        with serving(text, settings=SOON) as own:
            return measured(options, truth, own, bars)


def truths(options: argparse.Namespace) -> dict[str, float]:
    """Return how often each buyer accepts, by name."""
    step = (options.most - options.least) / (options.buyers - 1)
    return {
        buyer_name(number + 1): options.least + step * number for number in range(options.buyers)
    }


def measured(
    options: argparse.Namespace, truth: dict[str, float], own: Serving, bars: Bars
) -> Calibration:
    """Send both loads and read what was learned after each."""
    target = Target(own.url, own.key, LEAD, own)
    reader = Reader(own)
    leads = send(target, options.leads, options.rate, bars, "learning")
    before = reader.settled(leads)
    more = send(target, options.more, options.rate, bars, "ranking")
    after = reader.settled(leads + more)
    offers = [offer(one, truth[one["offer"]]) for one in before["offers"]]
    bins = binned(before["offers"], after["offers"])
    money = {key: after["all"][key] - before["all"][key] for key in ("expected", "realized")}
    return Calibration(
        leads=leads,
        more=more,
        buyers=options.buyers,
        prior=options.prior,
        posts=sum(one.posts for one in offers),
        error=spread_of([one.estimate - one.truth for one in offers]),
        bare_error=spread_of([one.bare - one.truth for one in offers]),
        changed=(after["changed"]["leads"] - before["changed"]["leads"]) / more,
        expected=money["expected"],
        realized=money["realized"],
        by_price=after["all"]["by_price"] - before["all"]["by_price"],
        offers=tuple(sorted(offers, key=lambda one: one.truth)),
        bins=bins,
        bin_error=apart(bins),
    )


def send(target: Target, leads: int, rate: float, bars: Bars, words: str) -> int:
    """Send some so many leads and return how many it were. Errors: UsageError where one failed."""
    seconds = leads / rate
    loaded = target.send(rate, seconds, bars.timed(words, seconds)).loaded
    if loaded.failed or loaded.shed:
        raise UsageError(f"of {loaded.sent} leads {loaded.failed} failed, {loaded.shed} were shed")
    return loaded.sent


class Reader:
    """Reads the report as an operator."""

    def __init__(self, own: Serving) -> None:
        """Make a key for it."""
        create = ("keys", "create", "--role", "operator", "--account", "bench")
        self._key = tell(own.checkout, own.environment, *create)
        self._url = own.url

    def settled(self, leads: int) -> dict[str, Any]:
        """Return the report once it has all of these leads. Errors: UsageError."""
        for told in self._reports():
            if told["all"]["leads"] >= leads:
                return told
        raise UsageError("what the leads teach was not learned in time")

    def _reports(self) -> Iterator[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._key}"}
        begun = time.perf_counter()
        while time.perf_counter() - begun < KNOWN_WITHIN_S:
            with urlopen(Request(self._url + REPORT, headers=headers)) as answer:  # noqa: S310
                [campaign] = json.load(answer)["campaigns"]
            yield campaign
            time.sleep(ASK_AGAIN_S)  # nothing tells of it


def offer(told: dict[str, Any], truth: float) -> Offer:
    """Return one buyer of the report beside the truth."""
    return Offer(
        posts=told["posts"],
        truth=truth,
        bare=told["taken"] / told["posts"] if told["posts"] else 1.0,
        estimate=told["accepted"],
    )


def binned(before: Iterable[Told], after: Iterable[Told]) -> tuple[Bin, ...]:
    """Return the posts between two reports by the tenth in which their chance lay in the first."""
    known = {one["offer"]: one for one in before}
    posts, taken, chance = ([0.0] * TENTHS for _ in range(3))
    for one in after:
        was = known.get(one["offer"])
        if was is None:
            continue  # nothing was predicted of it
        tenth = min(TENTHS - 1, int(was["accepted"] * TENTHS))
        new = one["posts"] - was["posts"]
        posts[tenth] += new
        taken[tenth] += one["taken"] - was["taken"]
        chance[tenth] += was["accepted"] * new
    return tuple(
        Bin(
            low=tenth / TENTHS,
            posts=int(count),
            predicted=chance[tenth] / count,
            actual=taken[tenth] / count,
        )
        for tenth, count in enumerate(posts)
        if count
    )


def apart(bins: Sequence[Bin]) -> float:
    """Return how far predicted and actual lie apart in the mean over posts."""
    total = sum(one.posts for one in bins)
    return sum(one.posts * abs(one.predicted - one.actual) for one in bins) / max(1, total)


def spread_of(errors: Sequence[float]) -> float:
    """Return the root of the mean square."""
    return math.sqrt(sum(error * error for error in errors) / max(1, len(errors)))


def table(found: Calibration) -> str:
    """Return the figures in Markdown."""
    rows = [
        f"| {one.truth:.3f} | {one.posts:,} | {one.bare:.3f} | {one.estimate:.3f} |"
        for one in found.offers
    ]
    told = "fitted prior" if found.prior is None else f"prior of {found.prior} posts"
    head = (
        f"{found.leads:,} leads to learn from, {found.posts:,} posts to {found.buyers} buyers, "
        f"{told}: the estimates are {found.error:.3f} off "
        f"(root mean square), bare shares {found.bare_error:.3f}."
    )
    tail = (
        f"{found.more:,} leads ranked by them, {found.changed:.0%} otherwise than by price: "
        f"expected {found.expected:,.2f}, realized {found.realized:,.2f} "
        f"({found.realized / max(found.expected, 1e-9) - 1:+.1%}); "
        f"the order of prices was expected to bring {found.by_price:,.2f}."
    )
    columns = ["| accepts | posts | bare share | estimate |", "| --- | --- | --- | --- |"]
    bins = [
        f"| {one.low:.1f} to {one.low + 1 / TENTHS:.1f} | {one.posts:,} | {one.predicted:.3f} "
        f"| {one.actual:.3f} |"
        for one in found.bins
    ]
    of_bins = (
        f"Of these {sum(one.posts for one in found.bins):,} posts, by the chance that was learned "
        f"from the first leads: predicted and actual lie {found.bin_error:.3f} apart."
    )
    said = ["| predicted | posts | in the mean | accepted |", "| --- | --- | --- | --- |"]
    return "\n".join([head, "", *columns, *rows, "", tail, "", of_bins, "", *said, *bins])


def plots(found: Calibration) -> tuple[Plot, ...]:
    """Return what is worth a picture."""

    def line(name: str, values: Sequence[float]) -> Line:
        return Line(name, tuple(zip((one.truth for one in found.offers), values, strict=True)))

    return (
        Curves(
            title="How often posts are accepted",
            x="in truth",
            y="as it is taken to be",
            lines=(
                line("as it is", [one.truth for one in found.offers]),
                line("estimate", [one.estimate for one in found.offers]),
                line("bare share", [one.bare for one in found.offers]),
            ),
        ),
        Curves(
            title="Posts after that: predicted and accepted",
            x="predicted",
            y="accepted",
            lines=(
                Line("as predicted", tuple((one.predicted, one.predicted) for one in found.bins)),
                Line("accepted", tuple((one.predicted, one.actual) for one in found.bins)),
            ),
        ),
    )
