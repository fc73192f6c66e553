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
    done = [one for one in group.trials if isinstance(one.record, Completed) and one.record.trial.seed in group.items]
    names = [name for name in done[0].controls if all(name in one.controls for one in done)] if done else []
    found = [_control(group, done, name, metric_name) for name in names]
    return tuple(one for one in found if one)


def _control(group: Group, done: Sequence[StoredTrialItems], way: str, metric_name: str) -> Control | None:
    told = {_instruction(one, way) for one in done}
    metric = get(metric_name)
    usual = [group.items[one.record.trial.seed] for one in done]
    samples = [
        Sample.of(metric, [items.with_labels(usual[0].labels) for items in asked])
        for asked in ([one.controls[way] for one in done], usual)
    ]
    pair = samples[0].paired_with(samples[1]) if samples[0] and samples[1] else None
    if pair is None or len(told) > 1:
        return None
    return Control(way=way, instruction=told.pop(), score=estimate(pair[0]), change=difference(*pair))


def _instruction(one: StoredTrialItems, way: str) -> str:
    """The suite's words that a way was asked with."""
    record = one.record
    tasks = record.tasks if isinstance(record, Completed) else ()
    return next((info.instruction for info in tasks if info.name == f"{record.trial.task}@{way}"), "")


def usual(control: Control) -> float:
    """Score in the usual way, on the items that were asked in another way too."""
    return control.score.value - control.change.value
