"""A benchmark's report as one HTML page that needs nothing but itself."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.plots import Plot, svg

HERE = Path(__file__).parent


class Block(msgspec.Struct, frozen=True):
    """A paragraph, or a table whose first row is its head."""

    text: str
    rows: tuple[tuple[str, ...], ...] = ()


class Drawn(msgspec.Struct, frozen=True):
    """One plot, drawn."""

    title: str
    svg: Markup


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the template shows."""

    title: str
    command: str
    blocks: tuple[Block, ...]
    plots: tuple[Drawn, ...]
    json: str


def rendered(page: Page) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html").render(page=page)


def drawn(plots: Iterable[Plot]) -> tuple[Drawn, ...]:
    """Return plots as they stand in the page."""
    # What is text in them was escaped where it was drawn.
    return tuple(Drawn(plot.title, Markup(svg(plot))) for plot in plots)  # noqa: S704


def blocks(markdown: str) -> Iterator[Block]:
    """Yield the paragraphs and pipe tables of a report's Markdown."""
    for part in markdown.strip().split("\n\n"):
        lines = part.splitlines()
        if not lines[0].startswith("|"):
            yield Block(" ".join(lines))
            continue
        rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
        yield Block("", (rows[0], *rows[2:]))
