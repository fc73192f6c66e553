"""The noise of repeats in the terminal: how far each figure moves with nothing changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare.release.figures import FIGURES
from harness.compare.release.repeats import RepeatSummary
from harness.compare.release.run_noise import SystemNoise
from harness.render.release.gate_report import amount
from harness.render.text.escape import plain


def report(found: RepeatSummary) -> Iterator[RenderableType]:
    """Lay out a table of each system of the suite, and how many answers stayed the same."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in (("task", False), ("strategy", False), ("figure", False), ("mean", True), ("sd", True)):
        table.add_column(name, justify="right" if right else "left")
    table.add_column("of the mean", justify="right")
    table.add_column("runs", justify="right")
    for one in found.noise.floors:
        if one.suite == found.suite:
            _add(table, one)
    yield table
    if found.answers:
        yield Text(f"{found.same:,} of {found.answers:,} answers of later runs are those of the first.")
    yield Text(
        "sd is the standard deviation of single runs of the same trial: what a gate takes for noise on this machine.",
        style="dim",
    )


def _add(table: Table, one: SystemNoise) -> None:
    for name, floor in one.figures.items():
        unit = FIGURES[name].unit if name in FIGURES else ""
        cells = (amount(unit, floor.mean), amount(unit, floor.sd), f"{floor.relative:.1%}", str(floor.n))
        table.add_row(*[Text(plain(text)) for text in (one.task, one.strategy, name, *cells)])
