"""Charts of training curves, learning curves and the spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.decide.confidence import scored
from harness.compare.prose.numbers import listing, metric_title
from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.html.chart import (
    Cell,
    Chart,
    Dot,
    DotPanel,
    Line,
    LineChart,
    change_cell,
    dot_chart,
    estimate_cell,
    number_cell,
    omission_note,
    row_name,
    table,
    with_interval,
)
from harness.render.report.columns import UNKNOWN

MAX_LINES = 6
"""Distinguishable lines of one chart; the table has all."""


def learning_charts(task: TaskResult) -> list[Chart]:
    """The charts for which the records have data."""
    rows = scored(task)
    return [
        chart for chart in (_training_chart(task, rows), _learning_chart(task, rows), _seed_chart(task, rows)) if chart
    ]


def _training_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    runs: dict[str, tuple[Curve, list[str]]] = {}
    for row in rows:
        curves = next((trial.curves for trial in row.trials if trial.curves), ())
        for index, curve in enumerate(curves):
            part = f", part {index + 1}" if len(curves) > 1 else ""
            if curve.loss:
                _, names = runs.setdefault(curve.model_dump_json(), (curve, []))
                names.append(f"{row_name(task, row)}{part}")
    if not runs:
        return None
    chart_lines: list[Line] = []
    for curve, names in list(runs.values())[:MAX_LINES]:
        for losses, dashed in ((curve.loss, False), (_checks(curve), True)):
            points = tuple((float(step), loss, None, None) for step, loss in losses)
            chart_lines.append(Line(listing(names), points, dashed))
    remainder = f" The table has {len(runs) - MAX_LINES} more." if len(runs) > MAX_LINES else ""
    return Chart(
        name="training",
        title="Training curves",
        description=(
            f"Loss, nats a token, by optimiser step: solid on training items, broken on validation items.{remainder}"
        ),
        drawing=LineChart(tuple(chart_lines), "loss, nats a token", "optimiser step"),
        table=table(
            [
                "strategy",
                "steps",
                "first loss",
                "last loss",
                "first validation loss",
                "last validation loss",
                "best check",
            ],
            [_run_cells(listing(names), curve) for curve, names in runs.values()],
        ),
    )


def _run_cells(name: str, curve: Curve) -> list[Cell | str]:
    losses = [loss for _, loss in curve.loss]
    checks = [loss for _, loss in _checks(curve)]
    best = UNKNOWN if curve.best is None else f"{curve.best + 1} of {len(curve.checks)}"
    ends = [losses[0], losses[-1], checks[0] if checks else None, checks[-1] if checks else None]
    return [name, Cell(f"{curve.steps:,}", curve.steps), *(number_cell(loss, "{:.2f}".format) for loss in ends), best]


def _checks(curve: Curve) -> tuple[tuple[float, float], ...]:
    return tuple(
        (check["step"], check["validation_loss"])
        for check in curve.checks
        if "step" in check and "validation_loss" in check
    )


def _learning_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    curved = [row for row in rows if row.learning_curve]
    if not curved:
        return None
    title = metric_title(task.primary or "")
    chart_lines = [
        Line(
            row_name(task, row),
            tuple((float(point.train_items), *with_interval(point.score)) for point in row.learning_curve),
        )
        for row in curved[:MAX_LINES]
    ]
    sizes = sorted({point.train_items for row in curved for point in row.learning_curve})
    cells = [
        (row_name(task, row), Cell(f"{p.train_items:,}", p.train_items), estimate_cell(p.score), change_cell(p.gain))
        for row in curved
        for p in row.learning_curve
    ]
    remainder = f" The table has {len(curved) - MAX_LINES} more." if len(curved) > MAX_LINES else ""
    return Chart(
        name="learning",
        title="Learning curves",
        description=(
            f"{title.capitalize()} by number of training items, on the same test items, with 95 % intervals.{remainder}"
        ),
        drawing=LineChart(tuple(chart_lines), title, "training items", tuple(map(float, sizes))),
        table=table(["strategy", "training items", title, "gain over the next smaller"], cells),
    )


def _seed_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    primary = task.primary or ""
    multi_seed_rows = [row for row in rows if row.scores[primary].seeds > 1]
    if not multi_seed_rows:
        return None
    chart_dots: list[Dot] = []
    cells: list[Sequence[Cell | str]] = []
    for row in multi_seed_rows:
        estimate = row.scores[primary]
        seed_scores = [(trial.seed, trial.scores[primary].value) for trial in row.trials if primary in trial.scores]
        values = tuple(value for _, value in seed_scores)
        chart_dots.append(Dot(row_name(task, row), with_interval(estimate), bool(row.tied_for_best), values))
        share = number_cell(estimate.seed_share, "{:.0%}".format)
        single = ", ".join(f"{seed}: {value:.3f}" for seed, value in seed_scores)
        cells.append(
            [
                row_name(task, row),
                estimate_cell(estimate),
                number_cell(estimate.seed_sd, "{:.3f}".format),
                share,
                single,
            ]
        )
    title, omission = metric_title(primary), omission_note([dot.name for dot in chart_dots])
    return Chart(
        name="seeds",
        title="Spread over seeds",
        description=f"{title.capitalize()} of each seed (strokes) and of all together (dot, 95 % interval).{omission}",
        drawing=dot_chart([DotPanel(title, tuple(chart_dots))]),
        table=table(["strategy", title, "standard deviation", "seeds' share of the variance", "each seed"], cells),
    )
