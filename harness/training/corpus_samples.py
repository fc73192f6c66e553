"""Continued pretraining: next-token samples over the passages of a corpus, and the loop over them.

Short passages share a row of a forward pass, each behind a mask of its own, so that none is read as the context of
another (as in SmolLM's and Llama 3's pretraining: Dubey et al. 2024, arXiv:2407.21783, section 3.2).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.api import Context, Passage, Prompt, System, Task, TaskData
from harness.decoding.packed_rows import Tokens
from harness.models.local_model import LocalModel, require_local
from harness.prompts import control_tokens, layout
from harness.training import supervised
from harness.training.batches import TrainingSample
from harness.training.progress import monitor_tasks
from harness.training.settings import SupervisedSettings
from harness.training.validation import ValidationSet

VALIDATION_SAMPLES = 48
"""Samples of the corpus whose loss is evaluated while training."""
BLANK = Prompt(Task("corpus", "language_modelling", form="bare"), "")
"""The prompt before a text that nothing precedes."""


def build_passage_samples(
    model: LocalModel, passages: Sequence[Passage], row_tokens: int, *, ends: bool = True
) -> list[TrainingSample]:
    """Return passages as samples whose every token is learned, in the form in which prompts show them.

    A passage longer than `row_tokens`, or than the context window, is cut; the last token of a piece begins the next.

    Args:
        model: its tokenizer, window and start token.
        passages: with a title or without.
        row_tokens: of a sample, at most.
        ends: whether the token that ends a text is learned behind each passage.
    """
    start, end = start_tokens(model), model.tokenizer.eos_token_id
    length = max(1, min(row_tokens, model.info.context_tokens or row_tokens) - len(start))
    samples: list[TrainingSample] = []
    for text in passage_texts(passages):
        tokens = encode_text(model, text) + ([end] if ends and end is not None else [])
        prompt = start
        for index in range(0, len(tokens), length):
            piece = tokens[index : index + length]
            samples.append(TrainingSample(prompt, piece))
            prompt = piece[-1:]
    return samples


def passage_texts(passages: Sequence[Passage]) -> list[str]:
    """Return passages as they stand in prompts: title and text."""
    return layout.passage_blocks(replace(BLANK, passages=tuple(passages)))


def start_tokens(model: LocalModel) -> Tokens:
    """Return the tokens in front of a text that nothing precedes; never none."""
    return model.render_prompts([BLANK], 0)[0].tokens


def encode_text(model: LocalModel, text: str) -> Tokens:
    """Tokenize a text of the data: its control tokens stay text."""
    return control_tokens.encode(control_tokens.mark_text(text, model.tokenizer), model.tokenizer)


def fit_corpus(
    system: System, task: TaskData, passages: Sequence[Passage], settings: SupervisedSettings, context: Context
) -> None:
    """Train a system's model on passages, in place.

    The corpus is to be memorised (Ovadia et al. 2024, arXiv:2312.05934), so no passage is held out: what would be held
    out could not be asked about. The loss that stops the training and picks its weights is that of a fixed sample of
    the corpus itself, without dropout. It is logged as ``corpus_loss``, as it says nothing about texts not seen.

    Args:
        system: its model's parameters that require a gradient are changed; it asks the validation items watched.
        task: names the items that are watched.
        passages: to learn, at least one.
        settings: how to train.
        context: takes the training curves and the number of tokens read.

    Raises:
        HarnessError: training diverged.
    """
    model = require_local(system.model)
    samples = build_passage_samples(model, passages, settings.row_tokens)
    sample = random.Random(0).sample(samples, min(VALIDATION_SAMPLES, len(samples)))
    validation = ValidationSet(sample, monitor_tasks(system, task, settings.watch_items))

    def log(point: Mapping[str, float]) -> None:
        context.log({"corpus_loss" if name == "validation_loss" else name: point[name] for name in point})

    packs = model.supports_packing
    supervised.train(model.module, samples, settings, replace(context, log=log), validation, packs=packs)
