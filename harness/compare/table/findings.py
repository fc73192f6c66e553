"""What is found out about one strategy besides its scores: side effects, parts, training, single labels."""

from __future__ import annotations

from typing import Literal

from harness.compare.stats.estimates import Difference, Estimate
from harness.records.measurements import StoredModel


class Retention(StoredModel):
    """What became of a task that was not trained on: `change` is after minus before, on the same items."""

    task: str
    metric: str
    before: Estimate
    after: Estimate
    change: Difference


class Gap(StoredModel):
    """How a tuned strategy does on items that it was trained on: `change` is their score minus the test items'.

    Attributes:
        metric: the task's primary metric.
        train: score on the training items that were asked again.
    """

    metric: str
    train: Estimate
    change: Difference


class SecretExposure(StoredModel):
    """What became of the planted secrets that stood equally often among the training items.

    Attributes:
        copies: how often; 0: never, as a control.
        candidates: secrets that could have been drawn: of so many, the exposure of the likeliest is log2; None: not
            scored.
        exposure: bits, `harness.metrics.canary_metrics.exposure`; None where the model does not score choices.
        extracted: share that is written out when asked for.
    """

    copies: int
    candidates: int | None = None
    exposure: Estimate | None = None
    extracted: Estimate | None = None


class Interaction(StoredModel):
    """Whether a chain is more than its parts: `change` is (A+B) - A - B + the unchanged model, on the same items.

    Attributes:
        parts: the beginning and the rest of the chain, which are rows of the same table.
        change: its p is adjusted for all interactions of the table.
        kind: whether the chain brings more than its parts do one by one, less, or neither clearly.
    """

    parts: tuple[str, str]
    change: Difference
    kind: Literal["more", "less", "unclear"]


class Forgetting(StoredModel):
    """What became of the table's task when other tasks were learned after it.

    Attributes:
        after: the tasks that were learned later.
        than: the row that did not learn them.
        change: this row minus that one, on the same items; its p is adjusted for all such changes of the table.
    """

    after: tuple[str, ...]
    than: str
    change: Difference


class Curve(StoredModel):
    """One run of training, thinned for a report.

    Attributes:
        steps: optimiser steps in all.
        loss: (step, training loss, nats a token), at most `trajectory.POINTS` of them, the first and the last included.
        checks: what was found whenever the validation split was looked at: loss and metrics, by name.
        best: place of the check with the lowest validation loss; None where none was measured.
    """

    steps: int
    loss: tuple[tuple[int, float], ...] = ()
    checks: tuple[dict[str, float], ...] = ()
    best: int | None = None


class ClassResult(StoredModel):
    """How one class of a classification did; shares in [0, 1], `support` its items, over all seeds."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Control(StoredModel):
    """The row's own items asked in another way, e.g. with the passages that hold the answer.

    Attributes:
        way: ``oracle``, ``random`` or ``none`` for passages; ``paraphrase-1`` and so on for the instruction.
        instruction: of the suite, as it was asked this way.
        score: on the primary metric, of the items that were asked this way.
        change: this way minus the usual way, on the same items.
    """

    way: str
    instruction: str = ""
    score: Estimate
    change: Difference


class Extraction(StoredModel):
    """What reading the same outputs more leniently changes, on the primary metric.

    Attributes:
        change: lenient minus strict on the same items, of each row by (label, model).
        strict: (label, model) of the rows that are best or tied with the best as scored; lenient: as read leniently.
        leading: the row that is highest when read strictly, and when read leniently.
    """

    change: tuple[tuple[tuple[str, str], Difference], ...]
    strict: tuple[tuple[str, str], ...]
    lenient: tuple[tuple[str, str], ...]
    leading: tuple[tuple[str, str], tuple[str, str]]

    @property
    def flips(self) -> bool:
        """Whether another set of strategies is best or tied."""
        return set(self.strict) != set(self.lenient)
