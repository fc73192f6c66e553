"""Smallest difference that a run can show, and what a given one needs, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.compare.power.sample_size import TaskPower
from harness.compare.prose.numbers import count, metric_title
from harness.metrics import get
from harness.metrics.statistical_power import too_few_items
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable


def power(tasks: Sequence[TaskPower], difference: float) -> Iterator[RenderableType]:
    """Show each task in a row, then the assumptions.

    Args:
        tasks: of a run.
        difference: the true difference of scores that is to be shown.
    """
    yield Text()
    yield Text(f"To show a true difference of {difference:g} between two strategies", style="bold")
    titles = ("task", "metric", "test items", "shows", "items needed", "seeds needed", "SD", "design effect", "seed SD")
    ranks = (0, 1, 0, 0, 2, 3, 4, 5, 6)
    cells = zip(*map(_cells, tasks), strict=True)
    columns = [
        PriorityColumn(title, texts, rank, right=index > 1)
        for index, (title, texts, rank) in enumerate(zip(titles, cells, ranks, strict=True))
    ]
    yield PriorityTable(columns, remedy="A wider terminal or --format json shows them.", indent=0)
    yield from (Text(line, style="dim") for line in _remarks(tasks))


def _cells(task: TaskPower) -> list[str]:
    clusters = f" in {count(task.clusters, 'cluster')}" if task.clusters else ""
    return [
        plain(task.task),
        metric_title(task.metric),
        f"{task.items:,}{clusters}",
        _detectable(task),
        "no number" if task.needed_items is None else f"{task.needed_items:,}",
        UNKNOWN if task.needed_seeds is None else str(task.needed_seeds),
        f"{task.sd:.2f}",
        f"{task.design:.2f}",
        UNKNOWN if task.seed_sd is None else f"{task.seed_sd:.3f}",
    ]


def _detectable(task: TaskPower) -> str:
    if task.detectable is None:
        return UNKNOWN
    return "too few" if too_few_items(task.detectable, get(task.metric).bounds) else f"{task.detectable:.3f}"


def _remarks(tasks: Sequence[TaskPower]) -> Iterator[str]:
    seeds = tasks[0].seeds if tasks else 1
    yield (
        f"Found in 80 % of runs at the two-sided 5 % level, paired on the same items and adjusted for "
        f"{count(tasks[0].pairs if tasks else 1, 'pair')} of strategies; 'shows' is with the items that are there and "
        f"{count(seeds, 'seed')}."
    )
    yield "SD is of the differences of one item's scores; design effect is what clusters add to the variance."
    piloted = [task for task in tasks if task.pilot]
    if piloted:
        pairs = [f"{plain(task.task)} {count(task.pilot.pairs, 'pair')}" for task in piloted if task.pilot]
        yield f"From stored results, medians over pairs of strategies: {', '.join(pairs)}."
    if len(piloted) < len(tasks):
        names = ", ".join(plain(task.task) for task in tasks if not task.pilot)
        yield (
            f"Assumed for {names}, of which no pairs are stored: half of the answers right, two strategies' scores "
            "correlate by 0.5, and by 0.2 do the differences of two items in one cluster."
        )
    if assumed := [task for task in tasks if task.seeds_assumed]:
        yield (
            f"Seed SD is assumed from reference runs for {', '.join(plain(task.task) for task in assumed)}: "
            "'harness run --seeds 3' measures it."
        )
