"""Finding the best of several systems with few questions: successive halving on items whose answers are known.

Jamieson and Talwalkar 2016, arXiv:1502.07943: all are asked a few items, the better half some more, until one is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, log2

from harness.api import Example, System
from harness.metrics import Items, get
from harness.predict.answering import Prediction, most_likely, predict
from harness.predict.prediction_rows import build_rows
from harness.prompts.label_prior import batch_prior

MIN_ITEMS = 8
"""Fewer new items in a round would throw candidates away by chance: then fewer candidates are tried."""


@dataclass
class ScoredCandidate:
    """A candidate and what it has been asked so far. Labels are calibrated by its own answers, which costs nothing.

    Attributes:
        bare: the system without a prior.
    """

    system: System
    examples: list[Example] = field(default_factory=list[Example])
    predictions: list[Prediction] = field(default_factory=list[Prediction])

    def evaluate(self, examples: Sequence[Example]) -> int:
        """Ask some more items; return the tokens that this took."""
        predictions = predict(self.system, [example.query for example in examples])
        self.examples += examples
        self.predictions += predictions
        return sum(prediction.raw.prompt_tokens + prediction.raw.output_tokens for prediction in predictions)

    @property
    def prior(self) -> tuple[float, ...]:
        """What each label gets on average over the items asked; empty where none was scored, or after a vote."""
        scores = [prediction.raw.choice_scores for prediction in self.predictions]
        if not (self.system.task.choices and all(scores)) or any(
            prediction.raw.votes for prediction in self.predictions
        ):
            return ()
        return batch_prior(scores)

    def score(self, metric: str) -> float:
        """Return a metric over the items asked, turned so that more is better."""
        task, prior = self.system.task, self.prior
        rows = build_rows(task, self.examples, self.predictions)
        if prior:
            rows = [
                row.model_copy(update={"answer": most_likely(row.choice_scores, row.choices, task.kind, prior)})
                for row in rows
            ]
        measured = get(metric)
        value = measured.value(Items.from_rows(rows, task.choices))
        if value is None:
            return float("-inf")
        return value if measured.higher_is_better else -value


@dataclass(frozen=True)
class RoundScore:
    """What came out of one round for one candidate.

    Attributes:
        step: prompts asked so far, of all candidates.
        candidate: its place, 0 for the present system.
        items: that it was asked so far.
        score: on those, more is better.
    """

    step: int
    round: int
    candidate: int
    items: int
    score: float


def affordable_candidates(candidates: int, budget: int) -> int:
    """Return how many challengers a budget of prompts is enough for: at least one."""
    while candidates > 1 and _share(candidates, candidates, budget) < MIN_ITEMS:
        candidates -= 1
    return candidates


def halve(
    candidates: Sequence[ScoredCandidate],
    items: Sequence[Example],
    metric: str,
    budget: int,
    observe: Callable[[RoundScore, int], None],
) -> ScoredCandidate:
    """Return the best of the candidates.

    The first one is the present system: it stays to the end, so that what is returned is never worse than it on the
    items asked. Of equal ones the earlier wins.

    Args:
        candidates: the present system and its challengers.
        items: asked in this order.
        metric: that they are judged by.
        budget: prompts asked, at most.
        observe: called after each candidate of each round with what came out and the tokens that it took.
    """
    present, alive = candidates[0], list(range(1, len(candidates)))
    rounds, prompts_asked, start = _rounds(len(alive)), 0, 0
    for turn in range(rounds):
        share = min(_share(len(alive), len(candidates) - 1, budget), len(items) - start)
        for index in (0, *alive):
            spent = candidates[index].evaluate(items[start : start + share]) if share > 0 else 0
            prompts_asked += max(share, 0)
            observe(RoundScore(prompts_asked, turn + 1, index, start + share, candidates[index].score(metric)), spent)
        start += share
        ranked = sorted(alive, key=lambda index: -candidates[index].score(metric))
        alive = ranked[: max(1, ceil(len(ranked) / 2))]
    best = candidates[alive[0]] if alive else present
    return best if best.score(metric) > present.score(metric) else present


def _rounds(challengers: int) -> int:
    return max(1, ceil(log2(challengers))) if challengers else 1


def _share(alive: int, challengers: int, budget: int) -> int:
    """Return the new items of each candidate in a round: rounds cost the same, and the present system is asked too."""
    return budget // _rounds(challengers) // (alive + 1)
