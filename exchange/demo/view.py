"""The live view: one picture of the whole market that fills the terminal, whatever its size."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from rich import box
from rich.console import Group
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from exchange.demo.tally import OfferTally, Percentiles, Tally, top
from exchange.demo.words import bill, clock, dollars, duration, meaning, share
from exchange.domain.counting import counted
from exchange.domain.money import to_decimal

WIDE = 120
"""From this width on there is room for bars and reasons beside the numbers."""

NARROW = 100
"""Below this width some columns are left out."""

TALL = 40
"""From this height on every offer has its line."""

BAR_WIDTH = 20
REASONS_SHOWN = 16
STATUSES = ("sold", "unsold", "duplicate", "rejected", "pending")
COLOURS = {
    "sold": "green",
    "unsold": "yellow",
    "duplicate": "magenta",
    "rejected": "red",
    "pending": "cyan",
}

Justify = Literal["left", "right"]


class Scene(msgspec.Struct, frozen=True):
    """What stands around the numbers."""

    base_url: str
    how_to_open: str
    """The command that shows a lead; `LEAD` stands for its id."""
    offers: tuple[str, ...]
    """All offers, in the order of the market file."""
    campaigns: tuple[tuple[str, str], ...] = ()
    """All campaigns, in that order, and the methods of their stages."""


class Size(msgspec.Struct, frozen=True):
    """How much room there is."""

    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Tell whether bars and reasons fit beside the numbers."""
        return self.width >= WIDE

    @property
    def is_narrow(self) -> bool:
        """Tell whether some numbers must do without room."""
        return self.width < NARROW


def picture(scene: Scene, tally: Tally, now_us: int, size: Size) -> Layout:
    """Return the market as it is now."""
    offers = scene.offers if size.height >= TALL else by_spending(scene.offers, tally)
    layout = Layout()
    layout.split_column(
        Layout(head(scene, tally, now_us), size=3),
        Layout(name="numbers", size=9),
        Layout(name="buyers", size=min(len(offers) + 3, max(7, size.height - 20))),
        Layout(last_sold(scene, tally, size), name="sold", minimum_size=5),
    )
    layout["numbers"].split_row(
        Layout(outcomes(tally, size), ratio=4),
        Layout(money(tally), ratio=4),
        Layout(times(tally, now_us, size), ratio=4),
    )
    layout["buyers"].split_row(
        Layout(buyers(offers, tally, size), ratio=7 if size.is_wide else 6),
        Layout(reasons(tally, size), ratio=4),
    )
    return layout


def by_spending(offers: Iterable[str], tally: Tally) -> tuple[str, ...]:
    """Return the offers, those that pay most first."""
    return tuple(sorted(offers, key=lambda name: -tally.offer(name).spent))


def head(scene: Scene, tally: Tally, now_us: int) -> Panel:
    """Return the line above everything."""
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text.assemble(("exchange demo", "bold"), "  ", (scene.base_url, "cyan")),
        Text.assemble(
            clock((now_us - tally.begun_us) / 1_000_000), "  ", ("Ctrl-C ends it", "dim")
        ),
    )
    return Panel(line, box=box.HEAVY, border_style="blue")


def outcomes(tally: Tally, size: Size) -> Panel:
    """Return what sellers heard."""
    table = grid(("left", 9), ("right", 5), ("right", 5), ("left", None))
    for status in STATUSES:
        count, colour = tally.statuses[status], COLOURS[status]
        table.add_row(
            Text(status, style=colour),
            f"{count:,}",
            share(count, tally.leads),
            Text(bar(count, tally.leads) if size.is_wide else "", style=colour),
        )
    quotes = f"{tally.quotes['quoted']:,} of {counted(tally.quotes.total(), 'ping')} quoted"
    return Panel(
        Group(table, faint(quotes), faint(f"{tally.refused.total():,} refused at the door")),
        title="Leads",
    )


def money(tally: Tally) -> Panel:
    """Return who pays and gets what."""
    sold = tally.statuses["sold"]
    paid, got, kept = bill(to_decimal(tally.revenue), to_decimal(tally.payout))
    table = grid(("left", 11), ("right", 11))
    table.add_row("buyers pay", Text(paid, style="bold"))
    table.add_row("sellers get", got)
    table.add_row("margin", Text(kept, style="green"))
    table.add_row("a sold lead", f"${tally.revenue / sold / 1_000_000:,.2f}" if sold else "-")
    return Panel(table, title="Money")


def times(tally: Tally, now_us: int, size: Size) -> Panel:
    """Return how fast it goes."""
    rows = (
        ("", "dim", ("p50", "p95", "p99")),
        ("answer", "", shown(tally.answer_times())),
        ("our own", "green", shown(tally.own_times())),
    )
    table = grid(("left", 7), *(("right", 5),) * (2 if size.is_narrow else 3))
    for name, style, values in rows:
        kept = (values[0], values[2]) if size.is_narrow else values
        table.add_row(Text(name, style=style), *(Text(value, style=style) for value in kept))
    rates = (
        Text(f"{tally.requests_per_s(now_us):,.1f} requests/s"),
        Text(f"{tally.pings_per_s(now_us):,.0f} pings/s"),
    )
    return Panel(Group(table, Text(), *rates, faint("our own: not buyers'")), title="Milliseconds")


def shown(times_ms: Percentiles) -> tuple[str, str, str]:
    """Return percentiles without their unit."""
    return plain(times_ms.p50), plain(times_ms.p95), plain(times_ms.p99)


