"""From a task's examples to training samples: the same prompts that the system will be asked with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.api import Example, System
from harness.training.batches import Sample


def samples(system: System, examples: Sequence[Example]) -> list[Sample]:
    """Lay examples out as the system asks them, retrieval and exemplars included, with the answer to be learned.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = system.model
    prompts = system.prompts([example.query for example in examples])
    end = [model.tokenizer.eos_token_id]
    answers = [model.answer_tokens(p, e.references[0]) + end for p, e in zip(prompts, examples, strict=True)]
    laid = model.lay_out(prompts, max(map(len, answers), default=0))
    return [Sample(prompt.tokens, answer) for prompt, answer in zip(laid, answers, strict=True)]
