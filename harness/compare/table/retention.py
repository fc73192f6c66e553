"""What a changed model still knows: probe scores after a strategy, minus those before it, on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from harness import metrics
from harness.compare.stats.estimates import Estimate, difference, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Retention
from harness.compare.trials.groups import common_labels
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items
from harness.metrics.metric import Metric
from harness.records.record import Completed, TaskInfo

BASELINE = "zero_shot"


def baseline_of(stored: Sequence[StoredTrialItems], task: str, model: str) -> list[StoredTrialItems]:
    """Find the completed trials of an unchanged model on a task: its own, or else those that asked it as a probe."""
    baselines = [
        trial
        for trial in stored
        if isinstance(trial.record, Completed)
        and (trial.record.trial.strategy, trial.record.trial.model) == (BASELINE, model)
        and task in trial.items
    ]
    return [trial for trial in baselines if trial.record.trial.task == task] or baselines


def retention(
    seeds: Sequence[StoredTrialItems], suite: Sequence[StoredTrialItems]
) -> tuple[tuple[Retention, ...], list[str]]:
    """Compare every probe of a strategy with the unchanged model's trial on that task.

    Args:
        seeds: one strategy's trials with one model.
        suite: all trials of the suite; `zero_shot` on the probe's own task, or with the probe, is the state before.

    Returns:
        One entry a probe, and why a probe has none. No probes where the weights are unchanged.
    """
    retentions: list[Retention] = []
    missing: list[str] = []
    for info in probes(seeds):
        retained = _of_probe(info, seeds, suite)
        if isinstance(retained, str):
            missing.append(retained)
        else:
            retentions.append(retained)
    return tuple(retentions), missing


def probes(seeds: Sequence[StoredTrialItems]) -> list[TaskInfo]:
    """The probes that a strategy was asked besides its own task, each once."""
    records = [
        record.record for record in seeds if isinstance(record.record, Completed) and not _is_baseline(record.record)
    ]
    infos = [info for record in records for info in record.tasks[1:] if info.role == "probe"]
    return list({info.name: info for info in infos}.values())


def _is_baseline(record: Completed) -> bool:
    """Tell whether nothing was done to the model: it is the state before."""
    return record.trial.strategy == BASELINE


def _completed(trial: StoredTrialItems) -> tuple[TaskInfo, ...]:
    return trial.record.tasks if isinstance(trial.record, Completed) else ()


def _of_probe(info: TaskInfo, seeds: Sequence[StoredTrialItems], suite: Sequence[StoredTrialItems]) -> Retention | str:
    model = seeds[0].record.trial.model
    before = baseline_of(suite, info.name, model)
    if not before:
        task_name = seeds[0].record.trial.task
        where = task_name if info.name.startswith(f"{task_name}.") else info.name
        return f"retention on {info.name} is unknown: run {BASELINE} on {where} with {model}."
    hashes = {task_info.data_hash for trial in before for task_info in _completed(trial) if task_info.name == info.name}
    if hashes != {info.data_hash}:
        return f"retention on {info.name} is unknown: its data have changed, so run {BASELINE} on it again."
    metric = metrics.get(info.metrics[0])
    probe_items = [[trial.items[info.name] for trial in group if info.name in trial.items] for group in (seeds, before)]
    labels = () if info.labels or info.kind != "classification" else common_labels(probe_items[0] + probe_items[1])
    samples = [
        _sample(metric, tuple(items.with_labels(items.labels or labels) for items in group)) for group in probe_items
    ]
    pair = samples[0].pair_with(samples[1]) if samples[0] and samples[1] else None
    if not pair:
        return f"retention on {info.name} is unknown: no item was answered both before and after."
    after, start = pair
    return Retention(
        task=info.name,
        metric=metric.name,
        before=_estimated(start),
        after=_estimated(after),
        change=difference(after, start),
    )


@lru_cache(maxsize=64)
def _sample(metric: Metric, seeds: tuple[Items, ...]) -> Sample | None:
    """Line up seeds; the state before is the same for every strategy."""
    return Sample.from_items(metric, seeds)


@lru_cache(maxsize=64)
def _estimated(sample: Sample) -> Estimate:
    return estimate(sample)
