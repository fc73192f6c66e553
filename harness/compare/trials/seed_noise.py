"""Spread of scores over seeds by kind of method: pooled over a task's strategies, else assumed from reference runs.

One seed is not zero variance: without this, somebody of eight equal strategies is called clearly worse in a third of
suites. A chain without a random step has no spread.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from harness.compare.stats.sample import Sample, SeedNoise, pooled_noise
from harness.errors import HarnessError
from harness.metrics import get
from harness.metrics.metric import Metric
from harness.plan.discover import find_step
from harness.records.record import Completed

if TYPE_CHECKING:
    from harness.api import Step

TABLE = Path(__file__).with_name("seed_sds.toml")
MIN_DF = 6
"""Fewer degrees of freedom make a pooled spread too small by luck too often to judge systems of one seed by it."""
QUANTILE = 0.9
"""Of the standard deviations of reference runs: what is assumed where a task has no repeated run of that kind."""


def seed_kind(records: Sequence[Completed]) -> str | None:
    """Name the kind of what is random in a strategy: ``preferences``, ``tuning``, ``examples`` or ``sampling``.

    Args:
        records: one a seed, at least one, all of the same strategy.

    Returns:
        None where nothing is random, so that another seed would give the same answers.
    """
    names = [str(entry["step"]) for entry in records[0].trial.steps]
    return kind_of_steps(names, trained=any(record.trained_parameters for record in records))


def kind_of_steps(names: Sequence[str], *, trained: bool = False) -> str | None:
    """Name the kind of what is random in a chain (`seed_kind`).

    Args:
        names: of its steps.
        trained: whether it is known to train something, should a step not be installed.
    """
    steps = [step for name in names if (step := _find(name))]
    needs = {need for step in steps for need in step.needs.task}
    random_steps = [step for step in steps if step.random]
    if needs & {"preferences", "reward"}:
        return "preferences"
    if trained or any(step.changes_weights for step in random_steps):
        return "tuning"
    if not random_steps:
        return None
    return "examples" if any("train" in step.needs.task for step in random_steps) else "sampling"


def with_seed_noise(
    samples: Sequence[Sample], kinds: Sequence[str | None], pool: Sequence[tuple[str | None, Sample]] | None = None
) -> list[Sample]:
    """Give each sample of one task and metric the spread over seeds of its kind.

    The variance is pooled over the systems of a kind with two seeds or more. A system with several seeds of its own is
    never taken to be steadier than its kind, but may be less steady. One with a single seed has the spread of its kind,
    and where that is known from fewer than `MIN_DF` degrees of freedom, at least the 90th percentile of reference runs
    of that kind and metric, which is assumed. Seeds that answered everything alike are not random.

    Args:
        samples: of one metric on one task.
        kinds: of each (`seed_kind`).
        pool: systems to pool over, with their kinds; None: the samples themselves.
    """
    systems = list(zip(kinds, samples, strict=True)) if pool is None else pool
    pooled = {
        kind: pooled_noise(kind, [sample.seed_scores for other, sample in systems if other == kind and _varies(sample)])
        for kind in kinds
        if kind is not None
    }
    size = max((abs(sample.value) for sample in samples), default=0.0)
    return [
        sample if kind is None else replace(sample, noise=_noise(kind, sample, pooled[kind], size))
        for kind, sample in zip(kinds, samples, strict=True)
    ]


def _noise(kind: str, sample: Sample, pool: SeedNoise | None, size: float) -> SeedNoise | None:
    """Choose the spread of one system; None: that of its own seeds."""
    if sample.seeds > 1:
        steadier = pool is not None and float(sample.seed_scores.var(ddof=1)) < pool.sd**2
        return pool if steadier and _varies(sample) else None
    if pool is not None and pool.df >= MIN_DF:
        return pool
    assumed = assumed_noise(kind, sample.metric, size)
    return pool if pool is not None and pool.sd >= assumed.sd else assumed


def assumed_noise(kind: str, metric: Metric, score: float) -> SeedNoise:
    """Return what is assumed of a kind of method where a task has no repeated run of it.

    The entry of the kind and the metric; without one, the largest of the kind among metrics of the same range, then of
    any kind. `basis` is ``unknown`` where there is none either.

    Args:
        kind: of method.
        metric: of the score.
        score: its size: the table holds shares of it where a metric has no finite range.
    """
    table = seed_sds()
    of_kind = table.get(kind, {})
    same = [sds[metric.name] for sds in (of_kind, *table.values()) if metric.name in sds]
    alike = _alike(of_kind, metric) or [sd for sds in table.values() for sd in _alike(sds, metric)]
    sd = same[0] if metric.name in of_kind else max(same or alike, default=None)
    scale = 1.0 if has_range(metric) else score
    return SeedNoise(kind, 0.0, inf, "unknown") if sd is None else SeedNoise(kind, sd * scale, inf, "assumed")


def has_range(metric: Metric) -> bool:
    """Whether a metric's values have a finite range, so that a spread on one task can be compared with another's."""
    return all(map(isfinite, metric.bounds))


@cache
def seed_sds() -> Mapping[str, Mapping[str, float]]:
    """Read the 90th percentile of reference runs' standard deviations over seeds, by kind and metric."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))["sd"]


def _alike(sds: Mapping[str, float], metric: Metric) -> list[float]:
    """Return the entries of metrics with the same finite range."""
    if not has_range(metric):
        return []
    return [sd for name, sd in sds.items() if get(name).bounds == metric.bounds]


def _varies(sample: Sample) -> bool:
    """Whether some item was scored differently by two seeds."""
    return bool(sample.seeds > 1 and (sample.scores != sample.scores[:1]).any())


@cache
def _find(name: str) -> type[Step] | None:
    """Find a step's class; None where it is not installed any more."""
    try:
        return find_step(name)
    except HarnessError:
        return None
