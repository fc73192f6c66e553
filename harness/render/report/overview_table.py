"""The list of suites that have results, for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.compare.prose.numbers import metric_title
from harness.compare.report.suite_overview import HighestScore, SuiteOverview
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable


def terminal(suites: Sequence[SuiteOverview], folder: str, flags: str = "") -> Iterator[RenderableType]:
    """Show a line for each task of each suite, and how to see one.

    Args:
        suites: with their highest scores.
        folder: of the results.
        flags: that the commands need, with a space before them.
    """
    if not suites:
        yield Text(f"{plain(folder)} has no results yet: 'harness run SUITE' makes some.")
        return
    lines = [(suite, index, best) for suite in suites for index, best in enumerate(_scores(suite))]
    first = [index == 0 for _, index, _ in lines]
    columns = {
        "suite": ([plain(suite.suite) for suite, _, _ in lines], 0, False),
        "task": ([plain(best.task) if best else "" for *_, best in lines], 3, False),
        "rows": ([str(suite.rows) for suite, _, _ in lines], 4, True),
        "measured": ([suite.measured for suite, _, _ in lines], 5, True),
        "highest score": ([f"{best.score:.2f}" if best else "" for *_, best in lines], 1, True),
        "metric": ([plain(metric_title(best.metric)) if best else "" for *_, best in lines], 6, False),
        "strategy": ([plain(best.strategy) if best else "" for *_, best in lines], 2, False),
    }
    once = ("suite", "rows", "measured")
    yield PriorityTable(
        [
            PriorityColumn(
                title,
                [cell if shown or title not in once else "" for cell, shown in zip(cells, first, strict=True)],
                rank,
                right,
            )
            for title, (cells, rank, right) in columns.items()
        ],
        indent=0,
    )
    name = shlex.quote(suites[0].suite)
    yield Text()
    yield Text("The highest score may be tied: a report and 'harness decide' test that.", style="dim")
    yield Text(f"Next: harness report {name}{flags}   (--open: the page)", style="cyan")


def _scores(suite: SuiteOverview) -> Sequence[HighestScore | None]:
    return suite.highest or (None,)
