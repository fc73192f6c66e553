"""What a system's own items, asked in other ways, tell: whether the retriever or the reader loses, and what words do.

None of these answers counts in a score. Names stand between backticks.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Control
from harness.compare.trials.groups import Group
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import get
from harness.records.record import Completed


def controls_of(group: Group, metric_name: str) -> tuple[Control, ...]:
    """Compare each way of asking with the usual one, on the items that were asked both ways.

    Args:
        group: one strategy's seeds; a way counts where every finished seed was asked so, with the same instruction.
        metric_name: the task's primary one.
    """
    completed = [
        trial
        for trial in group.trials
        if isinstance(trial.record, Completed) and trial.record.trial.seed in group.items
    ]
    names = (
        [name for name in completed[0].controls if all(name in trial.controls for trial in completed)]
        if completed
        else []
    )
    controls = [_control(group, completed, name, metric_name) for name in names]
    return tuple(control for control in controls if control)


def _control(group: Group, completed: Sequence[StoredTrialItems], ablation: str, metric_name: str) -> Control | None:
    instructions = {_instruction(trial, ablation) for trial in completed}
    metric = get(metric_name)
    usual = [group.items[trial.record.trial.seed] for trial in completed]
    samples = [
        Sample.from_items(metric, [items.with_labels(usual[0].labels) for items in items_by_seed])
        for items_by_seed in ([trial.controls[ablation] for trial in completed], usual)
    ]
    pair = samples[0].pair_with(samples[1]) if samples[0] and samples[1] else None
    if pair is None or len(instructions) > 1:
        return None
    return Control(way=ablation, instruction=instructions.pop(), score=estimate(pair[0]), change=difference(*pair))


def _instruction(trial: StoredTrialItems, ablation: str) -> str:
    """The suite's words that a way was asked with."""
    record = trial.record
    tasks = record.tasks if isinstance(record, Completed) else ()
    return next((info.instruction for info in tasks if info.name == f"{record.trial.task}@{ablation}"), "")


def usual(control: Control) -> float:
    """Score in the usual way, on the items that were asked in another way too."""
    return control.score.value - control.change.value
