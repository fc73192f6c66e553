"""Dot charts: a row per name, a dot with its interval; panels side by side share the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.compare.prose.numbers import count
from harness.render.html.canvas import ACCENT, INK, MUTED, PAPER, QUIET, WIDTH, add_axes, new_figure
from harness.render.html.chart_labels import shorten, text_width

ROW_HEIGHT = 25
MAX_ROWS = 24
"""Rows drawn; the table behind a chart has all."""
MAX_NAME_WIDTH = 200
"""Units for names, left of a chart."""


@dataclass(frozen=True)
class Dot:
    """A value with its interval.

    Attributes:
        low, high: None where there is no interval.
        strong: drawn in the accent colour: the best, and what is tied with it.
        seed_values: the value of each seed.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False
    seed_values: tuple[float, ...] = ()


@dataclass(frozen=True)
class DotPanel:
    """One column of a dot chart: a value per name; empty for a name without a value.

    Attributes:
        title: may have two lines.
        line: x of a vertical line, e.g. 0 for no change.
    """

    title: str
    dots: tuple[Dot, ...]
    line: float | None = None


def draw_dots(panels: Sequence[DotPanel], *, same_scale: bool = False) -> Figure:
    """Draw dots with intervals, a row per name, at most `MAX_ROWS`.

    Args:
        panels: side by side; they share the names.
        same_scale: whether they share the x axis as well.
    """
    names = list(dict.fromkeys(dot.name for panel in panels for dot in panel.dots))[:MAX_ROWS]
    left = min(MAX_NAME_WIDTH, 16 + max(text_width(shorten(name)) for name in names))
    title = 30 + 15 * max(panel.title.count("\n") for panel in panels)
    figure = new_figure(28 + title + ROW_HEIGHT * len(names))
    panel_width = (WIDTH - left - 10) / len(panels)
    for index, panel in enumerate(panels):
        start = left + index * panel_width
        axes = add_axes(figure, start + 4, 28, WIDTH - start - panel_width + 14, title)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), [shorten(name) for name in names] if index == 0 else [""] * len(names))
        axes.tick_params(axis="y", labelcolor=INK, labelsize=12, pad=8)
        axes.grid(visible=False, axis="y")
        lines = [shorten(line, int(panel_width / 6.4)) for line in panel.title.split("\n")]
        axes.set_title("\n".join(lines), fontsize=12, color=MUTED, loc="left", pad=9)
        axes.xaxis.set_major_locator(MaxNLocator({1: 5, 2: 3}.get(len(panels), 2)))
        _draw_panel(axes, panel, names)
    if same_scale:
        ends = [axes.get_xlim() for axes in figure.axes]
        for axes in figure.axes:
            axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    return figure


def omission_note(names: Sequence[str]) -> str:
    """Sentence with the number of rows beyond `MAX_ROWS`; empty where all are drawn."""
    surplus = len(set(names)) - MAX_ROWS
    return f" Not drawn: {count(surplus, 'more row')}, which the table has." if surplus > 0 else ""


def _draw_panel(axes: Axes, panel: DotPanel, names: Sequence[str]) -> None:
    if panel.line is not None:
        axes.axvline(panel.line, color=QUIET, linewidth=1, dashes=(2, 3))
    for dot in (panel_dot for panel_dot in panel.dots if panel_dot.name in names):
        y, colour = names.index(dot.name), ACCENT if dot.strong else QUIET
        if dot.low is not None and dot.high is not None:
            axes.plot([dot.low, dot.high], [y, y], color=colour, linewidth=2, alpha=0.75)
        if dot.seed_values:
            axes.plot(
                dot.seed_values, [y] * len(dot.seed_values), marker="|", markersize=11, color=INK, linestyle="none"
            )
        axes.plot([dot.value], [y], marker="o", markersize=7, color=colour, markeredgecolor=PAPER, markeredgewidth=1)
    if not panel.dots:
        axes.set_xticks([])
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
