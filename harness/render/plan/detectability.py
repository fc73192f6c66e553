"""How small a difference a run can show and what a given one needs, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare.power.sample_size import TaskPower
from harness.compare.prose.numbers import count, metric_title
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain


def power(tasks: Sequence[TaskPower], difference: float) -> Iterator[RenderableType]:
    """Show each task in a line, then what stands behind it.

    Args:
        tasks: of a run.
        difference: that was asked for.
    """
    yield Text()
    yield Text(f"To show a true difference of {difference:g} between two strategies", style="bold")
    titles = ("task", "metric", "test items", "shows", "items needed", "seeds needed", "SD", "design effect", "seed SD")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if place > 1 else "left", no_wrap=place > 1, vertical="bottom")
    for task in tasks:
        table.add_row(*map(Text, _cells(task)))
    yield table
    yield from (Text(line, style="dim") for line in _remarks(tasks))


def _cells(task: TaskPower) -> list[str]:
    clusters = f" in {count(task.clusters, 'cluster')}" if task.clusters else ""
    return [
        plain(task.task),
        metric_title(task.metric),
        f"{task.items:,}{clusters}",
        UNKNOWN if task.detectable is None else f"{task.detectable:.3f}",
        "no number" if task.needed_items is None else f"{task.needed_items:,}",
        UNKNOWN if task.needed_seeds is None else str(task.needed_seeds),
        f"{task.sd:.2f}",
        f"{task.design:.2f}",
        UNKNOWN if task.seed_sd is None else f"{task.seed_sd:.3f}",
    ]


def _remarks(tasks: Sequence[TaskPower]) -> Iterator[str]:
    seeds = tasks[0].seeds if tasks else 1
    yield (
        f"Found in 80 % of runs at the two-sided 5 % level, paired on the same items; 'shows' is with the items that "
        f"are there and {count(seeds, 'seed')}. One comparison alone: adjusting for several strategies needs more."
    )
    yield "SD is of the differences of one item's scores; design effect is what clusters add to the variance."
    known = [task for task in tasks if task.pilot]
    if known:
        told = [f"{plain(task.task)} {count(task.pilot.pairs, 'pair')}" for task in known if task.pilot]
        yield f"From stored results, medians over pairs of strategies: {', '.join(told)}."
    if len(known) < len(tasks):
        names = ", ".join(plain(task.task) for task in tasks if not task.pilot)
        yield (
            f"Assumed for {names}, of which no pairs are stored: half of the answers right, two strategies' scores "
            "correlate by 0.5, and by 0.2 do the differences of two items in one cluster."
        )
    if any(task.seed_sd is None for task in tasks):
        yield (
            "How far a seed moves a score is not known where nothing ran with several: it is left out, and "
            "'harness run --seeds 3' tells it."
        )
