"""Sentences about training: losses and the best check of each run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.compare.prose import corpus_sentences
from harness.compare.prose.names import Names
from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult
from harness.compare.table.undertraining import train_longer, undertrained

BLOCKS = "▁▂▃▄▅▆▇█"


def sentences(row: StrategyResult) -> list[str]:
    """Describe each training run of a row's first seed, and what it learned of a corpus; empty: nothing was trained."""
    curves = next((trial.curves for trial in row.trials if trial.curves), ())
    return [sentence for curve in curves if (sentence := _sentence(curve))] + corpus_sentences.sentences(row)


def undertrained_sentence(rows: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows whose training ended while validation loss fell, with a command that trains the best longer."""
    short = [row for row in rows if undertrained(row)]
    if not short:
        return ""
    longer = train_longer(short[0].strategy)
    command = f" Train longer: harness run SUITE --strategy {shlex.quote(longer)}" if longer else ""
    return f"Undertrained: {name.all(short)}, whose validation loss still fell at the last check.{command}"


def spark(values: Sequence[float], width: int = 12) -> str:
    """Draw numbers as blocks: ``spark([3, 2, 1, 0])`` is ``█▆▃▁``."""
    sampled = (
        [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)] if len(values) > width else values
    )
    low, high = min(sampled), max(sampled)
    span = high - low
    return "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span > 0 else 0] for value in sampled)


def _sentence(curve: Curve) -> str:
    parts: list[str] = []
    if curve.loss:
        values = [value for _, value in curve.loss]
        parts.append(f"loss {values[0]:.2f} to {values[-1]:.2f} {spark(values)} in {curve.steps} steps")
    losses = [check["validation_loss"] for check in curve.checks if "validation_loss" in check]
    if losses and curve.best is not None:
        parts.append(f"validation loss {losses[0]:.2f} to {losses[-1]:.2f}")
        parts.append(f"lowest at check {curve.best + 1} of {len(curve.checks)}")
    return ", ".join(parts)
