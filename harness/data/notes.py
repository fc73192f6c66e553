"""Sentences on a task's items for readers of results: leaks, and labels without examples."""

from collections.abc import Iterator, Sequence

from harness.api import Example, Passage
from harness.data.class_balance import BALANCED_METRIC, is_uneven
from harness.data.leaks import Leak
from harness.data.normalised_text import alike_labels, difference
from harness.data.schema import TaskConfig
from harness.data.splits import Splits

MOST_ALIKE = 5
"""Pairs of labels that are named."""


def leak_notes(leaks: tuple[Leak, ...], tests: int) -> Iterator[str]:
    """Count the test items that are in the training or validation split, which are searched together."""
    exact = [leak for leak in leaks if leak.exact]
    near = [leak for leak in leaks if not leak.exact]
    where, alike = "in the training or validation split too", "training or validation item"
    singular = (f"1 test item is {where}", f"1 test item is a near-duplicate of a {alike}")
    plural = (f"test items are {where}", f"test items are near-duplicates of a {alike}")
    for group, one_item, more_items in zip((exact, near), singular, plural, strict=True):
        if group:
            subject = one_item if len(group) == 1 else f"{len(group)} {more_items}"
            yield (
                f"{subject} ({len(group) / tests:.1%} of {tests}): "
                f"for example {group[0].test_id} and {group[0].train_id} (similarity {group[0].similarity:.2f})."
            )


def synthetic_notes(task: TaskConfig) -> Iterator[str]:
    """Say that a model wrote the items."""
    if task.synthetic_by:
        yield (
            f"the items are synthetic, written by the model {task.synthetic_by}: scores say how its questions are "
            "answered, not those of people."
        )


def access_notes(passages: Sequence[Passage], test: Sequence[Example]) -> Iterator[str]:
    """Warn where no test item may read any passage: all are restricted, and no item says who asks."""
    if passages and all(passage.readers for passage in passages) and not any(example.query.user for example in test):
        yield (
            f"every passage of the corpus ({len(passages)}) is restricted, and no test item says who asks: retrieval "
            "finds nothing. Name the column of who asks by 'user', or leave out the readers of what everybody may read."
        )


def label_notes(task: TaskConfig, labels: tuple[str, ...], splits: Splits, train: Sequence[Example]) -> Iterator[str]:
    """Name the labels that look like another or like a missing cell, and those without an example in a split.

    Say where the suite's first metric favours the commonest label; `train` are the training items before any limit.
    """
    if (
        task.kind == "classification"
        and task.all_metrics[0] == "accuracy"
        and task.metrics
        and is_uneven(train, labels)
    ):
        yield f"labels are uneven, and accuracy favours the commonest: put {BALANCED_METRIC!r} first in 'metrics'."
    for first, second in list(alike_labels(labels))[:MOST_ALIKE]:
        yield (
            f"labels {first!r} and {second!r} differ only in {difference(first, second)} and count as two: write one "
            "form in the file if they mean the same."
        )
    for label in labels:
        if label.casefold() == "nan":
            yield f"label {label!r} looks like a missing cell that was written as text: leave such cells empty."
    for name in ("test",) if task.role == "probe" else ("train", "test"):
        present = {e.references[0] for e in getattr(splits, name)}
        missing = [label for label in labels if label not in present]
        if missing:
            yield f"the {name} split has no example of {', '.join(map(repr, missing[:5]))}" + (
                f" and {len(missing) - 5} more labels." if len(missing) > 5 else "."
            )
