"""Workloads of steps that read a whole corpus: writing questions from it, and reading it as a prefix of all prompts."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.api.architecture import Footprint
from harness.forecast.memory import ForwardPass
from harness.forecast.token_lengths import TokenLengths
from harness.forecast.workload import PromptShape, Workload, answering_workload

KEPT_SHARE = 0.2
"""Share of written questions that are usable: of SmolLM2-135M on ten passages of SQuAD (2026-11-28)."""
_REWORDED_TOKENS = 200.0
"""Tokens of the two texts and their paraphrases that are shown."""


def written_questions(footprint: Footprint, passages: int) -> float:
    """Return the number of questions that a step is expected to keep of those that it writes."""
    return KEPT_SHARE * footprint.written_questions * min(passages, footprint.written_passages or passages)


def learned_items(items: float, earlier: Iterable[Footprint], passages: int) -> int:
    """Return the training items after steps that write some."""
    for footprint in earlier:
        if footprint.written_questions:
            items = (0 if footprint.replaces_training else items) + written_questions(footprint, passages)
    return math.ceil(items)


def writing_workloads(lengths: TokenLengths, passages: int, footprint: Footprint) -> list[Workload]:
    """Predict writing questions and paraphrases, by a model like the one that is adapted."""
    read = min(passages, footprint.written_passages or passages)
    shown = footprint.demonstrations * (lengths.passage + lengths.learned + lengths.answer)
    answers = min(float(footprint.written_tokens), lengths.learned + lengths.answer or footprint.written_tokens)
    questions = _prompts(lengths, lengths.shared + shown, float(footprint.written_tokens), answers)
    paraphrases = _prompts(lengths, lengths.shared + _REWORDED_TOKENS, 1.5 * lengths.passage, lengths.passage)
    return [
        answering_workload(questions, read * footprint.written_questions),
        answering_workload(paraphrases, read * footprint.paraphrases),
    ]


def prefix_workload(prompts: PromptShape) -> Workload:
    """Predict reading what all prompts begin with, once."""
    tokens = prompts.prefix_tokens
    return Workload(
        tokens=tokens,
        row_tokens=tokens,
        largest_pass=ForwardPass(math.ceil(tokens), 0),
        peak_cache_tokens=tokens,
        mean_cache_tokens=tokens,
        distinct_lengths=1.0,
        input_tokens=tokens,
    )


def _prompts(lengths: TokenLengths, prefix: float, longest: float, mean: float) -> PromptShape:
    return PromptShape(
        prefix_tokens=prefix,
        suffix_tokens=lengths.passage,
        longest_suffix_tokens=float(lengths.passage_longest),
        choice_tokens=0.0,
        choice_count=0.0,
        max_new_tokens=longest,
        mean_new_tokens=mean,
        suffix_sd=lengths.passage_sd,
    )
