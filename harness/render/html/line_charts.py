"""Lines over training steps or numbers of items, named at their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from harness.render.html.canvas import MARKERS, MUTED, SERIES, area, sheet
from harness.render.html.chart_labels import shortened, spread, width_of

NAMES = 190
"""Units that names take at most, right of a chart."""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        points: (x, y) by rising x; bounds: (low, high) of each y, where there are intervals.
        series: which colour and marker; dashed: broken, with a marker at each point.
        named: whether its name is written at its end.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[float, float], ...] = ()
    series: int = 0
    dashed: bool = False
    named: bool = True


def lines(shown: Sequence[Line], *, title: str, x_title: str, ticks: Sequence[float] = ()) -> Figure:
    """Draw lines; with ticks at given places the axis is by powers.

    Args:
        shown: at least one.
        title: what the height is.
        x_title: what runs along the axis.
        ticks: where the axis is marked; none: at whole numbers.
    """
    named = [line for line in shown if line.named]
    right = min(NAMES, 26 + max((width_of(shortened(line.name), 11) for line in named), default=0))
    figure = sheet(max(290, 70 + 15 * len(named)))
    axes = area(figure, 40, 44, right, 30)
    if ticks:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,.0f}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for line in shown:
        _line(axes, line)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(x_title, labelpad=8)
    axes.set_title(title, fontsize=12, color=MUTED, loc="left", pad=9)
    _names(axes, named)
    return figure


def _line(axes: Axes, line: Line) -> None:
    colour, marker = SERIES[line.series % len(SERIES)], MARKERS[line.series % len(MARKERS)]
    xs, ys = [x for x, _ in line.points], [y for _, y in line.points]
    marked = line.dashed or bool(line.bounds) or len(xs) == 1
    axes.plot(
        xs,
        ys,
        color=colour,
        linewidth=1.6,
        linestyle=(0, (3, 2)) if line.dashed else "-",
        marker=marker if marked else "",
        markersize=5,
    )
    for x, (low, high) in zip(xs, line.bounds, strict=False):
        axes.plot([x, x], [low, high], color=colour, linewidth=1.4, alpha=0.5)


def _names(axes: Axes, named: Sequence[Line]) -> None:
    """Write each name right of the chart at the height of its line's end, pushed apart where ends lie close."""
    axes.set_xlim(axes.get_xlim())  # what follows must not stretch the axes
    axes.set_ylim(axes.get_ylim())
    frame = axes.get_window_extent()
    ends = sorted(((axes.transData.transform(line.points[-1]), line) for line in named), key=lambda end: end[0][1])
    heights = spread([float(end[1]) for end, _ in ends], frame.y0 + 4, frame.y1 - 4)
    pixel = axes.transData.inverted().transform
    for (end, line), height in zip(ends, heights, strict=True):
        colour = SERIES[line.series % len(SERIES)]
        path = [pixel(end), pixel((frame.x1 + 4, height)), pixel((frame.x1 + 10, height))]
        axes.plot([x for x, _ in path], [y for _, y in path], color=colour, linewidth=0.8, alpha=0.6, clip_on=False)
        x, y = pixel((frame.x1 + 14, height - 4))
        axes.text(x, y, shortened(line.name), fontsize=11, color=colour)
