"""The trials of one task, put together by strategy and model, and scored by every metric of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import metrics
from harness.compare.stats.panel import Panel
from harness.compare.stats.sample import Sample
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items
from harness.metrics.labels import label_set
from harness.records.record import Budget, Completed

Key = tuple[str, str, int | None]
"""What is scored: a row's label, its model and a seed, or None for the seeds together."""


@dataclass(frozen=True)
class Group:
    """The seeds of one strategy with one model.

    Attributes:
        trials: by seed.
        items: what each finished seed answered, by seed; one set of labels for all of the task.
    """

    strategy: str
    model: str
    trials: tuple[StoredTrialItems, ...]
    items: Mapping[int, Items]

    @property
    def budget(self) -> Budget | None:
        """What its parameters were looked for with."""
        return self.trials[0].record.trial.budget

    @property
    def task(self) -> str:
        """What was asked."""
        return self.trials[0].record.trial.task

    @property
    def label(self) -> str:
        """What its row is called."""
        return self.trials[0].record.trial.label

    @property
    def key(self) -> Key:
        """Stands for the seeds together."""
        return self.label, self.model, None

    @property
    def records(self) -> list[Completed]:
        """The records of the seeds that finished."""
        return [one.record for one in self.trials if isinstance(one.record, Completed)]


def groups_of(task: str, stored: Sequence[StoredTrialItems]) -> list[Group]:
    """Group the trials of a task, in the order in which strategies first appear."""
    by_name: dict[tuple[str, str], list[StoredTrialItems]] = {}
    for one in stored:
        by_name.setdefault((one.record.trial.label, one.record.trial.model), []).append(one)
    labels = common_labels([one.items[task] for one in stored if task in one.items and _is_labelled(one)])
    made: list[Group] = []
    for (_, model), trials in by_name.items():
        trials.sort(key=lambda one: one.record.trial.seed)
        items = {one.record.trial.seed: one.items[task].with_labels(labels) for one in trials if task in one.items}
        made.append(Group(trials[0].record.trial.strategy, model, tuple(trials), items))
    return made


def _is_labelled(one: StoredTrialItems) -> bool:
    """Whether answers are labels of the whole task; of others, collecting all that was ever said helps nobody."""
    return isinstance(one.record, Completed) and one.record.tasks[0].kind == "classification"


def common_labels(every: Sequence[Items]) -> tuple[str, ...]:
    """One set of labels for all trials of a task: its own, or all that occur in any of them."""
    known = next((items.labels for items in every if items.labels), ())
    return known or tuple(sorted({label for items in every for label in label_set(items)}))


def panel(metric_name: str, groups: Sequence[Group], *, each_seed: bool = False) -> Panel[Key]:
    """Score every group's seeds together by one metric, and on demand each seed alone too."""
    metric = metrics.get(metric_name)
    samples: dict[Key, Sample] = {}
    for group in groups:
        if together := Sample.of(metric, list(group.items.values())):
            samples[group.key] = together
        for seed, items in group.items.items() if each_seed else ():
            alone = together if len(group.items) == 1 else Sample.of(metric, [items])
            if alone:
                samples[group.label, group.model, seed] = alone
    return Panel(samples)


def unlike_seeds(group: Group) -> str | None:
    """Tell if a strategy's seeds answered different items; only those that all answered can be averaged."""
    asked = [set(items.ids) for items in group.items.values()]
    common, largest = len(set.intersection(*asked)) if asked else 0, max(map(len, asked), default=0)
    if common == largest:
        return None
    return f"the seeds of {group.label} answered different items: {common} of {largest} are common and counted."
