"""A set of questions that a teacher writes from a corpus, for a suite where there are no labels yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil

from harness.api import Example, Model, Passage, ProgressCallback, Task, TaskData
from harness.training.synthetic_rows import WritingSettings, write_rows

MOST_ASKED = 4
"""Prompts for each question that is wanted, at most."""
_SPARE = 1.2
"""Prompts of a round for each question that is still missing."""
_TEMPERATURE = 0.7
"""From the second round on, so that a passage is asked about anew."""


def write_questions(
    teacher: Model, corpus: Sequence[Passage], count: int, seed: int = 0, progress: ProgressCallback | None = None
) -> tuple[tuple[Example, ...], dict[str, int]]:
    """Have a teacher write questions with answers, in rounds of at most one a passage, until there are enough.

    Args:
        teacher: any model that generates.
        corpus: passages; those that not everybody may read are left out.
        count: questions wanted. Fewer come where a round brings nothing new, or after `MOST_ASKED` prompts for each.
        seed: of the passages and the samples.
        progress: called with (prompts answered, prompts in all) of each round.

    Returns:
        The questions, and how many rows were written and left out, by reason.
    """
    task = Task("questions", "qa")
    examples: tuple[Example, ...] = ()
    counts: Counter[str] = Counter()
    asked = 0
    while len(examples) < count and asked < MOST_ASKED * count:
        settings = WritingSettings(
            temperature=_TEMPERATURE if asked else 0.0, most_passages=ceil(_SPARE * (count - len(examples)))
        )
        rows = write_rows(teacher, TaskData(task, examples, corpus=tuple(corpus)), settings, seed + asked, progress)
        counts.update({name: number for name, number in rows.counts.items() if "passages" not in name})
        asked += rows.counts.get("written", 0)
        if not rows.examples:
            break
        examples += rows.examples
    return examples[:count], dict(counts)
