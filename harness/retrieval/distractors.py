"""Passages to train on: the right one among wrong ones, or wrong ones alone (RAFT).

Zhang et al. 2024, arXiv:2403.10131.

A reader that always finds the answer in what it is shown learns to trust it; one that is shown wrong passages too
learns which to take, and where none is right, to answer by what it knows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.api import Example, Passage
from harness.metrics.recall import citations

_SPARE = 8
"""Passages searched beyond those shown: some of them hold the answer, and are no distractors."""


@dataclass(frozen=True)
class Distractors:
    """How many wrong passages stand beside the right one, and how often it is missing.

    Attributes:
        count: wrong passages; where the right one is missing, one more, so that all prompts have as many.
        evidence_share: share of the examples whose right passage is shown, in [0, 1] (their P).
        seed: with an example's id, decides whether it is missing and in which order passages stand.
    """

    count: int
    evidence_share: float
    seed: int

    @property
    def depth(self) -> int:
        """Passages to search for each example."""
        return self.count + 1 + _SPARE

    def arrange(self, example: Example, evidence: Sequence[Passage], ranked: Sequence[Passage]) -> tuple[Passage, ...]:
        """Return the passages of one example, in random order.

        The right passage is the evidence, the best-ranked where there are several; where the evidence is not known, the
        best-ranked passage that the answer stands in, else the best-ranked. The wrong ones are those ranked next, as
        they mislead most. None of them is evidence or has a reference answer in it, word for word.

        Args:
            example: to learn.
            evidence: passages that hold the answer; empty: not known.
            ranked: passages found for the query, best first, all readable by its user.
        """
        user = example.query.user
        answering_ids = {name for answer in example.references for name in citations(answer, ranked)}
        ranks = {passage.id: rank for rank, passage in enumerate(ranked)}
        readable = sorted(
            (passage for passage in evidence if passage.readable_by(user)),
            key=lambda passage: ranks.get(passage.id, len(ranks)),
        )
        answering = [passage for passage in ranked if passage.id in answering_ids]
        right = (readable if evidence else (answering or ranked))[:1]
        excluded_ids = {*answering_ids, *(passage.id for passage in (*evidence, *right))}
        wrong = [passage for passage in ranked if passage.id not in excluded_ids]
        generator = random.Random(f"{self.seed} {example.query.id}")
        if generator.random() >= self.evidence_share and len(wrong) > self.count:
            right = []
        passages = [*right, *wrong[: self.count + 1 - len(right)]]
        generator.shuffle(passages)
        return tuple(passages)
