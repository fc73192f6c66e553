"""Predict with a system: prompts, model outputs, parsed answers; the same path for every strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from string import ascii_uppercase
from typing import TypeVar

from harness.api import (
    Answer,
    AnswersQueries,
    FindsBestChoice,
    FindsScorer,
    Kind,
    Passage,
    ProgressCallback,
    Prompt,
    Query,
    ScoresChoices,
    System,
    Task,
)
from harness.errors import HarnessError, PromptsTooLongError
from harness.metrics.metric import CHOICE_KINDS
from harness.metrics.parsing import lettered, parse, parse_letter, reasoning
from harness.metrics.voting import winner

Number = TypeVar("Number", int, float)

SCORED_KINDS: frozenset[Kind] = frozenset({"classification", "multiple_choice", "preference", "language_modelling"})
"""Kinds of task whose choices are scored if the model can do so."""
REFUSED, CUT = "failed: refused", "failed: cut before an answer"
"""`Prediction.parsed` where an endpoint gave no answer."""
TOO_LONG = "failed: longer than the context window"
"""`Prediction.parsed` of a query that was not asked, and so is not answered."""
_UNASKED = Answer("", "", prefill_s=0.0, decode_s=0.0, decode_tokens=0)


@dataclass(frozen=True)
class Prediction:
    """A system's output for one query, and the answer in it.

    Attributes:
        answer: None if the output could not be parsed.
        parsed: how it was parsed: ``choice``, ``first_line``, ``label`` or ``failed: REASON``.
    """

    query: Query
    prompt: Prompt
    raw: Answer
    answer: str | None
    parsed: str

    @property
    def sent_passages(self) -> tuple[Passage, ...]:
        """The passages in the prompt, best first, without those dropped to fit the context window."""
        passages = self.prompt.passages
        return passages[: len(passages) - self.raw.dropped_passages]


def predict(system: System, queries: Sequence[Query], progress: ProgressCallback | None = None) -> list[Prediction]:
    """Return one prediction a query, in their order.

    Choices are scored if the model can do so; else it generates, and its text is parsed. A system with reasoning is
    called in two stages (Kojima et al. 2022, arXiv:2205.11916): for the reasoning, then for the answer behind it; of
    several samples, the majority answer wins (Wang et al. 2023, arXiv:2203.11171). A prompt that does not fit the
    context window is not asked: `TOO_LONG`.

    Raises:
        HarnessError: the model cannot do what the kind of task needs.
    """
    if isinstance(system.model, AnswersQueries):
        return _predict_elsewhere(system.task, system.model, queries, progress)
    prompts = system.prompts(queries)
    if writes_choices(system):
        prompts = [with_options(prompt, query) for prompt, query in zip(prompts, queries, strict=True)]
    return _predict_fitting(system, queries, prompts, progress)


def _predict_elsewhere(
    task: Task, model: AnswersQueries, queries: Sequence[Query], progress: ProgressCallback | None
) -> list[Prediction]:
    """Put queries to a system that lays its prompts out itself; a choice is written as it stands."""
    choices = [ordered_choices(task, query) for query in queries]
    raws = model.answer(queries, choices, progress=progress)
    return [
        Prediction(
            query,
            Prompt(task, query.input, passages=raw.passages, history=query.history, options=options),
            raw,
            *parse(task.kind, raw.output, options),
        )
        for query, options, raw in zip(queries, choices, raws, strict=True)
    ]


def scorer_of(system: System) -> ScoresChoices | None:
    """Return what scores the choices of a system's task; None: they are written, as it cannot or is not to score."""
    model, task = system.model, system.task
    if task.kind not in SCORED_KINDS or task.written:
        return None
    if isinstance(model, ScoresChoices):
        return model
    return model.scorer(task) if isinstance(model, FindsScorer) else None


def writes_choices(system: System) -> bool:
    """Tell whether a system's answers are choices that its model writes."""
    return system.task.kind in CHOICE_KINDS and scorer_of(system) is None


def with_options(prompt: Prompt, query: Query) -> Prompt:
    """List the choices in the prompt of a model that must write its choice."""
    return replace(prompt, options=ordered_choices(prompt.task, query))


