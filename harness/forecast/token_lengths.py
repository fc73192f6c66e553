"""Token counts of a task's prompts, answers and passages, by the model's own tokenizer; kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.api import Example, Prompt, Task
from harness.data import content_hash
from harness.data.cache import recall, remember
from harness.data.prepare import PreparedTask
from harness.prompts import layout
from harness.records.measurements import StoredModel

if TYPE_CHECKING:
    from harness.models.tokenizer import ModelTokenizer

_PASSAGES = 200
"""Passages in the sample, evenly spaced; their mean stands for all."""


class TokenLengths(StoredModel):
    """Token counts of a task's texts for one model; means, unless they say otherwise. The cache holds these fields.

    Attributes:
        shared: the prefix that all prompts have in common.
        asked: of a test prompt after the prefix; asked_longest: of the longest one.
        asked_sd: standard deviation of test prompts; learned_sd: of training prompts.
        learned: of a training prompt after the prefix; learned_longest: of the longest one, its answer included.
        answer: of a training answer, the end of the turn included.
        choices: of all choices of an item together, their ends included; choice_count: number of choices. 0 where none
            are scored.
        passage: of a passage of the corpus, 0 without one; passage_sd: standard deviation; passage_longest: of the
            longest one in the sample.
        corpus: of all passages together.
    """

    shared: float
    asked: float
    asked_longest: int
    learned: float
    learned_longest: int
    answer: float
    choices: float
    choice_count: float
    passage: float
    asked_sd: float
    learned_sd: float
    passage_sd: float
    passage_longest: int
    corpus: float


def task_token_lengths(task: PreparedTask, folder: Path, name: str, cache: Path) -> TokenLengths:
    """Count a task's tokens, or read the counts from the cache.

    Args:
        task: read and split.
        folder: of the model, as it is loaded from.
        name: of the model.
        cache: its subfolder `lengths` holds the counts.

    Raises:
        HarnessError: the tokenizer cannot be read.
    """
    stamps = [
        [path.name, content_hash.file_hash(path)]
        for path in sorted({*folder.glob("*token*"), *folder.glob("*template*")})
        if path.is_file()
    ]
    parts = [str(folder), stamps, task.info.data_hash, asdict(task.task_data.task)]
    file = cache / "lengths" / f"{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]}.json"
    try:
        return TokenLengths.model_validate_json(recall(file) or "")
    except ValidationError:  # never counted, damaged, or by another version
        from harness.models.tokenizer import open_tokenizer  # noqa: PLC0415 - transformers, for a model that is here only

        lengths = _count(task, open_tokenizer(folder, name, cache))
    remember(file, lengths.model_dump_json())
    return lengths


def sample_passages(task: PreparedTask) -> list[str]:
    """Sample passages of a task's corpus, evenly spaced, as they are embedded."""
    corpus = task.task_data.corpus
    step = max(1, len(corpus) // _PASSAGES)
    return [f"{passage.title}: {passage.text}" if passage.title else passage.text for passage in corpus[::step]]


def _count(task: PreparedTask, counter: ModelTokenizer) -> TokenLengths:
    definition, train = task.task_data.task, task.task_data.train
    test_prompts, train_prompts = _prompts(definition, task.test), _prompts(definition, train)
    prompts = (*test_prompts, *train_prompts)
    texts = [layout.render_text(prompt, counter.tokenizer) for prompt in prompts]
    counts = counter.count_prompts(prompts)
    shared = len(counter.tokenizer(_common_prefix(texts), add_special_tokens=False)["input_ids"]) if texts else 0
    test_counts, train_counts = counts[: len(test_prompts)], counts[len(test_prompts) :]
    blank = Prompt(definition, "")
    answers = counter.count_answers(blank, [example.references[0] for example in train])
    scored = "choices" in task.task_data.provides and task.info.kind != "multi_label"
    groups = [example.query.choices or definition.choices for example in task.test] if scored else []
    choices = counter.count_answers(blank, [choice for group in groups for choice in group])
    texts = sample_passages(task)
    passages = [len(ids) for ids in counter.tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []
    return TokenLengths(
        shared=shared,
        asked=_mean(test_counts) - shared,
        asked_longest=max(test_counts, default=shared) - shared,
        learned=max(0.0, _mean(train_counts) - shared),
        learned_longest=max((p + a for p, a in zip(train_counts, answers, strict=True)), default=shared) - shared,
        answer=_mean(answers),
        choices=sum(choices) / len(groups) if groups else 0.0,
        choice_count=len(choices) / len(groups) if groups else 0.0,
        passage=_mean(passages),
        asked_sd=pstdev(test_counts or (0,)),
        learned_sd=pstdev(train_counts or (0,)),
        passage_sd=pstdev(passages or (0,)),
        passage_longest=max(passages, default=0),
        corpus=_mean(passages) * len(task.task_data.corpus),
    )


def _prompts(task: Task, examples: Sequence[Example]) -> list[Prompt]:
    return [Prompt(task, example.query.input, history=example.query.history) for example in examples]


def _common_prefix(texts: Sequence[str]) -> str:
    """Return the longest common prefix of all texts."""
    first, last = min(texts), max(texts)
    length = next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def _mean(counts: Sequence[float]) -> float:
    return fmean(counts) if counts else 0.0
