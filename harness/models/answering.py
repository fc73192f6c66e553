"""Asks a system and reads its answers: the same path for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.api import Answer, Kind, Prompt, Query, Report, ScoresChoices, System
from harness.errors import HarnessError
from harness.metrics.parsing import parse


SCORED: frozenset[Kind] = frozenset({"classification", "multiple_choice", "preference", "language_modelling"})
"""The kinds whose choices are scored where the model can."""


@dataclass(frozen=True)
class Prediction:
    """What a system made of one query.

    Attributes:
        answer: None where the output could not be read.
        parsed: how it was read: ``choice``, ``first_line``, ``label`` or ``failed: REASON``.
    """

    query: Query
    prompt: Prompt
    raw: Answer
    answer: str | None
    parsed: str


def ask(system: System, queries: Sequence[Query], report: Report | None = None) -> list[Prediction]:
    """Return one prediction a query, in their order.

    Choices are scored where the model can; a model that only generates is asked and its text is parsed.

    Raises:
        HarnessError: a prompt does not fit the context window, or the model cannot do what the kind of task asks.
    """
    task = system.task
    prompts = system.prompts(queries)
    choices = [query.choices or task.choices for query in queries]
    if task.kind in SCORED and isinstance(system.model, ScoresChoices):
        raws = system.model.score_choices(prompts, choices, report=report)
        read = [
            (likeliest(raw.choice_scores, options, task.kind, system.prior), "choice")
            for raw, options in zip(raws, choices, strict=True)
        ]
    elif task.kind == "language_modelling":
        raise HarnessError(
            f"task {task.name!r} measures how likely a text is, and this model gives no log-likelihoods: ask it of a "
            "model whose weights are here."
        )
    else:
        one_line = task.kind != "generation"
        raws = system.model.generate(prompts, max_new_tokens=task.max_new_tokens, one_line=one_line, report=report)
        read = [parse(task.kind, raw.output, options) for raw, options in zip(raws, choices, strict=True)]
    return [
        Prediction(query, prompt, raw, answer, parsed)
        for query, prompt, raw, (answer, parsed) in zip(queries, prompts, raws, read, strict=True)
    ]


def likeliest(scores: Sequence[float], choices: Sequence[str], kind: Kind, prior: Sequence[float] = ()) -> str:
    """Return the choice that a model finds likeliest.

    The labels of a classification are compared by log-likelihood less the prior. Choices of a multiple-choice item,
    and the two answers of a preference pair, differ in length, and are compared by log-likelihood a byte
    (``acc_norm`` of lm-evaluation-harness).
    """
    if kind != "classification":
        values = [score / len(choice.encode()) for score, choice in zip(scores, choices, strict=True)]
    else:
        values = [score - shift for score, shift in zip(scores, prior or [0.0] * len(scores), strict=True)]
    return choices[max(range(len(values)), key=values.__getitem__)]
