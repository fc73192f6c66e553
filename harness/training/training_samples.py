"""Training samples from a task's examples, with the prompts that the system asks at test time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.api import Example, System, TaskData
from harness.models.local_model import require_local
from harness.training.batches import TrainingSample


def build_split_samples(system: System, task: TaskData, split: Literal["train", "validation"]) -> list[TrainingSample]:
    """Return the samples of a split: of the task as the system asks it, and of the tasks learned with it, zero-shot."""
    return [
        sample
        for task_system, part in task_systems(system, task)
        for sample in build_samples(task_system, part.train if split == "train" else part.validation)
    ]


def task_systems(system: System, task: TaskData) -> list[tuple[System, TaskData]]:
    """Pair every task that is learned with the system that asks it: one pair, or one for each of `TaskData.parts`."""
    return [
        (system if part.task.name == task.task.name else System(system.model, part.task), part)
        for part in task.parts or (task,)
    ]


def build_samples(system: System, examples: Sequence[Example]) -> list[TrainingSample]:
    """Return examples laid out as the system asks them, retrieval and exemplars included, with the answer to learn.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = require_local(system.model)
    prompts = system.prompts([example.query for example in examples])
    rendered = model.render_answered(prompts, [[example.references[0]] for example in examples])
    return [TrainingSample(prompt.tokens, prompt.answers[0]) for prompt in rendered]
