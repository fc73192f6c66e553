"""Training material that a step hands on to later ones, without rows that are nearly like a test item.

A step sees no test item, so it cannot know that a question it wrote or drew is one of the test. The trial can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.api import Example, TaskData
from harness.data.leaks import find_leaks
from harness.records.measurements import SyntheticRows


@dataclass(frozen=True)
class Handover:
    """Material for the later steps, and what a record keeps of it.

    Attributes:
        rows: `SyntheticRows.counts` is the step's to tell.
    """

    task_data: TaskData
    rows: SyntheticRows


def hand_on(material: TaskData, before: TaskData, test: Sequence[Example]) -> Handover:
    """Return the material of before with the training items and paraphrases of a step, those like the test left out.

    Rows that were there before stay: what they share with the test split is the data set's, and the task warns of it.

    Args:
        material: what the step handed on.
        before: what the step was given.
        test: the items that the system will be asked.
    """
    earlier = set(before.train)
    additions = [example for example in material.train if example not in earlier]
    leaked = {leak.test_id for leak in find_leaks(test, additions)}
    affected = tuple(sorted(leak.test_id for leak in find_leaks(additions, test)))
    train = tuple(example for example in material.train if example in earlier or example.query.id not in leaked)
    written = [example for example in train if example.teacher]
    rows = SyntheticRows(
        teachers=tuple(sorted({example.teacher for example in written})),
        learned=len(train),
        synthetic=len(written),
        near_test=len(leaked),
        affected=affected,
    )
    content_hash = _hash(before.hash, train, material, test)
    task_data = replace(before, train=train, paraphrases=material.paraphrases, hash=content_hash)
    return Handover(task_data, rows)


def merge(earlier: SyntheticRows | None, rows: SyntheticRows, counts: dict[str, int]) -> SyntheticRows:
    """Add what a further step handed on: its numbers of items are those that count."""
    if earlier is None:
        return rows.model_copy(update={"counts": counts})
    names = dict.fromkeys([*earlier.counts, *counts])
    return rows.model_copy(
        update={
            "counts": {name: earlier.counts.get(name, 0) + counts.get(name, 0) for name in names},
            "near_test": earlier.near_test + rows.near_test,
            "affected": tuple(sorted({*earlier.affected, *rows.affected})),
        }
    )


def _hash(before: str, train: Sequence[Example], material: TaskData, test: Sequence[Example]) -> str:
    """Identify the material for artifacts: the rows as they are, and the test items that they were held against."""
    learned = [[e.query.id, e.query.text, e.references, e.evidence, e.readers] for e in train]
    passages = [[passage.id, passage.text] for passage in material.paraphrases]
    asked = [[e.query.id, e.query.text] for e in test]
    return hashlib.sha256(json.dumps([before, learned, passages, asked]).encode()).hexdigest()
