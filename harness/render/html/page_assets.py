"""Assets shared by all pages: templates, style, scripts, and charts as inline SVG."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.render.html import canvas
from harness.render.html.chart import Chart, ChartTable
from harness.render.html.page_text import mark_code
from harness.render.text.escape import neutral, plain

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class EmbeddedChart:
    """A chart in the page."""

    id: str
    title: str
    description: str
    svg: Markup
    table: ChartTable


def embed_chart(chart: Chart, page_part: str) -> EmbeddedChart:
    """Draw a chart as inline SVG; its id is unique if `page_part` is."""
    chart_id = f"{page_part}-{chart.name}"
    with canvas.style():
        svg = canvas.inline(canvas.as_svg(chart.draw()), chart_id)
    return EmbeddedChart(chart_id, chart.title, chart.description, mark_safe(svg), chart.table)


def template_environment() -> Environment:
    """Jinja environment: values are escaped, and an undefined name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"coded": mark_code, "plain": plain}
    return environment


def _neutral(part: Any) -> Any:
    """Write foreign text `neutral`; what is marked up already was made here."""
    return neutral(part) if isinstance(part, str) and not isinstance(part, Markup) else part


def embedded_files(scripts: Sequence[str]) -> dict[str, object]:
    """CSS and script of the page, and the script's SHA-256 digest for the content security policy."""
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    return {
        "css": mark_safe((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "script": mark_safe(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def mark_safe(text: str) -> Markup:
    """Exempt from escaping: this package's own files, and text that `as_script` or matplotlib has escaped."""
    return Markup(text)  # noqa: S704 - see above
