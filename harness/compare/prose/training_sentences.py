"""Sentences about training: losses and the best check of each run."""

from __future__ import annotations

from collections.abc import Sequence

from harness.api import TrainingRun
from harness.compare.prose import corpus_sentences
from harness.compare.prose.names import Names, run_command
from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult, TaskResult, TrialResult
from harness.compare.table.undertraining import diverged, train_longer, undertrained, without_gain

BLOCKS = "▁▂▃▄▅▆▇█"


def sentences(row: StrategyResult) -> list[str]:
    """Describe each training run of a row's first seed, and what it learned of a corpus; empty: nothing was trained."""
    trial = next((trial for trial in row.trials if trial.curves), None)
    return (_run_sentences(trial) if trial else []) + corpus_sentences.sentences(row)


def stopped_sentence(task: TaskResult, rows: Sequence[StrategyResult], name: Names) -> str:
    """Say which rows' training stopped while validation loss still fell, with a command that trains one longer.

    Args:
        task: the table; its best row that stopped too early is the one to train longer.
        rows: those to speak of.
        name: names rows.
    """
    keys = {(row.label, row.model) for row in rows}
    short = [row for row in task.rows if (row.label, row.model) in keys and undertrained(row)]
    if not short:
        return ""
    longer = train_longer(short[0].strategy)
    names = name.all(short) if len(short) <= 2 else f"{name(short[0])} and {len(short) - 1} more"
    command = f"; train longer: {run_command(task.suite, longer)}" if longer else ""
    return f"Training of {names} stopped while validation loss still fell{command}."


def ending_sentence(rows: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows that training did not improve, and those whose training diverged."""
    useless, lost = [row for row in rows if without_gain(row)], [row for row in rows if diverged(row)]
    parts: list[str] = []
    if useless:
        parts.append(
            f"Training did not improve validation for {name.all(useless)}: the untrained weights were measured. Try "
            "another learning_rate."
        )
    if lost:
        parts.append(
            f"Training diverged: {name.all(lost)}. The best earlier weights were measured. Lower learning_rate."
        )
    return " ".join(parts)


def spark(values: Sequence[float], width: int = 12) -> str:
    """Draw numbers as blocks: ``spark([3, 2, 1, 0])`` is ``█▆▃▁``."""
    sampled = (
        [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)] if len(values) > width else values
    )
    low, high = min(sampled), max(sampled)
    span = high - low
    return "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span > 0 else 0] for value in sampled)


def _run_sentences(trial: TrialResult) -> list[str]:
    ends = [training for training in trial.trainings if not training.part]  # curves of other parts are not drawn
    matched = ends if len(ends) == len(trial.curves) else [None] * len(trial.curves)
    pairs = zip(trial.curves, matched, strict=True)
    return [sentence for curve, end in pairs if (sentence := _sentence(curve, end))]


def _sentence(curve: Curve, end: TrainingRun | None) -> str:
    parts: list[str] = []
    if curve.loss:
        values = [value for _, value in curve.loss]
        parts.append(f"loss {values[0]:.2f} to {values[-1]:.2f} {spark(values)} in {curve.steps} steps{_reason(end)}")
    losses = [check["validation_loss"] for check in curve.checks if "validation_loss" in check]
    if losses and curve.best is not None:
        parts.append(f"validation loss {losses[0]:.2f} to {losses[-1]:.2f}")
        parts.append(f"lowest at check {curve.best + 1} of {len(curve.checks)}")
    return ", ".join(parts)


def _reason(end: TrainingRun | None) -> str:
    """Say why a training ended; empty where it is not known."""
    reasons = {"patience": "patience spent", "ceiling": "the most allowed", "diverged": "diverged"}
    return f" ({reasons[end.reason]})" if end else ""
