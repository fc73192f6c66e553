"""Names of ablations, and of the tasks that their rows are stored under: ``qa@oracle``, ``qa@paraphrase-1``."""

from __future__ import annotations

ORACLE, RANDOM, NONE = PASSAGE_ABLATIONS = ("oracle", "random", "none")
SEPARATOR = "@"
"""Between a task's name and the ablation's; no task's name may contain it."""
_PARAPHRASE = "paraphrase-"


def paraphrase_name(number: int) -> str:
    """Return the name of a paraphrased instruction: ``paraphrase_name(1)`` is ``paraphrase-1``."""
    return f"{_PARAPHRASE}{number}"


def is_paraphrase(ablation: str) -> bool:
    """Whether an ablation paraphrases the instruction; else it changes the passages."""
    return ablation.startswith(_PARAPHRASE)


def ablated_task(task: str, ablation: str) -> str:
    """Return the task name of an ablation's rows: ``ablated_task("qa", "oracle")`` is ``qa@oracle``."""
    return f"{task}{SEPARATOR}{ablation}"


def ablation_of(task: str, ablated: str) -> str:
    """Return the ablation of a task name that `ablated_task` wrote for this task."""
    return ablated.removeprefix(f"{task}{SEPARATOR}")
