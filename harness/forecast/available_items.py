"""Numbers of a step that cannot exceed what its task has: exemplars, passages, distractors."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.api.architecture import Footprint
from harness.data.prepare import PreparedTask


def capped(footprint: Footprint, task: PreparedTask, train_items: int) -> Footprint:
    """Return the footprint with no more exemplars than training items, and no more passages than the corpus has.

    Args:
        footprint: of a step, as its parameters ask.
        task: that it is applied to.
        train_items: of the trial.
    """
    corpus = task.task_data.corpus
    pieces = len(corpus)
    if footprint.passage_words:
        pieces = sum(max(1, math.ceil(len(passage.text.split()) / footprint.passage_words)) for passage in corpus)
    return replace(
        footprint,
        exemplars=min(footprint.exemplars, train_items),
        passages=min(footprint.passages, pieces),
        training_passages=min(footprint.training_passages, pieces),
        reranked_passages=min(footprint.reranked_passages, pieces),
    )
