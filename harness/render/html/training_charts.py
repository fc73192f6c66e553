"""Charts of training: its curves, what more training items bring, and how far seeds lie apart."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.decide.confidence import scored
from harness.compare.prose.numbers import listing, metric_title
from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.html.canvas import SERIES
from harness.render.html.chart import Cell, Chart, change_cell, estimate_cell, number_cell, row_name, table
from harness.render.html.dot_charts import Dot, DotPanel, dots, undrawn
from harness.render.html.line_charts import Line, lines
from harness.render.report.columns import UNKNOWN

MOST_LINES = len(SERIES)
"""Lines of one chart that can still be told apart; the others stand in the table."""


def learning_charts(task: TaskResult) -> list[Chart]:
    """Those of the three that the records fill."""
    rows = scored(task)
    return [chart for chart in (_training(task, rows), _learning(task, rows), _seeds(task, rows)) if chart]


def _training(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    runs: dict[str, tuple[Curve, list[str]]] = {}
    for row in rows:
        curves = next((trial.curves for trial in row.trials if trial.curves), ())
        for place, curve in enumerate(curves):
            part = f", part {place + 1}" if len(curves) > 1 else ""
            if curve.loss:
                _, names = runs.setdefault(curve.model_dump_json(), (curve, []))
                names.append(f"{row_name(task, row)}{part}")
    if not runs:
        return None
    shown: list[Line] = []
    for place, (curve, names) in enumerate(list(runs.values())[:MOST_LINES]):
        name = listing(names)
        shown.append(Line(name, tuple((float(step), loss) for step, loss in curve.loss), series=place))
        if checks := _checks(curve):
            shown.append(Line(name, checks, series=place, dashed=True, named=False))
    more = f" The table has {len(runs) - MOST_LINES} more." if len(runs) > MOST_LINES else ""
    return Chart(
        name="training",
        title="Training curves",
        said=f"Loss, nats a token, by optimiser step: solid on training items, broken on validation items.{more}",
        draw=lambda: lines(shown, title="loss, nats a token", x_title="optimiser step"),
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
            [_run(listing(names), curve) for curve, names in runs.values()],
        ),
    )


def _run(name: str, curve: Curve) -> list[Cell | str]:
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


def _learning(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    curved = [row for row in rows if row.learning_curve]
    if not curved:
        return None
    title = metric_title(task.primary or "")
    shown = [
        Line(
            row_name(task, row),
            tuple((float(point.train_items), point.score.value) for point in row.learning_curve),
            tuple((point.score.low, point.score.high) for point in row.learning_curve),
            series=place,
        )
        for place, row in enumerate(curved[:MOST_LINES])
    ]
    sizes = sorted({point.train_items for row in curved for point in row.learning_curve})
    cells = [
        (row_name(task, row), Cell(f"{p.train_items:,}", p.train_items), estimate_cell(p.score), change_cell(p.gain))
        for row in curved
        for p in row.learning_curve
    ]
    more = f" The table has {len(curved) - MOST_LINES} more." if len(curved) > MOST_LINES else ""
    return Chart(
        name="learning",
        title="Learning curves",
        said=f"{title.capitalize()} by number of training items, on the same test items, with 95 % intervals.{more}",
        draw=lambda: lines(shown, title=title, x_title="training items", ticks=sizes),
        table=table(["strategy", "training items", title, "gain over the next smaller"], cells),
    )


def _seeds(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    primary = task.primary or ""
    several = [row for row in rows if row.scores[primary].seeds > 1]
    if not several:
        return None
    shown: list[Dot] = []
    cells: list[Sequence[Cell | str]] = []
    for row in several:
        found = row.scores[primary]
        each = [(trial.seed, trial.scores[primary].value) for trial in row.trials if primary in trial.scores]
        values = tuple(value for _, value in each)
        shown.append(Dot(row_name(task, row), found.value, found.low, found.high, bool(row.tied_for_best), values))
        share = number_cell(found.seed_share, "{:.0%}".format)
        single = ", ".join(f"{seed}: {value:.3f}" for seed, value in each)
        cells.append(
            [row_name(task, row), estimate_cell(found), number_cell(found.seed_sd, "{:.3f}".format), share, single]
        )
    title, more = metric_title(primary), undrawn([dot.name for dot in shown])
    return Chart(
        name="seeds",
        title="Spread over seeds",
        said=f"{title.capitalize()} of each seed (strokes) and of all together (dot, 95 % interval).{more}",
        draw=lambda: dots([DotPanel(title, tuple(shown))]),
        table=table(["strategy", title, "standard deviation", "seeds' share of the variance", "each seed"], cells),
    )