def ordered_choices(task: Task, query: Query) -> tuple[str, ...]:
    """Return what an answer is to be chosen from, empty if it may be any text.

    Choices of an item stand in an order drawn from their texts: in the data, the right one may always be the first.
    """
    if task.kind not in CHOICE_KINDS:
        return ()
    if task.kind == "classification":
        return task.choices
    digests = {choice: sha256(f"{query.input}\n{choice}".encode()).hexdigest() for choice in query.choices}
    return tuple(sorted(query.choices, key=lambda choice: digests[choice]))


def written_choice(prompt: Prompt, choice: str) -> str:
    """Return a choice as it is to be written behind a prompt that lists the options."""
    if not lettered(prompt.task.kind, prompt.options):
        return choice
    return ascii_uppercase[prompt.options.index(choice)]


def _predict_fitting(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], progress: ProgressCallback | None
) -> list[Prediction]:
    """Predict for the prompts that fit the context window; the others are left unanswered."""
    try:
        return _predict_all(system, queries, prompts, progress)
    except PromptsTooLongError as error:
        indices = error.indices
    fitting = [index for index in range(len(queries)) if index not in indices]
    answered = _predict_fitting(system, [queries[i] for i in fitting], [prompts[i] for i in fitting], progress)
    predictions = dict(zip(fitting, answered, strict=True))
    unanswered = {index: Prediction(queries[index], prompts[index], _UNASKED, None, TOO_LONG) for index in indices}
    return [(predictions | unanswered)[index] for index in range(len(queries))]


def _predict_all(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], progress: ProgressCallback | None
) -> list[Prediction]:
    if system.reasoning is None:
        return _predict_answers(system, queries, prompts, progress)
    samples = [
        _predict_with_reasoning(system, queries, prompts, sample, progress)
        for sample in range(system.reasoning.samples)
    ]
    return [_vote(system, query_samples) for query_samples in zip(*samples, strict=True)]


def most_likely(scores: Sequence[float], choices: Sequence[str], task: Task, prior: Sequence[float] = ()) -> str:
    """Return the choice with the highest of the `comparable_scores`; ties go to the first.

    Raises:
        HarnessError: a score is NaN: nothing is the highest then.
    """
    comparable = comparable_scores(scores, choices, task, prior)
    if any(map(math.isnan, comparable)):
        raise HarnessError(f"the model gives no numbers (NaN) for the choices of {task.name!r}: check its weights.")
    return choices[max(range(len(comparable)), key=comparable.__getitem__)]


def comparable_scores(
    scores: Sequence[float], choices: Sequence[str], task: Task, prior: Sequence[float] = ()
) -> list[float]:
    """Return the scores that the choices are compared by, nats.

    Labels of a classification: log-likelihood minus the prior, if there is one. Choices of a multiple-choice item and
    the two answers of a preference pair differ in length: log-likelihood a byte (``acc_norm`` of
    lm-evaluation-harness). An end that is scored counts as one byte, as the end of a sentence counts in perplexity
    (Jurafsky & Martin, Speech and Language Processing, 3rd edition, section 3.3).
    """
    if task.kind == "classification":
        return [score - shift for score, shift in zip(scores, prior, strict=True)] if prior else list(scores)
    end = 0 if task.open_ended else 1
    return [score / (len(choice.encode()) + end) for score, choice in zip(scores, choices, strict=True)]


def _predict_answers(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], progress: ProgressCallback | None
) -> list[Prediction]:
    """Predict without reasoning."""
    task = system.task
    choices = [query.choices or task.choices for query in queries]
    if scorer := scorer_of(system):
        if system.best_only and isinstance(scorer, FindsBestChoice):
            raws = scorer.best_choices(prompts, choices, system.prior or (0.0,) * len(task.choices), progress=progress)
        else:
            raws = scorer.score_choices(prompts, choices, progress=progress)
        parsed_answers = [
            (most_likely(raw.choice_scores, options, task, system.prior), "choice")
            if raw.choice_scores
            else _read(task, raw, prompt, options)
            for raw, prompt, options in zip(raws, prompts, choices, strict=True)
        ]
    elif task.kind == "language_modelling":
        raise HarnessError(
            f"task {task.name!r} measures how likely a text is, and this model gives no log-likelihoods: ask it of a "
            "model whose weights are here."
        )
    else:
        one_line = task.kind != "generation"
        raws = system.model.generate(prompts, max_new_tokens=task.max_new_tokens, one_line=one_line, progress=progress)
        parsed_answers = [
            _read(task, raw, prompt, options) for raw, prompt, options in zip(raws, prompts, choices, strict=True)
        ]
    return [
        Prediction(query, prompt, raw, answer, parsed)
        for query, prompt, raw, (answer, parsed) in zip(queries, prompts, raws, parsed_answers, strict=True)
    ]


