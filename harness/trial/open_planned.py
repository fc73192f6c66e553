"""Open the model of a planned trial, with the sizes of passes that the user has fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.api import Model
from harness.models import registry
from harness.records.pass_sizes import PassSizes
from harness.records.planned_trial import PlannedTrial


def open_planned(planned: PlannedTrial, cache: Path) -> Model:
    """Open the model of a trial, as `registry.open_model` does."""
    model: Any = registry.open_model(planned.model_reference, cache, by=planned.backend)
    sizes = pass_sizes(model)
    return model.with_sizes(sizes.fixed(planned.rows, planned.row_tokens)) if sizes else model


def pass_sizes(model: Model) -> PassSizes | None:
    """Return how much a model computes at once; None: it does not compute here, or does not tell."""
    return getattr(model, "pass_sizes", None)
