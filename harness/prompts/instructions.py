"""Candidate instructions: from a file, filled in for a task, and paraphrases by a model."""

from __future__ import annotations

from typing import Any

from harness.api import Answer, Prompt, Sampling, Task

BUILT_IN = "instructions.txt"
"""The file in this package; `template.built_in` reads it."""


def read_bank(bank: str, task: Task) -> list[str]:
    """Return the instructions of a file, filled in for a task; those with ``{choices}`` only if it has labels.

    Args:
        bank: the file's text: an instruction a line, lines with ``#`` are comments; ``{instruction}``, ``{choices}``,
            ``{question}`` and ``{answer}`` stand for those of the task.
        task: gives instruction, choices and labels.
    """
    lines = [line.strip() for line in bank.splitlines()]
    usable = [line for line in lines if line and not line.startswith("#") and (task.choices or "{choices}" not in line)]
    return [_fill_in(line, task) for line in usable]


def paraphrase(model: Any, task: Task, count: int, seed: int) -> list[Answer]:
    """Sample `count` paraphrases of the task's instruction from a model (Zhou et al. 2023, section 3.2)."""
    paraphrase_task = Task(
        "paraphrase",
        "qa",
        "Say what is to be done in other words.",
        form=task.form,
        question_label="Task",
        answer_label="In other words",
    )
    return [
        answer
        for draw in range(count)
        for answer in model.generate(
            [Prompt(paraphrase_task, task.instruction)],
            max_new_tokens=48,
            one_line=True,
            sampling=Sampling(0.7, 0.95, seed * 1_000_003 + draw),
        )
    ]


def _fill_in(line: str, task: Task) -> str:
    replacements = {
        "{instruction}": task.instruction,
        "{choices}": ", ".join(task.choices),
        "{question}": task.question_label.lower(),
        "{answer}": task.answer_label.lower(),
    }
    for field, text in replacements.items():
        line = line.replace(field, text)
    return line.strip()