def _read(task: Task, raw: Answer, prompt: Prompt, choices: Sequence[str]) -> tuple[str | None, str]:
    """Read the answer from what a model wrote; a text that was cut is read as far as it goes."""
    if raw.outcome == "too_long":
        return None, TOO_LONG
    if raw.outcome == "refused":
        return None, REFUSED
    if raw.outcome == "cut" and not raw.output.strip():
        return None, CUT
    if prompt.options and lettered(task.kind, prompt.options):
        return parse_letter(raw.output, prompt.options)
    return parse(task.kind, raw.output, choices)


def _predict_with_reasoning(
    system: System, queries: Sequence[Query], prompts: Sequence[Prompt], sample: int, progress: ProgressCallback | None
) -> list[Prediction]:
    """Generate one reasoning each, then predict the answers behind them."""
    settings, task = system.reasoning, system.task
    assert settings is not None  # noqa: S101 - `predict` has checked
    thoughts: list[Answer] = system.model.generate(
        [replace(prompt, reasoning=settings.trigger, thinking=True) for prompt in prompts],
        max_new_tokens=settings.max_new_tokens,
        one_line=False,
        sampling=settings.sampling and replace(settings.sampling, seed=settings.sampling.seed * 1_000_003 + sample),
        progress=_sample_progress(progress, sample, settings.samples),
    )
    labels = task.question_label, task.answer_label
    texts = [f"{settings.trigger} {reasoning(thought.output, labels)}".strip() for thought in thoughts]
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
    """Return a callback that reports one sample's progress as part of all samples."""
    if progress is None:
        return None
    report = progress

    def report_sample(count: int, total: int) -> None:
        report(sample * total + count, samples * total)

    return report_sample


def _vote(system: System, samples: Sequence[Prediction]) -> Prediction:
    """Return the first sample with the majority answer, with the cost of all samples."""
    if len(samples) == 1:
        return samples[0]
    elected = samples[
        winner(
            system.task.kind,
            [prediction.answer for prediction in samples],
            [_choice_support(system, prediction) for prediction in samples],
        )
    ]
    raw = elected.raw
    for sample in samples:
        if sample is not elected:
            raw = replace(
                _add_cost(raw, sample.raw), reasoning_tokens=raw.reasoning_tokens + sample.raw.reasoning_tokens
            )
    raw = replace(
        raw,
        reasoning=tuple(text for sample in samples for text in sample.raw.reasoning),
        votes=tuple(sample.answer or "" for sample in samples),
    )
    return replace(elected, raw=raw)


def _choice_support(system: System, prediction: Prediction) -> dict[str, float]:
    """Return one sample's comparable score of each choice, nats; empty if none was scored."""
    choices = prediction.query.choices or system.task.choices
    scores = prediction.raw.choice_scores
    if not scores:
        return {}
    return dict(zip(choices, comparable_scores(scores, choices, system.task, system.prior), strict=True))


def _add_cost(answer: Answer, extra: Answer) -> Answer:
    """Return an answer with the tokens and seconds of another call added."""
    return replace(
        answer,
        prompt_tokens=answer.prompt_tokens + extra.prompt_tokens,
        output_tokens=answer.output_tokens + extra.output_tokens,
        prefill_s=_add(answer.prefill_s, extra.prefill_s),
        decode_s=_add(answer.decode_s, extra.decode_s),
        decode_tokens=_add(answer.decode_tokens, extra.decode_tokens),
        service_s=None,
        tries=_add(answer.tries, extra.tries),
    )


def _add(first: Number | None, second: Number | None) -> Number | None:
    """Return the sum; None if either is None."""
    return None if first is None or second is None else first + second
