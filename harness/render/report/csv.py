"""A comparison as CSV: one row a strategy and task, raw numbers in base units, empty where unknown."""

from __future__ import annotations

import csv
import io

from harness.compare.cost.resource_types import Cost
from harness.compare.table import forecast_ratios
from harness.compare.table.result import Comparison, StrategyResult, TaskResult
from harness.render.report import latency_cells, memory_text
from harness.render.text.escape import spreadsheet

Value = str | int | float | bool | None


def render(comparison: Comparison) -> str:
    """Write a comparison as CSV with a header; columns are the union over all tasks."""
    rows = flat_rows(comparison)
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["suite", "task", "strategy"]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: spreadsheet(value) if isinstance(value, str) else value for name, value in row.items()})
    return out.getvalue()


def flat_rows(comparison: Comparison) -> list[dict[str, Value]]:
    """Return the cells of each strategy and task by column; a column that does not apply to a row is missing."""
    return [_row(task, row) for suite in comparison.suites for task in suite.tasks for row in task.rows]


def _row(task: TaskResult, row: StrategyResult) -> dict[str, Value]:
    cells: dict[str, Value] = {
        "suite": task.suite,
        "task": task.name,
        "strategy": row.strategy,
        "model": row.model,
        "status": row.status,
        "reason": row.reason,
        "budget": str(row.budget) if row.budget else None,
        "seeds": row.seeds,
        "primary_metric": task.primary,
        "tied_for_best": row.tied_for_best,
        "unparsed": row.unparsed,
        "reading": row.reading,
    }
    if row.readings:
        cells |= {"score_calibrated": row.readings.calibrated.value, "score_uncalibrated": row.readings.raw.value}
    if row.single_answer:
        cells["single_answer_share"] = row.single_answer.share
    for check in row.checks:
        cells |= {f"check/{check.name}_{part}": getattr(check, part) for part in ("items", "agreeing")}
    return cells | _comparisons(row) | (_cost(row.cost) if row.cost else {}) | _money(row) | _scores(row)


def _comparisons(row: StrategyResult) -> dict[str, Value]:
    cells: dict[str, Value] = {}
    for name, change in (("to_best", row.to_best), ("to_zero_shot", row.to_baseline)):
        if change:
            parts = {"": change.value, "_low": change.low, "_high": change.high, "_p": change.p}
            cells |= {f"{name}{part}": value for part, value in parts.items()} | {f"{name}_p_holm": change.p_holm}
    if row.forgetting:
        change = row.forgetting.change
        cells |= {"forgetting": change.value, "forgetting_low": change.low, "forgetting_high": change.high}
    for interaction in row.interactions[:1]:  # of a longer chain, the JSON report has every way of taking it apart
        change = interaction.change
        cells |= {"interaction": change.value, "interaction_low": change.low, "interaction_high": change.high}
    if row.gap:
        change, train = row.gap.change, row.gap.train
        cells |= {"train_score": train.value, "gap": change.value, "gap_low": change.low, "gap_high": change.high}
    return cells


def _cost(cost: Cost) -> dict[str, Value]:
    cells: dict[str, Value] = {f"{name}_s": phase.wall_s for name, phase in cost.phases.items()}
    return cells | {
        "total_s": cost.total_s,
        "host_peak_bytes": cost.host_peak_bytes,
        "gpu_peak_bytes": cost.gpu_peak_bytes,
        "tokens_per_s": cost.tokens_per_s,
        "items_per_s": cost.items_per_s,
        "adapted_bytes": cost.adapted_bytes,
        "trained_parameters": cost.trained_parameters,
        "prefill_tokens_per_s": cost.prefill_tokens_per_s,
        "decode_tokens_per_s": cost.decode_tokens_per_s,
        "energy_j": cost.energy_j,
        **memory_text.figures(cost),
        **forecast_ratios.figures(cost),
        **(latency_cells.figures(cost.latency) if cost.latency else {}),
    }


def _money(row: StrategyResult) -> dict[str, Value]:
    if row.money is None:
        return {}
    low, high = row.money.per_1000_bounds_usd or (None, None)
    return {
        "per_1000_usd": row.money.per_1000_usd,
        "per_1000_usd_low": low,
        "per_1000_usd_high": high,
        "fixed_usd": row.money.fixed_usd,
        "monthly_usd": row.money.monthly_usd,
        "update_usd": row.money.update_usd,
        "total_usd": row.money.total_usd(),
    }


def _scores(row: StrategyResult) -> dict[str, Value]:
    cells: dict[str, Value] = {}
    for name, score in row.scores.items():
        cells |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high, f"{name}_n": score.n}
        if score.seed_sd is not None:
            spread = {"sd": score.seed_sd, "low": score.seed_low, "high": score.seed_high, "share": score.seed_share}
            cells |= {f"{name}_seed_{part}": value for part, value in spread.items()}
    for point in row.learning_curve:
        name, score = f"score@{point.train_items}", point.score
        cells |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    for control in row.controls:
        name, score, change = f"control/{control.ablation}", control.score, control.change
        cells |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high, f"{name}_n": score.n}
        parts = {"": change.value, "_low": change.low, "_high": change.high}
        cells |= {f"{name}_change{part}": value for part, value in parts.items()}
    for probe in row.retention:
        name, change = f"retention/{probe.task}", probe.change
        cells |= {name: change.value, f"{name}_low": change.low, f"{name}_high": change.high, f"{name}_n": change.n}
    return cells
