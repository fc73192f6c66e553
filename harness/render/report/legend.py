"""The sentences around a report's tables: headings, what did not finish, what the marks mean, where it ran."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost.money import PricingAssumptions
from harness.compare.prose import synthetic_sentences, training_sentences
from harness.compare.prose.numbers import count, listing, metric_title, usd
from harness.compare.prose.warnings import machine_text
from harness.compare.table.result import Comparison, Status, StrategyResult, SuiteResult, TaskResult
from harness.metrics import get
from harness.render.report import latency_cells, memory_text
from harness.render.report.columns import REUSED, SINGLE, TIED, completed_rows, several_models
from harness.render.text.escape import plain

ENDINGS = {
    "failed": ("failed", "failed"),
    "skipped": ("was skipped", "were skipped"),
    "completed": ("did not finish with every seed", "did not finish with every seed"),
}
"""Names of a trial's status, singular and plural."""
KINDS = {"qa": "question answering", "multiple_choice": "multiple choice"}


def heading(task: TaskResult) -> str:
    """Task, kind, number of items, the score of guessing, and the model if there is only one."""
    parts = [plain(task.name)]
    if task.kind:
        parts.append(KINDS.get(task.kind, task.kind))
    if task.items:
        clusters = f" in {count(task.clusters, 'cluster')}" if task.clusters else ""
        parts.append(count(task.items, "test item") + clusters)
    if task.chance is not None:
        parts.append(f"guessing scores {task.chance:.2f}")
    if task.rows and not several_models(task):
        parts.append(plain(task.rows[0].model))
    return " · ".join(parts)


def learning_heading(task: TaskResult) -> str:
    """Heading of a task's learning curves."""
    return f"{plain(metric_title(task.primary or 'score'))} by number of training items, on the same test items"


def training_lines(task: TaskResult) -> list[str]:
    """Losses and memory of each strategy that trained, a line a run."""
    runs = [f"{plain(row.label)}: {line}" for row in completed_rows(task) for line in training_sentences.sentences(row)]
    rows = completed_rows(task)
    written = [f"{plain(row.label)}: {plain(line)}" for row in rows for line in synthetic_sentences.details(row)]
    return runs + written + memory_text.memory(rows)


def unfinished_lines(task: TaskResult) -> list[str]:
    """The strategies that did not finish, or not with every seed, a line a reason."""
    models = several_models(task)
    strategies: dict[tuple[Status, str], list[str]] = {}
    for row in task.rows:
        if row.reason:
            name = f"{plain(row.label)}{f' with {plain(row.model)}' if models else ''}"
            strategies.setdefault((row.status, plain(row.reason)), []).append(name)
    return [
        f"{listing(names)} {ENDINGS[status][len(names) > 1]}: {reason}"
        for (status, reason), names in strategies.items()
    ]


def suite_unfinished_lines(suite: SuiteResult) -> list[str]:
    """The strategies of a suite that did not finish, or not with every seed: each reason once, with its tasks."""
    reasons: dict[tuple[Status, str], tuple[dict[str, None], dict[str, None]]] = {}
    for task in suite.tasks:
        for row in (row for row in task.rows if row.reason):
            labels, tasks = reasons.setdefault((row.status, plain(row.reason)), ({}, {}))
            labels[f"{plain(row.label)}{f' with {plain(row.model)}' if several_models(task) else ''}"] = None
            tasks[plain(task.name)] = None
    where = len(suite.tasks) > 1
    return [
        f"{listing(list(labels))} {ENDINGS[status][len(labels) > 1]}{f' on {listing(list(tasks))}' if where else ''}: "
        f"{reason}"
        for (status, reason), (labels, tasks) in reasons.items()
    ]


def hardware(suite: SuiteResult) -> str:
    """The machines that the records come from, in one line."""
    kinds = [plain(machine_text(machine)) for machine in suite.machines]
    return f"Measured on {'; '.join(kinds)}." if kinds else ""


