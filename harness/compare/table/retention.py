"""Retention: probe scores after a strategy minus those of the unchanged model, on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from harness import metrics
from harness.compare.stats.estimates import Estimate, difference, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Retention, UnknownRetention
from harness.compare.trials.groups import Group, common_labels
from harness.compare.trials.seed_noise import seed_kind, with_seed_noise
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items
from harness.metrics.metric import Metric
from harness.records.record import Completed, TaskInfo

BASELINE = "zero_shot"


def baseline_of(stored: Sequence[StoredTrialItems], task: str, model: str) -> list[StoredTrialItems]:
    """Return the completed trials of the unchanged model on a task: its own, else those with the task as a probe."""
    baselines = [
        trial
        for trial in stored
        if isinstance(trial.record, Completed)
        and (trial.record.trial.strategy, trial.record.trial.model) == (BASELINE, model)
        and task in trial.items
    ]
    return [trial for trial in baselines if trial.record.trial.task == task] or baselines


ProbePools = Mapping[str, Sequence[tuple[str | None, Sample]]]
"""By probe: the strategies that answered it with several seeds, with the kind of what is random in each."""


def probe_pools(groups: Sequence[Group]) -> ProbePools:
    """Collect what the spread over seeds on each probe is pooled over."""
    pools: dict[str, list[tuple[str | None, Sample]]] = {}
    for group in groups:
        for info in probes(group.trials) if len(group.items) > 1 else []:
            answers = [trial.items[info.name] for trial in group.trials if info.name in trial.items]
            if info.metrics and (sample := Sample.from_items(metrics.get(info.metrics[0]), answers)):
                pools.setdefault(info.name, []).append((seed_kind(group.records), sample))
    return pools


def retention(
    seeds: Sequence[StoredTrialItems], suite: Sequence[StoredTrialItems], pools: ProbePools | None = None
) -> tuple[tuple[Retention, ...], list[UnknownRetention]]:
    """Compare every probe of a strategy with the unchanged model's trial on that task.

    Args:
        seeds: one strategy's trials with one model.
        suite: all trials of the suite; the baseline is `zero_shot` on the probe's own task, or with the probe.
        pools: for the spread over seeds (`probe_pools`); None: it is about these runs alone.

    Returns:
        Retention by probe, and the probes where it is unknown. No probes where the weights are unchanged.
    """
    retentions: list[Retention] = []
    unknown: list[UnknownRetention] = []
    for info in probes(seeds):
        retained = _of_probe(info, seeds, suite, None if pools is None else pools.get(info.name, ()))
        if isinstance(retained, UnknownRetention):
            unknown.append(retained)
        else:
            retentions.append(retained)
    return tuple(retentions), unknown


def probes(seeds: Sequence[StoredTrialItems]) -> list[TaskInfo]:
    """Return the probes of a strategy, each once."""
    records = [
        record.record for record in seeds if isinstance(record.record, Completed) and not _is_baseline(record.record)
    ]
    infos = [info for record in records for info in record.tasks[1:] if info.role == "probe"]
    return list({info.name: info for info in infos}.values())


def _is_baseline(record: Completed) -> bool:
    """Whether the model is unchanged."""
    return record.trial.strategy == BASELINE


def _tasks(trial: StoredTrialItems) -> tuple[TaskInfo, ...]:
    return trial.record.tasks if isinstance(trial.record, Completed) else ()


def _of_probe(
    info: TaskInfo,
    seeds: Sequence[StoredTrialItems],
    suite: Sequence[StoredTrialItems],
    pool: Sequence[tuple[str | None, Sample]] | None,
) -> Retention | UnknownRetention:
    task_name, model = seeds[0].record.trial.task, seeds[0].record.trial.model
    baseline_task = task_name if info.name.startswith(f"{task_name}.") else info.name
    baseline = baseline_of(suite, info.name, model)
    if not baseline:
        return UnknownRetention(info.name, baseline_task, model, "no baseline")
    hashes = {task_info.data_hash for trial in baseline for task_info in _tasks(trial) if task_info.name == info.name}
    if hashes != {info.data_hash}:
        return UnknownRetention(info.name, baseline_task, model, "data changed")
    metric = metrics.get(info.metrics[0])
    probe_items = [
        [trial.items[info.name] for trial in group if info.name in trial.items] for group in (seeds, baseline)
    ]
    labels = () if info.labels or info.kind != "classification" else common_labels(probe_items[0] + probe_items[1])
    samples = [
        _sample(metric, tuple(items.with_labels(items.labels or labels) for items in group)) for group in probe_items
    ]
    pair = samples[0].pair_with(samples[1]) if samples[0] and samples[1] else None
    if not pair:
        return UnknownRetention(info.name, baseline_task, model, "no common items")
    sample, baseline_sample = pair
    if pool is not None:
        records = [trial.record for trial in seeds if isinstance(trial.record, Completed)]
        (sample,) = with_seed_noise([sample], [seed_kind(records)], pool)
    return Retention(
        task=info.name,
        metric=metric.name,
        before=_estimate(baseline_sample),
        after=_estimate(sample),
        change=difference(sample, baseline_sample),
    )


@lru_cache(maxsize=64)
def _sample(metric: Metric, seeds: tuple[Items, ...]) -> Sample | None:
    """Return the sample of several seeds, cached: the baseline is the same for every strategy."""
    return Sample.from_items(metric, seeds)


@lru_cache(maxsize=64)
def _estimate(sample: Sample) -> Estimate:
    return estimate(sample)
