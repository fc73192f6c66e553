"""What a plugin author reads: the types that a step, a model and a suite exchange. Nothing heavy is imported.

A *system* is a model plus the way it is asked. A *step* takes a system and a task's training material and
returns a new system. Steps see `TaskData`, which has no test split; at test time a system sees `Query`
objects, which carry no reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from harness.space import Choice, Range
from harness.tasks import Example, Form, Kind, Passage, Provision, Query, Task, TaskData

__all__ = [
    "Answer",
    "AsksModel",
    "Capability",
    "Choice",
    "Context",
    "Example",
    "Exemplars",
    "Form",
    "HoldsWeights",
    "Kind",
    "Model",
    "ModelInfo",
    "Needs",
    "Passage",
    "Prompt",
    "Provision",
    "Query",
    "Range",
    "Reasoning",
    "Report",
    "Retriever",
    "Sampling",
    "ScoresChoices",
    "Step",
    "System",
    "Task",
    "TaskData",
]

Capability = Literal["generate", "score_choices", "train"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a system sends for one query, before the model lays it out as text.

    Attributes:
        task: gives the instruction and the form.
        exemplars: worked (question, answer) pairs, in the order in which they are shown.
        passages: retrieved texts, best first.
        reasoning: what the answer is to be drawn from, in words; stands between the question and the answer.
        thinking: whether the reasoning is to be gone on with, instead of the answer given.
    """

    task: Task
    question: str
    exemplars: tuple[tuple[str, str], ...] = ()
    passages: tuple[Passage, ...] = ()
    reasoning: str = ""
    thinking: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model gave back for one prompt.

    Attributes:
        text: the exact text that was sent.
        output: the generated text; empty if choices were scored.
        choice_scores: log-likelihood of each choice in nats, in the order of the choices; empty if generated.
        prompt_tokens: tokens of the prompt, padding excluded; of all prompts, where there was reasoning first.
        output_tokens: tokens generated, or the tokens of all choices that were scored; reasoning included.
        dropped_passages: passages left out because the prompt was longer than the context window.
        reasoning_tokens: those of `output_tokens` that were generated as reasoning.
        reasoning: the reasoning that came before, one text a sample.
        votes: the answer of each sample where there were several; empty text where none could be read.
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
        context_tokens: length of the context window.
        note: what a reader must know, e.g. that the weights went through 4-bit.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    revision: str | None = None
    licence: str | None = None
    parameters: int | None = None
    hash: str | None = None
    context_tokens: int | None = None
    dtype: str | None = None
    note: str | None = None


Report = Callable[[int, int], None]
"""Progress of one phase: (done, total)."""


class Model(Protocol):
    """Anything that answers. What it can do is in `can`; a step asks for what it needs by capability."""

    info: ModelInfo

    @property
    def can(self) -> frozenset[Capability]:
        """What may be asked of the model."""
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        report: Report | None = None,
    ) -> list[Answer]:
        """Continue each prompt until the end of the turn, of the line (`one_line`) or `max_new_tokens`.

        Tokens are the likeliest ones, or drawn as `sampling` says.
        """
        ...


@runtime_checkable
class ScoresChoices(Protocol):
    """A model that gives the log-likelihood of a text, as an endpoint that can only generate does not."""

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, report: Report | None = None
    ) -> list[Answer]:
        """Give the log-likelihood of every choice of every prompt, in nats."""
        ...


@runtime_checkable
class HoldsWeights(Protocol):
    """A model whose weights are here to be changed, kept and put back."""

    def save_adapted(self, folder: Path) -> None:
        """Write what adaptation has changed: the adapter alone, or all weights. Safetensors."""
        ...

    def load_adapted(self, folder: Path) -> Any:
        """Return the model with what `save_adapted` wrote put back."""
        ...


