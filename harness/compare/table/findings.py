"""Findings of a table besides scores: retention, overfitting, chains, ablations, training curves, labels, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Literal, NamedTuple

from harness.compare.stats.estimates import Difference, Estimate
from harness.metrics.canary_metrics import guessed_exposure
from harness.records.ablation_names import is_paraphrase
from harness.records.measurements import StoredModel

TIE = 1e-9
"""Scores nearer than this are equal: sums in another order differ by rounding."""

WarningKind = Literal["data", "machine", "seeds", "sizes", "retention", "curve", "price", "row", "noise"]


class TaskWarning(StoredModel):
    """A warning about a table, and what it concerns.

    Attributes:
        kind: the task's data, unlike machines or weights, unlike items between seeds, unlike training sizes, unknown
            retention, a missing point of a learning curve, an unknown price, a row of several versions or machines, or
            rounding as large as a difference.
    """

    kind: WarningKind
    text: str

    @classmethod
    def of(cls, kind: WarningKind, texts: Sequence[str]) -> tuple[TaskWarning, ...]:
        """Give several texts one kind."""
        return tuple(cls(kind=kind, text=text) for text in texts)


class Retention(StoredModel):
    """Retention on a task that was not trained on: `change` is after minus before, on the same items."""

    task: str
    metric: str
    before: Estimate
    after: Estimate
    change: Difference


class SyntheticTraining(StoredModel):
    """What a row learned of items that a model wrote.

    Attributes:
        teachers: the models that wrote them.
        written: questions, in all seeds; kept: those that were usable.
        restricted_passages: that nothing was asked about, because not everybody may read them.
        synthetic: written items among the `learned` training items, in the seed with most.
        near_test: rows left out because they are nearly like a test item, in all seeds.
        affected: test items that such a row was nearly like; unaffected: the primary score without them, None where
            there are none.
        test_teacher: the teacher that wrote the test items too; None: none did.
    """

    teachers: tuple[str, ...]
    written: int
    kept: int
    restricted_passages: int
    synthetic: int
    learned: int
    near_test: int
    affected: int
    unaffected: Estimate | None = None
    test_teacher: str | None = None


class UnknownRetention(NamedTuple):
    """A probe without retention, and why.

    Attributes:
        probe: name of the probe.
        baseline_task: the task to run the unchanged model on.
    """

    probe: str
    baseline_task: str
    model: str
    reason: Literal["no baseline", "data changed", "no common items"]


class Gap(StoredModel):
    """Train-test gap of a tuned strategy: `change` is the score on training items minus the score on test items.

    Attributes:
        metric: the task's primary metric.
        train: score on the training items (train-set evaluation).
    """

    metric: str
    train: Estimate
    change: Difference


class SecretExposure(StoredModel):
    """Exposure and extraction of the planted secrets with the same number of copies among the training items.

    Attributes:
        copies: of each secret; 0: none, as a control.
        candidates: secrets that could have been drawn; None: not scored.
        exposure: bits, `harness.metrics.canary_metrics.exposure`; None where the model does not score choices.
        extracted: share that is written out when asked for.
    """

    copies: int
    candidates: int | None = None
    exposure: Estimate | None = None
    extracted: Estimate | None = None

    @property
    def guessed_bits(self) -> float:
        """Expected exposure under a model that knows nothing of the secrets; 0 where they were not scored."""
        return guessed_exposure(self.candidates) if self.candidates else 0.0

    @property
    def max_bits(self) -> float:
        """Highest exposure that is possible: log2 of the number of candidates."""
        return log2(self.candidates or 1)

    @property
    def leaks(self) -> bool:
        """Whether a secret is written out, or exposure is clearly above guessing."""
        extracted = bool(self.extracted and self.extracted.value)
        return extracted or bool(self.exposure and self.exposure.low > self.guessed_bits)


class Interaction(StoredModel):
    """Interaction of a chain's parts: `change` is (A+B) - A - B + the unchanged model, on the same items.

    Attributes:
        parts: A and B, which are rows of the same table.
        change: its p is adjusted for all interactions of the table.
        kind: whether the chain gains clearly more than the sum of its parts, clearly less, or neither.
    """

    parts: tuple[str, str]
    change: Difference
    kind: Literal["more", "less", "unclear"]


class Forgetting(StoredModel):
    """Forgetting of the table's task when a chain learns other tasks after it.

    Attributes:
        after: the tasks that were learned later.
        than: the row of the same chain without them.
        change: this row minus that one, on the same items; its p is adjusted for all such changes of the table.
    """

    after: tuple[str, ...]
    than: str
    change: Difference


class Curve(StoredModel):
    """Loss curve of one training run, thinned for a report.

    Attributes:
        steps: optimiser steps in all.
        loss: (step, training loss in nats a token), at most `training_curves.POINTS`, with the first and the last.
        checks: validation loss and metrics by name, for each evaluation on the validation split.
        best: index of the check with the lowest validation loss; None where none was measured.
    """

    steps: int
    loss: tuple[tuple[int, float], ...] = ()
    checks: tuple[dict[str, float], ...] = ()
    best: int | None = None


class ClassResult(StoredModel):
    """Precision, recall and F1 of one class, in [0, 1]; `support` is its number of items, over all seeds."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class AblationEffect(StoredModel):
    """Effect of an ablation on one row: its test items with other passages or a paraphrased instruction.

    Attributes:
        ablation: ``oracle``, ``random`` or ``none`` for passages; ``paraphrase-1`` and so on for the instruction.
        instruction: of the suite, as this ablation words it.
        score: on the primary metric, of the items of the ablation.
        change: the ablation minus the row itself, on the same items.
    """

    ablation: str
    instruction: str = ""
    score: Estimate
    change: Difference

    @property
    def is_paraphrase(self) -> bool:
        """Whether the instruction is paraphrased; else the passages are changed."""
        return is_paraphrase(self.ablation)

    @property
    def usual(self) -> float:
        """Score of the row itself, on the items of the ablation."""
        return self.score.value - self.change.value


