"""Successive halving: find the best of several systems with few prompts, on items with reference answers.

Jamieson and Talwalkar 2016, arXiv:1502.07943: all answer a few items, the better half some more, until one is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, log2

from harness.api import Example, System
from harness.metrics import Items, get
from harness.predict.answering import Prediction, predict
from harness.predict.label_calibration import reread
from harness.predict.prediction_rows import build_rows

MIN_ITEMS = 8
"""Least new items of a round; with fewer, chance would decide, so fewer candidates are tried."""


@dataclass
class ScoredCandidate:
    """A candidate and its predictions so far, by which its labels are calibrated.

    Attributes:
        train: training items, whose labels give the shares of the labels.
    """

    system: System
    train: Sequence[Example] = ()
    examples: list[Example] = field(default_factory=list[Example])
    predictions: list[Prediction] = field(default_factory=list[Prediction])

    def evaluate(self, examples: Sequence[Example]) -> int:
        """Predict some more items; return the tokens read and written."""
        predictions = predict(self.system, [example.query for example in examples])
        self.examples += examples
        self.predictions += predictions
        return sum(prediction.raw.prompt_tokens + prediction.raw.output_tokens for prediction in predictions)

    def score(self, metric: str) -> float:
        """Return a metric over the items so far, its sign changed where lower is better."""
        task = self.system.task
        rows = build_rows(task, self.examples, reread(self.predictions, self.train, task, self.examples))
        definition = get(metric)
        value = definition.value(Items.from_rows(rows, task.choices))
        if value is None:
            return float("-inf")
        return value if definition.higher_is_better else -value


@dataclass(frozen=True)
class RoundScore:
    """One candidate's score after one round.

    Attributes:
        step: prompts so far, of all candidates.
        candidate: its index, 0 for the present system.
        items: that it has answered so far.
        score: on those; higher is better.
    """

    step: int
    round: int
    candidate: int
    items: int
    score: float


def affordable_candidates(candidates: int, budget: int) -> int:
    """Return how many of the candidates a budget of prompts is enough for: at least one."""
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
    """Return the best of the candidates; ties go to the earlier one.

    The present system stays to the last round, so the returned system is never worse on the items than it.

    Args:
        candidates: the present system and its challengers.
        items: in the order in which they are used.
        metric: name of the metric that ranks the candidates.
        budget: the most prompts.
        observe: called for each candidate of each round with its score and the tokens that it took.
    """
    present, remaining = candidates[0], list(range(1, len(candidates)))
    rounds, prompt_count, start = _rounds(len(remaining)), 0, 0
    for round_index in range(rounds):
        share = min(_share(len(remaining), len(candidates) - 1, budget), len(items) - start)
        for index in (0, *remaining):
            tokens = candidates[index].evaluate(items[start : start + share]) if share > 0 else 0
            prompt_count += max(share, 0)
            score = candidates[index].score(metric)
            observe(RoundScore(prompt_count, round_index + 1, index, start + share, score), tokens)
        start += share
        ranked = sorted(remaining, key=lambda index: -candidates[index].score(metric))
        remaining = ranked[: max(1, ceil(len(ranked) / 2))]
    best = candidates[remaining[0]] if remaining else present
    return best if best.score(metric) > present.score(metric) else present


def _rounds(challengers: int) -> int:
    return max(1, ceil(log2(challengers))) if challengers else 1


def _share(remaining: int, challengers: int, budget: int) -> int:
    """Return the new items of each candidate in a round; rounds cost the same, with the present system's prompts."""
    return budget // _rounds(challengers) // (remaining + 1)
