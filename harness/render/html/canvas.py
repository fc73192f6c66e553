"""Matplotlib style shared by all charts: one width, few colours, SVG text kept as text, reproducible bytes.

Colours are drawn as fixed values; in the page each becomes a CSS variable, so that charts follow light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

WIDTH = 440
"""Figure width in units; one unit is a CSS pixel where the chart fills a phone's screen."""
INK, MUTED, GRID, PAPER = "#1b2530", "#5c6875", "#dde2e7", "#fdfdfc"
ACCENT, QUIET = "#0b5fa5", "#7b8794"
SERIES = ("#0b5fa4", "#b84a00", "#00755a", "#9c3f80", "#7d6100", "#4a5a68")
"""Colour-blind safe (after Okabe & Ito 2008), each with a contrast of at least 4.5 : 1 on `PAPER`."""
MARKERS = ("o", "s", "^", "D", "v", "P")

_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", ACCENT: "accent", QUIET: "quiet"} | {
    colour: f"series-{index + 1}" for index, colour in enumerate(SERIES)
}
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "adaptbench",
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.solid_capstyle": "round",
}


@contextmanager
def style() -> Generator[None]:
    """Context in which charts are drawn and saved."""
    with rc_context(_STYLE):
        yield


def new_figure(height: float) -> Figure:
    """A figure `WIDTH` units wide, a unit being a point at 72 dots an inch."""
    return Figure(figsize=(WIDTH / 72, height / 72), dpi=72)


def add_axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes with these margins, in units."""
    height = figure.get_figheight() * 72
    return figure.add_axes(
        (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - bottom - top) / height)
    )


def as_svg(figure: Figure) -> str:
    """Render a figure as a standalone SVG file."""
    return _save_figure(figure, "svg").decode()


def as_png(figure: Figure) -> bytes:
    """Render a figure as PNG at 216 dpi, for print."""
    return _save_figure(figure, "png", dpi=216)


def inline(svg: str, name: str) -> str:
    """Prepare an SVG for a page: prefixed ids, colours as CSS variables, the page's font.

    Args:
        svg: from `as_svg`.
        name: unique in the page; prefix of every id.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", body))
    body = re.sub(r'(<g) id="([^"]+)"', lambda m: m[0] if m[2] in used else m[1], body)
    for old in used:
        body = re.sub(rf'(?<=["#]){re.escape(old)}(?=["\)])', f"{name}-{old}", body)
    body = re.sub(r"<[^>]+>", lambda tag: _simplify_tag(tag[0]), body)
    body = re.sub(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" focusable="false">', body, count=1)
    body = re.sub(r"\s*\n\s*(?=[LMQCz\"])", "", re.sub(r">\s+<", "><", body))
    return re.sub(r"<g/>|<g></g>", "", body).strip()


def _simplify_tag(tag: str) -> str:
    """Shorten one tag: CSS variables, the page's font, two decimals. Text between tags is unchanged."""
    for colour, variable in _VARIABLES.items():
        tag = tag.replace(colour, f"var(--{variable})")
    tag = re.sub(r"; font-family: [^;\"]+", "", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", tag)


def _save_figure(figure: Figure, form: str, dpi: float = 72) -> bytes:
    out = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    figure.savefig(out, format=form, metadata=metadata, dpi=dpi)
    return out.getvalue()
