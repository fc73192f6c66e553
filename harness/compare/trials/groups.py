"""Trials of one task, grouped by strategy and model, and scored by a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness import metrics
from harness.compare.stats.panel import Panel
from harness.compare.stats.sample import Sample
from harness.compare.trials.seed_noise import seed_kind, with_seed_noise
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items
from harness.metrics.labels import label_set
from harness.records.record import Budget, Completed

ScoreKey = tuple[str, str, int | None]
"""A row's label, its model and a seed; None for the mean over seeds."""


@dataclass(frozen=True)
class Group:
    """The seeds of one strategy with one model.

    Attributes:
        trials: by seed.
        items: of each finished seed, by seed; all trials of the task have the same set of labels.
    """

    strategy: str
    model: str
    trials: tuple[StoredTrialItems, ...]
    items: Mapping[int, Items]

    @property
    def budget(self) -> Budget | None:
        """Budget of its hyperparameter search; None without one."""
        return self.trials[0].record.trial.budget

    @property
    def answers(self) -> Literal["written"] | None:
        """How its choices were answered, if not as usual."""
        return self.trials[0].record.trial.answers

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.trials[0].record.trial.task

    @property
    def label(self) -> str:
        """Name of its row."""
        return self.trials[0].record.trial.label

    @property
    def key(self) -> ScoreKey:
        """Key of the mean over seeds."""
        return self.label, self.model, None

    @property
    def records(self) -> list[Completed]:
        """Records of the seeds that finished."""
        return [trial.record for trial in self.trials if isinstance(trial.record, Completed)]


def group_trials(task: str, stored: Sequence[StoredTrialItems]) -> list[Group]:
    """Group the trials of a task, in the order in which strategies first appear."""
    by_name: dict[tuple[str, str], list[StoredTrialItems]] = {}
    for trial in stored:
        by_name.setdefault((trial.record.trial.label, trial.record.trial.model), []).append(trial)
    labels = common_labels([trial.items[task] for trial in stored if task in trial.items and _is_labelled(trial)])
    groups: list[Group] = []
    for (_, model), trials in by_name.items():
        trials.sort(key=lambda trial: trial.record.trial.seed)
        by_seed = {
            trial.record.trial.seed: trial.items[task].with_labels(labels) for trial in trials if task in trial.items
        }
        groups.append(Group(trials[0].record.trial.strategy, model, tuple(trials), by_seed))
    return groups


def _is_labelled(trial: StoredTrialItems) -> bool:
    """Whether answers are labels from one set for the task: only then are labels collected from the answers."""
    return isinstance(trial.record, Completed) and trial.record.tasks[0].kind == "classification"


def common_labels(answers: Sequence[Items]) -> tuple[str, ...]:
    """One set of labels for all trials of a task: the declared one, or all labels that occur in any trial."""
    declared = next((items.labels for items in answers if items.labels), ())
    return declared or tuple(sorted({label for items in answers for label in label_set(items)}))


def make_panel(metric_name: str, groups: Sequence[Group], *, each_seed: bool = False) -> Panel[ScoreKey]:
    """Score each group by one metric: the mean over its seeds, and with `each_seed` every single seed too.

    The mean has the spread over seeds of its kind (`with_seed_noise`); a single seed is about that run alone.
    """
    metric = metrics.get(metric_name)
    means = {group.key: mean for group in groups if (mean := Sample.from_items(metric, list(group.items.values())))}
    kinds = [seed_kind(group.records) for group in groups if group.key in means]
    samples: dict[ScoreKey, Sample] = dict(zip(means, with_seed_noise(list(means.values()), kinds), strict=True))
    for group in groups if each_seed else ():
        for seed, items in group.items.items():
            sample = means.get(group.key) if len(group.items) == 1 else Sample.from_items(metric, [items])
            if sample:
                samples[group.label, group.model, seed] = sample
    return Panel(samples)


def seed_mismatch(group: Group) -> str | None:
    """Warn if a strategy's seeds answered different items; only those that all answered can be averaged."""
    ids = [set(items.ids) for items in group.items.values()]
    common, largest = len(set.intersection(*ids)) if ids else 0, max(map(len, ids), default=0)
    if common == largest:
        return None
    return f"the seeds of {group.label} answered different items: {common} of {largest} are common and counted."
