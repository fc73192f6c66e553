"""Dot charts: one row a name, a dot with its interval; several side by side share the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.compare.prose.numbers import count
from harness.render.html.canvas import ACCENT, INK, MUTED, PAPER, QUIET, WIDTH, area, sheet
from harness.render.html.chart_labels import shortened, width_of

ROW = 25
MOST = 24
"""Rows that are drawn; the table behind a chart has all."""
NAMES = 200
"""Units that names take at most, left of a chart."""


@dataclass(frozen=True)
class Dot:
    """A value with its interval.

    Attributes:
        low, high: None where there is no interval.
        strong: drawn in the accent colour: the best, and what is tied with it.
        single: values behind it, e.g. of each seed.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False
    single: tuple[float, ...] = ()


@dataclass(frozen=True)
class DotPanel:
    """One column of a dot chart: a value for each name; a name without one is left empty.

    Attributes:
        title: may have two lines.
        line: where a vertical line stands, e.g. at no change.
    """

    title: str
    dots: tuple[Dot, ...]
    line: float | None = None


def dots(panels: Sequence[DotPanel], *, same_scale: bool = False) -> Figure:
    """Draw dots with intervals, a row a name, at most `MOST`.

    Args:
        panels: stand side by side and share the names.
        same_scale: whether they share the values as well.
    """
    names = list(dict.fromkeys(dot.name for panel in panels for dot in panel.dots))[:MOST]
    left = min(NAMES, 16 + max(width_of(shortened(name)) for name in names))
    title = 30 + 15 * max(panel.title.count("\n") for panel in panels)
    figure = sheet(28 + title + ROW * len(names))
    each = (WIDTH - left - 10) / len(panels)
    for place, panel in enumerate(panels):
        start = left + place * each
        axes = area(figure, start + 4, 28, WIDTH - start - each + 14, title)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), [shortened(name) for name in names] if place == 0 else [""] * len(names))
        axes.tick_params(axis="y", labelcolor=INK, labelsize=12, pad=8)
        axes.grid(visible=False, axis="y")
        lines = [shortened(line, int(each / 6.4)) for line in panel.title.split("\n")]
        axes.set_title("\n".join(lines), fontsize=12, color=MUTED, loc="left", pad=9)
        axes.xaxis.set_major_locator(MaxNLocator({1: 5, 2: 3}.get(len(panels), 2)))
        _panel(axes, panel, names)
    if same_scale:
        ends = [axes.get_xlim() for axes in figure.axes]
        for axes in figure.axes:
            axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    return figure


def undrawn(names: Sequence[str]) -> str:
    """Say how many rows there is no room for; nothing where all are drawn."""
    left = len(set(names)) - MOST
    return f" Not drawn: {count(left, 'more row')}, which the table has." if left > 0 else ""


def _panel(axes: Axes, panel: DotPanel, names: Sequence[str]) -> None:
    if panel.line is not None:
        axes.axvline(panel.line, color=QUIET, linewidth=1, dashes=(2, 3))
    for dot in (one for one in panel.dots if one.name in names):
        y, colour = names.index(dot.name), ACCENT if dot.strong else QUIET
        if dot.low is not None and dot.high is not None:
            axes.plot([dot.low, dot.high], [y, y], color=colour, linewidth=2, alpha=0.75)
        if dot.single:
            axes.plot(dot.single, [y] * len(dot.single), marker="|", markersize=11, color=INK, linestyle="none")
        axes.plot([dot.value], [y], marker="o", markersize=7, color=colour, markeredgecolor=PAPER, markeredgewidth=1)
    if not panel.dots:
        axes.set_xticks([])
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
