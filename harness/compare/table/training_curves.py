"""Loss curves of training runs, thinned for a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.table.findings import Curve
from harness.records.loss_curves import Point, runs

POINTS = 40


def curves_of(points: Sequence[Point]) -> tuple[Curve, ...]:
    """Thin the training log, one curve a run; NaN and infinity are left out."""
    finite = [{name: value for name, value in point.items() if math.isfinite(value)} for point in points]
    return tuple(curve for run in runs(finite) if (curve := _curve(run)).loss or curve.checks)


def _curve(run: Sequence[Point]) -> Curve:
    loss = [(int(point["step"]), point["loss"]) for point in run if "loss" in point and "step" in point]
    checks = [dict(point) for point in run if any(name.startswith("validation_") for name in point)]
    measured = [index for index, check in enumerate(checks) if "validation_loss" in check]
    return Curve(
        steps=max((int(point.get("step", 0)) for point in run), default=0),
        loss=tuple(_thinned(loss)),
        checks=tuple(checks),
        best=min(measured, key=lambda index: checks[index]["validation_loss"]) if measured else None,
    )


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    if len(points) <= POINTS:
        return list(points)
    return [points[round(i * (len(points) - 1) / (POINTS - 1))] for i in range(POINTS)]
