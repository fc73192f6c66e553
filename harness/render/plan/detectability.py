"""Smallest difference that a run can show, and what a given one needs, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.compare.power.sample_size import TaskPower
from harness.compare.prose.numbers import count, metric_title
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain
from harness.render.text.tables import WIDE, TableColumn, new_table


def power(tasks: Sequence[TaskPower], difference: float) -> Iterator[RenderableType]:
    """Show each task in a row, then the assumptions.

    Args:
        tasks: of a run.
        difference: the true difference of scores that is to be shown.
    """
    yield Text()
    yield Text(f"To show a true difference of {difference:g} between two strategies", style="bold")
    titles = ("task", "metric", "test items", "shows", "items needed", "seeds needed", "SD", "design effect", "seed SD")
    columns = [
        TableColumn(title, right=index > 1, no_wrap=index > 1, overflow="ellipsis", vertical="bottom")
        for index, title in enumerate(titles)
    ]
    table = new_table(columns, padding=WIDE)
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
