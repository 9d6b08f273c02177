"""What commands show people: differences in colour, notes on standard error."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchange.anonymity.planning import Shown
from exchange.configuration.difference import Action, Difference, ObjectChange
from exchange.configuration.problem import Finding
from exchange.configuration.swapping import Lagging
from exchange.domain.counting import counted

SIGNS = {
    Action.ADD: ("+", "green"),
    Action.CHANGE: ("~", "yellow"),
    Action.RETIRE: ("-", "red"),
    Action.REVIVE: ("+", "cyan"),
}
WORDS = {
    Action.ADD: "added",
    Action.CHANGE: "changed",
    Action.RETIRE: "retired",
    Action.REVIVE: "revived",
}

ANONYMITY = (
    ("nobody else", "alone"),
    ("fewer than 5", "below_5"),
    ("fewer than 20", "below_20"),
    ("fewer than 100", "below_100"),
)

STEERING = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    "\N{REPLACEMENT CHARACTER}",
)
"""What buyers and sellers send must not steer the terminal that shows it, nor turn its lines round;
line feeds and tabs may."""


def plain(text: str) -> str:
    """Return what others sent as a terminal may show it."""
    return text.translate(STEERING)


def tell(*sentences: str) -> None:
    """Say something to whoever watches; pipes and scripts do not hear it."""
    for sentence in sentences:
        print(sentence, file=sys.stderr)  # noqa: T201 - messages for people


def warn(findings: Iterable[Finding]) -> None:
    """Tell what is odd but possible."""
    tell(*(f"warning: {finding}" for finding in findings))


def show(difference: Difference) -> None:
    """Print what changes, a line for each object and each key."""
    console = Console(highlight=False, soft_wrap=True)
    for change in difference.changes:
        console.print(change_text(change))
    for kind in difference.reordered:
        console.print(Text(f"~ the order of {kind}s", style="yellow"))
    tell(summary(difference))


def show_anonymity(shown: Iterable[Shown]) -> None:
    """Print how many people a ping could be about, as it is and as it would be shown."""
    console = Console(highlight=False)
    for one in shown:
        table = Table(
            title=f"{one.vertical}: how many people look the same in a ping "
            f"({counted(one.before.people, 'person', 'people')} "
            f"of {counted(one.window_days, 'day')})",
            title_justify="left",
        )
        for name in ("", "as it is", "as planned"):
            table.add_column(name, justify="right" if name else "left")
        for label, name in ANONYMITY:
            table.add_row(
                label, f"{getattr(one.before, name):.1%}", f"{getattr(one.after, name):.1%}"
            )
        table.add_row("median", str(one.before.median), str(one.after.median))
        console.print(table)


def change_text(change: ObjectChange) -> Text:
    """Return one object's change as people read it."""
    sign, style = SIGNS[change.action]
    note = " (was retired)" if change.action is Action.REVIVE else ""
    text = Text(f"{sign} {change.kind} {change.id}{note}", style=style)
    for field in change.fields:
        text.append(f"\n    {field.key}: ", style="default")
        text.append(field.old, style="red")
        text.append(" → ", style="default")
        text.append(field.new, style="green")
    return text


def summary(difference: Difference) -> str:
    """Return how much changes, in one line."""
    counts = [
        f"{sum(change.action is action for change in difference.changes)} {word}"
        for action, word in WORDS.items()
        if any(change.action is action for change in difference.changes)
    ]
    if difference.reordered:
        counts.append("another order")
    return ", ".join(counts) or f"Nothing to change: version {difference.since} stands."


def lagging_text(lagging: Lagging, version: int) -> str:
    """Return which worker does not hold a version, and where it is."""
    held = "no version" if lagging.version is None else f"version {lagging.version}"
    where = ", ".join(lagging.addresses) or "no address"
    return f"worker {lagging.worker_id} ({where}) still holds {held}, not {version}"
