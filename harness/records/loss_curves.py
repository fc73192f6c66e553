"""Training curves as they are logged: points of several steps one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Point = Mapping[str, float]


def runs(points: Sequence[Point]) -> list[list[Point]]:
    """Split points into the runs of training that they come from: a run ends where the step falls."""
    split: list[list[Point]] = []
    last = float("inf")
    for point in points:
        step = point.get("step", last)
        if step < last or not split:
            split.append([])
        split[-1].append(point)
        last = step
    return split
