"""Whether a model's context window holds a whole corpus, before anything but its tokenizer is loaded."""

from __future__ import annotations

from functools import cache as remembered

from harness.data import cache
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.models import registry
from harness.models.registry import ModelReference
from harness.models.tokenizer import ModelTokenizer, open_tokenizer
from harness.retrieval.whole_corpus import needed_window


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


@remembered
def _tokenizer(reference: str, backend: str) -> ModelTokenizer | None:
    folder = registry.present(reference, cache.root(), by=backend)
    try:
        return open_tokenizer(folder, reference, cache.root()) if folder else None
    except HarnessError:  # whoever loads the model says so
        return None
