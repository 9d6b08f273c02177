"""The live view: one picture of the whole market that fills the terminal."""

from collections.abc import Iterable

import msgspec
from rich import box
from rich.console import Group
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from exchange.demo.tally import OfferTally, Tally, top
from exchange.demo.words import clock, dollars, duration, meaning, share

BAR_WIDTH = 24
HEAD_LINES = 3
NUMBERS_LINES = 8
STATUSES = ("sold", "unsold", "duplicate", "rejected", "pending")
COLOURS = {
    "sold": "green",
    "unsold": "yellow",
    "duplicate": "magenta",
    "rejected": "red",
    "pending": "cyan",
}


class Scene(msgspec.Struct, frozen=True):
    """What stands around the numbers."""

    base_url: str
    how_to_open: str
    """The command that shows a lead; `LEAD` stands for its id."""
    offers: tuple[str, ...]
    """All offers, in the order of the market file."""


def picture(scene: Scene, tally: Tally, now_us: int) -> Layout:
    """Return the market as it is now."""
    layout = Layout()
    layout.split_column(
        Layout(head(scene, tally, now_us), size=HEAD_LINES),
        Layout(name="numbers", size=NUMBERS_LINES),
        Layout(name="buyers", ratio=3, minimum_size=10),
        Layout(name="sold", ratio=2, minimum_size=6),
    )
    layout["numbers"].split_row(
        Layout(outcomes(tally), ratio=4),
        Layout(money(tally), ratio=3),
        Layout(times(tally, now_us), ratio=3),
    )
    layout["buyers"].split_row(
        Layout(buyers(scene.offers, tally), ratio=7), Layout(reasons(tally), ratio=4)
    )
    layout["sold"].update(last_sold(scene, tally))
    return layout


def head(scene: Scene, tally: Tally, now_us: int) -> Panel:
    """Return the line above everything."""
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    line.add_row(
        Text.assemble(("ping-post exchange", "bold"), "  selling at ", (scene.base_url, "cyan")),
        Text.assemble(
            clock((now_us - tally.begun_us) / 1_000_000), "   ", ("Ctrl-C ends the demo", "dim")
        ),
    )
    return Panel(line, box=box.HEAVY, border_style="blue")


def outcomes(tally: Tally) -> Panel:
    """Return what sellers heard."""
    table = grid("left", "right", "right", "left")
    for status in STATUSES:
        count = tally.statuses[status]
        colour = COLOURS[status]
        table.add_row(
            Text(status, style=colour),
            f"{count:,}",
            share(count, tally.leads),
            Text(bar(count, tally.leads), style=colour),
        )
    quotes = f"{tally.quotes['quoted']:,} quoted of {tally.quotes.total():,} pings"
    others = f"{tally.refused.total():,} refused at the door · {tally.tests:,} tests"
    return Panel(Group(table, Text(f"{quotes} · {others}", style="dim")), title="Leads")


def money(tally: Tally) -> Panel:
    """Return who pays and gets what."""
    sold = tally.statuses["sold"]
    table = grid("left", "right")
    table.add_row("buyers pay", Text(dollars(tally.revenue), style="bold"))
    table.add_row("sellers get", dollars(tally.payout))
    margin = tally.revenue - tally.payout
    table.add_row("margin", Text(f"${margin / 1_000_000:,.2f}", style="green"))
    table.add_row("a sold lead", f"${tally.revenue / sold / 1_000_000:,.2f}" if sold else "-")
    return Panel(table, title="Money")


