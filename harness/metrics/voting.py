"""Majority vote over sampled answers: self-consistency (Wang et al. 2023, arXiv:2203.11171)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.api import Kind
from harness.metrics.text_answers import normalise


def winner(kind: Kind, answers: Sequence[str | None], support: Sequence[Mapping[str, float]] = ()) -> int:
    """Return the index of the first sample whose answer has the most votes.

    Free answers are equal if they are after normalising. A sample without an answer has no vote. Ties go to the answer
    with the highest support in sum, then to the first.

    Args:
        kind: of the task.
        answers: of each sample, at least one; None where none could be read.
        support: how strongly each sample speaks for each choice, e.g. its log-likelihood; empty: nothing was scored.
    """
    free = kind in ("qa", "generation")
    ballots = [answer if answer is None or not free else normalise(answer) for answer in answers]
    cast = list(dict.fromkeys(ballot for ballot in ballots if ballot is not None))
    if not cast:
        return 0
    backing = {ballot: sum(choice_scores.get(ballot, 0.0) for choice_scores in support) for ballot in cast}
    best = max(cast, key=lambda ballot: (ballots.count(ballot), backing[ballot]))
    return ballots.index(best)
