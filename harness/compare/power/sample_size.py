"""Power of a planned run: the smallest difference that each task detects, and the items and seeds that one needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from harness.compare.power.pilot import Pilot, estimate_pilot
from harness.compare.trials.seed_noise import assumed_noise, kind_of_steps
from harness.compare.trials.stored_trials import read_trials
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import Suite, load_suite
from harness.errors import HarnessError
from harness.metrics import get
from harness.metrics.statistical_power import (
    ALPHA,
    PowerAssumptions,
    design_effect,
    detectable,
    items_needed,
    paired_sd,
    seeds_needed,
)
from harness.plan.chain import parse
from harness.plan.config import RunConfig
from harness.records.measurements import StoredModel
from harness.store.results_store import StoredTrial, select_newest

ASSUMED_CORRELATION = 0.2
"""Of the differences of two items in one cluster, where there is no pilot."""


class TaskPower(StoredModel):
    """Power of one task for two strategies' difference in its primary metric: 80 % power, two-sided 5 %.

    The level is adjusted for all pairs of the planned strategies, as the report's is.

    Attributes:
        items: test items; clusters: groups of them that are not independent, None where each is.
        seeds: of the plan.
        pairs: of strategies, which the level is adjusted for.
        sd: standard deviation of per-item differences.
        design: factor of the variance because of clusters; 1.0 without.
        correlation: within clusters, for `design`; None without clusters.
        seed_sd: standard deviation of a score over seeds; None: nothing is random, or it is not known and left out.
        seeds_assumed: whether `seed_sd` is assumed from reference runs.
        pilot: estimates from stored results; None: all variances are assumed.
        detectable: smallest difference that is found with these items and seeds; None: fewer than two clusters.
        needed_items: for the planned difference, with `needed_seeds`; None: no number is enough.
        needed_seeds: of a strategy that trains; None: the spread over seeds is not known, or none is enough.
    """

    task: str
    metric: str
    items: int
    clusters: int | None
    seeds: int
    pairs: int
    sd: float
    design: float
    correlation: float | None
    seed_sd: float | None
    seeds_assumed: bool
    pilot: Pilot | None
    detectable: float | None
    needed_items: int | None
    needed_seeds: int | None


def plan_power(config: RunConfig, difference: float, stored: Sequence[StoredTrial]) -> tuple[TaskPower, ...]:
    """Compute the power of each task of a run.

    Args:
        config: the run.
        difference: to be detected, in the unit of each task's primary metric.
        stored: earlier trials, for pilots.

    Raises:
        HarnessError: the difference is not positive.
    """
    if not difference > 0:
        raise HarnessError(f"--detect {difference:g}: a difference must be above 0, e.g. 0.03 for 3 points.")
    suite = load_suite(config.suite)
    names = [suite.task(name).name for name in config.tasks] or [task.name for task in suite.tasks]
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    trials = read_trials(select_newest([trial for trial in stored if trial.record.trial.suite == suite.name]).trials)
    powers: list[TaskPower] = []
    for name in names:
        prepared = prepare(suite, name, limits=limits)
        powers.append(_task_power(prepared, estimate_pilot(name, trials), difference, _design(config, suite)))
    return tuple(powers)


class _Design(NamedTuple):
    """Seeds of a plan, pairs of its strategies, and the kinds of what is random in them."""

    seeds: int
    pairs: int
    kinds: tuple[str, ...]


def _design(config: RunConfig, suite: Suite) -> _Design:
    chains = config.strategies or suite.strategies
    systems = len(chains) * max(1, len(config.models))
    kinds = {kind_of_steps([call.name for call in parse(chain)]) for chain in chains}
    names = tuple(sorted(kind for kind in kinds if kind))
    return _Design(len(config.seeds), max(1, systems * (systems - 1) // 2), names)


def _task_power(task: PreparedTask, pilot: Pilot | None, difference: float, design: _Design) -> TaskPower:
    metric = get(task.info.metrics[0])
    seed_sd = pilot.seed_sd if pilot else None
    assumed_sds = [assumed_noise(kind, metric, 0.0).sd for kind in design.kinds] if seed_sd is None else []
    seed_sd = seed_sd if seed_sd is not None else max(assumed_sds, default=0.0) or None
    sizes = _cluster_sizes(task)
    clustered = len(sizes) < sum(sizes)
    correlation = (pilot.correlation if pilot else ASSUMED_CORRELATION) if clustered else None
    assumed = PowerAssumptions(
        sd=pilot.sd if pilot else paired_sd(),
        design=design_effect(sizes, correlation) if correlation is not None else 1.0,
        per_cluster=sum(sizes) / len(sizes),
        seed_sd=seed_sd or 0.0,
        exact=metric.binary and not clustered,
    )
    level = ALPHA / design.pairs
    with_seeds = seeds_needed(assumed, difference, alpha=level) if assumed.seed_sd else None
    items = with_seeds[1] if with_seeds else None if assumed.seed_sd else items_needed(assumed, difference, alpha=level)
    return TaskPower(
        task=task.info.name,
        metric=metric.name,
        items=sum(sizes),
        clusters=len(sizes) if clustered else None,
        seeds=design.seeds,
        pairs=design.pairs,
        sd=assumed.sd,
        design=assumed.design,
        correlation=correlation,
        seed_sd=seed_sd,
        seeds_assumed=bool(assumed_sds and seed_sd),
        pilot=pilot,
        detectable=detectable(assumed, sum(sizes), design.seeds, alpha=level) if len(sizes) > 1 else None,
        needed_items=items,
        needed_seeds=with_seeds[0] if with_seeds else None,
    )


def _cluster_sizes(task: PreparedTask) -> list[int]:
    """Items of each cluster of the test split; an item without a cluster is a cluster of its own."""
    sizes = Counter(example.cluster for example in task.test if example.cluster is not None)
    return [*sizes.values(), *[1] * sum(example.cluster is None for example in task.test)]
