"""Prompts, answers, the interfaces of models and retrievers, and the system that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from harness.api.endpoint_info import EndpointInfo, Outcome
from harness.api.tasks import Example, Form, Passage, Query, Task, TaskData, Turn


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a system sends for one query, before the model lays it out as text.

    Attributes:
        task: gives the instruction and the form.
        exemplars: worked (question, answer) pairs, in the order in which they are shown.
        passages: retrieved texts, best first.
        reasoning: what the answer is to be drawn from, in words; stands between the question and the answer.
        thinking: whether the reasoning is to be gone on with, instead of the answer given.
        restricted: whether an exemplar is not for everybody; a passage says so itself.
        history: the turns of a conversation before the question.
        options: what the answer is to be chosen from, listed behind the question, where a model writes its choice.
    """

    task: Task
    question: str
    exemplars: tuple[tuple[str, str], ...] = ()
    passages: tuple[Passage, ...] = ()
    reasoning: str = ""
    thinking: bool = False
    restricted: bool = False
    history: tuple[Turn, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model gave back for one prompt.

    Attributes:
        text: the exact text that was sent.
        output: the generated text; empty if choices were scored.
        choice_scores: log-likelihood of each choice in nats, in the order of the choices; empty if generated; -inf of
            one that was not read because it is not the best (`FindsBestChoice`).
        prompt_tokens: tokens of the prompt, padding excluded; of all prompts, where there was reasoning first.
        output_tokens: tokens generated, or the tokens of all choices that were scored; reasoning included.
        dropped_passages: passages left out because the prompt was longer than the context window.
        reasoning_tokens: those of `output_tokens` that were generated as reasoning.
        reasoning: the reasoning that came before, one text a sample.
        votes: the answer of each sample where there were several; empty text where none could be read.
        prefill_s: this prompt's share of the seconds in which prompts were read; the shares of all answers add up.
        decode_s: the same of the seconds in which tokens were written; both None where the model does not tell.
        decode_tokens: tokens written after the first one, the mark that ended the answer included: one a pass.
        first_token_at: when the first token was known, by `time.perf_counter`; None where choices were scored. What
            took how long is no part of what was answered: two answers are equal without.
        service_s: seconds of the request that was answered, without waiting and earlier tries; tries: requests for it;
            None where the model is not asked over a line.
        outcome: what became of the question; None where the model does not tell.
        constrained: whether nothing but one of the options could be written.
        passages: that a system elsewhere has used, best first; its prompt is not known.
        counted: whether the tokens are known; else they count as nothing, and are not 0.
    """

    text: str
    output: str
    choice_scores: tuple[float, ...] = ()
    prompt_tokens: int = 0
    output_tokens: int = 0
    dropped_passages: int = 0
    reasoning_tokens: int = 0
    reasoning: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    prefill_s: float | None = field(default=None, compare=False)
    decode_s: float | None = field(default=None, compare=False)
    decode_tokens: int | None = field(default=None, compare=False)
    first_token_at: float | None = field(default=None, compare=False)
    service_s: float | None = field(default=None, compare=False)
    tries: int | None = field(default=None, compare=False)
    outcome: Outcome | None = None
    constrained: bool = False
    passages: tuple[Passage, ...] = ()
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. What is drawn for a prompt depends on the seed and the prompt alone, not on its neighbours.

    Attributes:
        temperature: the logits are divided by it, above 0.
        top_p: tokens are drawn from the smallest set that has this much of the probability (Holtzman et al. 2020,
            arXiv:1904.09751), above 0 and up to 1.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How a system thinks aloud before it answers: a reasoning is generated first, then the answer behind it.

    Attributes:
        trigger: what the reasoning begins with.
        max_new_tokens: where a reasoning stops at the latest; the trigger does not count.
        samples: reasonings for each query; the answer that most of them lead to is given.
        sampling: how they are drawn; None: greedily.
    """

    trigger: str
    max_new_tokens: int
    samples: int = 1
    sampling: Sampling | None = None


class ModelInfo(BaseModel):
    """What a record says of a model.

    Attributes:
        hash: sha256 over the weight files.
        identity: of everything that an answer depends on: weights, configuration, tokenizer, chat template, generation
            settings, and an adapter's base model; None where it was never known.
        tokenizer_hash: sha256 of the tokenizer as it is loaded; chat_template_hash: of the text of its chat template;
            None: there is none, or it was never recorded.
        context_tokens: length of the context window.
        note: what a reader must know, e.g. that the weights went through 4-bit.
        endpoint: of a model that was asked over HTTP; None: its weights were on this machine.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    revision: str | None = None
    licence: str | None = None
    parameters: int | None = None
    hash: str | None = None
    identity: str | None = None
    tokenizer_hash: str | None = None
    chat_template_hash: str | None = None
    context_tokens: int | None = None
    dtype: str | None = None
    note: str | None = None
    endpoint: EndpointInfo | None = None


ProgressCallback = Callable[[int, int], None]
"""Progress of one phase: (done, total)."""


class Model(Protocol):
    """Anything that answers prompts. A backend opens it (`harness.models.registry`).

    Optional abilities are protocols of their own: `ScoresChoices` and `HoldsWeights`. What a model can do is known
    before it is opened, from `ModelReference.capabilities`.
    """

    @property
    def info(self) -> ModelInfo:
        """What a record says of the model."""
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Continue each prompt until the end of the turn, of the line (`one_line`) or `max_new_tokens`.

        Tokens are the likeliest ones, or drawn as `sampling` says.
        """
        ...


@runtime_checkable
class ScoresChoices(Protocol):
    """A model that gives the log-likelihood of a text, as an endpoint that can only generate does not."""

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Give the log-likelihood of every choice of every prompt, in nats."""
        ...


@runtime_checkable
class FindsBestChoice(Protocol):
    """A model that finds the best of many choices without reading all of them."""

    def best_choices(
        self,
        prompts: Sequence[Prompt],
        choices: Sequence[Sequence[str]],
        shift: Sequence[float],
        *,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Score those choices of every prompt that may have the highest log-likelihood less its shift, in nats."""
        ...


@runtime_checkable
class FindsScorer(Protocol):
    """A model that may turn out to score the choices of a task, once it has been seen to do so."""

    def scorer(self, task: Task) -> ScoresChoices | None:
        """Return what scores them; None: nothing that can be believed."""
        ...


@runtime_checkable
class AnswersQueries(Protocol):
    """A whole system in the place of a model: it lays out its prompts and finds its passages itself.

    Attributes:
        measured: whether the seconds in which it answers are its own.
    """

    measured: bool

    def answer(
        self, queries: Sequence[Query], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Answer queries of a task, each with its choices; none: by any text."""
        ...


@runtime_checkable
class HasForms(Protocol):
    """A model whose prompts can be laid out in several forms; which suits it is chosen on validation items."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms, the model's own first."""
        ...


@runtime_checkable
class HoldsWeights(Protocol):
    """A model whose weights are here to be changed, kept and put back."""

    def save_adapted(self, folder: Path) -> None:
        """Write what adaptation has changed: the adapter alone, or all weights. Safetensors."""
        ...

    def load_adapted(self, folder: Path) -> Model:
        """Return the model with what `save_adapted` wrote put back."""
        ...

    @property
    def trained_parameters(self) -> int:
        """Parameters that take a gradient."""
        ...


@runtime_checkable
class KeepsPrefix(Protocol):
    """A model that can keep what it has read of the beginning of a prompt, for all prompts that begin so."""

    def with_prefix(self, prompts: Sequence[Prompt]) -> Model:
        """Read what the prompts begin with in common, and return the model that keeps it."""
        ...

    @property
    def prefix_tokens(self) -> int:
        """Tokens that are kept; 0: none."""
        ...


class Retriever(Protocol):
    """Finds passages for a query."""

    @property
    def max_passages(self) -> int:
        """Passages that a query gets at most."""
        ...

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages for each query, best first."""
        ...


@runtime_checkable
class TrainingRetriever(Protocol):
    """A retriever that may show other passages with an example that is learned than with a query that is asked."""

    def find_for_training(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        """Return the passages for each example, in the order in which they are shown."""
        ...


@runtime_checkable
class ModelAwareRetriever(Protocol):
    """A retriever that may ask the system's own model about what it found."""

    def with_model(self, model: Model) -> Retriever:
        """Return the retriever for a system with this model."""
        ...


class Exemplars(Protocol):
    """Chooses worked examples for a query; never the query itself."""

    def pick(self, queries: Sequence[Query]) -> list[tuple[Example, ...]]:
        """Return the exemplars for each query, in the order in which they are shown."""
        ...


@dataclass(frozen=True)
class System:
    """A model and the way it is asked.

    Attributes:
        prior: taken off the score of each of the task's labels, nats (`harness.predict.label_calibration`). It is
            measured once the system is finished; steps leave it alone.
        reasoning: how it thinks before it answers; None: it answers at once.
        material: what the later steps of the chain learn from in place of the task's own material; None: that. Its
            `train` and `paraphrases` count; the trial takes out rows that are nearly like a test item.
        keeps_prefix: whether the text that all prompts begin with is read once and kept for all requests, where the
            model can do so (`KeepsPrefix`).
        best_only: whether labels that cannot be the best are left unread, where the model can do so.
    """

    model: Model
    task: Task
    exemplars: Exemplars | None = None
    retriever: Retriever | None = None
    prior: tuple[float, ...] = ()
    reasoning: Reasoning | None = None
    material: TaskData | None = None
    keeps_prefix: bool = False
    best_only: bool = False

    def prompts(self, queries: Sequence[Query]) -> list[Prompt]:
        """Lay out what is sent for each query, retrieval included; reasoning comes later."""
        retriever = self._retriever_with_model()
        return self._lay_out(queries, retriever.find(queries) if retriever else [()] * len(queries))

    def training_prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        """Lay out what is sent while examples are learned: as `prompts`, with the retriever's passages for training.

        No prompt has its own example among its exemplars.
        """
        queries = [example.query for example in examples]
        retriever = self._retriever_with_model()
        if isinstance(retriever, TrainingRetriever):
            return self._lay_out(queries, retriever.find_for_training(examples))
        return self._lay_out(queries, retriever.find(queries) if retriever else [()] * len(queries))

    def _retriever_with_model(self) -> Retriever | None:
        return (
            self.retriever.with_model(self.model) if isinstance(self.retriever, ModelAwareRetriever) else self.retriever
        )

    def _lay_out(self, queries: Sequence[Query], passages_of: Sequence[tuple[Passage, ...]]) -> list[Prompt]:
        """Lay out each query with its passages and the exemplars that are chosen for it."""
        exemplars_of = self.exemplars.pick(queries) if self.exemplars else [()] * len(queries)
        prompts: list[Prompt] = []
        for query, passages, exemplars in zip(queries, passages_of, exemplars_of, strict=True):
            pairs = tuple((exemplar.query.text, exemplar.references[0]) for exemplar in exemplars)
            restricted = any(exemplar.readers for exemplar in exemplars)
            prompts.append(
                Prompt(self.task, query.input, pairs, tuple(passages), restricted=restricted, history=query.history)
            )
        return prompts

    def replace(self, **changes: Any) -> System:
        """Return a copy with some parts replaced."""
        return replace(self, **changes)
