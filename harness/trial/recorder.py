"""What a trial gathers as it goes: measured phases, training curves, what was made or taken from an earlier trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api import Step
from harness.measure.meter import Meter
from harness.records.measurements import Held, Phase, Span
from harness.trial import artifacts

Emit = Callable[[Mapping[str, Any]], None]


@dataclass
class Recorder:
    """What a trial gathers as it goes: spans, curves, and the account of what was made or taken from an earlier one.

    Attributes:
        held: what the model, and training it, holds of memory.
        within: what all of it is a part of: a span that is measured as a whole, and named so in the progress; nothing
            is kept then but indexes, which parameters share. None: each phase is a span of its own.
    """

    cache: Path
    emit: Emit
    seed: int = 0
    within: str | None = None
    meter: Meter = field(default_factory=Meter)
    charged: list[Span] = field(default_factory=list[Span])
    curves: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    adapted_bytes: int | None = None
    trained_parameters: int | None = None
    held: Held | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans measured here, and those of reused artifacts."""
        return (*self.meter.spans, *self.charged)

    def span(self, phase: Phase, step: str | None = None) -> Any:
        """Begin a phase: tell of it, and measure it."""
        self.emit(self._where(phase, step))
        return nullcontext() if self.within else self.meter.span(phase, step)

    def reporter(
        self, phase: Phase, step: str | None = None, figures: Mapping[str, float] | None = None
    ) -> Callable[[int, int], None]:
        """Return what tells how far a phase is, with the latest figures of its curves where there are some."""

        def progress(done: int, total: int) -> None:
            event = self._where(phase, step) | {"done": done, "total": total}
            self.emit(event | {"figures": dict(figures)} if figures else event)

        return progress

    def keeps(self, step: Step) -> bool:
        """Tell whether what a step makes is kept."""
        return step.keeps_artifact and (self.within is None or step.phase == "index")

    def measured(self, phase: Phase, step: str) -> Span:
        """Give the span of the step that has just ended; one without time where the whole is measured elsewhere."""
        return Span(phase=phase, step=step, wall_s=0) if self.within else self.meter.spans[-1]

    def _where(self, phase: Phase, step: str | None) -> dict[str, Any]:
        if self.within:
            return {"phase": "search", "step": f"{self.within}: {step or phase}"}
        return {"phase": phase, "step": step}

    def charge(self, account: artifacts.Account) -> None:
        """Take over what an artifact cost: its span, if an earlier trial made it, and its size."""
        if account.size_bytes is not None:
            self.adapted_bytes = (self.adapted_bytes or 0) + account.size_bytes
        if account.trained_parameters is not None:
            self.trained_parameters = (self.trained_parameters or 0) + account.trained_parameters
        self.curves += account.curves
        if account.held:
            self.hold(account.held)

    def hold(self, found: Held) -> None:
        """Take over what is held of memory, where it is more than before."""
        self.held = largest(self.held or Held(), found)


def largest(first: Held, second: Held) -> Held:
    """Give the larger of each size; one that is unknown in both stays so."""
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in Held.model_fields}
    known = {name: [size for size in pair if size is not None] for name, pair in pairs.items()}
    return Held(**{name: max(sizes, default=None) for name, sizes in known.items()})
