"""Stored records of a run: planned trials, rows and results."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.api import Kind, ModelInfo, Outcome, TrainingRun
from harness.records.measurements import (
    Check,
    CorpusLearning,
    Forecast,
    Held,
    LabelCalibration,
    Phase,
    PromptForm,
    Serving,
    Span,
    StoredModel,
    SyntheticRows,
)
from harness.records.pass_sizes import PassSizes
from harness.records.run_limits import RunLimits

SCHEMA_VERSION = 3

PROTOCOL_VERSION = 2
"""Version of prompts, training and scoring. It is raised when any of them moves a score; scores of different protocols
are never compared."""

Role = Literal["target", "probe", "train", "control"]
AnswerReading = Literal["scored", "constrained", "written"]


class Budget(StoredModel):
    """How much a strategy may spend on looking for its parameters.

    Attributes:
        amount: candidates tried, tokens read and written, or seconds; what is begun within it is finished.
    """

    unit: Literal["trials", "tokens", "seconds"]
    amount: int = Field(ge=1)

    def __str__(self) -> str:
        """Write ``8 trials``."""
        return f"{self.amount:,} {self.unit.removesuffix('s') if self.amount == 1 else self.unit}"


class Trial(StoredModel):
    """One planned measurement: a suite's task, a strategy, a model and a seed.

    Attributes:
        strategy: canonical text of the chain, e.g. ``"rag(k=1)+lora"``; only parameters that differ from their
            defaults are written.
        steps: the chain with every parameter resolved, as ``{"step": name, **parameters}``.
        key: sha256 over everything that decides the result; two trials with one key are the same trial.
        basis: sha256 over what trials must share to stand in one table: the task's data and limits, and the
            version of prompts and scoring. Empty where it was never known.
        train_items: trained on the first so many items of the training split only; None: on all of it.
        budget: for the search of parameters that `steps` has at their defaults; None: they stay there.
        fresh: the file that was asked instead of the test split; None: the test split was.
        answers: ``written``: choices were listed and written, though the model may score; None: they were scored if so.
    """

    suite: str
    task: str
    strategy: str
    model: str
    seed: int = 0
    steps: tuple[dict[str, Any], ...] = ()
    key: str = ""
    basis: str = ""
    train_items: int | None = None
    budget: Budget | None = None
    fresh: str | None = None
    answers: Literal["written"] | None = None

    @property
    def place(self) -> tuple[str, str, str, str, int, int | None, str]:
        """What a report has room for once: a second trial with the same place is a repetition."""
        budget = f"{self.budget or ''} {self.answers or ''}".strip()
        return self.suite, self.task, self.strategy, self.model, self.seed, self.train_items, budget

    @property
    def label(self) -> str:
        """What its row is called: the strategy, its budget of a search, and how it answers if not as usual."""
        return row_label(self.strategy, self.budget, self.answers)


def row_label(strategy: str, budget: Budget | None, answers: str | None) -> str:
    """Write ``lora [8 trials, written]``."""
    settings = ", ".join(filter(None, [str(budget or ""), answers]))
    return f"{strategy} [{settings}]" if settings else strategy


class Row(StoredModel):
    """One item of one task: what was asked, what came back, how it was read.

    Attributes:
        role: ``target`` for the task that the system was made for, ``probe`` for one it was not; ``train`` for an item
            that it was trained on, asked again; ``control`` for an item of the target asked in another way, under
            the name ``TASK@WAY``, e.g. ``questions@oracle``.
        rejected: an answer that is known to be worse, or out of date.
        input: what was asked, without what a strategy put around it.
        prompt: the exact text sent.
        answer: what was parsed from the output; None where parsing failed.
        parsed: how: ``choice`` (likeliest choice), ``first_line``, ``whole``, ``label``, or ``failed: REASON``.
        choice_scores: log-likelihood of each choice, nats; None: not read, as it could not be the best.
        reasoning: what the model thought before it answered, one text a sample; empty where it answered at once.
        votes: the answer of each sample where there were several; empty text where none could be read.
        passages: ids of the passages that were sent, best first; evidence: ids of those that hold the answer.
        cited: ids of the passages sent in which the answer given stands (`metrics.recall.citations`).
        restricted: whether the prompt shows, or the answer rests on, what not everybody may read.
        prompt_tokens, output_tokens: None: unknown, of a system elsewhere that does not tell.
        groups: its value of each of the columns `TaskInfo.groups`.
        outcome: what became of the question, of a model that was asked over HTTP.
        reading: how the answer was had: the likeliest choice (``scored``), nothing but a choice could be written
            (``constrained``), or anything could (``written``). None: an earlier version did not store it.
    """

    task: str
    role: Role = "target"
    id: str
    cluster: str | None = None
    groups: tuple[str, ...] = ()
    references: tuple[str, ...]
    rejected: str | None = None
    choices: tuple[str, ...] = ()
    input: str = ""
    prompt: str = ""
    output: str = ""
    answer: str | None = None
    parsed: str = ""
    choice_scores: tuple[float | None, ...] = ()
    reasoning: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    restricted: bool = False
    dropped_passages: int = 0
    prompt_tokens: int | None = 0
    output_tokens: int | None = 0
    outcome: Outcome | None = None
    reading: AnswerReading | None = None


class TaskInfo(StoredModel):
    """What a record keeps of each task that it asked: enough to score and repeat it without the suite.

    Attributes:
        order: its place in the suite, from 0; None where it was never known.
        preparation: what was done to the training split, a sentence each.
        form: of its prompts, where it was chosen for the model; None: the suite says it, or there was no choice.
        pool_items: training items that each seed draws its own training split from; None: all of them are trained on.
        groups: columns whose values divide the items into slices.
        synthetic_by: the model that wrote its test items; None: none did, as far as is known.
        reading: how its answers were had, as in `Row`; None where the record does not say.
        calibration: how its labels' scores were read; None where none were scored, or the record does not say.
    """

    name: str
    kind: Kind
    role: Literal["target", "probe", "control"] = "target"
    order: int | None = None
    metrics: tuple[str, ...]
    labels: tuple[str, ...] = ()
    chance: float | None = None
    instruction: str = ""
    data_hash: str
    sizes: dict[str, int]
    warnings: tuple[str, ...] = ()
    preparation: tuple[str, ...] = ()
    form: PromptForm | None = None
    pool_items: int | None = None
    calibration: LabelCalibration | None = None
    groups: tuple[str, ...] = ()
    synthetic_by: str | None = None
    reading: AnswerReading | None = None


class Environment(StoredModel):
    """Where and with what a trial ran.

    Attributes:
        energy_source: how its joules came to be: measured, or estimated from what; None: there are none.
    """

    python: str
    packages: dict[str, str]
    platform: str
    processor: str
    cores: int
    threads: int
    memory_bytes: int
    gpu: str | None = None
    energy_source: str | None = None
    git_commit: str | None = None
    command: str | None = None


class Candidate(StoredModel):
    """One set of parameters that a search has tried.

    Attributes:
        parameters: by ``step.parameter``; a step that comes twice is ``step#2``.
        score: of the task's first metric on the validation split; None where the candidate failed.
        validation_loss: lowest one while training, nats a token; None where nothing was trained.
        tokens: read and written, training included.
        reason: why it failed.
    """

    parameters: dict[str, Any]
    score: float | None = None
    validation_loss: float | None = None
    wall_s: float
    tokens: int
    reason: str | None = None


class Search(StoredModel):
    """What a search of parameters has tried, the defaults first, and which it chose.

    Attributes:
        metric: of the scores; higher is better unless the metric says otherwise.
        items: of the validation split that each candidate was asked.
        chosen: place among the candidates.
        steps: the chain with the chosen parameters, as in `Trial.steps`.
    """

    metric: str
    items: int
    candidates: tuple[Candidate, ...]
    chosen: int
    steps: tuple[dict[str, Any], ...]


class Completed(StoredModel):
    """A trial that finished.

    Attributes:
        protocol: version of prompts, training and scoring (`PROTOCOL_VERSION`); records without it are of version 1.
        tasks: the target first, then the probes.
        scores: point value of each metric by ``task/metric``; intervals are made by compare from the rows.
        adapted_bytes: size on disk of what adaptation made (adapter, weights or index); None if nothing.
        trained_parameters: parameters that took a gradient.
        curves: points logged while training.
        trainings: how each training loop ended, in order; empty in protocol 1.
        search: what was tried for the parameters; None where they were not searched.
        serving: how it answers requests; None where that was not asked for.
        held: what parts of memory hold.
        synthetic: training items that a step wrote; None where none did.
        corpus: how well each step that learns the corpus (``pretrain``) has learned it, in the order of the chain.
        forecast: what `plan` predicted; None where nothing was.
        checks: self-tests of the finished system.
        notes: what happened to kept artifacts, a sentence each: one was damaged and made again, or could not be kept.
        pass_sizes: how much the model computed at once; None: it is elsewhere, or computed before this was recorded.
        run_limits: under which it ran; None: the defaults.
    """

    schema_version: int = SCHEMA_VERSION
    status: Literal["completed"] = "completed"
    protocol: int = 1
    trial: Trial
    started_at: str
    suite_version: int
    suite_hash: str
    model: ModelInfo
    tasks: tuple[TaskInfo, ...]
    spans: tuple[Span, ...]
    scores: dict[str, float]
    adapted_bytes: int | None = None
    trained_parameters: int | None = None
    curves: tuple[dict[str, float], ...] = ()
    trainings: tuple[TrainingRun, ...] = ()
    search: Search | None = None
    serving: Serving | None = None
    held: Held | None = None
    synthetic: SyntheticRows | None = None
    corpus: tuple[CorpusLearning, ...] = ()
    forecast: Forecast | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    environment: Environment
    pass_sizes: PassSizes | None = None
    run_limits: RunLimits | None = None


class Failed(StoredModel):
    """A trial that began and could not finish; it is tried again by the next run."""

    schema_version: int = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    trial: Trial
    started_at: str
    reason: str
    phase: Phase | None = None
    details: str = ""
    run_limits: RunLimits | None = None


class Skipped(StoredModel):
    """A trial that was never begun, because something that it needs is not there."""

    schema_version: int = SCHEMA_VERSION
    status: Literal["skipped"] = "skipped"
    trial: Trial
    reason: str


RunRecord = Annotated[Completed | Failed | Skipped, Field(discriminator="status")]