class Retriever(Protocol):
    """Finds passages for a query."""

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages for each query, best first."""
        ...


@runtime_checkable
class AsksModel(Protocol):
    """A retriever that may ask the system's own model about what it found."""

    def asking(self, model: Any) -> Retriever:
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
        prior: what each label's log-likelihood is on average, taken off the choice scores (calibration), nats.
        content_free: questions that say nothing; where every query brings its own choices, what these score behind
            them is taken off.
        reasoning: how it thinks before it answers; None: it answers at once.
    """

    model: Any
    task: Task
    exemplars: Exemplars | None = None
    retriever: Retriever | None = None
    prior: tuple[float, ...] = ()
    content_free: tuple[str, ...] = ()
    reasoning: Reasoning | None = None

    def prompts(self, queries: Sequence[Query]) -> list[Prompt]:
        """Lay out what is sent for each query, retrieval included; reasoning comes later."""
        retriever = self.retriever.asking(self.model) if isinstance(self.retriever, AsksModel) else self.retriever
        found = retriever.find(queries) if retriever else [()] * len(queries)
        picked = self.exemplars.pick(queries) if self.exemplars else [()] * len(queries)
        prompts: list[Prompt] = []
        for query, passages, shown in zip(queries, found, picked, strict=True):
            pairs = tuple((e.query.input, e.references[0]) for e in shown)
            prompts.append(Prompt(self.task, query.input, pairs, tuple(passages)))
        return prompts

    def having(self, **changes: Any) -> System:
        """Return a copy with some parts replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Needs:
    """What a step asks of a task and of a model; `plan` checks it before anything loads."""

    task: frozenset[Provision] = frozenset()
    model: frozenset[Capability] = frozenset()


def _nothing(*_: Any) -> None:
    """Do nothing: a context's calls lead nowhere unless somebody listens."""


@dataclass(frozen=True)
class Context:
    """What a step is given besides its system and task.

    Attributes:
        seed: for everything that is random.
        report: tells how far the phase is: (done, total).
        count: adds to the tokens that the phase has read: real ones, padding excluded.
        log: keeps a point of a training curve, e.g. ``{"step": 3, "loss": 0.7}``.
        locate: finds the folder of a model by pinned name, folder or hub id, fetching it if it has to be.
    """

    seed: int = 0
    report: Report = _nothing
    count: Callable[[int], None] = _nothing
    log: Callable[[Mapping[str, float]], None] = _nothing
    locate: Callable[[str], Path] = Path


class Step(BaseModel):
    """One way of customising. Parameters are fields; `adapt` is the method.

    Class attributes:
        needs: what must be there, else the trial is skipped with a reason.
        phase: the span that `adapt` is measured under.
        changes_weights: whether the model after the step differs from the one before; probes are asked again then.
        keeps: whether what the step made is worth keeping for other chains that begin alike, by `save` and `load`.
        random: whether the seed can change the result; a chain without a random step is run with one seed only.
        space: what a search may try for which parameters; those that the user gave another value than their default
            are not searched.
        paper: where the method comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    needs: ClassVar[Needs] = Needs()
    phase: ClassVar[Literal["adapt", "index"]] = "adapt"
    changes_weights: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    random: ClassVar[bool] = False
    space: ClassVar[Mapping[str, Range | Choice]] = {}
    paper: ClassVar[str] = ""

    def sources(self) -> tuple[str, ...]:
        """Name the models that the step finds by `Context.locate`: they are fetched before the first trial."""
        return ()

    def asks(self) -> Needs:
        """Return what must be there with the parameters as they are; `needs` unless a parameter decides."""
        return self.needs

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Return the customised system. Weights are changed in place: a trial is a process of its own."""
        raise NotImplementedError

    def depends_on(self, chain_key: str, task: TaskData) -> str:
        """Name everything that decides what the step makes, besides its name and the models in `sources`.

        Args:
            chain_key: names the model, the task's data, the seed, and all steps so far with their parameters, this
                one included.
            task: the training material.
        """
        del task  # it is in `chain_key`
        return chain_key

    def save(self, system: System, folder: Path) -> None:
        """Write what `adapt` made into an empty folder."""
        system.model.save_adapted(folder)

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Return the system that `adapt` made, from what `save` wrote."""
        del task, context  # what an index needs, weights do not
        return system.having(model=system.model.load_adapted(folder), prior=())  # as `adapt`: it was of other weights
