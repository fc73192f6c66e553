"""Several figures over the same releases, one above the other: values with intervals, and where one clearly changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.render.html.canvas import ACCENT, MUTED, PAPER, QUIET, SERIES, WIDTH, area, sheet
from harness.render.html.chart_labels import shortened, width_of

LEFT, RIGHT, TOP, GAP = 44, 16, 28, 34
TALL, LOW = 104, 58
"""Units of height that the first strip and each other one have."""
LONGEST = 12
"""Letters of a release's name below the axis."""
ROOM = 38
"""Units between two releases from which on words fit over them."""
CHANGED = {"better": SERIES[2], "worse": SERIES[1]}


@dataclass(frozen=True)
class ChartMark:
    """One value.

    Attributes:
        place: of its release along the axis, from 0.
        low, high: None where there is no interval.
        clear: whether it clearly changed from the value before.
    """

    place: int
    value: float
    low: float | None = None
    high: float | None = None
    clear: Literal["better", "worse"] | None = None


@dataclass(frozen=True)
class Strip:
    """One figure over releases, oldest first; `bounds` are the lowest and highest that it can be."""

    title: str
    marks: tuple[ChartMark, ...]
    bounds: tuple[float, float] = (0.0, math.inf)


def strips(shown: Sequence[Strip], releases: Sequence[str]) -> Figure:
    """Draw figures one above the other; what clearly changed has a mark, and says so in words where there is room.

    Args:
        shown: at least one.
        releases: what stands along the axis.
    """
    names = [shortened(name, LONGEST) for name in releases]
    width = max(map(width_of, names))
    steep = width * len(names) > WIDTH - LEFT - RIGHT
    bottom = 14 + (width if steep else 12)
    words = (WIDTH - LEFT - RIGHT) / len(names) >= ROOM
    heights = [TALL if place == 0 else LOW for place in range(len(shown))]
    total = TOP + sum(heights) + GAP * (len(shown) - 1) + bottom
    figure = sheet(total)
    top = float(TOP)
    for strip, height in zip(shown, heights, strict=True):
        axes = area(figure, LEFT, total - top - height, RIGHT, top)
        axes.set_xlim(-0.4, len(names) - 0.6)
        _strip(axes, strip, words=words)
        last = strip is shown[-1]
        every = -(-len(names) // 24)  # rounded up
        axes.set_xticks(range(0, len(names), every), names[::every] if last else [""] * len(names[::every]))
        if steep:
            axes.tick_params(axis="x", rotation=90)
        top += height + GAP
    return figure


def _strip(axes: Axes, strip: Strip, *, words: bool) -> None:
    axes.set_title(strip.title, fontsize=12, color=MUTED, loc="left", pad=9)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.margins(y=0.2)
    axes.plot([one.place for one in strip.marks], [one.value for one in strip.marks], color=QUIET, linewidth=1.2)
    for one in strip.marks:
        colour = CHANGED[one.clear] if one.clear else ACCENT
        if one.low is not None and one.high is not None:
            axes.plot([one.place, one.place], [one.low, one.high], color=colour, linewidth=2, alpha=0.6)
        shape = {"better": "^", "worse": "v", None: "o"}[one.clear]
        axes.plot(
            one.place,
            one.value,
            marker=shape,
            markersize=8 if one.clear else 6,
            color=colour,
            markeredgecolor=PAPER,
            markeredgewidth=1,
        )
    low, high = axes.get_ylim()
    if words and any(one.clear for one in strip.marks):
        axes.set_ylim(low, high := high + 0.3 * (high - low))
    lowest, highest = strip.bounds
    ticks = [tick for tick in axes.get_yticks() if lowest <= tick <= highest and low <= tick <= high]
    axes.set_yticks(ticks)
    for one in strip.marks:
        if words and one.clear:
            up = max(one.value, one.high if one.high is not None else one.value) + 0.07 * (high - low)
            axes.text(one.place, up, one.clear, fontsize=11, color=CHANGED[one.clear], ha="center", va="bottom")
