"""What every page is made with: the templates, the page's own style and scripts, and charts drawn into it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.render.html import canvas
from harness.render.html.chart import Chart, ChartTable
from harness.render.html.page_text import coded
from harness.render.text.escape import plain

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class EmbeddedChart:
    """A chart in the page."""

    id: str
    title: str
    said: str
    svg: Markup
    table: ChartTable


def shown(chart: Chart, page_part: str) -> EmbeddedChart:
    """Draw a chart; its id is unique where those of the parts are."""
    own = f"{page_part}-{chart.name}"
    with canvas.style():
        svg = canvas.inline(canvas.as_svg(chart.draw()), own)
    return EmbeddedChart(own, chart.title, chart.said, trusted(svg), chart.table)


def environment() -> Environment:
    """The templates; what they are given is escaped, and a name that they are not given is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"coded": coded, "plain": plain}
    return made


def own_files(scripts: Sequence[str]) -> dict[str, object]:
    """The page's style and script, and the digest by which a browser knows the script as the page's own."""
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    return {
        "css": trusted((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "script": trusted(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def trusted(text: str) -> Markup:
    """Mark what is not to be escaped: this package's own files, and what `as_script` or matplotlib has escaped."""
    return Markup(text)  # noqa: S704 - see above
