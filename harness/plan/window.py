"""Whether a model's context window holds items and a whole corpus, before anything but its tokenizer is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache as remembered
from typing import TYPE_CHECKING

from harness.data import cache
from harness.data.long_items import long_items, long_note, suspects_of
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.models import registry
from harness.models.registry import ModelReference
from harness.retrieval.whole_corpus import needed_window

if TYPE_CHECKING:
    from harness.models.tokenizer import ModelTokenizer


def shortage(task: PreparedTask, model: ModelReference) -> str | None:
    """Say which window the corpus needs with the longest question and answer, where the model's is shorter.

    None where it is long enough, or the model is not on this machine yet: the step itself then refuses.
    """
    counter = _tokenizer(model.reference, model.backend)
    if counter is None or counter.context_tokens is None:
        return None
    data = task.task_data
    queries = [example.query for example in (*task.test, *data.train, *data.validation)]
    needed = needed_window(data.task, data.corpus, queries, counter.tokenizer)
    if needed <= counter.context_tokens:
        return None
    return (
        f"needs a window of {needed:,} tokens for the corpus of task {task.info.name!r}, its longest question and an "
        f"answer; {model.name!r} has {counter.context_tokens:,}"
    )


@dataclass(frozen=True)
class LongItems:
    """Items of a task that are too long for a model.

    Attributes:
        notes: a sentence for each split that has some.
        skip: why the model cannot be measured on the task: too many test items are too long; None: it can.
    """

    notes: tuple[str, ...] = ()
    skip: str | None = None


def too_long(task: PreparedTask, model: ModelReference, share: float) -> LongItems:
    """Find the items of a task that do not fit a model's window.

    Args:
        task: read and split.
        model: whose tokenizer counts; nothing is known of one that is not on this machine.
        share: of the test items that may be too long: at least one, unless it is 0.

    Raises:
        HarnessError: the share is 0, and an item is too long.
    """
    data = task.task_data
    splits = {"training": data.train, "validation": data.validation, "test": task.test}
    positions = _positions(model.reference, model.backend)
    suspects = [item for split in splits.values() for item in suspects_of(split, data.task, positions)]
    counter = _tokenizer(model.reference, model.backend) if suspects else None
    if counter is None:
        return LongItems()
    over = {name: items for name, split in splits.items() if (items := long_items(split, data.task, counter))}
    notes = [long_note(name, items, repr(model.name), counter.context_tokens) for name, items in over.items()]
    if notes and not share:
        raise HarnessError(f"task {task.info.name!r}: {notes[0]}")
    number, limit = len(over.get("test", ())), max(1, int(share * len(task.test)))
    if number > limit or number == len(task.test):
        return LongItems(skip=f"task {task.info.name!r}: {notes[-1]} max_bad_rows = {share:g} lets {limit} be too long")
    return LongItems(tuple(notes))


@remembered
def _positions(reference: str, backend: str) -> int | None:
    """Return the window by a model's configuration alone, which is read in an instant; None: unknown."""
    folder = registry.present(reference, cache.root(), by=backend)
    try:
        settings = json.loads((folder / "config.json").read_bytes()) if folder else {}
    except (OSError, ValueError, RecursionError):
        return None
    positions = settings.get("max_position_embeddings") if isinstance(settings, dict) else None
    return positions if isinstance(positions, int) else None


@remembered
def _tokenizer(reference: str, backend: str) -> ModelTokenizer | None:
    folder = registry.present(reference, cache.root(), by=backend)
    if folder is None:
        return None
    from harness.models.tokenizer import open_tokenizer  # noqa: PLC0415 - transformers, for a model that is here only

    try:
        return open_tokenizer(folder, reference, cache.root())
    except HarnessError:  # whoever loads the model says so
        return None
