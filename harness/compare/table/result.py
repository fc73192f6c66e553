"""Results of a comparison, complete: rendering computes no number and reads no record."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.api import Kind, TrainingRun
from harness.compare.cost.money import Money, PricingAssumptions
from harness.compare.cost.resource_types import Cost, Machine
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.agreement import PooledCheck
from harness.compare.table.confidence_types import ConfidenceFigures
from harness.compare.table.findings import (
    AblationEffect,
    ClassResult,
    Curve,
    Extraction,
    Forgetting,
    Gap,
    Interaction,
    Reading,
    Readings,
    Retention,
    SecretExposure,
    SingleAnswer,
    SyntheticTraining,
    TaskWarning,
)
from harness.compare.table.retrieval_split import RetrievalSplit
from harness.compare.table.slices import SliceResult
from harness.compare.trials.traits import Traits
from harness.records.measurements import CorpusLearning, StoredModel
from harness.records.record import Budget, Search, row_label

Status = Literal["completed", "failed", "skipped"]


class TrialResult(StoredModel):
    """One trial as a machine reads it: scores with intervals, retention as ``retention/TASK``.

    Attributes:
        train_items: trained on so many items only; None: on all, or on none.
        search: what was tried for its parameters; None where they were not searched.
        curves: of each run of training, in order; trainings: how each ended, not known in protocol 1.
        corpus: how well each step that learns the corpus has learned it.
    """

    seed: int
    train_items: int | None = None
    status: Status
    reason: str | None = None
    scores: dict[str, Estimate] = Field(default_factory=dict[str, Estimate])
    retention: tuple[Retention, ...] = ()
    gap: Gap | None = None
    search: Search | None = None
    curves: tuple[Curve, ...] = ()
    trainings: tuple[TrainingRun, ...] = ()
    corpus: tuple[CorpusLearning, ...] = ()
    cost: Cost | None = None


class SizeResult(StoredModel):
    """One point of a learning curve.

    Attributes:
        score: on the primary metric, on the same test items at every size.
        gain: this minus the next smaller size; None for the smallest.
    """

    train_items: int
    score: Estimate
    gain: Difference | None = None
    gap: Gap | None = None
    trials: tuple[TrialResult, ...] = ()


class StrategyResult(StoredModel):
    """One row: a strategy with a model, its seeds pooled.

    Attributes:
        status: completed if at least one seed is.
        reason: why the trial, or some of its seeds, did not finish.
        scores: by metric, in the task's order; a metric that can't be told of this strategy is not in it.
        to_best: this minus the best, on the primary metric; None for the best itself.
        to_baseline: this minus `zero_shot` with the same model; None for it, and where it is missing.
        tied_for_best: not clearly worse than the best (adjusted p above 0.05); None where unknown.
        retention: of each probe; empty where the weights are unchanged or nothing is known from before.
        gap: train minus test; None for what was not tuned on the task's items, or not asked them again.
        unparsed: share of outputs that no answer could be read from.
        reading: how its answers were read; None where nothing is chosen, or the record does not say.
        readings: its scores by both readings of its labels' scores; None where they are not stored.
        confidence: of its scored answers by each reading that is known, the default first; empty where none are scored.
        single_answer: given to nearly all items; None: there is none.
        interactions: of a chain, for each way of taking it apart into two that are rows too.
        forgetting: of a sequence of tasks; None for anything else.
        learning_curve: its sizes of training data, rising, where more than one was tried.
        budget: what it could spend on looking for its parameters; None: they have their defaults.
        answers: ``written``: its choices were written, though it may score; None: as usual.
        same_as: label of an earlier row of the model that gave the same output to every item in every seed: one system
            under two names. None: there is none.
        one_seed: some step is random, and it ran with a single seed: its spread over seeds is not its own.
        classes: scores of each label, for a classification.
        confusion: (labels, counts by reference and answer), for a classification.
        money: what it costs to make and to use; None where no price fits.
        traits: what it does to a system; None where it did not finish.
        licence: of the model's weights; parameters: that the model has; None where unknown.
        checks: self-tests, of all seeds together.
        controls: its own items asked in other ways.
        retrieval: its shortfall, split between retriever and reader; None where it does not retrieve.
        planted: what of planted secrets it gives away, by how often they stood in training; empty where none are.
        synthetic: what it learned of items that a model wrote; None where it learned none.
    """

    strategy: str
    model: str
    status: Status
    reason: str | None = None
    scores: dict[str, Estimate] = Field(default_factory=dict[str, Estimate])
    to_best: Difference | None = None
    to_baseline: Difference | None = None
    tied_for_best: bool | None = None
    retention: tuple[Retention, ...] = ()
    gap: Gap | None = None
    cost: Cost | None = None
    unparsed: float | None = None
    reading: Reading | None = None
    readings: Readings | None = None
    confidence: tuple[ConfidenceFigures, ...] = ()
    single_answer: SingleAnswer | None = None
    interactions: tuple[Interaction, ...] = ()
    forgetting: Forgetting | None = None
    learning_curve: tuple[SizeResult, ...] = ()
    budget: Budget | None = None
    answers: Literal["written"] | None = None
    same_as: str | None = None
    one_seed: bool = False
    classes: tuple[ClassResult, ...] = ()
    confusion: tuple[tuple[str, ...], tuple[tuple[int, ...], ...]] | None = None
    money: Money | None = None
    traits: Traits | None = None
    licence: str | None = None
    parameters: int | None = None
    checks: tuple[PooledCheck, ...] = ()
    controls: tuple[AblationEffect, ...] = ()
    retrieval: RetrievalSplit | None = None
    planted: tuple[SecretExposure, ...] = ()
    synthetic: SyntheticTraining | None = None
    trials: tuple[TrialResult, ...] = ()

    @property
    def label(self) -> str:
        """What the row is called: the strategy, and what it could spend on looking for its parameters."""
        return row_label(self.strategy, self.budget, self.answers)

    @property
    def seeds(self) -> int:
        """Seeds that finished."""
        return sum(trial.status == "completed" for trial in self.trials)


class TaskResult(StoredModel):
    """One table: every strategy on one task, best first, then what did not finish.

    Attributes:
        primary: the task's first metric, the one that `best` and ties are about.
        items: number of test items; clusters: groups of them that are not independent, None where each is.
        chance: score on the primary metric of what reads no item: the better of guessing and the commonest answer.
        probe: whether it only measures side effects of strategies that learn other tasks.
        speed_comparable: whether seconds and bytes of the rows came from alike machines.
        slices: the rows on the items of each value of a column that divides them; empty where none does.
        extraction: whether reading the same outputs leniently changes who is best; None where nothing was read.
        verdict: what the table says, in sentences.
    """

    suite: str
    name: str
    kind: Kind | None = None
    metrics: tuple[str, ...] = ()
    primary: str | None = None
    higher_is_better: bool = True
    items: int | None = None
    clusters: int | None = None
    chance: float | None = None
    best: int | None = None
    rows: tuple[StrategyResult, ...] = ()
    probe: bool = False
    speed_comparable: bool = True
    slices: tuple[SliceResult, ...] = ()
    extraction: Extraction | None = None
    verdict: tuple[str, ...] = ()
    warnings: tuple[TaskWarning, ...] = ()


class SuiteResult(StoredModel):
    """A suite's tasks, and where its records were made."""

    name: str
    tasks: tuple[TaskResult, ...]
    models: tuple[str, ...] = ()
    machines: tuple[Machine, ...] = ()
    warnings: tuple[str, ...] = ()


class Comparison(StoredModel):
    """All that a report says.

    Attributes:
        notes: about the store: what was left out of it, and why.
        assumed: what its money rests on besides measurements.
    """

    suites: tuple[SuiteResult, ...]
    notes: tuple[str, ...] = ()
    assumed: PricingAssumptions = PricingAssumptions()
