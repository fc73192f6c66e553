"""Instructions to choose from: those of a file, filled in for a task, and what a model makes of one in its words."""

from __future__ import annotations

from typing import Any

from harness.api import Answer, Prompt, Sampling, Task

BUILT_IN = "instructions.txt"
"""The package's own file: `template.built_in` reads it."""


def read_bank(bank: str, task: Task) -> list[str]:
    """Return the instructions of a file, filled in for a task; what names its labels is left out where it has none.

    Args:
        bank: the file's text: an instruction a line, lines with ``#`` are comments; ``{instruction}``, ``{choices}``,
            ``{question}`` and ``{answer}`` stand for the task's own.
        task: gives them.
    """
    lines = [line.strip() for line in bank.splitlines()]
    usable = [line for line in lines if line and not line.startswith("#") and (task.choices or "{choices}" not in line)]
    return [_fill_in(line, task) for line in usable]


def paraphrase(model: Any, task: Task, count: int, seed: int) -> list[Answer]:
    """Have a model say the task's instruction in other words (Zhou et al. 2023, section 3.2), drawn `count` times."""
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
    parts = {
        "{instruction}": task.instruction,
        "{choices}": ", ".join(task.choices),
        "{question}": task.question_label.lower(),
        "{answer}": task.answer_label.lower(),
    }
    for name, value in parts.items():
        line = line.replace(name, value)
    return line.strip()
