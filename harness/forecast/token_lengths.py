"""How many tokens a task's prompts, answers and passages have, counted with the model's own tokenizer and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from pydantic import ValidationError

from harness.api import Example, Prompt, Task
from harness.data.prepare import PreparedTask
from harness.models import tokenizer
from harness.prompts import layout
from harness.records.measurements import StoredModel

_PASSAGES = 200
"""Passages that are counted, evenly spaced; their mean stands for all."""


class TokenLengths(StoredModel):
    """Tokens of a task as one model is sent it; means, unless they say otherwise.

    Attributes:
        shared: what all prompts begin with alike.
        asked: of a test prompt behind that; asked_longest: of the longest one.
        asked_sd: standard deviation of test prompts; learned_sd: of training prompts.
        learned: of a training prompt behind that; learned_longest: of the longest one, its answer included.
        answer: of a training answer, the end of the turn included.
        choices: of all choices of an item together; choice_count: how many there are. 0 where none are scored.
        passage: of a passage of the corpus; 0 where there is none. passage_sd: their standard deviation;
            passage_longest: of the longest one that was counted.
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


def lengths(task: PreparedTask, folder: Path, name: str, cache: Path) -> TokenLengths:
    """Count a task's tokens, or take up what was counted before.

    Args:
        task: read and split.
        folder: of the model, as it is loaded from.
        name: what the model is called.
        cache: where counts are kept, under `lengths`.

    Raises:
        HarnessError: the tokenizer cannot be read.
    """
    stamps = [[one.name, one.stat().st_size] for one in sorted(folder.glob("*token*"))]
    parts = [str(folder), stamps, task.info.data_hash, asdict(task.task_data.task)]
    file = cache / "lengths" / f"{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]}.json"
    try:
        return TokenLengths.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        found = _count(task, tokenizer.open_tokenizer(folder, name, cache))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found.model_dump_json(), encoding="utf-8")
    return found


def some_passages(task: PreparedTask) -> list[str]:
    """Take passages of a task's corpus that stand for all, as they are embedded."""
    corpus = task.task_data.corpus
    step = max(1, len(corpus) // _PASSAGES)
    return [f"{one.title}: {one.text}" if one.title else one.text for one in corpus[::step]]


def _count(task: PreparedTask, tokens: Any) -> TokenLengths:
    data, told = task.task_data, task.task_data.task
    asked, learned = _prompts(told, task.test), _prompts(told, data.train)
    every = [layout.render(prompt, tokens.tokenizer) for prompt in (*asked, *learned)]
    counts = tokens.prompts((*asked, *learned))
    shared = len(tokens.tokenizer(_beginning(every), add_special_tokens=False)["input_ids"]) if every else 0
    of_test, of_train = counts[: len(asked)], counts[len(asked) :]
    blank = Prompt(told, "")
    answers = tokens.answers(blank, [one.references[0] for one in data.train])
    groups = [one.query.choices or told.choices for one in task.test] if "choices" in data.provides else []
    scored = [count - 1 for count in tokens.answers(blank, [choice for group in groups for choice in group])]
    passages = some_passages(task)
    ids = tokens.tokenizer(passages, add_special_tokens=False)["input_ids"] if passages else []
    found = [len(one) for one in ids]
    return TokenLengths(
        shared=shared,
        asked=_mean(of_test) - shared,
        asked_longest=max(of_test, default=shared) - shared,
        learned=max(0.0, _mean(of_train) - shared),
        learned_longest=max((p + a for p, a in zip(of_train, answers, strict=True)), default=shared) - shared,
        answer=_mean(answers),
        choices=sum(scored) / len(groups) if groups else 0.0,
        choice_count=len(scored) / len(groups) if groups else 0.0,
        passage=_mean(found),
        asked_sd=pstdev(of_test or (0,)),
        learned_sd=pstdev(of_train or (0,)),
        passage_sd=pstdev(found or (0,)),
        passage_longest=max(found, default=0),
    )


def _prompts(task: Task, examples: Sequence[Example]) -> list[Prompt]:
    return [Prompt(task, example.query.input) for example in examples]


def _beginning(texts: Sequence[str]) -> str:
    """Return what all texts begin with alike."""
    first, last = min(texts), max(texts)
    alike = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:alike]


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
