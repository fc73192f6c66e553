"""Asks a system and reads its answers: the same path for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.api import Answer, Kind, Passage, ProgressCallback, Prompt, Query, ScoresChoices, System
from harness.errors import HarnessError
from harness.metrics.parsing import parse, reasoning
from harness.metrics.voting import winner

Number = TypeVar("Number", int, float)

SCORED_KINDS: frozenset[Kind] = frozenset({"classification", "multiple_choice", "preference", "language_modelling"})
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

    @property
    def sent_passages(self) -> tuple[Passage, ...]:
        """The passages that stood in the prompt, best first: those that did not fit the window are left out."""
        passages = self.prompt.passages
        return passages[: len(passages) - self.raw.dropped_passages]


def predict(system: System, queries: Sequence[Query], progress: ProgressCallback | None = None) -> list[Prediction]:
    """Return one prediction a query, in their order.

    Choices are scored where the model can; a model that only generates is asked and its text is parsed. A system that
    reasons is asked in two stages (Kojima et al. 2022, arXiv:2205.11916): for its reasoning, then for its answer behind
    that; where there are several samples of it, most votes win (Wang et al. 2023, arXiv:2203.11171).

    Raises:
        HarnessError: a prompt does not fit the context window, or the model cannot do what the kind of task asks.
    """
    prompts = system.prompts(queries)
    if system.reasoning is None:
        return _predict_answers(system, queries, prompts, progress)
    samples = [
        _predict_with_reasoning(system, queries, prompts, sample, progress)
        for sample in range(system.reasoning.samples)
    ]
    return [_vote(system, query_samples) for query_samples in zip(*samples, strict=True)]


def most_likely(scores: Sequence[float], choices: Sequence[str], kind: Kind, prior: Sequence[float] = ()) -> str:
    """Return the choice that a model finds likeliest, by `strengths`."""
    values = comparable_scores(scores, choices, kind, prior)
    return choices[max(range(len(values)), key=values.__getitem__)]


def comparable_scores(
    scores: Sequence[float], choices: Sequence[str], kind: Kind, prior: Sequence[float] = ()
) -> list[float]:
    """Return what the choices are compared by, nats.

    The labels of a classification are compared by log-likelihood less the prior. Choices of a multiple-choice item,
    and the two answers of a preference pair, differ in length, and are compared by log-likelihood a byte
    (``acc_norm`` of lm-evaluation-harness), or less the prior where there is one: what they score behind a question
    that says nothing (Holtzman et al. 2021, arXiv:2104.08315).
    """
    if prior:
        return [score - shift for score, shift in zip(scores, prior, strict=True)]
    if kind == "classification":
        return list(scores)
    return [score / len(choice.encode()) for score, choice in zip(scores, choices, strict=True)]


def _predict_answers(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], progress: ProgressCallback | None
) -> list[Prediction]:
    """Ask for the answers themselves."""
    task = system.task
    choices = [query.choices or task.choices for query in queries]
    if task.kind in SCORED_KINDS and isinstance(system.model, ScoresChoices):
        raws = system.model.score_choices(prompts, choices, progress=progress)
        raws, priors = _priors(system, system.model, prompts, choices, raws)
        read = [
            (most_likely(raw.choice_scores, options, task.kind, prior), "choice")
            for raw, options, prior in zip(raws, choices, priors, strict=True)
        ]
    elif task.kind == "language_modelling":
        raise HarnessError(
            f"task {task.name!r} measures how likely a text is, and this model gives no log-likelihoods: ask it of a "
            "model whose weights are here."
        )
    else:
        one_line = task.kind != "generation"
        raws = system.model.generate(prompts, max_new_tokens=task.max_new_tokens, one_line=one_line, progress=progress)
        read = [parse(task.kind, raw.output, options) for raw, options in zip(raws, choices, strict=True)]
    return [
        Prediction(query, prompt, raw, answer, parsed)
        for query, prompt, raw, (answer, parsed) in zip(queries, prompts, raws, read, strict=True)
    ]


def _priors(
    system: System,
    model: ScoresChoices,
    prompts: Sequence[Prompt],
    choices: Sequence[Sequence[str]],
    raws: Sequence[Answer],
) -> tuple[list[Answer], list[Sequence[float]]]:
    """Return what is taken off each prompt's choice scores, and the answers with the tokens that this took."""
    if system.task.kind == "classification" or not system.content_free:
        return list(raws), [system.prior] * len(raws)
    totals: list[list[float]] = [[0.0] * len(options) for options in choices]
    paid = list(raws)
    for question in system.content_free:
        empty = [replace(prompt, question=question, passages=(), reasoning="") for prompt in prompts]
        content_free_answers = model.score_choices(empty, choices)
        totals = [
            [total + score for total, score in zip(row, content_free.choice_scores, strict=True)]
            for row, content_free in zip(totals, content_free_answers, strict=True)
        ]
        paid = [
            _add_cost(answer, content_free) for answer, content_free in zip(paid, content_free_answers, strict=True)
        ]
    return paid, [[total / len(system.content_free) for total in row] for row in totals]


