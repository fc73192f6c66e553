"""Questions, tokens and money of models that are asked over HTTP, before anything is sent.

No tokenizer of theirs is here, so tokens are estimated from bytes: a range. The most that a run can cost has a token a
byte that is read, and every answer at its limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from harness.api import Example, Prompt
from harness.api.architecture import Architecture, Footprint
from harness.data.prepare import PreparedTask
from harness.endpoints.providers import find_destination
from harness.endpoints.turns import make_question
from harness.forecast import corpus_writing, workload
from harness.forecast.available_items import capped
from harness.forecast.token_lengths import TokenLengths, sample_passages
from harness.plan import chain
from harness.plan.discover import find_step
from harness.records.ablation_names import PASSAGE_ABLATIONS
from harness.records.measurements import Phase
from harness.records.planned_trial import PlannedTrial, TokenPrice
from harness.trial import ablations
from harness.trial.arrivals import WARM_UP

BYTES = (3.0, 4.0, 5.0)
"""Of a token: few, as many as English has, and many."""
_NO_WEIGHTS = Architecture(hidden=1, layers=1, heads=1, kv_width=1, intermediate=1, vocab=1, linears=())
_MILLION = 1e6


@dataclass
class EndpointForecast:
    """What one model will be asked in a run.

    Attributes:
        questions: by phase.
        tokens_in: read, as many as English has; tokens_out: written, if answers are as long as those of the data.
        most_out: written, if each answer goes on to its limit.
        price: of its tokens; None: none is known.
    """

    price: TokenPrice | None = None
    questions: Counter[Phase] = field(default_factory=Counter[Phase])
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    most_out: float = 0.0

    def add(self, phase: Phase, questions: float, tokens_in: float, tokens_out: float, most_out: float) -> None:
        """Add so many questions, each with these tokens."""
        self.questions[phase] += round(questions)
        self.tokens_in += questions * tokens_in
        self.tokens_out += questions * tokens_out
        self.most_out += questions * most_out

    @property
    def read_tokens(self) -> tuple[float, float]:
        """Range of the tokens read."""
        few, usual, many = BYTES
        return self.tokens_in * usual / many, self.tokens_in * usual / few

    @property
    def usd(self) -> tuple[float, float, float] | None:
        """Least, likely most and most of all, US dollars; None: there is no price."""
        if self.price is None:
            return None
        low, high = self.read_tokens
        most = self.tokens_in * BYTES[1]
        read = (low, high, most)
        written = (self.tokens_out, self.most_out, self.most_out)
        pairs = zip(read, written, strict=True)
        low_usd, high_usd, most_usd = ((r * self.price.usd_in + w * self.price.usd_out) / _MILLION for r, w in pairs)
        return low_usd, high_usd, most_usd


def forecast_questions(
    trials: Sequence[PlannedTrial], prepared: Mapping[str, PreparedTask]
) -> dict[str, EndpointForecast]:
    """Predict what each endpoint is asked, by its reference.

    Args:
        trials: yet to be run, with their `endpoints`.
        prepared: their tasks.
    """
    forecasts: dict[str, EndpointForecast] = {}
    lengths = {name: _lengths(task) for name, task in prepared.items()}
    for planned in trials:
        if planned.endpoints is None or planned.skip:
            continue
        for name, part in _forecast(planned, prepared[planned.trial.task], lengths[planned.trial.task]).items():
            total = forecasts.setdefault(name, EndpointForecast(planned.endpoints.prices.get(name)))
            total.questions += part.questions
            total.tokens_in += part.tokens_in
            total.tokens_out += part.tokens_out
            total.most_out += part.most_out
    return forecasts


def _forecast(planned: PlannedTrial, task: PreparedTask, lengths: TokenLengths) -> dict[str, EndpointForecast]:
    """Predict one trial: what its steps ask, then its test items, requests and ablations."""
    links = chain.restore(planned.trial.steps, find_step)
    train_items = min(planned.trial.train_items or len(task.task_data.train), len(task.task_data.train))
    footprints = [capped(link.step.footprint(_NO_WEIGHTS), task, train_items) for link in links]
    model, forecasts = EndpointForecast(), dict[str, EndpointForecast]()
    for link, footprint in zip(links, footprints, strict=True):
        if not (footprint.written_questions or footprint.paraphrases):
            continue
        teacher = next((source for source in link.step.sources() if find_destination(source)), None)
        writer = forecasts.setdefault(teacher, EndpointForecast()) if teacher else model
        for work in corpus_writing.writing_workloads(lengths, len(task.task_data.corpus), footprint):
            most, questions = float(footprint.written_tokens), work.logit_positions
            if questions:
                read, written = work.input_tokens / questions, work.output_tokens / questions
                writer.add("adapt", questions, read, written, max(written, most))
    if planned.backend != "endpoint" or not all(link.step.asks_model for link in links):
        return forecasts
    prompts = workload.prompt_shape(lengths, footprints, task.task_data.task.max_new_tokens)
    read = prompts.prefix_tokens + prompts.suffix_tokens
    written = min(prompts.max_new_tokens, lengths.answer) if lengths.answer else prompts.max_new_tokens
    thought = prompts.reasoning_tokens
    calls = 2 if thought else 1
    tokens = (read * calls + 2 * thought) / calls, (written + thought) / calls
    most = (prompts.max_new_tokens + thought) / calls
    for phase, items in _items(planned, task, footprints, prompts).items():
        model.add(phase, items * prompts.samples * calls, *tokens, most)
    return {**forecasts, planned.model_reference: model}


def _items(
    planned: PlannedTrial, task: PreparedTask, footprints: Sequence[Footprint], prompts: workload.PromptShape
) -> dict[Phase, int]:
    """Count the items that are asked in each phase."""
    measurement = planned.measurement
    items: dict[Phase, int] = {"predict": len(task.test)}
    if extra := sum(footprint.extra_prompts for footprint in footprints):
        items["adapt"] = extra
    if measurement.requests:
        items["serve"] = measurement.requests + WARM_UP
    if measurement.check_items:
        written = prompts.mean_new_tokens + prompts.samples * prompts.reasoning_tokens
        cost = measurement.check_items * (prompts.suffix_tokens + ablations.GENERATED_TOKEN_COST * written)
        runs = min(len(task.paraphrases), max(1, int(ablations.PARAPHRASE_TOKENS // max(cost, 1))))
        runs += len(PASSAGE_ABLATIONS) if any(footprint.passages for footprint in footprints) else 0
        items["check"] = runs * min(measurement.check_items, len(task.test))
    if planned.trial.budget:
        candidates = planned.trial.budget.amount if planned.trial.budget.unit == "trials" else 1
        items["search"] = candidates * len(task.task_data.validation)
    return {phase: count for phase, count in items.items() if count}


def _lengths(task: PreparedTask) -> TokenLengths:
    """Estimate a task's tokens from the bytes of its prompts as an endpoint is sent them."""
    asked, learned = _prompt_tokens(task, task.test), _prompt_tokens(task, task.task_data.train)
    answers = [_tokens(example.references[0]) + 1 for example in task.task_data.train or task.test]
    passages = [_tokens(text) for text in sample_passages(task)]
    passage = fmean(passages or [0.0])
    return TokenLengths(
        shared=0.0,
        asked=fmean(asked or [0.0]),
        asked_longest=round(max(asked, default=0)),
        learned=fmean(learned or [0.0]),
        learned_longest=round(max(learned, default=0)),
        answer=fmean(answers or [0.0]),
        choices=0.0,
        choice_count=0.0,
        passage=passage,
        asked_sd=0.0,
        learned_sd=0.0,
        passage_sd=0.0,
        passage_longest=round(max(passages, default=0)),
        corpus=passage * len(task.task_data.corpus),
    )


def _prompt_tokens(task: PreparedTask, examples: Sequence[Example]) -> list[float]:
    definition = task.task_data.task
    prompts = [
        Prompt(
            definition,
            example.query.input,
            history=example.query.history,
            options=example.query.choices or definition.choices,
        )
        for example in examples
    ]
    return [_tokens(make_question(prompt, 0, None).text) for prompt in prompts]


def _tokens(text: str) -> float:
    return len(text.encode()) / BYTES[1]
