"""Everything that is measured while a trial runs: spans, training curves, memory, reused artifacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api import Step, TrainingRun
from harness.endpoints.session import current
from harness.measure.meter import Meter
from harness.records.measurements import CorpusLearning, Held, Phase, Span, SyntheticRows
from harness.trial import artifacts

Emit = Callable[[Mapping[str, Any]], None]


@dataclass
class Recorder:
    """Gathers spans, curves, and the accounts of artifacts that were made or reused.

    Attributes:
        emit: called with progress events: ``phase``, and as known ``step``, ``done`` and ``total``.
        within: a span that is measured as a whole, such as one candidate of a search; phases inside it are no spans of
            their own, and nothing but indexes is kept. None: each phase is a span.
        charged: spans of reused artifacts.
        held: memory of weights, gradients and optimizer states.
        corpus: how well each step that learns a corpus has learned it.
        synthetic: training items that steps wrote; row_counts: those of the latest step.
        notes: what happened to kept artifacts and to items that are too long, a sentence each.
    """

    cache: Path
    emit: Emit
    seed: int = 0
    within: str | None = None
    meter: Meter = field(default_factory=Meter)
    charged: list[Span] = field(default_factory=list[Span])
    curves: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    trainings: list[TrainingRun] = field(default_factory=list[TrainingRun])
    adapted_bytes: int | None = None
    trained_parameters: int | None = None
    held: Held | None = None
    corpus: list[CorpusLearning] = field(default_factory=list[CorpusLearning])
    synthetic: SyntheticRows | None = None
    row_counts: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[str] = field(default_factory=list[str])

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans measured here, and those of reused artifacts."""
        return (*self.meter.spans, *self.charged)

    def span(self, phase: Phase, step: str | None = None) -> Any:
        """Begin a phase, and measure it while the ``with`` block lasts."""
        self.emit(self._where(phase, step))
        current().phase = phase
        return nullcontext() if self.within else self.meter.span(phase, step)

    def reporter(
        self, phase: Phase, step: str | None = None, figures: Mapping[str, float] | None = None
    ) -> Callable[[int, int], None]:
        """Return a progress callback for a phase, which also sends the latest figures of its curves."""

        def progress(count: int, total: int) -> None:
            event = self._where(phase, step) | {"done": count, "total": total}
            self.emit(event | {"figures": dict(figures)} if figures else event)

        return progress

    def keeps(self, step: Step) -> bool:
        """Tell whether a step's artifact is kept."""
        return step.keeps_artifact and (self.within is None or step.phase == "index")

    def measured(self, phase: Phase, step: str) -> Span:
        """Return the span of the step that has just ended; it has no time inside a span that is measured as a whole."""
        return Span(phase=phase, step=step, wall_s=0) if self.within else self.meter.spans[-1]

    def _where(self, phase: Phase, step: str | None) -> dict[str, Any]:
        if self.within:
            return {"phase": "search", "step": f"{self.within}: {step or phase}"}
        return {"phase": phase, "step": step}

    def charge(self, account: artifacts.Account) -> None:
        """Add an artifact's size, parameters, curves, memory and knowledge of the corpus to the trial's."""
        if account.size_bytes is not None:
            self.adapted_bytes = (self.adapted_bytes or 0) + account.size_bytes
        if account.trained_parameters is not None:
            self.trained_parameters = (self.trained_parameters or 0) + account.trained_parameters
        self.curves += account.curves
        self.trainings += account.trainings
        self.row_counts = account.rows
        if account.corpus:
            self.corpus.append(account.corpus)
        if account.held:
            self.add_memory(account.held)

    def add_memory(self, memory: Held) -> None:
        """Keep the larger of each size."""
        self.held = largest(self.held or Held(), memory)


def largest(first: Held, second: Held) -> Held:
    """Return the larger of each size; one that is unknown in both stays unknown."""
    sizes = {name: (getattr(first, name), getattr(second, name)) for name in Held.model_fields}
    return Held(
        **{name: max((size for size in pair if size is not None), default=None) for name, pair in sizes.items()}
    )
