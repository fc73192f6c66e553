"""Says how few items a small table leaves to test, and what strategies without training could be asked."""

from collections.abc import Iterator, Mapping

from harness.data.schema import TaskConfig

FEW_TESTS = 50
"""Test items with which two strategies must differ by 20 points to be told apart in 80 % of runs."""


def few_test_notes(task: TaskConfig, sizes: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence where one table is divided and few of its items are tested.

    Args:
        task: a target or a probe; tables that are divided already are left as they are.
        sizes: items of each split.
    """
    tests, others = sizes["test"], sizes["train"] + sizes["validation"]
    if task.role != "target" or not task.data or task.split or tests >= FEW_TESTS or not others:
        return
    total = tests + others
    yield (
        f"only {tests} of {total} items are tested, as the others are to learn from. Strategies that need no training "
        "can be asked all of them: copy the suite under another name, with "
        f"sizes = {{ train = 0, validation = 0, test = {total} }}."
    )