Reading = Literal["calibrated", "raw", "scored", "constrained", "written"]
"""How answers were read: scored labels by the calibrated or by the raw scores; scored choices of single items; a text
that could be nothing but a choice; or one that could be anything."""


class Readings(StoredModel):
    """Scores of a row by both readings of its labels' scores, on the primary metric.

    Attributes:
        change: calibrated minus raw, of the same runs on the same items.
        default: the one that all other figures of the row rest on.
        source: what the prior was measured on: ``validation`` inputs, or ``content-free`` questions; inputs: how many.
        share_labels: training labels that the labels' shares were counted from; 0: even shares.
    """

    raw: Estimate
    calibrated: Estimate
    change: Difference | None
    default: Literal["calibrated", "raw"]
    source: Literal["validation", "content-free"]
    inputs: int
    share_labels: int


class SingleAnswer(StoredModel):
    """One answer that a row gives to nearly all items (`readings.SINGLE`).

    Attributes:
        share: of the items, over all seeds.
        change: the row minus always giving that answer, on the primary metric; None where it always does.
        better: whether the row is clearly better than that.
    """

    answer: str
    share: float
    change: Difference | None = None
    better: bool = False


class Extraction(StoredModel):
    """Effect of lenient answer parsing on the same outputs, on the primary metric.

    Attributes:
        change: lenient minus strict on the same items, of each row by (label, model).
        strict: (label, model) of the rows that are best or tied under strict parsing; lenient: under lenient parsing.
        leading: the highest row under strict parsing, and under lenient parsing.
    """

    change: tuple[tuple[tuple[str, str], Difference], ...]
    strict: tuple[tuple[str, str], ...]
    lenient: tuple[tuple[str, str], ...]
    leading: tuple[tuple[str, str], tuple[str, str]]

    @property
    def flips(self) -> bool:
        """Whether another set of strategies is best or tied."""
        return set(self.strict) != set(self.lenient)

    @property
    def changed(self) -> tuple[tuple[tuple[str, str], Difference], ...]:
        """The entries of `change` that are not 0."""
        return tuple((key, gain) for key, gain in self.change if abs(gain.value) > TIE)