def buyers(offers: Iterable[str], tally: Tally, size: Size) -> Panel:
    """Return how every offer fares."""
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    table.add_column("offer", no_wrap=True, overflow="ellipsis", min_width=12)
    numbers = (("pings", 5), *(() if size.is_narrow else (("bids", 5),)), ("won", 4), ("pays", 10))
    for name, width in numbers:
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    if size.is_wide:
        table.add_column("mostly lost, because it", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in offers:
        one = tally.offer(name)
        table.add_row(
            name,
            f"{one.pings:,}",
            *(() if size.is_narrow else (f"{one.bids:,}",)),
            Text(f"{one.won:,}", style="green" if one.won else "dim"),
            dollars(one.spent),
            *((Text(mostly(one), style="dim"),) if size.is_wide else ()),
        )
    return Panel(table, title="Offers")


def mostly(one: OfferTally) -> str:
    """Return the two commonest reasons for which an offer lost."""
    return ", ".join(
        f"{meaning(reason)} ({share(count, one.lost.total())})"
        for reason, count in top(one.lost, 2)
    )


def reasons(tally: Tally, size: Size) -> Panel:
    """Return why offers did not get leads."""
    table = grid(("right", 6), ("left", None))
    for reason, count in top(tally.reasons, REASONS_SHOWN):
        table.add_row(Text(f"{count:,}", style="yellow"), meaning(reason))
    title = "Why an offer did not get a lead: it" if size.is_wide else "Lost: it …"
    return Panel(table, title=title)


def last_sold(scene: Scene, tally: Tally, size: Size) -> Panel:
    """Return the leads that were sold last."""
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    table.add_column("sold last", no_wrap=True, min_width=36)
    if size.is_wide:
        table.add_column("campaign", no_wrap=True)
        table.add_column("came as", no_wrap=True)
    table.add_column("bought by", no_wrap=True, overflow="ellipsis", ratio=1)
    for name, width in (
        ("bids", 4),
        ("pays", 7),
        *((("seller", 7),) if size.is_wide else ()),
        ("ms", 5),
    ):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for lead in tally.last_sold:
        table.add_row(
            Text(lead.lead_id, style="cyan"),
            *((lead.campaign, lead.way.value) if size.is_wide else ()),
            Text(lead.winner, style="green"),
            f"{lead.bids}/{lead.asked}",
            dollars(lead.charge),
            *((dollars(lead.payout),) if size.is_wide else ()),
            plain(lead.ms),
        )
    return Panel(
        table, subtitle=Text(f"Why? {scene.how_to_open}", style="dim"), subtitle_align="left"
    )


def grid(*columns: tuple[Justify, int | None]) -> Table:
    """Return a table without lines; each column has its side and its least width."""
    table = Table.grid(padding=(0, 1))
    for justify, width in columns:
        table.add_column(justify=justify, no_wrap=True, min_width=width, overflow="ellipsis")
    return table


def faint(text: str) -> Text:
    """Return a line that explains more than it tells."""
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def plain(ms: float | None) -> str:
    """Return a duration without its unit."""
    return duration(ms).removesuffix(" ms")


def bar(part: int, whole: int) -> str:
    """Return a bar as long as the part, at least a sliver where there is any."""
    return "█" * max(1, round(BAR_WIDTH * part / whole)) if part and whole else ""


def plain_line(tally: Tally, now_us: int) -> str:
    """Return the same in one line, for a log."""
    answers, own = tally.answer_times(), tally.own_times()
    counts = ", ".join(f"{tally.statuses[s]:,} {s}" for s in STATUSES if tally.statuses[s])
    return (
        f"{clock((now_us - tally.begun_us) / 1_000_000)}  {tally.requests_per_s(now_us):.1f}/s  "
        f"{counted(tally.leads, 'lead')}: {counts or 'none yet'}  "
        f"revenue {dollars(tally.revenue)}  payout {dollars(tally.payout)}  "
        f"answer p50 {duration(answers.p50)} p99 {duration(answers.p99)}  "
        f"own p99 {duration(own.p99)}"
    )


def finished(scene: Scene, tally: Tally, size: Size) -> Group:
    """Return the last picture: campaigns side by side, how the offers fared, and why not better."""
    return Group(
        campaigns(scene, tally, size), buyers(scene.offers, tally, size), reasons(tally, size)
    )


def campaigns(scene: Scene, tally: Tally, size: Size) -> Panel:
    """Return all campaigns side by side: how each sells, and what came of it."""
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    table.add_column("campaign", no_wrap=True, overflow="ellipsis", min_width=12)
    if size.is_wide:
        table.add_column("stages", overflow="fold", ratio=1)
    for name, width in (("leads", 5), ("sold", 5), ("buyers pay", 10), ("sellers get", 11)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("sold by, and what leads met", overflow="fold", ratio=2)
    for name, stages in scene.campaigns:
        one = tally.campaign(name)
        ways = [f"{method} {count:,}" for method, count in one.sold_by.most_common()]
        met = [f"{mark} {count:,}" for mark, count in one.met.most_common()]
        table.add_row(
            name,
            *((stages,) if size.is_wide else ()),
            f"{one.statuses.total():,}",
            Text(f"{one.statuses['sold']:,}", style="green"),
            dollars(one.charge),
            dollars(one.payout),
            "; ".join(", ".join(words) for words in (ways, met) if words),
        )
    return Panel(table, title="Campaigns")
