"""How small a difference a suite can show, and how many test items and seeds a given one needs: before any is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.compare.power.pilot import Pilot, pilot
from harness.compare.trials.stored_trials import read
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.metrics import get
from harness.metrics.statistical_power import (
    PowerAssumptions,
    design_effect,
    detectable,
    items_needed,
    paired_sd,
    seeds_needed,
)
from harness.plan.config import RunConfig
from harness.records.measurements import StoredModel
from harness.store.results_store import StoredTrial, newest

ASSUMED_CORRELATION = 0.2
"""Of the differences of two items in one cluster, where no results tell."""


class TaskPower(StoredModel):
    """What one task can show of two strategies' difference in its primary metric: 80 % power, two-sided 5 %.

    Attributes:
        items: test items; clusters: groups of them that are not independent, None where each is.
        seeds: that the plan has.
        sd: standard deviation of per-item differences.
        design: how many times larger the variance is because of the clusters; 1.0 without.
        correlation: within clusters, that `design` stands on; None without clusters.
        seed_sd: standard deviation of a score over seeds; None: not known, and left out.
        pilot: what stored results told; None: all of it is assumed.
        detectable: smallest difference that is found with these items and seeds; None: fewer than two clusters.
        needed_items: for the difference that was asked for, and with `needed_seeds`; None: no number is enough.
        needed_seeds: a strategy that trains; None: the spread over seeds is not known, or none is enough.
    """

    task: str
    metric: str
    items: int
    clusters: int | None
    seeds: int
    sd: float
    design: float
    correlation: float | None
    seed_sd: float | None
    pilot: Pilot | None
    detectable: float | None
    needed_items: int | None
    needed_seeds: int | None


def plan_power(config: RunConfig, difference: float, stored: Sequence[StoredTrial]) -> tuple[TaskPower, ...]:
    """Tell for each task of a run how small a difference it can show, and what a given one needs.

    Args:
        config: the run.
        difference: in the unit of each task's primary metric.
        stored: what is there already; pilots are taken from it.

    Raises:
        HarnessError: the difference is not positive.
    """
    if not difference > 0:
        raise HarnessError(f"--detect {difference:g}: a difference must be above 0, e.g. 0.03 for 3 points.")
    suite = load_suite(config.suite)
    names = [suite.task(name).name for name in config.tasks] or [task.name for task in suite.tasks]
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    known = read(newest([one for one in stored if one.record.trial.suite == suite.name]).trials)
    found: list[TaskPower] = []
    for name in names:
        prepared = prepare(suite, name, limits=limits)
        found.append(_task(prepared, pilot(name, known), difference, len(config.seeds)))
    return tuple(found)


def _task(task: PreparedTask, known: Pilot | None, difference: float, seeds: int) -> TaskPower:
    metric = get(task.info.metrics[0])
    sizes = _cluster_sizes(task)
    clustered = len(sizes) < sum(sizes)
    correlation = (known.correlation if known else ASSUMED_CORRELATION) if clustered else None
    assumed = PowerAssumptions(
        sd=known.sd if known else paired_sd(),
        design=design_effect(sizes, correlation) if correlation is not None else 1.0,
        per_cluster=sum(sizes) / len(sizes),
        seed_sd=(known.seed_sd or 0.0) if known else 0.0,
        exact=metric.binary and not clustered,
    )
    enough = seeds_needed(assumed, difference) if assumed.seed_sd else None
    items = enough[1] if enough else None if assumed.seed_sd else items_needed(assumed, difference)
    return TaskPower(
        task=task.info.name,
        metric=metric.name,
        items=sum(sizes),
        clusters=len(sizes) if clustered else None,
        seeds=seeds,
        sd=assumed.sd,
        design=assumed.design,
        correlation=correlation,
        seed_sd=known.seed_sd if known else None,
        pilot=known,
        detectable=detectable(assumed, sum(sizes), seeds) if len(sizes) > 1 else None,
        needed_items=items,
        needed_seeds=enough[0] if enough else None,
    )


def _cluster_sizes(task: PreparedTask) -> list[int]:
    """Items of each cluster of the test split; an item without one is a cluster of its own."""
    named = Counter(one.cluster for one in task.test if one.cluster is not None)
    return [*named.values(), *[1] * sum(one.cluster is None for one in task.test)]
