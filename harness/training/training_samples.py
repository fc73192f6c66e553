"""Training samples from a task's examples, with the prompts that the system asks at test time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.api import Example, Prompt, System, TaskData
from harness.models.local_model import require_local
from harness.predict.answering import with_options, writes_choices, written_choice
from harness.training.batches import TrainingSample


def build_split_samples(system: System, task: TaskData, split: Literal["train", "validation"]) -> list[TrainingSample]:
    """Return the samples of a split: of the task as the system asks it, and of the tasks learned with it, zero-shot."""
    training = split == "train"
    return [
        sample
        for task_system, part in task_systems(system, task)
        for sample in build_samples(task_system, part.train if training else part.validation, training=training)
    ]


def task_systems(system: System, task: TaskData) -> list[tuple[System, TaskData]]:
    """Pair every task that is learned with the system that asks it: one pair, or one for each of `TaskData.parts`."""
    return [
        (system if part.task.name == task.task.name else System(system.model, part.task), part)
        for part in task.parts or (task,)
    ]


def build_samples(system: System, examples: Sequence[Example], *, training: bool = False) -> list[TrainingSample]:
    """Return examples laid out as the system asks them, retrieval and exemplars included, with the answer to learn.

    Args:
        system: with the model.
        examples: of one split.
        training: whether they are to be trained on: a retriever may show them with other passages then.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = require_local(system.model)
    prompts = lay_out(system, examples, training=training)
    answers = [example.references[0] for example in examples]
    if system.task.written and writes_choices(system):
        prompts = [with_options(prompt, example.query) for prompt, example in zip(prompts, examples, strict=True)]
        answers = [written_choice(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    rendered = model.render_answered(prompts, [[answer] for answer in answers])
    return [TrainingSample(prompt.tokens, prompt.answers[0]) for prompt in rendered]


def lay_out(system: System, examples: Sequence[Example], *, training: bool) -> list[Prompt]:
    """Return the prompts of examples to be trained on, or to be asked."""
    return system.training_prompts(examples) if training else system.prompts([example.query for example in examples])
