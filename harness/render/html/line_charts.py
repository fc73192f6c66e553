"""Line charts over training steps or numbers of items, with names at the line ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from harness.render.html.canvas import MARKERS, MUTED, SERIES, add_axes, new_figure
from harness.render.html.chart_labels import shorten, spread, text_width

MAX_NAME_WIDTH = 190
"""Units for names, right of a chart."""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        points: (x, y) by rising x; bounds: (low, high) of each y, where there are intervals.
        series: index of colour and marker; dashed: broken, with a marker at each point.
        show_name: whether its name is written at its end.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[float, float], ...] = ()
    series: int = 0
    dashed: bool = False
    show_name: bool = True


def draw_lines(lines: Sequence[Line], *, title: str, x_title: str, ticks: Sequence[float] = ()) -> Figure:
    """Draw lines; with `ticks` the x axis is logarithmic.

    Args:
        lines: at least one.
        title: of the y axis.
        x_title: of the x axis.
        ticks: positions on the x axis; empty: whole numbers.
    """
    labelled_lines = [line for line in lines if line.show_name]
    right = min(MAX_NAME_WIDTH, 26 + max((text_width(shorten(line.name), 11) for line in labelled_lines), default=0))
    figure = new_figure(max(290, 70 + 15 * len(labelled_lines)))
    axes = add_axes(figure, 40, 44, right, 30)
    if ticks:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,.0f}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for line in lines:
        _draw_line(axes, line)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(x_title, labelpad=8)
    axes.set_title(title, fontsize=12, color=MUTED, loc="left", pad=9)
    _label_lines(axes, labelled_lines)
    return figure


def _draw_line(axes: Axes, line: Line) -> None:
    colour, marker = SERIES[line.series % len(SERIES)], MARKERS[line.series % len(MARKERS)]
    xs, ys = [x for x, _ in line.points], [y for _, y in line.points]
    show_markers = line.dashed or bool(line.bounds) or len(xs) == 1
    axes.plot(
        xs,
        ys,
        color=colour,
        linewidth=1.6,
        linestyle=(0, (3, 2)) if line.dashed else "-",
        marker=marker if show_markers else "",
        markersize=5,
    )
    for x, (low, high) in zip(xs, line.bounds, strict=False):
        axes.plot([x, x], [low, high], color=colour, linewidth=1.4, alpha=0.5)


def _label_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each name right of the chart at the height of its line's end; close names are spread apart."""
    axes.set_xlim(axes.get_xlim())  # leader lines must not stretch the axes
    axes.set_ylim(axes.get_ylim())
    frame = axes.get_window_extent()
    ends = sorted(((axes.transData.transform(line.points[-1]), line) for line in lines), key=lambda end: end[0][1])
    heights = spread([float(end[1]) for end, _ in ends], frame.y0 + 4, frame.y1 - 4)
    pixel = axes.transData.inverted().transform
    for (end, line), height in zip(ends, heights, strict=True):
        colour = SERIES[line.series % len(SERIES)]
        path = [pixel(end), pixel((frame.x1 + 4, height)), pixel((frame.x1 + 10, height))]
        axes.plot([x for x, _ in path], [y for _, y in path], color=colour, linewidth=0.8, alpha=0.6, clip_on=False)
        x, y = pixel((frame.x1 + 14, height - 4))
        axes.text(x, y, shorten(line.name), fontsize=11, color=colour)
