"""Assets shared by all pages: templates, style, scripts, and what charts draw as JSON."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.render.html.chart import Chart, ChartTable
from harness.render.html.embedded_data import as_script
from harness.render.html.glossary import explain
from harness.render.html.page_text import mark_code
from harness.render.text.escape import neutral, plain

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("page.js", "vendor/plot.min.js", "charts.js", "vendor/tablesort.min.js", "tables.js")
"""Scripts of every page, in order."""


@dataclass(frozen=True)
class EmbeddedChart:
    """A chart in the page; `json` is what it draws."""

    id: str
    title: str
    description: str
    json: Markup
    table: ChartTable | None


def embed_chart(chart: Chart, page_part: str) -> EmbeddedChart:
    """Prepare a chart for the page; its id is unique if `page_part` is."""
    drawing = mark_safe(as_script(asdict(chart.drawing)))
    return EmbeddedChart(f"{page_part}-{chart.name}", chart.title, chart.description, drawing, chart.table)


def template_environment(glossary: Mapping[str, str] | None = None) -> Environment:
    """Jinja environment: values are escaped, and an undefined name is an error.

    Args:
        glossary: summary of each step, for titles of table rows.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"coded": mark_code, "plain": plain, "explained": partial(explain, glossary=glossary or {})}
    return environment


def _neutral(part: Any) -> Any:
    """Write foreign text `neutral`; what is marked up already was made here."""
    return neutral(part) if isinstance(part, str) and not isinstance(part, Markup) else part


def embedded_files(scripts: Sequence[str] = ()) -> dict[str, object]:
    """CSS and script of the page, and the script's SHA-256 digest for the content security policy."""
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in (*SCRIPTS, *scripts))
    return {
        "css": mark_safe((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "script": mark_safe(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def mark_safe(text: str) -> Markup:
    """Exempt from escaping: this package's own files, and text that `as_script` has escaped."""
    return Markup(text)  # noqa: S704 - see above
