"""Training curves for a report: few points, and what they say in a line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.findings import Curve
from harness.compare.result import StrategyResult
from harness.curves import Point, runs

POINTS = 40
BLOCKS = "▁▂▃▄▅▆▇█"


def curves_of(points: Sequence[Point]) -> tuple[Curve, ...]:
    """Thin what was logged while training, one curve a run; numbers that are none are left out."""
    finite = [{name: value for name, value in point.items() if math.isfinite(value)} for point in points]
    return tuple(curve for run in runs(finite) if (curve := _curve(run)).loss or curve.checks)


def in_words(row: StrategyResult) -> list[str]:
    """Say how the training of a row's first seed went, a line for each run; nothing where nothing was trained."""
    curves = next((trial.curves for trial in row.trials if trial.curves), ())
    return [line for curve in curves if (line := _line(curve))]


def spark(values: Sequence[float], width: int = 12) -> str:
    """Draw numbers as blocks, the lowest as the lowest block."""
    shown = (
        [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)] if len(values) > width else values
    )
    low, high = min(shown), max(shown)
    span = high - low
    return "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span > 0 else 0] for value in shown)


def _curve(run: Sequence[Point]) -> Curve:
    loss = [(int(point["step"]), point["loss"]) for point in run if "loss" in point and "step" in point]
    checks = [dict(point) for point in run if any(name.startswith("validation_") for name in point)]
    measured = [place for place, check in enumerate(checks) if "validation_loss" in check]
    return Curve(
        steps=max((int(point.get("step", 0)) for point in run), default=0),
        loss=tuple(_thinned(loss)),
        checks=tuple(checks),
        best=min(measured, key=lambda place: checks[place]["validation_loss"]) if measured else None,
    )


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    if len(points) <= POINTS:
        return list(points)
    return [points[round(i * (len(points) - 1) / (POINTS - 1))] for i in range(POINTS)]


def _line(curve: Curve) -> str:
    parts: list[str] = []
    if curve.loss:
        values = [value for _, value in curve.loss]
        parts.append(f"loss {values[0]:.2f} to {values[-1]:.2f} {spark(values)} in {curve.steps} steps")
    losses = [check["validation_loss"] for check in curve.checks if "validation_loss" in check]
    if losses and curve.best is not None:
        parts.append(f"validation loss {losses[0]:.2f} to {losses[-1]:.2f}")
        parts.append(f"lowest at check {curve.best + 1} of {len(curve.checks)}")
    return ", ".join(parts)
