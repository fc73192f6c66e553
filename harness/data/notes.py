"""What a reader must know of a task's items, a sentence each: leaks, and labels without examples."""

from collections.abc import Iterator

from harness.data.leaks import Leak
from harness.data.schema import TaskConfig
from harness.data.splits import Splits


def leak_notes(leaks: tuple[Leak, ...], tests: int) -> Iterator[str]:
    """Say how many of the test items training has seen."""
    exact = [leak for leak in leaks if leak.exact]
    near = [leak for leak in leaks if not leak.exact]
    one = ("1 test item is in the training data too", "1 test item is a near-duplicate of a training item")
    many = ("test items are in the training data too", "test items are near-duplicates of training items")
    for found, single, plural in zip((exact, near), one, many, strict=True):
        if found:
            yield (
                f"{single if len(found) == 1 else f'{len(found)} {plural}'} ({len(found) / tests:.1%} of {tests}): "
                f"for example {found[0].test_id} and {found[0].train_id} (similarity {found[0].similarity:.2f})."
            )


def label_notes(task: TaskConfig, labels: tuple[str, ...], splits: Splits) -> Iterator[str]:
    """Name the labels that a split has no example of."""
    for name in ("test",) if task.role == "probe" else ("train", "test"):
        held = {e.references[0] for e in getattr(splits, name)}
        missing = [label for label in labels if label not in held]
        if missing:
            yield f"the {name} split has no example of {', '.join(map(repr, missing[:5]))}" + (
                f" and {len(missing) - 5} more labels." if len(missing) > 5 else "."
            )