def _predict_with_reasoning(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], sample: int, progress: ProgressCallback | None
) -> list[Prediction]:
    """Ask for one reasoning each, then for the answers behind them."""
    how, task = system.reasoning, system.task
    assert how is not None  # noqa: S101 - `ask` has looked
    thoughts: list[Answer] = system.model.generate(
        [replace(prompt, reasoning=how.trigger, thinking=True) for prompt in prompts],
        max_new_tokens=how.max_new_tokens,
        one_line=False,
        sampling=how.sampling and replace(how.sampling, seed=how.sampling.seed * 1_000_003 + sample),
        progress=_sample_progress(progress, sample, how.samples),
    )
    labels = task.question_label, task.answer_label
    texts = [f"{how.trigger} {reasoning(thought.output, labels)}".strip() for thought in thoughts]
    reasoned_prompts = [replace(prompt, reasoning=text) for prompt, text in zip(prompts, texts, strict=True)]
    return [
        replace(
            prediction,
            raw=replace(_add_cost(prediction.raw, thought), reasoning=(text,), reasoning_tokens=thought.output_tokens),
        )
        for prediction, thought, text in zip(
            _predict_answers(system, queries, reasoned_prompts, None), thoughts, texts, strict=True
        )
    ]


def _sample_progress(progress: ProgressCallback | None, sample: int, samples: int) -> ProgressCallback | None:
    """Return what tells the progress of one sample of several as a part of the whole."""
    if progress is None:
        return None
    tell = progress

    def within(count: int, total: int) -> None:
        tell(sample * total + count, samples * total)

    return within


def _vote(system: System, samples: Sequence[Prediction]) -> Prediction:
    """Return the first sample that gives the answer which most samples give, with the cost of all of them."""
    if len(samples) == 1:
        return samples[0]
    chosen = samples[
        winner(
            system.task.kind,
            [prediction.answer for prediction in samples],
            [_choice_support(system, prediction) for prediction in samples],
        )
    ]
    raw = chosen.raw
    for sample in samples:
        if sample is not chosen:
            raw = replace(
                _add_cost(raw, sample.raw), reasoning_tokens=raw.reasoning_tokens + sample.raw.reasoning_tokens
            )
    raw = replace(
        raw,
        reasoning=tuple(text for sample in samples for text in sample.raw.reasoning),
        votes=tuple(sample.answer or "" for sample in samples),
    )
    return replace(chosen, raw=raw)


def _choice_support(system: System, prediction: Prediction) -> dict[str, float]:
    """Return how strongly one sample speaks for each choice, nats; empty where nothing was scored."""
    choices = prediction.query.choices or system.task.choices
    scores = prediction.raw.choice_scores
    if not scores:
        return {}
    return dict(zip(choices, comparable_scores(scores, choices, system.task.kind, system.prior), strict=True))


def _add_cost(answer: Answer, other: Answer) -> Answer:
    """Return an answer that another call was made for, with the tokens and seconds of both."""
    return replace(
        answer,
        prompt_tokens=answer.prompt_tokens + other.prompt_tokens,
        output_tokens=answer.output_tokens + other.output_tokens,
        prefill_s=_add(answer.prefill_s, other.prefill_s),
        decode_s=_add(answer.decode_s, other.decode_s),
        decode_tokens=_add(answer.decode_tokens, other.decode_tokens),
    )


def _add(first: Number | None, second: Number | None) -> Number | None:
    """Add; unknown if either is."""
    return None if first is None or second is None else first + second
