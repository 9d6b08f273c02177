"""Plots as SVG text: curves and bars, drawn by hand; a report needs nothing from elsewhere."""

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

import msgspec

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 44
COLORS = ("#1f5fa8", "#c2571a", "#2b8a4b", "#8447a5", "#a8862b", "#5b6470")
BAR_HEIGHT = 26
WHOLE_FROM = 1000
"""From here on digits behind the point are of no use."""
LABEL_WIDTH = 190
STEPS_MAX = 6

Point = tuple[float, float]
Scale = Callable[[float], float]


class Line(msgspec.Struct, frozen=True):
    """One line of a plot, from left to right."""

    name: str
    points: tuple[Point, ...]


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over one axis; `percentiles` stretches its end, so that the tail can be seen."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    percentiles: bool = False


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """What something is made of, the largest first as given."""

    title: str
    unit: str
    bars: tuple[tuple[str, float], ...]


Plot = Curves | Bars


def svg(plot: Plot) -> str:
    """Return a plot as SVG."""
    return curves_svg(plot) if isinstance(plot, Curves) else bars_svg(plot)


def curves_svg(plot: Curves) -> str:
    """Return lines with their axes."""
    points = [point for line in plot.lines for point in line.points]
    if not points:
        return canvas(HEIGHT, plot.title, [])
    highest = max(y for _, y in points)
    if plot.percentiles:
        ticks = [p for p in (0, 50, 90, 99, 99.9, 99.99) if p <= max(x for x, _ in points)]
        across, x_ticks = stretched(max(x for x, _ in points)), ticks
    else:
        first, last = min(x for x, _ in points), max(x for x, _ in points)
        across, x_ticks = linear(first, last, LEFT, WIDTH - RIGHT), steps(first, last)
    y_ticks = steps(0.0, highest)
    up = linear(0.0, max(highest, y_ticks[-1]), HEIGHT - BOTTOM, TOP)
    parts = [axis(across, up, x_ticks, y_ticks), names(plot)]
    for number, line in enumerate(plot.lines):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{color}">'
            f"<title>{escape(line.name)}: {told(x)}, {told(y)}</title></circle>"
            for x, y in line.points
        ]
    return canvas(HEIGHT, plot.title, parts)


def axis(across: Scale, up: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> str:
    """Return the grid and its numbers."""
    floor = HEIGHT - BOTTOM
    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}" class="grid"/>'
        f'<text x="{LEFT - 8}" y="{up(y) + 4:.1f}" text-anchor="end">{told(y)}</text>'
        for y in y_ticks
    ]
    parts += [
        f'<text x="{across(x):.1f}" y="{floor + 18}" text-anchor="middle">{told(x)}</text>'
        for x in x_ticks
    ]
    return "".join(parts)


def names(plot: Curves) -> str:
    """Return what the axes and the lines are called."""
    parts = [
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(plot.x)}</text>',
        f'<text x="{LEFT + 8}" y="{TOP + 12}">{escape(plot.y)}</text>',
    ]
    for number, line in enumerate(plot.lines):
        place, color = LEFT + number * 210, COLORS[number % len(COLORS)]
        parts.append(f'<rect x="{place}" y="{HEIGHT - 14}" width="10" height="10" fill="{color}"/>')
        parts.append(f'<text x="{place + 16}" y="{HEIGHT - 5}">{escape(line.name)}</text>')
    return "".join(parts)


def bars_svg(plot: Bars) -> str:
    """Return one bar under the other."""
    total = sum(value for _, value in plot.bars) or 1.0
    longest = max((value for _, value in plot.bars), default=0.0) or 1.0
    parts = []
    for number, (name, value) in enumerate(plot.bars):
        top = TOP + number * BAR_HEIGHT
        width = (WIDTH - LABEL_WIDTH - 150) * max(value, 0.0) / longest
        parts.append(
            f'<text x="{LABEL_WIDTH - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT - 6}"'
            f' fill="{COLORS[number % len(COLORS)]}"/>'
            f'<text x="{LABEL_WIDTH + width + 8:.1f}" y="{top + 15}">'
            f"{told(value)} {escape(plot.unit)}, {value / total:.0%}</text>"
        )
    return canvas(TOP + max(1, len(plot.bars)) * BAR_HEIGHT, plot.title, parts)


def canvas(height: int, title: str, parts: Sequence[str]) -> str:
    """Return a picture with its title for those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def linear(first: float, last: float, start: float, end: float) -> Scale:
    """Return a scale from values to places."""
    span = (last - first) or 1.0
    return lambda value: start + (value - first) / span * (end - start)


def stretched(highest: float) -> Scale:
    """Return a scale on which 90, 99 and 99.9 percent lie equally far apart."""

    def place(percent: float) -> float:
        return -math.log10(1 - min(percent, 99.999) / 100)

    flat = linear(0.0, place(highest), LEFT, WIDTH - RIGHT)
    return lambda percent: flat(place(percent))


def steps(first: float, last: float) -> list[float]:
    """Return some four to eight round numbers that cover what lies between."""
    span = (last - first) or abs(last) or 1.0
    size = 10 ** math.floor(math.log10(span / 5))
    size *= next(one for one in (1, 2, 5, 10) if span / (one * size) <= STEPS_MAX)
    start = math.ceil(first / size)
    marks = [number * size for number in range(start, start + 8)]
    return [mark for mark, before in pairwise([*marks, math.inf]) if mark <= last or not before]


def told(value: float) -> str:
    """Return a number as a person reads it."""
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.4g}"