def pricing(assumed: PricingAssumptions, *, several_seeds: bool) -> str:
    """Explain the money columns: usage, prices, and the meaning of ±."""
    usage = assumed.usage
    often = f", {usd(usage.updates_per_month)} updates a month" if usage.updates_per_month else ", never updated"
    days = sorted({price.as_of for price in assumed.prices})
    dated = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}" if days else "no date"
    price_list = ", ".join(f"{plain(price.name)} {price.usd:g} a {plain(price.unit)}" for price in assumed.prices)
    sure = (
        "± is the spread of runs in one sitting (t, 95 %) where several seeds ran; another day's can lie outside"
        if several_seeds
        else "no spread, for everything was measured once"
    )
    return (
        f"USD per 1,000 is for requests served in batches on a machine that is busy; fixed USD is paid once"
        f"{', labels included' if assumed.labels else ''}; total USD is for "
        f"{usage.requests_per_month:,.0f} requests a month, {count_months(usage.months)}{often}; {sure}. "
        f"List prices of {dated}: {price_list}."
    )


def count_months(months: float) -> str:
    """Write ``12 months``."""
    return f"{months:g} month{'' if months == 1 else 's'}"


def legend(comparison: Comparison) -> list[str]:
    """Explain marks, intervals and columns; nothing where no table is shown."""
    rows = [row for suite in comparison.suites for task in suite.tasks for row in completed_rows(task)]
    if not rows:
        return []
    seeds = sorted({row.seeds for row in rows})
    span = count(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {count(seeds[-1], 'seed')}"
    lines = [
        (
            f"{TIED} best, or tied with the best: not clearly worse at 5 %, paired on the same items and adjusted for "
            "all pairs of strategies. The interval of the best is corrected for its having been picked as the best."
        ),
        (
            "[low, high] is a 95 % interval for new items of the same kind; clusters are kept together, and where "
            "seeds make a difference their spread is added: measured, or of such strategies, or assumed. Here: "
            f"{span} a strategy."
        ),
        (
            "total s is all phases, loading included; tokens/s are read and written while predicting, and what prompts "
            "begin with alike counts in each, though it is read once; peak memory is "
            "the process's own; adapted size is what training or indexing left on disk."
        ),
    ]
    lines += latency_cells.legend(rows)
    lines += _reading_legend(rows)
    lines += memory_text.legend(rows)
    if any(row.money for row in rows):
        lines.append(pricing(comparison.assumed, several_seeds=seeds[-1] > 1))
    if any(phase.reused for row in rows if row.cost for phase in row.cost.phases.values()):
        lines.append(f"{REUSED} made by an earlier trial, measured then and charged to this one too.")
    if any(row.retention for row in rows):
        lines.append("retention is the score on a task that was not trained on, after minus before.")
    if any(get(probe.metric).concern == "privacy" for row in rows for probe in row.retention):
        lines.append(
            "exposure change is by how many bits planted secrets became easier to guess; extraction change and "
            "intruder change are of the share that is written out when asked for, the latter by a user who may not "
            "read it. 0 is best."
        )
    if any(row.seeds > 1 for row in rows):
        lines.append("over seeds is the lowest and the highest score of a single seed on these items.")
    if any(row.learning_curve for row in rows):
        lines.append("last gain is the score at the largest number of training items, minus that at the next smaller.")
    if any(row.gap for row in rows):
        lines.append("overfitting gap is the score on items that it was trained on, minus the score on the test items.")
    return lines


def _reading_legend(rows: Sequence[StrategyResult]) -> list[str]:
    """Explain how scored labels are read, and the mark of a single answer."""
    lines: list[str] = []
    if any(row.single_answer for row in rows):
        lines.append(f"{SINGLE} one answer to more than 95 % of the items.")
    if defaults := {row.readings.default for row in rows if row.readings}:
        other = "uncalibrated" if "calibrated" in defaults else "if calibrated"
        lines.append(
            "labels are scored, and by calibration what the model favours whatever is asked is taken off each "
            f"label's score; {other} is the score by the other reading, on which no verdict rests. "
            "Written answers are not calibrated."
        )
    return lines