def times(tally: Tally, now_us: int) -> Panel:
    """Return how fast it goes."""
    answers, own = tally.answer_times(), tally.own_times()
    table = grid("left", "right", "right", "right")
    table.add_row(
        Text("", style="dim"), *(Text(name, style="dim") for name in ("p50", "p95", "p99"))
    )
    table.add_row("answer", *(duration(ms) for ms in (answers.p50, answers.p95, answers.p99)))
    table.add_row(
        Text("of it our own", style="green"),
        *(Text(duration(ms), style="green") for ms in (own.p50, own.p95, own.p99)),
    )
    rates = Text.assemble(
        (f"{tally.requests_per_s(now_us):,.1f}", "bold"),
        " requests/s   ",
        (f"{tally.pings_per_s(now_us):,.0f}", "bold"),
        " pings/s",
    )
    return Panel(Group(table, Text(), rates), title="Speed")


def buyers(offers: Iterable[str], tally: Tally) -> Panel:
    """Return how every offer fares."""
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    for name, justify in (
        ("offer", "left"),
        *((n, "right") for n in ("pinged", "bid", "won", "pays")),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("mostly lost, because it", no_wrap=True, overflow="ellipsis", ratio=1)
    for offer in offers:
        one = tally.offers.get(offer) or OfferTally()
        table.add_row(
            offer,
            f"{one.pings:,}",
            f"{one.bids:,}",
            Text(f"{one.won:,}", style="green" if one.won else "dim"),
            dollars(one.spent),
            Text(mostly(one), style="dim"),
        )
    return Panel(table, title="Offers")


def mostly(one: OfferTally) -> str:
    """Return the two commonest reasons for which an offer lost."""
    return ", ".join(
        f"{meaning(reason)} ({share(count, one.lost.total())})"
        for reason, count in top(one.lost, 2)
    )


def reasons(tally: Tally) -> Panel:
    """Return why offers did not get leads."""
    table = grid("right", "left", "left")
    found = top(tally.reasons, 14)
    most = found[0][1] if found else 0
    for reason, count in found:
        table.add_row(f"{count:,}", Text(bar(count, most, 10), style="yellow"), meaning(reason))
    return Panel(table, title="Why an offer did not get a lead")


def last_sold(scene: Scene, tally: Tally) -> Panel:
    """Return the leads that were sold last."""
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    table.add_column("lead", no_wrap=True)
    for name in ("campaign", "came as", "bought by"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("bids", "buyer pays", "seller gets", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    for lead in tally.last_sold:
        table.add_row(
            Text(lead.lead_id, style="cyan"),
            lead.campaign,
            lead.way.value,
            Text(lead.winner, style="green"),
            f"{lead.bids}/{lead.asked}",
            dollars(lead.charge),
            dollars(lead.payout),
            duration(lead.ms),
        )
    return Panel(
        table,
        title="Sold last",
        subtitle=Text(f"Why? {scene.how_to_open}", style="dim"),
        subtitle_align="left",
    )


def grid(*justified: str) -> Table:
    """Return a table without lines."""
    table = Table.grid(padding=(0, 1))
    for justify in justified:
        table.add_column(justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def bar(part: int, whole: int, width: int = BAR_WIDTH) -> str:
    """Return a bar as long as the part, at least a sliver where there is any."""
    return "█" * max(1, round(width * part / whole)) if part and whole else ""


def plain_line(tally: Tally, now_us: int) -> str:
    """Return the same in one line, for a log."""
    answers, own = tally.answer_times(), tally.own_times()
    counts = ", ".join(f"{tally.statuses[s]:,} {s}" for s in STATUSES if tally.statuses[s])
    return (
        f"{clock((now_us - tally.begun_us) / 1_000_000)}  {tally.requests_per_s(now_us):.1f}/s  "
        f"{tally.leads:,} leads: {counts or 'none yet'}  "
        f"revenue {dollars(tally.revenue)}  payout {dollars(tally.payout)}  "
        f"answer p50 {duration(answers.p50)} p99 {duration(answers.p99)}  "
        f"own p99 {duration(own.p99)}"
    )


def finished(scene: Scene, tally: Tally) -> Group:
    """Return the last picture: how the offers fared, and why they did not get more."""
    return Group(buyers(scene.offers, tally), reasons(tally))
