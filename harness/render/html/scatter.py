"""A score against what it takes, with intervals and the front of those that nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from harness.render.html.canvas import ACCENT, INK, MUTED, PAPER, QUIET, area, sheet
from harness.render.html.chart_labels import Box, place_labels, shortened

Write = Callable[[float], str]

NAMED = 24
"""Of so many points all are named where there is room; of more, the best and those on the front, with intervals."""


@dataclass(frozen=True)
class ScatterPoint:
    """One strategy: what it takes and its score, each with its interval where there is one.

    Attributes:
        strong: the best, or tied with it; front: nothing is both cheaper and better.
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
    """What runs along a chart.

    Attributes:
        write: how an amount reads; unit: the axis is marked at round numbers of it.
    """

    title: str
    write: Write
    unit: float = 1.0


def scatter(points: Sequence[ScatterPoint], *, title: str, axis: Axis, chance: float | None = None) -> Figure:
    """Draw scores against what they take.

    Args:
        points: at least one.
        title: what the height is.
        axis: what is taken.
        chance: score of guessing.
    """
    figure = sheet(300)
    axes = area(figure, 40, 44, 18, 30)
    _x_axis(axes, [x for p in points for x in (p.x, p.x_low, p.x_high) if x is not None], axis)
    axes.set_xlabel(axis.title, labelpad=8)
    axes.set_title(title, fontsize=12, color=MUTED, loc="left", pad=9)
    bounds = [y for p in points for y in (p.y, p.y_low, p.y_high) if y is not None]
    room = 0.1 * (max(bounds) - min(bounds) or 1)
    axes.set_ylim(min(bounds) - room, max(bounds) + room)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if chance is not None and axes.get_ylim()[0] < chance < axes.get_ylim()[1]:
        axes.axhline(chance, color=QUIET, linewidth=1, dashes=(2, 3))
    kept = sorted((p for p in points if p.front), key=lambda p: p.x)
    axes.plot([p.x for p in kept], [p.y for p in kept], drawstyle="steps-post", color=ACCENT, linewidth=1.2, alpha=0.55)
    shown = [p for p in points if len(points) <= NAMED or p.front or p.strong]
    quiet = [p for p in points if p not in shown]
    axes.plot([p.x for p in quiet], [p.y for p in quiet], "o", markersize=5, color=PAPER, markeredgecolor=QUIET)
    for point in sorted(shown, key=lambda p: p.strong):
        _point(axes, point)
    _names(axes, points)
    return figure


def _point(axes: Axes, point: ScatterPoint) -> None:
    colour = ACCENT if point.strong else QUIET
    if point.y_low is not None and point.y_high is not None:
        axes.plot([point.x, point.x], [point.y_low, point.y_high], color=colour, linewidth=1.5, alpha=0.45)
    if point.x_low is not None and point.x_high is not None:
        axes.plot([point.x_low, point.x_high], [point.y, point.y], color=colour, linewidth=1.5, alpha=0.45)
    fill = colour if point.front else PAPER
    axes.plot([point.x], [point.y], marker="o", markersize=7.5, color=fill, markeredgecolor=colour, markeredgewidth=1.6)


def _names(axes: Axes, points: Sequence[ScatterPoint]) -> None:
    """Write names beside points where there is room."""
    shown = [p for p in points if p.front or p.strong or len(points) <= NAMED]
    shown.sort(key=lambda p: (not p.front, not p.strong))
    frame = axes.get_window_extent()
    room = Box(frame.x0 + 2, frame.y0 + 1, frame.x1 + 14, frame.y1 + 8)
    pixels = [axes.transData.transform((p.x, p.y)) for p in points]
    at = [(float(x), float(y)) for x, y in pixels]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in at]
    place = {id(point): spot for point, spot in zip(points, at, strict=True)}
    wanted = [(shortened(p.name, 24), place[id(p)][0], place[id(p)][1]) for p in shown]
    for (text, _, _), point, spot in zip(wanted, shown, place_labels(wanted, taken, room), strict=True):
        if spot:
            _leader(axes, place[id(point)], spot)
            x, y = axes.transData.inverted().transform((spot.left, spot.bottom + 3))
            axes.text(x, y, text, fontsize=11, color=INK if point.strong or point.front else MUTED)


def _leader(axes: Axes, at: tuple[float, float], spot: Box) -> None:
    """Join a point and its name where they stand apart."""
    middle = (spot.bottom + spot.top) / 2
    if abs(middle - at[1]) > 22:
        end = spot.left - 1 if spot.left > at[0] else spot.right + 1
        pixels = axes.transData.inverted().transform([at, (end, middle)])
        axes.plot(pixels[:, 0], pixels[:, 1], color=QUIET, linewidth=0.7)


def _x_axis(axes: Axes, values: Sequence[float], axis: Axis) -> None:
    """Stretch the axis over the values: by powers where they are all positive and span more than a factor of two."""
    low, high = min(values), max(values)
    if low > 0 and high > 2 * low:
        room = max(1.25, (high / low) ** 0.09)
        low, high = low / room, high * room
        axes.set_xscale("log")
        inside = [axis.unit * power for power in _powers(low / axis.unit, high / axis.unit)]
    else:
        room = 0.1 * (high - low or abs(high) or 1)
        low, high = low - room, high + room
        inside = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FixedFormatter([axis.write(tick) for tick in inside]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _powers(low: float, high: float) -> list[float]:
    """Round numbers between two bounds, at most six."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        inside = [m * 10.0**e for e in exponents for m in steps if low <= m * 10.0**e <= high]
        if len(inside) <= 6:
            return inside
    return inside[:: len(inside) // 4]
