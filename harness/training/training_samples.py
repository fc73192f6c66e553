"""From a task's examples to training samples: the same prompts that the system will be asked with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.api import Example, System, TaskData
from harness.models.local_model import local_model
from harness.training.batches import TrainingSample


def learned(system: System, task: TaskData, split: Literal["train", "validation"]) -> list[TrainingSample]:
    """Give the samples of a split: of the task as the system asks it, and of others learned with it as they stand."""
    return [
        sample
        for asked, part in systems(system, task)
        for sample in samples(asked, part.train if split == "train" else part.validation)
    ]


def systems(system: System, task: TaskData) -> list[tuple[System, TaskData]]:
    """Pair every task that is learned with the system that asks it; one pair unless there are `TaskData.parts`."""
    return [
        (system if part.task.name == task.task.name else System(system.model, part.task), part)
        for part in task.parts or (task,)
    ]


def samples(system: System, examples: Sequence[Example]) -> list[TrainingSample]:
    """Lay examples out as the system asks them, retrieval and exemplars included, with the answer to be learned.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = local_model(system.model)
    prompts = system.prompts([example.query for example in examples])
    end = [model.tokenizer.eos_token_id]
    answers = [model.answer_tokens(p, e.references[0]) + end for p, e in zip(prompts, examples, strict=True)]
    laid = model.lay_out(prompts, max(map(len, answers), default=0))
    return [TrainingSample(prompt.tokens, answer) for prompt, answer in zip(laid, answers, strict=True)]
