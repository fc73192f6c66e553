"""Scores choices with a local model: all of them, or of many those that may be the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from harness.api import Answer, ProgressCallback, Prompt
from harness.decoding import label_search, prefix_sharing
from harness.decoding.finite import require_finite
from harness.decoding.packed_rows import ANY_END, Branch
from harness.decoding.timing import PassTimer
from harness.prompts import layout

if TYPE_CHECKING:  # the model calls this module
    from harness.models.local_model import LocalModel


def score_all(
    model: LocalModel, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], progress: ProgressCallback | None
) -> list[Answer]:
    """Score all choices of each prompt: `LocalModel.score_choices`."""
    if not prompts:
        return []
    rendered, branches = _branches(model, prompts, choices)
    timer = PassTimer(len(rendered), model.module.device, progress)
    scores = prefix_sharing.score_branches(
        model.module,
        branches,
        model.row_tokens if model.supports_packing else None,
        timer,
        sorted(model.scored_ends(prompts[0].task)),
        prefix_cache=model.prefix_cache,
    )
    require_finite(chain.from_iterable(scores), f"the choices of {prompts[0].task.name!r}")
    tokens = [sum(map(len, prompt.answers)) for prompt in rendered]
    return _answers(rendered, [tuple(choice_scores) for choice_scores in scores], tokens, timer)


def score_best(
    model: LocalModel,
    prompts: Sequence[Prompt],
    choices: Sequence[Sequence[str]],
    shift: Sequence[float],
    progress: ProgressCallback | None,
) -> list[Answer]:
    """Score the choices that may have the highest score less its shift: `LocalModel.best_choices`."""
    if not prompts:
        return []
    rendered, branches = _branches(model, prompts, choices)
    timer = PassTimer(len(rendered), model.module.device, progress)
    labels = label_search.search_labels(
        model.module,
        branches,
        shift,
        model.row_tokens,
        ends=sorted(model.scored_ends(prompts[0].task)),
        timer=timer,
        prefix_cache=model.prefix_cache,
    )
    known = (score for read in labels for score in read.scores if score > -math.inf or math.isnan(score))
    require_finite(known, f"the choices of {prompts[0].task.name!r}")
    return _answers(rendered, [read.scores for read in labels], [read.tokens for read in labels], timer)


def _branches(
    model: LocalModel, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]]
) -> tuple[list[layout.RenderedPrompt], list[Branch]]:
    """Render prompts with their choices, each with any end."""
    rendered = model.render_answered(prompts, choices, ANY_END)
    return rendered, [Branch(prompt.tokens, prompt.answers) for prompt in rendered]


def _answers(
    rendered: Sequence[layout.RenderedPrompt],
    scores: Sequence[tuple[float, ...]],
    tokens: Sequence[int],
    timer: PassTimer,
) -> list[Answer]:
    """Return the scores of each prompt's choices as answers; `tokens` were read of the choices."""
    return [
        Answer(
            prompt.text,
            "",
            choice_scores,
            prompt_tokens=len(prompt.tokens),
            output_tokens=choice_tokens,
            dropped_passages=prompt.dropped_passages,
            prefill_s=prefill_s,
            decode_s=0.0,
            decode_tokens=0,
        )
        for prompt, choice_scores, choice_tokens, prefill_s in zip(
            rendered, scores, tokens, timer.prefill_s, strict=True
        )
    ]
