"""Score against a resource, with intervals and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from harness.render.html.canvas import ACCENT, INK, MUTED, PAPER, QUIET, add_axes, new_figure
from harness.render.html.chart_labels import Box, place_labels, shorten

Write = Callable[[float], str]

MAX_LABELS = 24
"""Up to so many points all have intervals, and labels where they fit; of more, only the best and the Pareto front."""


@dataclass(frozen=True)
class ScatterPoint:
    """One strategy: resource amount (x) and score (y), each with its interval where there is one.

    Attributes:
        strong: the best, or tied with it; front: on the Pareto front.
    """

    name: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    strong: bool = False
    front: bool = False


@dataclass(frozen=True)
class Axis:
    """The x axis of a chart.

    Attributes:
        write: formats an amount; unit: the axis has ticks at round multiples of it.
    """

    title: str
    write: Write
    unit: float = 1.0


def draw_scatter(points: Sequence[ScatterPoint], *, title: str, axis: Axis, chance: float | None = None) -> Figure:
    """Draw scores against a resource.

    Args:
        points: at least one.
        title: of the y axis.
        axis: of the resource.
        chance: score of random guessing.
    """
    figure = new_figure(300)
    axes = add_axes(figure, 40, 44, 18, 30)
    _set_x_axis(axes, [x for p in points for x in (p.x, p.x_low, p.x_high) if x is not None], axis)
    axes.set_xlabel(axis.title, labelpad=8)
    axes.set_title(title, fontsize=12, color=MUTED, loc="left", pad=9)
    bounds = [y for p in points for y in (p.y, p.y_low, p.y_high) if y is not None]
    margin = 0.1 * (max(bounds) - min(bounds) or 1)
    axes.set_ylim(min(bounds) - margin, max(bounds) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if chance is not None and axes.get_ylim()[0] < chance < axes.get_ylim()[1]:
        axes.axhline(chance, color=QUIET, linewidth=1, dashes=(2, 3))
    front = sorted((p for p in points if p.front), key=lambda p: p.x)
    axes.plot(
        [p.x for p in front], [p.y for p in front], drawstyle="steps-post", color=ACCENT, linewidth=1.2, alpha=0.55
    )
    main_points = [p for p in points if len(points) <= MAX_LABELS or p.front or p.strong]
    minor_points = [p for p in points if p not in main_points]
    axes.plot(
        [p.x for p in minor_points], [p.y for p in minor_points], "o", markersize=5, color=PAPER, markeredgecolor=QUIET
    )
    for point in sorted(main_points, key=lambda p: p.strong):
        _draw_point(axes, point)
    _label_points(axes, points)
    return figure


def _draw_point(axes: Axes, point: ScatterPoint) -> None:
    colour = ACCENT if point.strong else QUIET
    if point.y_low is not None and point.y_high is not None:
        axes.plot([point.x, point.x], [point.y_low, point.y_high], color=colour, linewidth=1.5, alpha=0.45)
    if point.x_low is not None and point.x_high is not None:
        axes.plot([point.x_low, point.x_high], [point.y, point.y], color=colour, linewidth=1.5, alpha=0.45)
    fill = colour if point.front else PAPER
    axes.plot([point.x], [point.y], marker="o", markersize=7.5, color=fill, markeredgecolor=colour, markeredgewidth=1.6)


def _label_points(axes: Axes, points: Sequence[ScatterPoint]) -> None:
    """Write names beside points where they fit."""
    main_points = [p for p in points if p.front or p.strong or len(points) <= MAX_LABELS]
    main_points.sort(key=lambda p: (not p.front, not p.strong))
    frame = axes.get_window_extent()
    bounds = Box(frame.x0 + 2, frame.y0 + 1, frame.x1 + 14, frame.y1 + 8)
    pixels = [axes.transData.transform((p.x, p.y)) for p in points]
    centres = [(float(x), float(y)) for x, y in pixels]
    obstacles = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in centres]
    centre_by_point = {id(point): centre for point, centre in zip(points, centres, strict=True)}
    labels = [(shorten(p.name, 24), centre_by_point[id(p)][0], centre_by_point[id(p)][1]) for p in main_points]
    for (text, _, _), point, box in zip(labels, main_points, place_labels(labels, obstacles, bounds), strict=True):
        if box:
            _draw_leader(axes, centre_by_point[id(point)], box)
            x, y = axes.transData.inverted().transform((box.left, box.bottom + 3))
            axes.text(x, y, text, fontsize=11, color=INK if point.strong or point.front else MUTED)


def _draw_leader(axes: Axes, centre: tuple[float, float], box: Box) -> None:
    """Draw a leader line from a point to its name where they lie apart."""
    middle = (box.bottom + box.top) / 2
    if abs(middle - centre[1]) > 22:
        end = box.left - 1 if box.left > centre[0] else box.right + 1
        pixels = axes.transData.inverted().transform([centre, (end, middle)])
        axes.plot(pixels[:, 0], pixels[:, 1], color=QUIET, linewidth=0.7)


def _set_x_axis(axes: Axes, values: Sequence[float], axis: Axis) -> None:
    """Fit the axis to the values; logarithmic where all are positive and span more than a factor of two."""
    low, high = min(values), max(values)
    if low > 0 and high > 2 * low:
        margin = max(1.25, (high / low) ** 0.09)
        low, high = low / margin, high * margin
        axes.set_xscale("log")
        inside = [axis.unit * power for power in _round_ticks(low / axis.unit, high / axis.unit)]
    else:
        margin = 0.1 * (high - low or abs(high) or 1)
        low, high = low - margin, high + margin
        inside = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FixedFormatter([axis.write(tick) for tick in inside]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _round_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two bounds, at most six."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        inside = [m * 10.0**e for e in exponents for m in steps if low <= m * 10.0**e <= high]
        if len(inside) <= 6:
            return inside
    return inside[:: len(inside) // 4]
