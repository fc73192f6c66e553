"""Strip charts over releases, one above the other: values with intervals, and clear changes marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.render.html.canvas import ACCENT, MUTED, PAPER, QUIET, SERIES, WIDTH, add_axes, new_figure
from harness.render.html.chart_labels import shorten, text_width

LEFT, RIGHT, TOP, GAP = 44, 16, 28, 34
FIRST_HEIGHT, STRIP_HEIGHT = 104, 58
"""Height of the first strip and of each later one, in units."""
MAX_RELEASE_LENGTH = 12
"""Letters of a release name below the axis."""
MIN_SPACING = 38
"""Units between two releases from which on labels of changes fit."""
CHANGE_COLOURS = {"better": SERIES[2], "worse": SERIES[1]}


@dataclass(frozen=True)
class ChartMark:
    """One value.

    Attributes:
        position: of its release along the axis, from 0.
        low, high: None where there is no interval.
        clear: direction of a clear change from the value before; None where there is none.
    """

    position: int
    value: float
    low: float | None = None
    high: float | None = None
    clear: Literal["better", "worse"] | None = None


@dataclass(frozen=True)
class Strip:
    """One figure over releases, oldest first; `bounds` are its lowest and highest possible values."""

    title: str
    marks: tuple[ChartMark, ...]
    bounds: tuple[float, float] = (0.0, math.inf)


def draw_strips(strips: Sequence[Strip], releases: Sequence[str]) -> Figure:
    """Draw strips one above the other; a clear change has its own marker, and a label where it fits.

    Args:
        strips: at least one.
        releases: names along the axis.
    """
    names = [shorten(name, MAX_RELEASE_LENGTH) for name in releases]
    width = max(map(text_width, names))
    steep = width * len(names) > WIDTH - LEFT - RIGHT
    bottom = 14 + (width if steep else 12)
    words = (WIDTH - LEFT - RIGHT) / len(names) >= MIN_SPACING
    heights = [FIRST_HEIGHT if index == 0 else STRIP_HEIGHT for index in range(len(strips))]
    total = TOP + sum(heights) + GAP * (len(strips) - 1) + bottom
    figure = new_figure(total)
    top = float(TOP)
    for strip, height in zip(strips, heights, strict=True):
        axes = add_axes(figure, LEFT, total - top - height, RIGHT, top)
        axes.set_xlim(-0.4, len(names) - 0.6)
        _draw_strip(axes, strip, words=words)
        last = strip is strips[-1]
        tick_step = -(-len(names) // 24)  # rounded up
        axes.set_xticks(range(0, len(names), tick_step), names[::tick_step] if last else [""] * len(names[::tick_step]))
        if steep:
            axes.tick_params(axis="x", rotation=90)
        top += height + GAP
    return figure


def _draw_strip(axes: Axes, strip: Strip, *, words: bool) -> None:
    axes.set_title(strip.title, fontsize=12, color=MUTED, loc="left", pad=9)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.margins(y=0.2)
    axes.plot([mark.position for mark in strip.marks], [mark.value for mark in strip.marks], color=QUIET, linewidth=1.2)
    for mark in strip.marks:
        colour = CHANGE_COLOURS[mark.clear] if mark.clear else ACCENT
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.position, mark.position], [mark.low, mark.high], color=colour, linewidth=2, alpha=0.6)
        shape = {"better": "^", "worse": "v", None: "o"}[mark.clear]
        axes.plot(
            mark.position,
            mark.value,
            marker=shape,
            markersize=8 if mark.clear else 6,
            color=colour,
            markeredgecolor=PAPER,
            markeredgewidth=1,
        )
    low, high = axes.get_ylim()
    if words and any(mark.clear for mark in strip.marks):
        axes.set_ylim(low, high := high + 0.3 * (high - low))
    lowest, highest = strip.bounds
    ticks = [tick for tick in axes.get_yticks() if lowest <= tick <= highest and low <= tick <= high]
    axes.set_yticks(ticks)
    for mark in strip.marks:
        if words and mark.clear:
            up = max(mark.value, mark.high if mark.high is not None else mark.value) + 0.07 * (high - low)
            axes.text(
                mark.position, up, mark.clear, fontsize=11, color=CHANGE_COLOURS[mark.clear], ha="center", va="bottom"
            )
