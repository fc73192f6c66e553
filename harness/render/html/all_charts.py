"""All charts of a report, task by task; also as files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.api import ModelInfo
from harness.compare.table.result import Comparison, TaskResult
from harness.errors import HarnessError
from harness.render.html import canvas
from harness.render.html.chart import Chart
from harness.render.html.quality_charts import quality_charts
from harness.render.html.side_effect_charts import effect_charts
from harness.render.html.training_charts import learning_charts
from harness.store.results_store import slug


def task_charts(task: TaskResult, models: Sequence[ModelInfo] = ()) -> list[Chart]:
    """The charts of one task, the most important first."""
    return [*quality_charts(task, models), *effect_charts(task), *learning_charts(task)]


def save(comparison: Comparison, folder: Path, models: Sequence[ModelInfo] = ()) -> list[Path]:
    """Write every chart as ``SUITE-TASK-CHART.svg`` and ``.png``.

    Args:
        comparison: source of the charts.
        folder: target, created if missing.
        models: those of the trials, for charts by model size.

    Raises:
        HarnessError: the folder cannot be written to.
    """
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for task in (task for suite in comparison.suites for task in suite.tasks):
            for chart in task_charts(task, models):
                path = folder / f"{slug(task.suite)}-{slug(task.name)}-{chart.name}"
                with canvas.style():
                    figure = chart.draw()
                    path.with_suffix(".svg").write_text(canvas.as_svg(figure), encoding="utf-8")
                    path.with_suffix(".png").write_bytes(canvas.as_png(figure))
                paths += [path.with_suffix(".svg"), path.with_suffix(".png")]
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written ({error.strerror or error}): free or change it.") from error
    return paths
